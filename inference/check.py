"""The pre-flight: the grid a job would run on, and what each slot's layer is like, without running the model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..models.card import Channel, Slot
from .cost import describe_grid
from .duration import seconds_of
from .errors import DamagedError, SourceError
from .events import Result
from .job import Job
from .kept import Kept
from .prepare import Prepared, prepare
from .sources import Context, Facts
from .voice import Voice, Warnings

#: A layer whose own resolution is this many times coarser or finer than the model's is worth a word.
FAR_GSD = 3.0
#: Values beyond this many scaled units are not what a model was trained on (z-scores, shares and the like), unless
#: their mean lies within so many: then they are clouds and glints.
FAR_VALUE, FAR_MEAN = 20.0, 4.0
#: Imagery of which all channels stay below this share of their ordinary value is in another unit: the darkest water
#: still has more in blue.
FAINT = 0.2
#: The ordinary value of a channel that is only divided by full scale; land reflects about as much of the light.
ORDINARY = 0.15
#: The highest value of a byte. Imagery that never exceeds it holds bytes, however bright; a scene in the larger numbers
#: of satellites is not that dark in all channels.
BYTE = 255


def check_job(job: Job, base: Path, voice: Voice, kept: Kept | None = None, timed: bool = False) -> Result:
    """Answer the run grid, the cost of the run, and a report for each slot; slots may still lack their layer.

    `timed` also measures how many ``seconds`` the run will take (null where a slot cannot be read), which runs the
    model once; `kept` keeps what was measured.

    Raises:
        RequestError: when the job cannot be done as it is asked for.
    """
    warnings = Warnings(voice.say)
    kept = kept or Kept()
    prepared = prepare(job, base, warnings.tell, kept, incomplete=True)
    for sentence in prepared.warnings:
        warnings.tell(sentence)
    context = Context(base, prepared.folder, warnings.tell)
    slots: dict[str, dict[str, Any]] = {}
    began = time.monotonic()
    for slot in prepared.card.slots:
        voice.checkpoint()
        slots[slot.name] = _look_at(slot, prepared, context)
    cost = describe_grid(prepared)
    if timed:
        # A run begins with the same look at its layers.
        looking = time.monotonic() - began
        readable = all(entry["verdict"] != "cannot" for entry in slots.values())
        cost["seconds"] = looking + seconds_of(prepared, context, kept, voice.checkpoint) if readable else None
    return Result(report={**cost, "slots": slots, "warnings": warnings.told})


def _look_at(slot: Slot, prepared: Prepared, context: Context) -> dict[str, Any]:
    """The report's entry for one slot."""
    try:
        source = prepared.open_slot(slot, context)
        if source is None:
            return _without_layer(slot)
        try:
            return _verdict(slot, source.facts(), prepared.grid.mean_gsd)
        finally:
            source.close()
    except DamagedError as problem:
        return {**_refusal(problem, "damage"), "file": problem.file}
    except SourceError as problem:
        return _refusal(problem, "source")


def _refusal(problem: SourceError, about: str) -> dict[str, Any]:
    return {"verdict": "cannot", "sentences": [str(problem)], "about": [about], "facts": None}


def _verdict(slot: Slot, facts: Facts, grid_gsd: float) -> dict[str, Any]:
    """``fits``, ``works`` (with sentences why not better, and what each is about) or ``cannot``, and the facts."""
    found = {
        "coverage": _on_coverage(slot, facts),
        "gsd": _on_gsd(slot, facts, grid_gsd),
        "values": _on_values(slot, facts),
        "features": _on_features(slot, facts),
    }
    about = [name for name, said in found.items() for _ in said]
    sentences = [sentence for said in found.values() for sentence in said]
    cannot = facts.coverage == 0 and slot.missing == "required"
    verdict = "cannot" if cannot else "works" if sentences else "fits"
    return {"verdict": verdict, "sentences": sentences, "about": about, "facts": asdict(facts)}


def _without_layer(slot: Slot) -> dict[str, Any]:
    if slot.missing == "required":
        verdict, sentence = "cannot", f"Choose a layer for '{slot.name}'; the model cannot work without it."
    else:
        verdict, sentence = "works", f"No layer; the model uses its fill value for '{slot.name}' everywhere."
    return {"verdict": verdict, "sentences": [sentence], "about": ["missing"], "facts": None}


def _on_coverage(slot: Slot, facts: Facts) -> list[str]:
    if facts.coverage is None or facts.coverage > 0.995:
        return []
    rest = "nodata" if slot.missing == "required" else "mapped without it"
    return [f"The layer for '{slot.name}' covers {facts.coverage:.0%} of the area; the rest will be {rest}."]


def _on_gsd(slot: Slot, facts: Facts, grid_gsd: float) -> list[str]:
    wanted = slot.gsd or grid_gsd * slot.grid_ratio
    if facts.gsd is None or 1 / FAR_GSD <= facts.gsd / wanted <= FAR_GSD:
        return []
    word = "coarser" if facts.gsd > wanted else "finer"
    return [
        f"The layer for '{slot.name}' has pixels of {facts.gsd:.3g} m, much {word} than the model's {wanted:.3g} m."
    ]


def _on_features(slot: Slot, facts: Facts) -> list[str]:
    """Vector layers of which nothing becomes a channel are most likely the wrong ones."""
    matched = facts.details.get("matched")
    if not isinstance(matched, Mapping) or any(matched.values()):
        return []
    names = ", ".join(channel.name for channel in slot.channels)
    return [f"No feature of the layers for '{slot.name}' fits its channels ({names}) in this area."]


def _on_values(slot: Slot, facts: Facts) -> list[str]:
    """A layer in another unit than the card's scaling expects (0-255 fed to a reflectance model) is caught here."""
    ranges = list(zip(slot.channels, facts.minimum, facts.maximum, strict=False))
    means = facts.mean or facts.maximum
    measured = list(zip(ranges, means, strict=False))
    wrong = next((entry for entry, mean in measured if _is_far(*entry, mean)), None)
    if wrong is None and slot.role == "imagery":
        wrong = next((entry for entry, mean in measured if _is_glaring(entry[0], mean)), None)
        if wrong is None and ranges and all(_is_faint(*entry) for entry in ranges):
            wrong = ranges[0]
    if wrong is None:
        return []
    channel, low, high = wrong
    return [
        f"'{channel.name}' has values from {low:.4g} to {high:.4g}, which the model's scaling "
        f"(offset {channel.scaling.offset:.4g}, scale {channel.scaling.scale:.4g}) was not made for; "
        "check the layer's units."
    ]


def _is_far(channel: Channel, low: float, high: float, mean: float) -> bool:
    """Whether values lie far outside what the scaling spans, or fill next to nothing of it."""
    rule = channel.scaling
    if rule.minimum is not None and rule.maximum is not None and low >= rule.minimum and high <= rule.maximum:
        return False
    low, high, mean = ((value - rule.offset) / rule.scale for value in (low, high, mean))
    if max(abs(low), abs(high)) > FAR_VALUE and abs(mean) > FAR_MEAN:
        return True
    return rule.scale != 1 and 0 < abs(high - low) < 1e-3


def _is_faint(channel: Channel, low: float, high: float) -> bool:
    """Whether values that cannot be negative are far below what the scaling was made for."""
    rule = channel.scaling
    ordinary = rule.offset if rule.offset > 0 else ORDINARY * rule.scale
    return rule.scale != 1 and low >= 0 and (high < FAINT * ordinary or high <= BYTE < ordinary)


def _is_glaring(channel: Channel, mean: float) -> bool:
    """Whether imagery that is only divided by full scale is beyond it on average: not even snow is."""
    return channel.scaling.offset == 0 and channel.scaling.scale != 1 and mean > channel.scaling.scale

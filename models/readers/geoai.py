"""Cards from the sidecar ``<model>.onnx.json`` that opengeos/geoai writes beside its exports.

geoai feeds bytes divided by 255 to every model; other data it stretches by each image's own percentiles, which no card
can repeat. Segmentation models answer logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..card import Card, ClassInfo, Output, Scaling, Slot, Task, Tiling
from ..errors import CardError
from ..graph import Graph
from ..remarks import Remarks, Say
from . import bare
from .defaults import safe_name

_MARKS = frozenset({"input_channels", "input_height", "input_width", "id2label", "output_names", "num_labels"})
_TASKS: dict[str, Task] = {
    "segmentation": "semantic-segmentation",
    "semantic-segmentation": "semantic-segmentation",
    "depth-estimation": "pixel-regression",
    "regression": "pixel-regression",
}
_BYTES = Scaling(scale=255.0)


def is_sidecar(data: object) -> bool:
    """Whether parsed JSON looks like a geoai sidecar."""
    return isinstance(data, Mapping) and len(_MARKS.intersection(data)) >= 2


def read(graph: Graph, sidecar: Mapping[str, Any], where: str) -> tuple[Card, Remarks]:
    """What the sidecar claims, on top of what the graph tells, and what has to be said about it.

    Raises:
        CardError: the task is none that Fusion Mapper runs, or the graph fits no layers.
    """
    said = Remarks()
    task = _TASKS.get(str(sidecar.get("task")).lower())
    if task is None:
        raise CardError(
            f"{where}: the task is {str(sidecar.get('task'))[:40]!r}; Fusion Mapper runs {', '.join(sorted(_TASKS))}."
        )
    card = bare.read(graph)
    title = str(sidecar.get("model_name") or card.title)
    card = replace(
        card,
        name=safe_name(title.rpartition("/")[2]),
        title=title,
        slots=tuple(_slot(slot) for slot in card.slots),
        outputs=_outputs(card, task, sidecar, said.say),
        tiling=_tiling(card, sidecar, said.say),
        unknown=_unknown(card, sidecar),
    )
    _tell_channels(card, sidecar, said.say)
    return card, said


def _slot(slot: Slot) -> Slot:
    channels = tuple(replace(channel, scaling=_BYTES) for channel in slot.channels)
    if len(channels) == 3:
        names = ("red", "green", "blue")
        channels = tuple(replace(channel, name=name) for channel, name in zip(channels, names, strict=True))
    return replace(slot, channels=channels)


def _outputs(card: Card, task: Task, sidecar: Mapping[str, Any], say: Say) -> tuple[Output, ...]:
    """The first named output holds the answer; geoai exports no second head for these tasks."""
    names = sidecar.get("output_names")
    wanted = str(names[0]) if isinstance(names, list) and names else card.outputs[0].name
    output = next((output for output in card.outputs if output.name == wanted), None)
    if output is None:
        output = card.outputs[0]
        told = f"The sidecar names an output '{wanted}', which the graph does not have; '{output.name}' is taken."
        say(told, "outputs[0].name")
    if task == "pixel-regression":
        return (replace(output, task=task, classes=(), activation="none"),)
    labels = _labels(sidecar, say)
    return (replace(output, classes=labels or output.classes),)


def _labels(sidecar: Mapping[str, Any], say: Say) -> tuple[ClassInfo, ...]:
    labels = sidecar.get("id2label")
    if labels is None:
        return ()
    try:
        numbered = {int(key): str(name) for key, name in labels.items()}
    except (AttributeError, ValueError, TypeError):
        say("The sidecar's id2label is not a table of numbers and names, and was left out.", "outputs[0].classes")
        return ()
    if any(not 0 <= value <= 65534 for value in numbered):
        say("The sidecar's id2label has numbers outside 0 to 65534, and was left out.", "outputs[0].classes")
        return ()
    return tuple(ClassInfo(value, numbered[value]) for value in sorted(numbered))


def _tiling(card: Card, sidecar: Mapping[str, Any], say: Say) -> Tiling:
    height, width = sidecar.get("input_height"), sidecar.get("input_width")
    if not isinstance(height, int) or isinstance(height, bool) or not 1 <= height <= 16384:
        return card.tiling
    if width not in (None, height):
        told = f"The sidecar asks for tiles of {height}×{width} pixels; only square tiles work, so they are {height}."
        say(told, "tiling.size")
    return replace(card.tiling, size=height)


def _unknown(card: Card, sidecar: Mapping[str, Any]) -> tuple[str, ...]:
    settled = (".scaling", ".task", ".activation", ".role" if len(card.slots) == 1 else ".scaling")
    missing = [name for name in card.unknown if not name.endswith(settled)]
    return tuple(name for name in missing if not ("id2label" in sidecar and name.endswith(".classes")))


def _tell_channels(card: Card, sidecar: Mapping[str, Any], say: Say) -> None:
    said, true = sidecar.get("input_channels"), len(card.slots[0].channels)
    if isinstance(said, int) and said != true:
        told = f"The sidecar tells {said} input channels, but the graph has {true}; channels are {true}."
        say(told, "slots[0].channels")
    say("geoai divides bytes by 255; layers of other types need values from 0 to 255.", "slots[0].scaling")

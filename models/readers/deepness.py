"""Cards from the metadata keys that the QGIS plugin Deepness reads.

Conventions, from Deepness's documentation and code (PUTvision/qgis-plugin-deepness): every value is a JSON text;
images are divided by 255 and then standardised; outputs are taken for probabilities, those below ``seg_thresh`` count
as 0 and the highest channel wins; one channel, or none (N×H×W), is a binary head whose only name is the second class.
"""

from __future__ import annotations

import ast
import json
import math
from dataclasses import replace
from typing import Any

from ..card import Card, Channel, ClassInfo, Output, Scaling, Slot, Task, Tiling
from ..errors import CardError
from ..graph import Graph
from ..remarks import Remarks, Say
from ..survey import Survey, survey
from . import bare
from .defaults import default_classes

_KEYS = frozenset(
    {
        *("model_type", "class_names", "names", "resolution", "tile_size", "tiles_size", "tiles_overlap"),
        *("standardization_mean", "standardization_std", "seg_thresh", "seg_small_segment"),
        *("reg_output_scaling", "det_conf", "det_iou_thresh", "det_type"),
    }
)
_TASKS: dict[str, Task] = {"segmentor": "semantic-segmentation", "regressor": "pixel-regression"}
#: More text than this is no list of names.
_MAX_TEXT = 1_000_000
_WHITE = 255.0
#: The card's field that a key fills.
_FIELDS = {
    "resolution": "gsd",
    "tile_size": "tiling.size",
    "tiles_size": "tiling.size",
    "tiles_overlap": "tiling.overlap",
    "standardization_mean": "slots[0].scaling",
    "standardization_std": "slots[0].scaling",
    "class_names": "outputs[0].classes",
    "names": "outputs[0].classes",
    "seg_thresh": "outputs[0].threshold",
    "reg_output_scaling": "outputs[0].scaling",
}


def follows(graph: Graph) -> bool:
    """Whether the file carries a key that only Deepness writes, or class names under one that it reads."""
    return bool(_KEYS.intersection(graph.metadata))


def read(graph: Graph) -> tuple[Card, Remarks]:
    """What the keys claim, on top of what the graph tells, and what has to be said about them.

    The claims may contradict the graph; `repair` settles that.

    Raises:
        CardError: the model does something else than segmentation or regression, or its graph fits no layers.
    """
    said = Remarks()
    keys = _Keys(graph, said.say)
    task = _task(keys, graph)
    found = survey(graph)
    card = bare.read(graph, found)
    names = _class_names(keys)
    gsd = keys.number("resolution", positive=True)
    card = replace(
        card,
        gsd=None if gsd is None else round(gsd / 100, 6),
        slots=_slots(card, keys),
        outputs=_outputs(card, task, names, keys, found),
        tiling=_tiling(card, keys),
        unknown=_unknown(card, gsd, names),
    )
    _tell_unused(keys, task)
    return card, said


class _Keys:
    """The file's keys: each is parsed with a warning instead of a crash."""

    def __init__(self, graph: Graph, say: Say) -> None:
        self._texts = graph.metadata
        self.say = say

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def value(self, key: str) -> Any:
        """The parsed value, or None where the key is absent or unreadable."""
        text = self._texts.get(key)
        if text is None:
            return None
        if len(text) > _MAX_TEXT:
            self.say(f"The Deepness key {key} is too long and was left out.", _FIELDS.get(key, ""))
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return _python_literal(text)

    def number(self, key: str, positive: bool = False) -> float | None:
        value = self.value(key)
        if value is None:
            return None
        number = _finite(value)
        if number is None or (positive and number <= 0):
            told = f"The Deepness key {key} is {value!r:.60} and was left out; a number is needed."
            self.say(told, _FIELDS.get(key, ""))
            return None
        return number

    def numbers(self, key: str) -> list[float] | None:
        value = self.value(key)
        if value is None:
            return None
        numbers = [_finite(item) for item in value] if isinstance(value, (list, tuple)) else []
        if not numbers or None in numbers:
            told = f"The Deepness key {key} is {value!r:.60} and was left out; a list of numbers is needed."
            self.say(told, _FIELDS.get(key, ""))
            return None
        return [number for number in numbers if number is not None]


def _python_literal(text: str) -> Any:
    """Deepness's older files hold Python literals (``{0: 'tree'}``), and some a word without quotes."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _finite(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _task(keys: _Keys, graph: Graph) -> Task:
    kind = keys.value("model_type")
    if kind is None:
        keys.say("The Deepness key model_type is missing; the model is taken for a Segmentor.", "outputs[0].task")
        return _TASKS["segmentor"]
    task = _TASKS.get(str(kind).strip("'\" ").lower())
    if task is None:
        raise CardError(
            f"{graph.path.name} is a Deepness model of the type {str(kind)[:40]!r}; Fusion Mapper runs Segmentor and "
            "Regressor."
        )
    return task


def _slots(card: Card, keys: _Keys) -> tuple[Slot, ...]:
    slots = tuple(_slot(slot, keys) for slot in card.slots)
    return (replace(slots[0], name="imagery"),) if len(slots) == 1 else slots


def _slot(slot: Slot, keys: _Keys) -> Slot:
    """(x / 255 - mean) / std, folded into one offset and scale a channel."""
    count = len(slot.channels)
    mean, std = keys.numbers("standardization_mean"), keys.numbers("standardization_std")
    if mean is None or std is None:
        if ("standardization_mean" in keys) != ("standardization_std" in keys):
            keys.say(
                "Only one of the Deepness keys standardization_mean and standardization_std is there; left out.",
                "slots[0].scaling",
            )
        mean, std = [0.0] * count, [1.0] * count
    mean = _fit("standardization_mean", mean, count, keys.say)
    std = _fit("standardization_std", std, count, keys.say)
    if 0 in std:
        keys.say("The Deepness key standardization_std holds 0, which was taken for 1.", "slots[0].scaling")
    channels = tuple(
        replace(channel, scaling=Scaling(offset=_tidy(m * _WHITE), scale=_tidy((s or 1.0) * _WHITE)))
        for channel, m, s in zip(slot.channels, mean, std, strict=True)
    )
    return replace(slot, channels=_named(channels))


def _named(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Deepness feeds the layer's bands in order, and documents three as red, green, blue."""
    if len(channels) != 3:
        return channels
    return tuple(replace(channel, name=name) for channel, name in zip(channels, ("red", "green", "blue"), strict=True))


def _tidy(value: float) -> float:
    return round(value, 9)


def _fit(key: str, values: list[float], count: int, say: Say) -> list[float]:
    if len(values) == count:
        return values
    fitted = values * count if len(values) == 1 else (values + [values[-1]] * count)[:count]
    if len(values) > 1:
        told = f"The Deepness key {key} has {len(values)} values, but the graph has {count} channels; cut or repeated."
        say(told, "slots[0].scaling")
    return fitted


def _outputs(card: Card, task: Task, names: list[tuple[str, ...]], keys: _Keys, found: Survey) -> tuple[Output, ...]:
    threshold = keys.number("seg_thresh") if task == "semantic-segmentation" else None
    scale = keys.number("reg_output_scaling") if task == "pixel-regression" else None
    if scale == 0:
        keys.say("The Deepness key reg_output_scaling is 0 and was left out.", "outputs[0].scaling")
        scale = None
    if len(names) > len(card.outputs):
        told = f"The Deepness key class_names describes {len(names)} outputs, but the graph has {len(card.outputs)}."
        keys.say(told, "outputs[0].classes")
    outputs = []
    for i, output in enumerate(card.outputs):
        own = names[i] if i < len(names) else ()
        head = replace(output, task=task, threshold=threshold, title=own[0] if len(own) == 1 else "")
        if task == "pixel-regression":
            outputs.append(_regression(head, own, scale))
        else:
            outputs.append(_segmentation(head, own, found.output(output.name).channels, keys.say))
    return tuple(outputs)


def _regression(output: Output, names: tuple[str, ...], scale: float | None) -> Output:
    """One name is the title of the regression; more of them are a claim that `repair` judges."""
    classes = tuple(ClassInfo(i, name) for i, name in enumerate(names)) if len(names) > 1 else ()
    return replace(output, classes=classes, activation="none", scaling=Scaling(scale=scale or 1.0))


def _segmentation(output: Output, names: tuple[str, ...], channels: int, say: Say) -> Output:
    if output.activation in ("softmax", "sigmoid"):
        say(
            f"The output '{output.name}' does not give probabilities, which Deepness expects; a {output.activation} is "
            "applied."
        )
    if not names or (channels == 1 and len(names) == 1):
        return replace(output, classes=default_classes(channels, names))
    return replace(output, classes=tuple(ClassInfo(i, name) for i, name in enumerate(names)))


def _class_names(keys: _Keys) -> list[tuple[str, ...]]:
    """Names by output; Deepness gives a dict from channel to name, or a list of these."""
    key = "class_names" if "class_names" in keys else "names"
    value = keys.value(key)
    if value is None:
        return []
    parts = value if isinstance(value, list) and value and isinstance(value[0], dict) else [value]
    return [_names(part, key, keys.say) for part in parts]


def _names(part: object, key: str, say: Say) -> tuple[str, ...]:
    if isinstance(part, list) and part and all(isinstance(name, str) for name in part):
        return tuple(part)
    numbered = {_finite(channel): str(name) for channel, name in part.items()} if isinstance(part, dict) else {}
    if not numbered or None in numbered:
        told = f"The Deepness key {key} is {part!r:.60} and was left out; channel numbers with names are needed."
        say(told, _FIELDS[key])
        return ()
    ordered = sorted(numbered)  # type: ignore[type-var]
    if ordered != list(range(len(ordered))):
        told = f"The Deepness key {key} does not number its channels 0, 1, 2 …; they were taken in order."
        say(told, _FIELDS[key])
    return tuple(numbered[channel] for channel in ordered)


def _tiling(card: Card, keys: _Keys) -> Tiling:
    key = "tile_size" if "tile_size" in keys else "tiles_size"
    size = keys.number(key, positive=True)
    tiling = card.tiling
    if size is not None and not 1 <= size <= 16384:
        keys.say(f"The Deepness key {key} is {size:g} and was left out.", _FIELDS[key])
        size = None
    tiling = tiling if size is None else replace(tiling, size=int(size))
    percent = keys.number("tiles_overlap")
    if percent is not None and not 0 <= percent < 100:
        keys.say(f"The Deepness key tiles_overlap is {percent:g} % and was left out.", "tiling.overlap")
        percent = None
    return tiling if percent is None else replace(tiling, overlap=round(tiling.size * percent / 100))


def _unknown(card: Card, gsd: float | None, names: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Task, scaling and activation follow from the convention; resolution and names have to be written."""
    missing = [] if gsd is not None else ["gsd"]
    if not any(names):
        missing += [name for name in card.unknown if name.endswith(".classes")]
    return (*missing, *(name for name in card.unknown if name.endswith((".channels", ".layout", ".role"))))


def _tell_unused(keys: _Keys, task: str) -> None:
    small = keys.number("seg_small_segment")
    if small and task == "semantic-segmentation":
        keys.say(
            f"The Deepness key seg_small_segment ({small:g} pixels) is not applied to the raster; set a minimum area "
            "for polygons instead."
        )

"""Cards from STAC items that describe a model in the words of the MLM extension alone.

MLM may name code to run (``pre_processing_function``, band expressions). None is ever run, and since leaving it out
would change what the model sees, such a model is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..card import Card, Channel, ClassInfo, Output, Scaling, Slot, Task, Tiling
from ..errors import CardError
from ..mlm_schema import CLASS_FIELDS, check_properties
from .defaults import default_classes, safe_name

_TASKS: dict[str, Task] = {
    "semantic-segmentation": "semantic-segmentation",
    "segmentation": "semantic-segmentation",
    "regression": "pixel-regression",
}
_BANDS = ("bands", "channel", "channels", "band", "variables")
_ROWS, _COLUMNS = ("height", "y"), ("width", "x")


def item_to_card(item: object, where: str = "item") -> Card:
    """What an MLM item tells, as a card; what a run needs besides is listed in ``unknown``.

    Raises:
        CardError: the item lacks a required MLM field, has a task or dimension order that Fusion Mapper does not run,
            or names code to run.
    """
    properties = item.get("properties") if isinstance(item, Mapping) else None
    if not isinstance(properties, Mapping):
        raise CardError(f"{where} is not a STAC item.")
    check_properties(properties, where)
    _refuse_code(properties, where)
    inputs, outputs = _parts(properties, "mlm:input", where), _parts(properties, "mlm:output", where)
    slots = tuple(_slot(part, f"{where}.mlm:input[{i}]") for i, part in enumerate(inputs))
    heads = tuple(_output(part, f"{where}.mlm:output[{i}]") for i, part in enumerate(outputs))
    gsd = properties.get("gsd")
    known_gsd = float(gsd) if _is_number(gsd) and gsd > 0 else None
    return Card(
        name=safe_name(str(properties.get("mlm:name") or item.get("id") or "model")),
        slots=slots,
        outputs=heads,
        title=str(properties.get("title") or properties.get("mlm:name") or ""),
        description=str(properties.get("description") or ""),
        license=str(properties.get("license") or ""),
        architecture=str(properties.get("mlm:architecture") or ""),
        gsd=known_gsd,
        tiling=_tiling(inputs),
        unknown=_unknown(inputs, outputs, heads, known_gsd),
    )


def _refuse_code(properties: Mapping[str, Any], where: str) -> None:
    for kind in ("input", "output"):
        for i, part in enumerate(_parts(properties, f"mlm:{kind}", where)):
            spot = f"{where}.mlm:{kind}[{i}]"
            for field in ("pre_processing_function", "post_processing_function"):
                if part.get(field):
                    raise CardError(f"{spot}.{field} names code to run, which Fusion Mapper never does; refused.")
            for field in ("bands", "variables"):
                for band in _list(part, field, spot):
                    if isinstance(band, Mapping) and (band.get("expression") or band.get("format")):
                        raise CardError(
                            f"{spot}.{field} has an expression for '{band.get('name')}', which Fusion Mapper does not "
                            "compute; refused."
                        )


def _parts(properties: Mapping[str, Any], field: str, where: str) -> list[Mapping[str, Any]]:
    parts = properties.get(field)
    if not isinstance(parts, list) or not parts or not all(isinstance(part, Mapping) for part in parts):
        raise CardError(f"{where} lacks '{field}', which must be a list of objects.")
    return parts


def _slot(part: Mapping[str, Any], where: str) -> Slot:
    order, shape = _structure(part, "input", where)
    name = str(part.get("name") or f"input-{where}")
    bands = [_band_name(band) for band in _list(part, "bands", where) or _list(part, "variables", where)]
    count = _size(order, shape, _BANDS)
    if count is None and not bands:
        raise CardError(f"{where} tells neither bands nor a number of channels.")
    if count is not None and bands and count != len(bands):
        raise CardError(f"{where} lists {len(bands)} bands, but its shape {shape} has {count}.")
    bands = bands or [f"band {i + 1}" for i in range(count or 0)]
    scalings = _scalings(part, len(bands), where)
    layout = "vector" if len(order) == 2 else "NCHW"
    return Slot(
        name=safe_name(name),
        role="imagery" if layout == "NCHW" else "raster",
        channels=tuple(Channel(band, scaling) for band, scaling in zip(bands, scalings, strict=True)),
        input=name,
        layout=layout,
        description=str(part.get("description") or ""),
    )


def _structure(part: Mapping[str, Any], field: str, where: str) -> tuple[list[str], list[int]]:
    """Dimension names and sizes of an input or result; only the orders that the engine feeds are let through."""
    inner = part.get(field)
    order, shape = (inner.get("dim_order"), inner.get("shape")) if isinstance(inner, Mapping) else (None, None)
    if not isinstance(order, list) or not isinstance(shape, list) or len(order) != len(shape):
        raise CardError(f"{where}.{field} needs a dim_order and a shape of equal length.")
    if not all(_is_number(size) for size in shape):
        raise CardError(f"{where}.{field}.shape must hold numbers.")
    names = [str(name) for name in order]
    square = len(names) >= 3 and names[-2] in _ROWS and names[-1] in _COLUMNS
    if names[0] != "batch" or len(names) > 4 or not (square or len(names) == 2):
        raise CardError(
            f"{where}.{field}.dim_order is {', '.join(names)}; Fusion Mapper needs batch, bands, height, width."
        )
    return names, [int(size) for size in shape]


def _size(order: list[str], shape: list[int], names: tuple[str, ...]) -> int | None:
    return next((size for name, size in zip(order, shape, strict=True) if name in names and size > 0), None)


def _band_name(band: object) -> str:
    return str(band.get("name") if isinstance(band, Mapping) else band)


def _list(part: Mapping[str, Any], field: str, where: str) -> list[Any]:
    value = part.get(field) or []
    if not isinstance(value, list):
        raise CardError(f"{where}.{field} must be a list.")
    return value


def _scalings(part: Mapping[str, Any], count: int, where: str) -> list[Scaling]:
    """One scaling a band; a single one counts for all, as MLM says."""
    rules = _list(part, "value_scaling", where) or [None]
    if len(rules) not in (1, count):
        raise CardError(f"{where}.value_scaling has {len(rules)} entries for {count} bands.")
    scalings = [_scaling(rule, f"{where}.value_scaling[{i}]") for i, rule in enumerate(rules)]
    return scalings * count if len(scalings) == 1 else scalings


def _scaling(rule: object, where: str) -> Scaling:
    """MLM's rules as ours; see the table of operations in the MLM 1.5 specification."""
    if rule is None or (isinstance(rule, Mapping) and rule.get("type") is None):
        return Scaling()
    if not isinstance(rule, Mapping):
        raise CardError(f"{where} must be an object.")
    kind = rule["type"]
    if kind == "processing":
        raise CardError(f"{where} names code to run, which Fusion Mapper never does; refused.")
    need = {
        "min-max": ("minimum", "maximum"),
        "z-score": ("mean", "stddev"),
        "clip": ("minimum", "maximum"),
        "clip-min": ("minimum",),
        "clip-max": ("maximum",),
        "offset": ("value",),
        "scale": ("value",),
    }.get(str(kind))
    if need is None:
        raise CardError(f"{where}.type is {kind!r}, which MLM does not know.")
    for field in need:
        if not _is_number(rule.get(field)):
            raise CardError(f"{where}.{field} must be a number.")
    numbers = [float(rule[field]) for field in need]
    scaling = _rule(str(kind), numbers)
    if scaling.scale == 0:
        raise CardError(f"{where} divides by 0.")
    return scaling


def _rule(kind: str, numbers: list[float]) -> Scaling:
    first, last = numbers[0], numbers[-1]
    if kind == "min-max":
        return Scaling(first, last - first)
    if kind == "z-score":
        return Scaling(first, last)
    if kind == "offset":
        return Scaling(offset=first)
    if kind == "scale":
        return Scaling(scale=first)
    return Scaling(minimum=None if kind == "clip-max" else first, maximum=None if kind == "clip-min" else last)


def _output(part: Mapping[str, Any], where: str) -> Output:
    order, shape = _structure(part, "result", where)
    tasks = [str(task) for task in _list(part, "tasks", where)]
    task = next((_TASKS[task] for task in tasks if task in _TASKS), None)
    if task is None:
        raise CardError(
            f"{where}.tasks is {', '.join(tasks) or 'empty'}; Fusion Mapper runs {', '.join(sorted(_TASKS))}."
        )
    classes = tuple(_class(info, where) for info in _list(part, _classes_field(part), where))
    if task != "pixel-regression" and not classes:
        channels = shape[1] if len(shape) != 3 and shape[1] > 0 else 1
        classes = default_classes(channels)
    return Output(
        name=str(part.get("name") or ""),
        task=task,
        classes=classes if task != "pixel-regression" else (),
        grid="tile" if len(order) == 2 else "pixel",
    )


def _classes_field(part: Mapping[str, Any]) -> str:
    return next((field for field in CLASS_FIELDS if part.get(field)), CLASS_FIELDS[0])


def _color(hint: object) -> str:
    """The classification extension's six hex digits, or the three bytes that older items have."""
    if isinstance(hint, list) and len(hint) == 3 and all(isinstance(part, int) and 0 <= part <= 255 for part in hint):
        return "#{:02x}{:02x}{:02x}".format(*hint)
    return f"#{hint.lower()}" if isinstance(hint, str) and re.fullmatch(r"[0-9A-Fa-f]{6}", hint) else ""


def _class(info: object, where: str) -> ClassInfo:
    if not isinstance(info, Mapping) or not _is_number(info.get("value")) or info["value"] != int(info["value"]):
        raise CardError(f"{where}.classification:classes must be objects with a whole number as value.")
    name = info.get("title") or info.get("name") or info.get("description") or f"class {info['value']}"
    return ClassInfo(
        value=int(info["value"]),
        name=str(name),
        color=_color(info.get("color_hint")),
        description=str(info.get("description") or ""),
    )


def _tiling(inputs: list[Mapping[str, Any]]) -> Tiling:
    shapes = [part["input"]["shape"] for part in inputs if len(part["input"]["shape"]) > 2]
    side = max((int(shape[-1]) for shape in shapes), default=-1)
    batch = int(shapes[0][0]) if shapes else -1
    tiling = Tiling(size=side, fixed=True) if side > 0 else Tiling()
    return Tiling(tiling.size, tiling.fixed, batch if batch > 0 else None)


def _unknown(
    inputs: list[Mapping[str, Any]], outputs: list[Mapping[str, Any]], heads: tuple[Output, ...], gsd: float | None
) -> tuple[str, ...]:
    """An explicit null for ``value_scaling`` says that none applies; a missing one says nothing."""
    missing = ["gsd"] if gsd is None else []
    missing += [f"slots[{i}].scaling" for i, part in enumerate(inputs) if "value_scaling" not in part]
    missing += [
        f"outputs[{i}].classes"
        for i, (part, head) in enumerate(zip(outputs, heads, strict=True))
        if head.classes and not part.get(_classes_field(part))
    ]
    return tuple(missing)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")

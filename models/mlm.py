"""The card as a STAC item of the Machine Learning Model extension (MLM 1.5.2), and back.

Other tools read the ``mlm:`` properties; what MLM has no word for stands in our block ``fusion:card``, which is the
truth: the ``mlm:`` properties are always derived from it, and an item in which both disagree is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .card import BLOCK, Card, ClassInfo, Output, Scaling, Slot, card_from_dict
from .errors import CardError
from .palette import class_color
from .readers.item import item_to_card

__all__ = ["SCHEMA_URI", "card_to_item", "is_item", "item_to_card", "read_item"]

SCHEMA_URI = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json"
#: STAC asks every item for a time. A model has none that matters, and a clock would make equal cards unequal.
_DATETIME = "2000-01-01T00:00:00Z"
_TASKS = {
    "semantic-segmentation": "semantic-segmentation",
    "pixel-regression": "regression",
    "field-boundaries": "semantic-segmentation",
}
_DIMENSIONS = {
    "NCHW": ["batch", "bands", "height", "width"],
    "NCTHW": ["batch", "bands", "time", "height", "width"],
    "vector": ["batch", "bands"],
}


def card_to_item(card: Card) -> dict[str, Any]:
    """The STAC item of a card: plain JSON values, the same for the same card.

    MLM scales each band by one rule, so the clipping of a scaling stands in our block alone; it has no per-input GSD,
    missing-layer rule, recipe or units either.
    """
    inputs = [_input(name, card) for name in dict.fromkeys(slot.input for slot in card.slots)]
    # MLM looks the bands up among the item's properties, where STAC allows them only beside bands of an asset.
    bands = _bands(inputs)
    properties: dict[str, Any] = {
        "datetime": _DATETIME,
        "title": card.label,
        "mlm:name": _mlm_name(card.name),
        "mlm:architecture": card.architecture or "unknown",
        "mlm:framework": "ONNX",
        "mlm:tasks": list(dict.fromkeys(_TASKS[output.task] for output in card.outputs)),
        "mlm:input": inputs,
        "mlm:output": [_output(output, card) for output in card.outputs],
        "bands": bands,
        BLOCK: card.to_dict(),
    }
    properties.update(_common(card))
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [SCHEMA_URI],
        "id": _slug(card.name),
        **_place(card),
        "properties": properties,
        "links": [],
        "assets": {
            "model": {
                "href": f"./{_slug(card.name)}.onnx",
                "type": "application/octet-stream; framework=onnx",
                "roles": ["mlm:model"],
                "mlm:artifact_type": "torch.onnx.export",
                "bands": bands,
            }
        },
    }


def is_item(data: object) -> bool:
    """Whether parsed JSON is a STAC item with MLM properties or with our block."""
    if not isinstance(data, Mapping) or not isinstance(data.get("properties"), Mapping):
        return False
    return any(key == BLOCK or str(key).startswith("mlm:") for key in data["properties"])


def read_item(data: object, where: str) -> Card:
    """Read a card from our block, from an item that holds it, or from an item with MLM properties alone.

    Raises:
        CardError: the data are none of these, or the item's MLM properties contradict its block.
    """
    if not is_item(data):
        return card_from_dict(data, where)
    properties = data["properties"]  # type: ignore[index]
    if BLOCK not in properties:
        return item_to_card(data, where)
    card = card_from_dict(data, where)
    _refuse_contradiction(properties, card, where)
    return card


def _refuse_contradiction(properties: Mapping[str, Any], card: Card, where: str) -> None:
    derived = card_to_item(card)["properties"]
    told, true = _claims(properties), _claims(derived)
    for field, value in told.items():
        if value != true.get(field):
            raise CardError(
                f"{where} contradicts itself: its {field} is {_short(value)}, but its {BLOCK} block says "
                f"{_short(true.get(field, 'nothing of it'))}."
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _claims(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What an item's MLM properties say of names, channels and classes; malformed parts claim nothing."""
    claims: dict[str, Any] = {}
    if "mlm:name" in properties:
        claims["mlm:name"] = properties["mlm:name"]
    for kind in ("input", "output"):
        parts = properties.get(f"mlm:{kind}")
        if not isinstance(parts, list):
            continue
        known = [part for part in parts if isinstance(part, Mapping)]
        claims[f"mlm:{kind} names"] = [part.get("name") for part in known]
        for part in known:
            where = f"mlm:{kind} '{part.get('name')}'"
            if part.get("bands") and isinstance(part["bands"], list):
                claims[f"{where} bands"] = [
                    band.get("name") if isinstance(band, Mapping) else band for band in part["bands"]
                ]
            if isinstance(part.get("classification:classes"), list):
                claims[f"{where} classes"] = [
                    (info.get("value"), info.get("name"))
                    for info in part["classification:classes"]
                    if isinstance(info, Mapping)
                ]
    return claims


def _input(name: str, card: Card) -> dict[str, Any]:
    slots = sorted((slot for slot in card.slots if slot.input == name), key=lambda slot: (slot.time, slot.offset))
    first = [slot for slot in slots if slot.time == slots[0].time]
    channels = sum(slot.width for slot in first)
    side = card.tiling.size // slots[0].grid_ratio if card.tiling.fixed else -1
    sizes = {"batch": card.tiling.batch or -1, "bands": channels, "time": slots[-1].time + 1}
    order = _DIMENSIONS[slots[0].layout]
    return {
        "name": name,
        "bands": [band for slot in first for band in _band_names(slot)],
        "input": {
            "shape": [sizes.get(axis, side) for axis in order],
            "dim_order": order,
            "data_type": "float32",
        },
        "value_scaling": [_scaling(scaling) for slot in first for scaling in _scalings(slot)],
    }


def _band_names(slot: Slot) -> list[str]:
    names = [f"{slot.name}/{channel.name}" for channel in slot.channels]
    return [*names, f"{slot.name}/valid"] if slot.missing == "mask_channel" else names


def _scalings(slot: Slot) -> list[Scaling]:
    mask = [Scaling()] if slot.missing == "mask_channel" else []
    return [*(channel.scaling for channel in slot.channels), *mask]


def _scaling(scaling: Scaling) -> dict[str, Any]:
    return {"type": "z-score", "mean": scaling.offset, "stddev": scaling.scale}


def _bands(inputs: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"name": name} for name in dict.fromkeys(name for part in inputs for name in part["bands"])]


def _output(output: Output, card: Card) -> dict[str, Any]:
    side = (card.tiling.size - 2 * output.margin) // output.stride if card.tiling.fixed else -1
    channels = -1 if len(output.classes) == 2 else len(output.classes) or 1
    if output.activation == "labels":
        channels = 1
    tile = [] if output.grid == "tile" else [side, side]
    axis = "class" if output.classes else "channel"
    return {
        "name": output.name,
        "tasks": [_TASKS[output.task]],
        "result": {
            "shape": [card.tiling.batch or -1, channels, *tile],
            "dim_order": ["batch", axis, "height", "width"][: 2 + len(tile)],
            "data_type": "int64" if output.activation == "labels" else "float32",
        },
        "classification:classes": [_class(info, index) for index, info in enumerate(output.classes)],
    }


def _class(info: ClassInfo, index: int) -> dict[str, Any]:
    return {
        "value": info.value,
        "name": _slug(info.name),
        "description": info.description or info.name,
        "color_hint": class_color(info, index).lstrip("#").upper(),
    }


def _common(card: Card) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if card.description:
        facts["description"] = card.description
    if card.gsd is not None:
        facts["gsd"] = card.gsd
    if card.license:
        facts["license"] = card.license if re.fullmatch(r"[\w.+-]+", card.license) else "other"
    if card.version:
        facts["version"] = card.version
    return facts


def _place(card: Card) -> dict[str, Any]:
    """Where the model was trained, when its training facts hold a ``bbox`` of west, south, east, north in degrees."""
    bbox = card.training.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(isinstance(side, (int, float)) for side in bbox):
        return {"geometry": None}
    west, south, east, north = bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"bbox": bbox, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def _slug(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z_-]+", "-", name).strip("-") or "unnamed"


def _mlm_name(name: str) -> str:
    """MLM's names begin with a letter, end with a letter or digit and have three signs at least."""
    text = re.sub(r"[^a-zA-Z0-9_.\-]+", "-", name).strip("-_.")
    if len(text) < 3 or not text[0].isalpha():
        text = f"model-{text}" if text else "model"
    return text

from __future__ import annotations

import copy
import json
import socket
from typing import Any

import pytest
from fusion_mapper.models.card import BLOCK, Card
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.mlm import card_to_item, item_to_card, read_item
from fusion_mapper.models.mlm_schema import validate_item
from onnx_graphs import rich_card, two_class_card


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schemas must be found on disk: whoever opens a socket fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("validation reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("card", [two_class_card(), rich_card()], ids=lambda card: card.name)
def test_a_card_survives_its_item(card: Card) -> None:
    item = json.loads(json.dumps(card_to_item(card)))

    validate_item(item)
    assert read_item(item, "item") == card


def test_the_item_tells_other_tools_inputs_scaling_and_classes() -> None:
    properties = card_to_item(rich_card())["properties"]
    told = properties["mlm:input"][0]

    assert told["input"]["shape"] == [-1, 9, -1, -1]
    assert told["bands"][:4] == ["imagery/red", "imagery/green", "imagery/blue", "osm/roads"]
    assert told["bands"][5] == "osm/valid"
    assert len(told["value_scaling"]) == 9
    assert told["value_scaling"][6] == {"type": "z-score", "mean": 100.0, "stddev": 50.0}
    classes = properties["mlm:output"][0]["classification:classes"]
    assert [(info["value"], info["color_hint"]) for info in classes][0::2] == [(1, "0000FF"), (9, "00FF00")]
    assert classes[0]["description"] == "open water"
    assert properties["mlm:tasks"] == ["semantic-segmentation"]
    assert properties["license"] == "CC-BY-4.0"
    assert card_to_item(rich_card())["bbox"] == [20.0, -34.1, 20.5, -34.0]


def test_equal_cards_give_equal_items() -> None:
    assert json.dumps(card_to_item(rich_card())) == json.dumps(card_to_item(rich_card()))


def test_an_item_that_does_not_conform_is_refused_by_field() -> None:
    item = card_to_item(two_class_card())
    item["properties"]["mlm:tasks"] = ["fortune-telling"]

    with pytest.raises(CardError, match=r"does not conform to STAC MLM at properties\.mlm:tasks"):
        validate_item(item)


def _change(item: dict[str, Any], where: str) -> None:
    properties = item["properties"]
    if where == "mlm:name":
        properties["mlm:name"] = "another-model"
    elif where == "bands":
        properties["mlm:input"][0]["bands"][0] = "imagery/swir"
    elif where == "names":
        properties["mlm:output"][0]["name"] = "z"
    else:
        properties["mlm:output"][0]["classification:classes"][1]["name"] = "sea"


@pytest.mark.parametrize("where", ["mlm:name", "bands", "names", "classes"])
def test_an_item_that_contradicts_its_block_is_refused_by_field(where: str) -> None:
    item = card_to_item(two_class_card())
    _change(item, where)

    with pytest.raises(CardError, match=rf"m\.json contradicts itself: its .*{where}.* {BLOCK} block says"):
        read_item(item, "m.json")


def foreign_item() -> dict[str, Any]:
    """A U-Net described in MLM's words alone."""
    return {
        "type": "Feature",
        "id": "unet",
        "properties": {
            "mlm:name": "Field U-Net",
            "mlm:architecture": "U-Net",
            "mlm:tasks": ["semantic-segmentation"],
            "gsd": 10,
            "license": "MIT",
            "mlm:input": [
                {
                    "name": "x",
                    "bands": ["B04", {"name": "B08"}],
                    "input": {
                        "shape": [-1, 2, 256, 256],
                        "dim_order": ["batch", "bands", "height", "width"],
                        "data_type": "float32",
                    },
                    "value_scaling": [{"type": "z-score", "mean": 1000, "stddev": 500}],
                    "pre_processing_function": None,
                }
            ],
            "mlm:output": [
                {
                    "name": "y",
                    "tasks": ["semantic-segmentation"],
                    "result": {
                        "shape": [-1, 2, 256, 256],
                        "dim_order": ["batch", "class", "height", "width"],
                        "data_type": "float32",
                    },
                    "classification:classes": [
                        {"value": 1, "name": "field", "title": "Field", "color_hint": "00AA00"},
                        {"value": 2, "name": "other", "color_hint": [255, 0, 16]},
                    ],
                }
            ],
        },
    }


def test_a_foreign_item_becomes_a_card() -> None:
    card = item_to_card(foreign_item())
    slot, output = card.slots[0], card.outputs[0]

    assert (card.name, card.architecture, card.gsd, card.license) == ("Field-U-Net", "U-Net", 10.0, "MIT")
    assert [(channel.name, channel.scaling.offset, channel.scaling.scale) for channel in slot.channels] == [
        ("B04", 1000.0, 500.0),
        ("B08", 1000.0, 500.0),
    ]
    assert [(info.value, info.name, info.color) for info in output.classes] == [
        (1, "Field", "#00aa00"),
        (2, "other", "#ff0010"),
    ]
    assert (card.tiling.size, card.tiling.fixed, card.tiling.batch) == (256, True, None)
    assert card.unknown == ()


def test_what_a_foreign_item_does_not_tell_is_listed() -> None:
    item = foreign_item()
    del item["properties"]["gsd"]
    del item["properties"]["mlm:input"][0]["value_scaling"]
    del item["properties"]["mlm:output"][0]["classification:classes"]

    assert item_to_card(item).unknown == ("gsd", "slots[0].scaling", "outputs[0].classes")


SCALINGS = [
    ({"type": "min-max", "minimum": 10, "maximum": 30}, (10.0, 20.0, None, None)),
    ({"type": "z-score", "mean": 3, "stddev": 2}, (3.0, 2.0, None, None)),
    ({"type": "offset", "value": 7}, (7.0, 1.0, None, None)),
    ({"type": "scale", "value": 255}, (0.0, 255.0, None, None)),
    ({"type": "clip", "minimum": 0, "maximum": 1}, (0.0, 1.0, 0.0, 1.0)),
    ({"type": "clip-min", "minimum": 5}, (0.0, 1.0, 5.0, None)),
    ({"type": "clip-max", "maximum": 9}, (0.0, 1.0, None, 9.0)),
    (None, (0.0, 1.0, None, None)),
]


@pytest.mark.parametrize(("rule", "expected"), SCALINGS, ids=lambda value: str(value)[:24])
def test_each_of_mlms_scalings_is_understood(rule: dict[str, Any] | None, expected: tuple[float | None, ...]) -> None:
    item = foreign_item()
    item["properties"]["mlm:input"][0]["value_scaling"] = [rule]
    scaling = item_to_card(item).slots[0].channels[1].scaling

    assert (scaling.offset, scaling.scale, scaling.minimum, scaling.maximum) == expected


CODE = {"format": "python", "expression": "os.system"}


@pytest.mark.parametrize(
    ("part", "field", "value", "sentence"),
    [
        ("input", "pre_processing_function", CODE, "pre_processing_function names code to run"),
        ("output", "post_processing_function", CODE, "post_processing_function names code to run"),
        ("input", "bands", ["B04", {"name": "NDVI", **CODE}], "expression for 'NDVI'"),
        ("input", "value_scaling", [{"type": "processing", **CODE}], "names code to run"),
        ("input", "bands", ["a", "b", "c"], "lists 3 bands, but its shape .* has 2"),
        ("output", "tasks", ["object-detection"], "tasks is object-detection; Fusion Mapper runs"),
        ("input", "value_scaling", [{"type": "scale", "value": 0}], "divides by 0"),
    ],
)
def test_code_and_what_cannot_run_are_refused_by_field(part: str, field: str, value: object, sentence: str) -> None:
    item = copy.deepcopy(foreign_item())
    item["properties"][f"mlm:{part}"][0][field] = value

    with pytest.raises(CardError, match=rf"item\.mlm:{part}\[0\].*{sentence}"):
        item_to_card(item)


@pytest.mark.parametrize("field", ["mlm:input", "mlm:output", "mlm:tasks", "mlm:name", "mlm:architecture"])
def test_a_missing_mlm_field_is_named(field: str) -> None:
    item = foreign_item()
    del item["properties"][field]

    with pytest.raises(CardError, match=field):
        item_to_card(item, "unet.json")


def test_dimension_orders_that_the_engine_does_not_feed_are_refused() -> None:
    item = foreign_item()
    item["properties"]["mlm:input"][0]["input"]["dim_order"] = ["batch", "height", "width", "bands"]

    with pytest.raises(CardError, match="dim_order is batch, height, width, bands"):
        item_to_card(item)

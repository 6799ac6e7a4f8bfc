from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.models.card import BLOCK
from fusion_mapper.models.consistency import check_card
from fusion_mapper.models.embed import embed_card
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.library import FILES_BLOCK
from fusion_mapper.models.load import describe, load_model, require_complete
from fusion_mapper.models.mlm import card_to_item
from onnx_graphs import deepness, save_classifier, two_class_card

SAMPLES = {
    "dummy_model.onnx": "bare",
    "dummy_regression_model.onnx": "deepness",
    "one_output_sigmoid_bsx1x512x512.onnx": "deepness",
    "one_output_sigmoid_bsx512x512.onnx": "deepness",
    "one_output_sigmoid_red_detector.onnx": "bare",
    "one_output_softmax_bsx2x512x512.onnx": "bare",
    "regression/dummy_regression_model.onnx": "deepness",
    "regression/one_output_sigmoid_bsx1x512x512.onnx": "deepness",
    "regression/one_output_sigmoid_bsx512x512.onnx": "bare",
    "two_outputs_sigmoid_bsx1x512x512.onnx": "deepness",
    "two_outputs_softmax_bsx2x512x512.onnx": "deepness",
}


def test_every_sample_of_deepness_is_listed_here(shared_data: Path) -> None:
    folder = shared_data / "onnx_deepness"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx")} == set(SAMPLES)


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_of_deepness_loads_to_a_card_that_fits_its_graph(shared_data: Path, sample: str) -> None:
    loaded = load_model(shared_data / "onnx_deepness" / sample)

    assert loaded.convention == SAMPLES[sample]
    check_card(loaded.card, loaded.graph)
    assert [output.name for output in loaded.card.outputs] == [tensor.name for tensor in loaded.graph.outputs]
    assert (loaded.card.tiling.size, loaded.card.tiling.fixed) == (512, True)


def test_the_regression_sample_that_claims_five_classes_is_repaired(shared_data: Path) -> None:
    loaded = load_model(shared_data / "onnx_deepness" / "dummy_regression_model.onnx")
    output = loaded.card.outputs[0]

    assert (output.task, output.classes, output.scaling.scale) == ("pixel-regression", (), 1.1)
    assert loaded.card.gsd == 0.055
    assert any("5 classes (_background, building" in warning for warning in loaded.warnings)
    assert any("tiles of 256 pixels, but the graph takes only 512" in warning for warning in loaded.warnings)
    require_complete(loaded.card)


def test_two_heads_of_a_sample_keep_their_own_classes(shared_data: Path) -> None:
    sigmoid = load_model(shared_data / "onnx_deepness" / "two_outputs_sigmoid_bsx1x512x512.onnx").card
    softmax = load_model(shared_data / "onnx_deepness" / "two_outputs_softmax_bsx2x512x512.onnx").card

    assert [[info.name for info in output.classes] for output in sigmoid.outputs] == [
        ["background", "Coffee"],
        ["background", "Juice"],
    ]
    assert [[info.name for info in output.classes] for output in softmax.outputs] == [
        ["Coffee", "Tea"],
        ["Juice", "Beer"],
    ]
    assert {output.activation for output in (*sigmoid.outputs, *softmax.outputs)} == {"none"}


def test_a_bare_model_lists_what_is_missing_and_is_not_run(shared_data: Path) -> None:
    card = load_model(shared_data / "onnx_deepness" / "one_output_softmax_bsx2x512x512.onnx").card

    assert card.unknown == ("gsd", "slots[0].scaling", "outputs[0].task", "outputs[0].classes")
    with pytest.raises(CardError, match=r"does not tell slots\[0\]\.scaling, outputs\[0\]\.task; import it first"):
        require_complete(card)
    require_complete(replace(card, unknown=("gsd", "outputs[0].classes")))


def test_our_card_inside_the_file_comes_before_deepness_keys(tmp_path: Path) -> None:
    source = save_classifier(tmp_path / "m.onnx", metadata=deepness(model_type="Regressor"))
    out = tmp_path / "out.onnx"
    embed_card(source, two_class_card(), out)
    loaded = load_model(out)

    assert (loaded.convention, loaded.card, loaded.warnings) == ("fusion-mapper", two_class_card(), ())
    assert loaded.sha256.startswith("sha256:")


@pytest.mark.parametrize("name", ["m.json", "m.onnx.json"])
@pytest.mark.parametrize("whole", [True, False])
def test_our_card_beside_the_file_is_found(tmp_path: Path, name: str, whole: bool) -> None:
    path = save_classifier(tmp_path / "m.onnx")
    data = card_to_item(two_class_card()) if whole else two_class_card().to_dict()
    (tmp_path / name).write_text(json.dumps(data), encoding="utf-8")

    assert load_model(path).convention == "fusion-mapper"
    assert load_model(path).card == two_class_card()


def test_a_sidecar_that_differs_from_the_card_inside_counts_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    embed_card(save_classifier(tmp_path / "source.onnx"), two_class_card(), path)
    edited = two_class_card(title="Edited", gsd=2.0)
    (tmp_path / "m.json").write_text(json.dumps(card_to_item(edited)), encoding="utf-8")
    loaded = load_model(path)

    assert loaded.card == edited
    assert loaded.warnings == ("m.json differs from the card inside m.onnx in title, gsd; m.json counts.",)


def test_our_card_that_contradicts_its_graph_is_refused(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "m.onnx", channels=5)
    (tmp_path / "m.json").write_text(json.dumps(two_class_card().to_dict()), encoding="utf-8")

    with pytest.raises(CardError, match=r"give 3 channels .* but the input 'x' of m\.onnx has 5"):
        load_model(path)


def test_a_sidecar_written_for_another_file_is_refused(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "m.onnx")
    item = card_to_item(two_class_card())
    item["properties"][FILES_BLOCK] = {"model": "sha256:" + "0" * 64}
    (tmp_path / "m.json").write_text(json.dumps(item), encoding="utf-8")

    with pytest.raises(CardError, match=r"m\.json was written for another model file"):
        load_model(path)


def test_an_mlm_item_beside_the_file_is_read_and_repaired(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "m.onnx", size=64, ending=None)
    item = card_to_item(two_class_card(gsd=5.0))
    del item["properties"][BLOCK]
    item["properties"]["mlm:input"][0]["name"] = "image"
    (tmp_path / "m.json").write_text(json.dumps(item), encoding="utf-8")
    loaded = load_model(path)

    assert (loaded.convention, loaded.card.gsd, loaded.card.unknown) == ("mlm", 5.0, ())
    assert loaded.card.slots[0].input == "x"
    assert loaded.card.outputs[0].activation == "softmax"
    assert loaded.card.tiling.size == 64
    assert any("'image', which the graph calls 'x'" in warning for warning in loaded.warnings)


@pytest.mark.parametrize("text", ["{broken", '{"some": "settings"}', "[]"])
def test_json_beside_the_file_that_is_no_card_is_left_out_and_told(tmp_path: Path, text: str) -> None:
    path = save_classifier(tmp_path / "m.onnx")
    (tmp_path / "m.json").write_text(text, encoding="utf-8")
    loaded = load_model(path)

    assert loaded.convention == "bare"
    assert len(loaded.warnings) == 1
    assert "m.json" in loaded.warnings[0]


def test_a_description_is_plain_json(shared_data: Path) -> None:
    told = describe(load_model(shared_data / "onnx_deepness" / "two_outputs_softmax_bsx2x512x512.onnx"))
    told = json.loads(json.dumps(told))

    assert told["convention"] == "deepness"
    assert told["graph"]["inputs"] == [
        {"name": "input", "dtype": "float32", "shape": [None, 3, 512, 512], "text": "batch_size×3×512×512"}
    ]
    assert told["card"]["name"] == "two_outputs_softmax_bsx2x512x512"
    assert told["unknown"] == ["gsd"]

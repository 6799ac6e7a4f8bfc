"""Importing models into the library, and listing what lies there."""

from __future__ import annotations

import csv
import json

import pytest
from fusion_mapper.toolbox import settings
from fusion_mapper.toolbox.models import choose_model, installed_models, remove_model
from qgis.core import QgsApplication, QgsProcessingException, QgsVectorLayer


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    settings.set_library_folder(folder)
    yield folder
    settings.set_library_folder(None)


@pytest.fixture
def run(provider, context, ears, library):
    def run_it(name: str, **parameters) -> dict[str, object]:
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"fusion_mapper:{name}")
        fine, sentence = algorithm.checkParameterValues(parameters, context)
        if not fine:
            raise QgsProcessingException(sentence)
        results, fine = algorithm.create().run(parameters, context, ears, catchExceptions=False)
        assert fine
        return results

    return run_it


def test_an_imported_model_can_be_named(run, models, library):
    source = models / "tiny-landcover.onnx"
    before = source.read_bytes()
    results = run("importmodel", MODEL=str(source), NAME="mine")
    assert results["MODEL_NAME"] == "mine"
    assert results["MODEL_FILE"] == str(library / "mine" / "mine.onnx")
    found = choose_model("mine")
    assert found.path == library / "mine" / "mine.onnx"
    assert found.card.title == "Tiny land cover"
    assert source.read_bytes() == before


def test_a_taken_name_is_refused_unless_it_is_to_be_replaced(run, models):
    source = str(models / "tiny-landcover.onnx")
    run("importmodel", MODEL=source)
    with pytest.raises(QgsProcessingException, match="already installed"):
        run("importmodel", MODEL=source)
    assert run("importmodel", MODEL=source, REPLACE=True)["MODEL_NAME"] == "tiny-landcover"


def test_files_of_the_user_in_the_library_are_never_taken_away(run, models, library):
    source = str(models / "tiny-landcover.onnx")
    run("importmodel", MODEL=source)
    notes = library / "tiny-landcover" / "labels" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    with pytest.raises(QgsProcessingException, match=r"also holds 'notes\.txt'"):
        run("importmodel", MODEL=source, REPLACE=True)
    remove_model(next(model for model in installed_models() if model.name == "tiny-landcover"))
    assert notes.read_text() == "mine"
    assert [path.name for path in notes.parents[1].iterdir()] == ["labels"]


def test_a_removed_model_leaves_no_folder(run, models, library):
    run("importmodel", MODEL=str(models / "tiny-landcover.onnx"))
    remove_model(next(model for model in installed_models() if model.name == "tiny-landcover"))
    assert list(library.iterdir()) == []


def test_a_given_card_takes_the_place_of_the_models_own(run, models, tmp_path):
    bare = tmp_path / "bare.onnx"
    bare.write_bytes((models / "tiny-landcover.onnx").read_bytes())
    with pytest.raises(QgsProcessingException):
        run("importmodel", MODEL=str(bare))
    card = choose_model(str(models / "tiny-landcover.onnx")).card
    given = tmp_path / "card.json"
    given.write_text(json.dumps(card.to_dict()), encoding="utf-8")
    assert run("importmodel", MODEL=str(bare), CARD=str(given))["MODEL_NAME"] == card.name


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 100])
def test_a_broken_file_gets_a_sentence_and_installs_nothing(run, tmp_path, library, content):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(QgsProcessingException, match=r"broken\.onnx"):
        run("importmodel", MODEL=str(broken))
    assert not library.exists() or not list(library.iterdir())


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(QgsProcessingException, match="which is no file"):
        run("importmodel", MODEL=str(tmp_path / "none.onnx"))


def test_the_list_tells_of_every_model_and_of_what_is_wrong(run, library, tmp_path, ears):
    library.mkdir()
    (library / "cardless.onnx").write_bytes(b"")
    results = run("models", TABLE=str(tmp_path / "models.csv"))
    with (tmp_path / "models.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    assert results["COUNT"] == len(rows) - 1
    assert "no card beside it" in rows["cardless"]["problem"]
    starter = rows["landcover-rgb-1m"]
    assert starter["gsd_m"] == "1.0"
    assert "imagery (red, green, blue)" in starter["slots"]
    assert "optional" in starter["slots"]
    assert "water" in starter["classes"].lower()
    assert any(line.startswith("landcover-rgb-1m: ") for line in ears.said)


def test_the_list_is_a_table_without_geometry_for_the_modeler(run, tmp_path):
    results = run("models", OUTPUT=str(tmp_path / "models.gpkg"))
    layer = QgsVectorLayer(results["OUTPUT"], "models", "ogr")
    assert not layer.isSpatial()
    assert "treecover-10m" in {feature["name"] for feature in layer.getFeatures()}


def test_text_of_a_card_is_no_html(run, library, models, tmp_path):
    card = choose_model(str(models / "tiny-landcover.onnx")).card.to_dict()
    library.mkdir()
    (library / "odd.onnx").write_bytes(b"")
    (library / "odd.json").write_text(json.dumps({**card, "title": "<script>x</script>"}), encoding="utf-8")
    run("models", TABLE=str(tmp_path / "models.html"))
    page = (tmp_path / "models.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_a_table_is_csv_or_html(run, tmp_path):
    with pytest.raises(QgsProcessingException, match=r"\.csv or \.html"):
        run("models", TABLE=str(tmp_path / "models.xlsx"))

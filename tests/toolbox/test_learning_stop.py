"""A training that is stopped or cannot begin: what is kept, and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.inference.events import Epoch, Event
from fusion_mapper.toolbox.algorithms.base import EventFeedback
from qgis import processing
from qgis.core import QgsFeature, QgsGeometry, QgsProcessingException, QgsRectangle, QgsVectorLayer

QUICK = {"EPOCHS": 3, "STEPS": 3, "CHIP": 32, "BATCH": 4, "PATIENCE": 0, "INSTALL": False, "NAME": "amazon"}


class Impatient(EventFeedback):
    """Remembers what it hears; at the epoch of that number it cancels, or leaves a file named ``stop`` in a folder."""

    def __init__(self, at: int = 0, stop: Path | None = None) -> None:
        super().__init__()
        self.at, self.stop = at, stop
        self.epochs: list[int] = []
        self.said: list[str] = []

    def heard(self, event: Event) -> None:
        if not isinstance(event, Epoch):
            return
        self.epochs.append(event.index)
        if event.index == self.at and self.stop:
            self.stop.touch()
        elif event.index == self.at:
            self.cancel()

    def failed(self, sentence: str) -> None:
        self.said.append(sentence)

    def pushInfo(self, info):
        self.said.append(info)


@pytest.fixture
def train(provider, context, trainer, shared_data, tmp_path):
    """Trains on the real place; answers the results."""
    folder = shared_data / "amazon_s2"
    layers = {
        "IMAGERY": [str(folder / "sen2.tif")],
        "LABELS": str(folder / "trainingPolygons_sen2.gpkg"),
        "FIELD": "class",
        "OUTPUT_FOLDER": str(tmp_path / "training"),
    }

    def run(feedback: EventFeedback, **parameters) -> dict[str, object]:
        chosen = {**layers, **QUICK, **parameters}
        return processing.run("fusion_mapper:train", chosen, context=context, feedback=feedback)

    return run


def test_a_training_that_is_cancelled_goes_on_with_the_next_epoch(train, tmp_path):
    first, second = Impatient(at=1), Impatient()
    assert "MODEL" not in train(first)
    assert any(f"OUTPUT_FOLDER={tmp_path / 'training'}" in said for said in first.said)
    assert not list((tmp_path / "training").glob("*.onnx"))
    assert Path(train(second)["MODEL"]).is_file()
    assert (first.epochs[0], second.epochs[-1]) == (1, 3)
    assert second.epochs[0] == first.epochs[-1] + 1


def test_a_training_that_is_to_stop_keeps_the_best(train, tmp_path):
    feedback = Impatient(at=1, stop=tmp_path / "training" / "stop")
    assert Path(train(feedback, EPOCHS=50)["MODEL"]).is_file()
    assert feedback.epochs[-1] < 50


def test_labels_outside_the_imagery_are_told_in_one_sentence(train, project):
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326&field=class:string", "elsewhere", "memory")
    for number, name in enumerate(("a", "b")):
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(number, 0, number + 0.5, 0.5)))
        feature.setAttributes([name])
        layer.dataProvider().addFeature(feature)
    project.addMapLayer(layer, False)
    feedback = Impatient()
    with pytest.raises(QgsProcessingException, match=r"'elsewhere'.* lies on the layers of 'sen2'"):
        train(feedback, LABELS=layer)

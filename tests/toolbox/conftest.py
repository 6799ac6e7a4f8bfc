"""QGIS with Processing, the provider, small models and clipped real layers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fusion_mapper.toolbox.layers.sources import describe
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

ENGINE = Path(__file__).resolve().parents[2] / ".venv-engine" / "bin" / "python"
TRAINER = ENGINE.parents[2] / ".venv-train" / "bin" / "python"
AERIAL = "3420B_2010_328_RGB_LATLNG.tif"


@pytest.fixture(scope="session")
def engine_python() -> Path:
    """The engine's Python; absent it skips, except under CI."""
    python = Path(os.environ.get("FUSION_MAPPER_ENGINE") or ENGINE)
    if python.is_file():
        return python
    message = f"the engine's environment is not at {python}; run `make setup`"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def trainer() -> Path:
    """The Python with torch; absent it skips, except under CI."""
    python = Path(os.environ.get("FUSION_MAPPER_TRAINER") or TRAINER)
    if python.is_file():
        return python
    message = f"the environment for training is not at {python}; run `make setup-train`"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def models(engine_python, tmp_path_factory) -> Path:
    """A folder with ``tiny-landcover.onnx`` and ``tiny-regression.onnx``, each with its card beside it."""
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("write_models.py")
    subprocess.run([engine_python, script, folder], check=True, env={"OMP_NUM_THREADS": "1", "PATH": os.defpath})
    return folder


@pytest.fixture(scope="module")
def provider(qgis_app, qgis_processing):
    """The provider, registered as QGIS does; gone after the module, since other tests register their own."""
    from fusion_mapper.toolbox.provider import FusionMapperProvider

    provider = FusionMapperProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    yield provider
    QgsApplication.processingRegistry().removeProvider(provider)


@pytest.fixture
def project(qgis_app) -> Iterator[QgsProject]:
    """The project, empty before and after."""
    QgsProject.instance().clear()
    yield QgsProject.instance()
    QgsProject.instance().clear()


class Ears(QgsProcessingFeedback):
    """A feedback that remembers."""

    def __init__(self) -> None:
        super().__init__(False)
        self.said: list[str] = []
        self.warned: list[str] = []
        self.errors: list[str] = []

    def pushInfo(self, info):
        self.said.append(info)

    def pushWarning(self, warning):
        self.warned.append(warning)

    def reportError(self, error, fatal=False):
        self.errors.append(error)


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def context(project) -> Iterator[QgsProcessingContext]:
    context = QgsProcessingContext()
    context.setProject(project)
    yield context
    # The bindings leak the frames of an exception that crosses them, and with them the context: layers in it would be
    # closed after QGIS itself.
    context.temporaryLayerStore().removeAllMapLayers()


@pytest.fixture
def farms_to_edit(shared_data, project, tmp_path) -> QgsVectorLayer:
    """A copy of the farms, since the real layers may lie on a read-only disk and are nobody's to edit."""
    for part in (shared_data / "swellendam").glob("farms_33S.*"):
        (tmp_path / part.name).write_bytes(part.read_bytes())
    layer = QgsVectorLayer(str(tmp_path / "farms_33S.shp"), "farms", "ogr")
    project.addMapLayer(layer, False)
    return layer


@pytest.fixture
def swellendam(shared_data, project) -> dict[str, object]:
    """Real layers of one place, in the project: aerial RGBA, SRTM in UTM, roads, buildings, rivers, farms."""
    folder = shared_data / "swellendam"
    layers = {
        "aerial": QgsRasterLayer(str(folder / AERIAL), "3420B"),
        "srtm": QgsRasterLayer(str(folder / "srtm_41_19.tif"), "srtm"),
        "roads": QgsVectorLayer(f"{folder}/training_data.gpkg|layername=roads", "roads", "ogr"),
        "buildings": QgsVectorLayer(f"{folder}/training_data.gpkg|layername=buildings", "buildings", "ogr"),
        "rivers": QgsVectorLayer(f"{folder}/rivers.shp", "rivers", "ogr"),
        "farms": QgsVectorLayer(f"{folder}/farms_33S.shp", "farms", "ogr"),
    }
    assert all(layer.isValid() for layer in layers.values())
    project.addMapLayers(layers.values(), False)
    return layers


@pytest.fixture
def raster(shared_data, qgis_app):
    """A raster of the real data, described, under a name of its own."""

    def describe_raster(path: str, name: str = ""):
        return describe(QgsRasterLayer(str(shared_data / path), name or path.rpartition("/")[2].rpartition(".")[0]))

    return describe_raster


@pytest.fixture
def vector(shared_data, qgis_app):
    """A vector layer of the real data, described, under a name of its own."""

    def describe_vector(path: str, name: str):
        return describe(QgsVectorLayer(str(shared_data / path), name, "ogr"))

    return describe_vector

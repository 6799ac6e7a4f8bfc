"""Models of the model designer that chain our algorithms, run by ``qgis_process``."""

from __future__ import annotations

import pytest
from qgis.core import (
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterLayer,
    QgsRasterLayer,
)
from qgis_command import qgis_command

TOWN = "20.5220,20.5245,-34.0490,-34.0470 [EPSG:4326]"
Source = QgsProcessingModelChildParameterSource


@pytest.fixture(scope="module")
def qgis_process(repository_root, tmp_path_factory):
    """Calls qgis_process with the plugin enabled, in a profile of its own."""
    return qgis_command(repository_root, tmp_path_factory.mktemp("profile"))


def step(model: QgsProcessingModelAlgorithm, name: str, output: str, title: str, **sources) -> None:
    """Add one of our algorithms to the model, with its `output` as a result of the model, called `title`."""
    child = QgsProcessingModelChildAlgorithm(f"fusion_mapper:{name}")
    child.setChildId(name)
    for parameter, source in sources.items():
        child.addParameterSources(parameter, [source])
    result = QgsProcessingModelOutput(title)
    result.setChildId(name)
    result.setChildOutputName(output)
    child.setModelOutputs({title: result})
    model.addChildAlgorithm(child)


@pytest.fixture
def import_stack_and_map(provider, tmp_path):
    """A model file: a fusion model is imported, and by its new name stacks and maps the same layers."""
    model = QgsProcessingModelAlgorithm("Stack and map", "tests")
    for definition in (
        QgsProcessingParameterFile("model", "Model"),
        QgsProcessingParameterMultipleLayers("imagery", "Imagery", QgsProcessing.SourceType.TypeRaster),
        QgsProcessingParameterMultipleLayers("osm", "OSM", QgsProcessing.SourceType.TypeVectorAnyGeometry),
        QgsProcessingParameterRasterLayer("dem", "Elevation"),
    ):
        model.addModelParameter(definition, QgsProcessingModelParameter(definition.name()))
    step(model, "importmodel", "MODEL_FILE", "installed", MODEL=Source.fromModelParameter("model"))
    layers = {
        "IMAGERY": Source.fromModelParameter("imagery"),
        "OSM": Source.fromModelParameter("osm"),
        "DEM": Source.fromModelParameter("dem"),
        "EXTENT": Source.fromStaticValue(TOWN),
        # What one step made is what the others take.
        "MODEL": Source.fromChildOutput("importmodel", "MODEL_NAME"),
    }
    step(model, "stack", "OUTPUT", "stacked", **layers)
    step(model, "map", "CLASSES", "mapped", **layers)
    path = tmp_path / "stack_and_map.model3"
    assert model.toFile(str(path))
    return path


def test_steps_hand_their_results_on(qgis_process, import_stack_and_map, models, shared_data, tmp_path):
    folder = shared_data / "swellendam"
    stacked, mapped = tmp_path / "stack.tif", tmp_path / "classes.tif"
    done = qgis_process(
        "run",
        str(import_stack_and_map),
        f"--model={models / 'tiny-landcover.onnx'}",
        f"--imagery={folder / '3420B_2010_328_RGB_LATLNG.tif'}",
        f"--osm={folder / 'training_data.gpkg'}|layername=roads",
        f"--dem={folder / 'srtm_41_19.tif'}",
        f"--stack:stacked={stacked}",
        f"--map:mapped={mapped}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    stack, classes = QgsRasterLayer(str(stacked)), QgsRasterLayer(str(mapped))
    assert stack.isValid() and stack.bandCount() == 5
    assert classes.isValid() and classes.extent() == stack.extent()

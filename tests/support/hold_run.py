"""A QGIS that starts a run and then waits to be killed.

``hold_run.py CHECKOUT PARAMETERS FOLDER PROFILE``: the parameters are those of the algorithm as JSON,
in which layers are objects of names and files; they are loaded into the project. Prints ``mapping`` once the first
blocks are finished.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsVectorLayer

ROOT, PARAMETERS, FOLDER, PROFILE = sys.argv[1:]


def load(files: dict[str, str]) -> list[str]:
    """Put the files' layers into the project; returns their ids."""
    layers = [
        QgsVectorLayer(path, name, "ogr") if "|" in path else QgsRasterLayer(path, name) for name, path in files.items()
    ]
    QgsProject.instance().addMapLayers(layers)
    return [layer.id() for layer in layers]


def main() -> None:
    """Start the run and speak of its first blocks."""
    application = QgsApplication([], True)
    # Not by its constructor: QGIS 3.40 does not listen to the folder there.
    QgsApplication.qgisSettingsDirPath = staticmethod(lambda: f"{PROFILE}/")
    application.initQgis()
    spec = importlib.util.spec_from_file_location(
        "fusion_mapper", Path(ROOT) / "__init__.py", submodule_search_locations=[ROOT]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["fusion_mapper"] = package
    spec.loader.exec_module(package)
    from fusion_mapper.models.card import read_sidecar
    from fusion_mapper.toolbox.provider import FusionMapperProvider
    from fusion_mapper.ui.runs.model import RunModel, RunRequest

    provider = FusionMapperProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    parameters = json.loads(PARAMETERS)
    for role in ("IMAGERY", "OSM", "DEM"):
        parameters[role] = load(parameters[role])
    (parameters["DEM"],) = parameters["DEM"]
    model = Path(parameters["MODEL"])
    runs = RunModel()
    runs.run_changed.connect(lambda number: tell(runs.run(number)))
    runs.start(RunRequest("Held", model, read_sidecar(model.with_suffix(".json")), parameters, Path(FOLDER)))
    application.exec()


def tell(run) -> None:
    """Speak once blocks are finished."""
    if any(run.request.folder.glob("blocks/*.npz")):
        sys.stdout.write("mapping\n")
        sys.stdout.flush()


main()

"""The same settings once more: what a run needs from the project, and where its results go this time."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from qgis.core import QgsProject

from ..toolbox.kept_values import moved
from ..toolbox.runs import new_run_folder
from .run_state import Run, RunRequest

#: The time at the end of a title, as `run_title` writes it.
_TIME = re.compile(r" \(\d\d:\d\d\)$")


def request_again(request: RunRequest) -> RunRequest:
    """The request with a new folder beside the old one, and with the time as it is now in its title."""
    folder = request.folder.parent / new_run_folder().name
    title = f"{_TIME.sub('', request.title)} ({time.strftime('%H:%M')})"
    parameters = moved(request.parameters, folder) if request.parameters else {}
    return replace(request, title=title, folder=folder, parameters=parameters)


def missing_layers(run: Run) -> list[str]:
    """Names of the layers that the run was set up with and the project no longer has."""
    project = QgsProject.instance()
    return [name for layer, name in run.layers.items() if project.mapLayer(layer) is None]

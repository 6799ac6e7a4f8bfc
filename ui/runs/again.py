"""The same settings once more: what a run needs from the project, and where its results go this time."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from qgis.core import QgsProject

from ...toolbox.algorithms.base import is_temporary, temporary_folder
from ...toolbox.runs.execute import new_run_folder
from ...toolbox.runs.kept_values import moved
from .state import Run, RunRequest

#: The time at the end of a title, as `run_title` writes it.
_TIME = re.compile(r" \(\d\d:\d\d\)$")


def request_again(request: RunRequest) -> RunRequest:
    """The request with a new folder beside the old one, temporary if that was, and with the time as it is now."""
    old = request.folder
    folder = temporary_folder() if is_temporary(old) else old.parent / new_run_folder().name
    title = f"{_TIME.sub('', request.title)} ({time.strftime('%H:%M')})"
    parameters = moved(request.parameters, folder) if request.parameters else {}
    return replace(request, title=title, folder=folder, parameters=parameters)


def request_on(request: RunRequest) -> RunRequest:
    """The request to go on with: in its own folder, or in a new one where that was temporary and went with QGIS."""
    lost = is_temporary(request.folder) and not request.folder.is_dir()
    return request_again(request) if lost else request


def missing_layers(run: Run) -> list[str]:
    """Names of the layers that the run was set up with and the project no longer has."""
    project = QgsProject.instance()
    return [name for layer, name in run.layers.items() if project.mapLayer(layer) is None]

"""A run's request in the toolbox's plain values, for whoever looks at a run before it is one."""

from __future__ import annotations

from dataclasses import replace

from qgis.core import QgsProcessingContext, QgsProject

from ...toolbox.algorithms.map import MapAlgorithm
from ...toolbox.products import BY_NAME
from ...toolbox.runs import execute as runs
from .state import RunRequest


def plain_request(request: RunRequest) -> runs.RunRequest:
    """The run that the request's parameters describe, in plain values, as the algorithm itself reads them.

    Its products go by their default names into a folder that is still to be named.

    Raises:
        FusionMapperError: where layers, model and settings do not go together.
    """
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    collected = MapAlgorithm().create().collect(request.parameters, context)
    names = [name for name, product in BY_NAME.items() if request.parameters.get(product.parameter)]
    outputs = replace(collected.outputs, products=dict.fromkeys(names))
    return collected.as_request(request.model, request.card, outputs, context.transformContext())

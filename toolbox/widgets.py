"""The widgets with which Processing's windows ask for some parameters; ``qgis_process`` has none of them."""

from __future__ import annotations

from collections.abc import Mapping

from qgis.core import QgsProcessingParameterDefinition

_WIDGETS: dict[str, str] = {}


def use_widgets(widgets: Mapping[str, str]) -> None:
    """Ask with these widgets from now on: kind of parameter (``model``, ``imagery``) → dotted name of a class.

    Processing imports the class when it opens a window, so nothing of it is needed here.
    """
    _WIDGETS.clear()
    _WIDGETS.update(widgets)


def ask_with_widget(parameter: QgsProcessingParameterDefinition, kind: str) -> QgsProcessingParameterDefinition:
    """The parameter, to be asked for with the kind's widget where there is one."""
    if kind in _WIDGETS:
        parameter.setMetadata({"widget_wrapper": {"class": _WIDGETS[kind]}})
    return parameter

"""The parameter in which a model is chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from qgis.core import QgsProcessingContext, QgsProcessingParameterFile

from ...models.card import Card
from ..engine.once import Engine
from ..models import ModelChoice, choose_model, installed_models
from ..widgets import ask_with_widget
from .base import FeedbackListener, FusionAlgorithm, temporary_folder, tr

# A file parameter, because it is the one kind that all of the window, the batch table, the model designer and
# qgis_process can fill with either a path or a plain name; the second filter lets names pass.
_FILTER = "Fusion models (*.onnx);;Names of installed models (*)"


def add_model(algorithm: FusionAlgorithm, optional: bool = False) -> None:
    """MODEL: a file or a name."""
    parameter = QgsProcessingParameterFile("MODEL", tr("Model"), optional=optional, fileFilter=_FILTER)
    algorithm.add(
        ask_with_widget(parameter, "model"), tr("A fusion model: an ONNX file, or the name of an installed model.")
    )


def named_models() -> str:
    """A sentence with the names that MODEL takes; for a summary, since it reads the library."""
    names = [model.name for model in installed_models()]
    return tr("Installed models: {names}.").format(names=", ".join(names) or tr("none"))


def given_model(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext
) -> Optional[ModelChoice]:
    """The model, with its card where a sidecar tells it; None where none was chosen."""
    text = algorithm.parameterAsString(parameters, "MODEL", context)
    return choose_model(text) if text else None


def with_card(choice: ModelChoice, listener: FeedbackListener) -> tuple[ModelChoice, Card]:
    """The model and its card, which the engine reads from the file where no sidecar lies."""
    if choice.card is None:
        listener.progress(0.0, tr("Reading the model"))
        card = choice.read_card(Engine(), temporary_folder(), listener.is_cancelled)
        return replace(choice, card=card), card
    return choice, choice.card

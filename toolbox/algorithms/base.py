"""What all algorithms share: words, parameters' help, the engine's voice, and errors as Processing knows them."""

from __future__ import annotations

import re
import traceback
from html import escape
from pathlib import Path
from typing import Literal, Optional

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
    QgsProcessingUtils,
    QgsProperty,
)
from qgis.PyQt.QtCore import QCoreApplication, QLocale, QUuid
from qgis.PyQt.QtGui import QIcon

from ...inference.errors import Cancelled, FusionMapperError, RequestError
from ...inference.events import Event
from ..engine.environment import PLUGIN_ROOT, EngineMissing, find_engine
from ..engine.once import Engine, EngineFailed
from ..faults import sentence_of
from ..help import help_url
from ..runs.execute import FinishedRun, RunRequest, execute
from ..scrub import scrubbed

ICON = PLUGIN_ROOT / "resources" / "icon.svg"
_TEMPORARY = "fusion_mapper-"


#: What the engine writes.
_ENDINGS = {QgsProcessingParameterRasterDestination: ".tif", QgsProcessingParameterVectorDestination: ".gpkg"}


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("FusionMapperToolbox", text)


class FusionAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that the engine runs.

    A subclass adds its parameters in `initAlgorithm`, turns them into plain values in `collect` (where layers live) and
    makes the results from those in `make` (in the background).
    """

    def createInstance(self) -> FusionAlgorithm:
        return type(self)()

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:
        return str(ICON)

    def summary(self) -> str:
        """What the algorithm does, in a few sentences."""
        raise NotImplementedError

    def example(self) -> str:
        """The parameters of a call of ``qgis_process run``, as one would type them."""
        raise NotImplementedError

    def helpUrl(self) -> str:
        return help_url(self.name())

    def shortHelpString(self) -> str:
        """The summary, what is asked for and an example, for the right of the form; advanced parameters have their
        tool tips.
        """
        advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
        asked = [one for one in self.parameterDefinitions() if not one.flags() & advanced]
        parts = [f"<b>{escape(one.description())}</b><br>{escape(one.help(), quote=False)}" for one in asked]
        call = escape(f"qgis_process run {self.id()} {self.example()}", quote=False)
        parts.append(f"<b>{escape(tr('Example'))}</b><br><code>{call}</code>")
        return "\n".join([escape(self.summary(), quote=False), *parts])

    def canExecute(self) -> tuple[bool, str]:
        try:
            find_engine()
        except EngineMissing as problem:
            return False, str(problem)
        return True, ""

    def add(self, parameter: QgsProcessingParameterDefinition, text: str, advanced: bool = False) -> None:
        """Add a parameter with its help; advanced ones are folded away."""
        parameter.setHelp(text)
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        self.addParameter(parameter)

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> object:
        """The parameters as plain values, checked; raises FusionMapperError with what is wrong."""
        raise NotImplementedError

    def make(
        self,
        collected: object,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        """Make the results; raises FusionMapperError."""
        raise NotImplementedError

    def checkParameterValues(self, parameters: dict[str, object], context: QgsProcessingContext) -> tuple[bool, str]:
        fine, sentence = super().checkParameterValues(parameters, context)
        if not fine:
            return fine, scrubbed(sentence)
        try:
            self._check_destinations(parameters)
            self._check_numbers(parameters)
            self.collect(parameters, context)
        except FusionMapperError as problem:
            return False, sentence_of(problem)
        return True, ""

    def _check_destinations(self, parameters: dict[str, object]) -> None:
        """The engine writes whole files of a few formats; tables of databases and other formats are refused."""
        for definition in self.destinationParameterDefinitions():
            endings = _endings(definition)
            target = _destination(parameters, definition.name())
            if target in ("", QgsProcessing.TEMPORARY_OUTPUT):
                continue
            if endings and not target.lower().endswith(endings):
                listed = " or ".join(endings)
                raise RequestError(f"{definition.name()} must be a file of its own that ends with {listed}.")

    def _check_numbers(self, parameters: dict[str, object]) -> None:
        """QGIS takes a text that is no number, such as 2,5, for an empty optional parameter, without a word."""
        numbers = [one for one in self.parameterDefinitions() if isinstance(one, QgsProcessingParameterNumber)]
        for definition in numbers:
            value = parameters.get(definition.name())
            if isinstance(value, str) and not _is_number(value):
                raise RequestError(f"{definition.name()} is '{value}', which is no number; write it like 2.5.")

    def prepareAlgorithm(
        self, parameters: dict[str, object], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        try:
            self._collected = self.collect(parameters, context)
        except Exception as problem:
            raise _told(problem, feedback) from problem
        return True

    def processAlgorithm(
        self, parameters: dict[str, object], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, object]:
        try:
            return self.make(self._collected, parameters, context, FeedbackListener(feedback))
        except Cancelled as stop:
            if feedback.isCanceled():
                return {}
            raise _told(stop, feedback) from stop
        except Exception as problem:
            raise _told(problem, feedback) from problem

    def run_engine(self, request: RunRequest, listener: FeedbackListener) -> FinishedRun:
        """Run the request with the engine that is set up."""
        return execute(request, Engine(), listener)


class EventFeedback(QgsProcessingFeedback):
    """A feedback that takes the engine's events as they come, besides the words made of them."""

    def heard(self, event: Event) -> None:
        """Called on the algorithm's thread."""
        raise NotImplementedError

    def failed(self, sentence: str) -> None:
        """Told at once what the algorithm fails for; Processing reports it a second time, in its own way."""
        raise NotImplementedError


class FeedbackListener:
    """A run's listener that speaks to Processing's feedback."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        self._stage: Optional[str] = None

    @property
    def pictures(self) -> Optional[Literal["watch"]]:
        return "watch" if isinstance(self._feedback, EventFeedback) else None

    def say(self, text: str) -> None:
        self._feedback.pushInfo(scrubbed(text))

    def warn(self, text: str) -> None:
        self._feedback.pushWarning(scrubbed(text))

    def progress(self, percent: float, stage: str) -> None:
        self._feedback.setProgress(percent)
        if stage != self._stage:
            self._stage = stage
            self._feedback.setProgressText(stage)

    def heard(self, event: Event) -> None:
        if isinstance(self._feedback, EventFeedback):
            self._feedback.heard(event)

    def is_cancelled(self) -> bool:
        return self._feedback.isCanceled()


def _told(problem: Exception, feedback: QgsProcessingFeedback) -> QgsProcessingException:
    """What Processing is to raise; details, which need more than a line, go to the feedback."""
    details = problem.details if isinstance(problem, EngineFailed) else ""
    if not isinstance(problem, FusionMapperError):
        details = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
    if details:
        feedback.pushConsoleInfo(scrubbed(details))
    sentence = sentence_of(problem)
    if isinstance(feedback, EventFeedback):
        feedback.failed(sentence)
    return QgsProcessingException(sentence)


def temporary_folder() -> Path:
    """A folder that Processing deletes when QGIS ends."""
    unique = QUuid.createUuid().toString(QUuid.StringFormat.WithoutBraces)
    return Path(QgsProcessingUtils.tempFolder()) / f"{_TEMPORARY}{unique}"


def is_temporary(folder: Path) -> bool:
    """Whether `temporary_folder` made it, in this session of QGIS or an earlier one."""
    return folder.name.startswith(_TEMPORARY)


def is_chosen(parameters: dict[str, object], name: str) -> bool:
    """Whether a destination was asked for."""
    return _destination(parameters, name) != ""


def _endings(definition: QgsProcessingParameterDefinition) -> tuple[str, ...]:
    """What the destination's file may end with; empty where anything goes."""
    if isinstance(definition, QgsProcessingParameterFileDestination):
        return tuple(re.findall(r"\*(\.\w+)", definition.fileFilter()))
    known = _ENDINGS.get(type(definition))
    return (known,) if known else ()


def _destination(parameters: dict[str, object], name: str) -> str:
    value = parameters.get(name)
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.staticValue()
    if isinstance(value, QgsProperty):
        value = value.staticValue()
    return str(value or "")


def _is_number(text: str) -> bool:
    """Whether QGIS reads it as one, in the C locale; empty stands for nothing chosen."""
    return not text.strip() or QLocale.c().toDouble(text.strip())[1]


def wants_loading(parameters: dict[str, object]) -> bool:
    """Whether the caller (the toolbox in the window) loads results into a project."""
    return any(
        isinstance(value, QgsProcessingOutputLayerDefinition) and value.destinationProject is not None
        for value in parameters.values()
    )

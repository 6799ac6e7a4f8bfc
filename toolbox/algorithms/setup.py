"""``fusion_mapper:setup``: the engine's environment, also for a server without a screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputFile,
    QgsProcessingOutputFolder,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
)

from ...inference.errors import RequestError
from ..engine.environment import ENGINE_VARIABLE, find_engine
from ..setup.installer import install
from ..setup.layers import AUTO, LAYERS
from ..setup.planning import Network, current_state, make_plan, read_network, survey
from ..setup.state import LOG, State, Wish, engine_folder, managed_python, read_stamp
from ..setup.steps import Step
from ..setup.verdict import device_lines
from ..setup.words import cost_text, step_text
from .base import FeedbackListener, FusionAlgorithm, tr


@dataclass(frozen=True)
class _Collected:
    device: str
    training: bool
    python: str
    wheels: str
    standalone: bool
    again: bool
    network: Network


class SetupAlgorithm(FusionAlgorithm):
    """Sets up the engine in the profile."""

    def name(self) -> str:
        return "setup"

    def displayName(self) -> str:
        return tr("Set up the engine")

    def summary(self) -> str:
        return tr(
            "Installs the engine into a Python environment of its own in the profile's folder, from the package index "
            "or from a folder of wheels, and tells on which devices models run afterwards. QGIS's own Python is not "
            "touched. Nothing is done where the engine is set up already and fits this version of the plugin."
        )

    def example(self) -> str:
        return "--DEVICE=auto"

    def tags(self) -> list[str]:
        return tr("install, environment, pip, python, cuda, gpu, repair, update").split(", ")

    def canExecute(self) -> tuple[bool, str]:
        return True, ""  # it makes the engine that the others need

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        self.add(
            QgsProcessingParameterEnum(
                "DEVICE", tr("Device"), [AUTO, *LAYERS], usesStaticStrings=True, defaultValue=AUTO
            ),
            tr("What models are to run on; auto takes what fits the machine best. The choices exclude one another."),
        )
        self.add(
            QgsProcessingParameterBoolean("TRAINING", tr("Training"), defaultValue=False),
            tr("Also what trains models: several gigabytes on Linux."),
        )
        self.add(
            QgsProcessingParameterFile(
                "WHEELS", tr("Folder of wheels"), QgsProcessingParameterFile.Behavior.Folder, optional=True
            ),
            tr("Install from this folder, without a network."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterFile("PYTHON", tr("Python"), optional=True),
            tr("The Python, 3.11 to 3.14, to make the environment with; one is found when empty."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("STANDALONE", tr("Fetch Python"), defaultValue=False),
            tr(
                "Where no Python from 3.11 on is found: fetch a build of python-build-standalone from github.com, "
                "checked against the hash that comes with the plugin, into the engine's folder."
            ),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("AGAIN", tr("Install again"), defaultValue=False),
            tr("Also where the engine is set up already, to repair it."),
            advanced=True,
        )
        self.addOutput(QgsProcessingOutputFolder("FOLDER", tr("Folder of the environment")))
        self.addOutput(QgsProcessingOutputFile("LOG", tr("Log of the installation")))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        python = self.parameterAsFile(parameters, "PYTHON", context)
        if python and not Path(python).is_file():
            raise RequestError(f"PYTHON is '{python}', which is no file; give the path of a Python.")
        wheels = self.parameterAsFile(parameters, "WHEELS", context)
        if wheels and not Path(wheels).is_dir():
            raise RequestError(f"WHEELS is '{wheels}', which is no folder; give the folder that holds the wheels.")
        return _Collected(
            device=self.parameterAsEnumString(parameters, "DEVICE", context) or AUTO,
            training=self.parameterAsBool(parameters, "TRAINING", context),
            python=str(Path(python).absolute()) if python else "",
            wheels=str(Path(wheels).absolute()) if wheels else "",
            standalone=self.parameterAsBool(parameters, "STANDALONE", context),
            again=self.parameterAsBool(parameters, "AGAIN", context),
            network=read_network(),
        )

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        found = survey(collected.python)
        layer = found.layer(collected.device)
        wish = Wish(layer, collected.training, collected.python, collected.wheels, collected.standalone)
        folder = engine_folder()
        if collected.again or not _is_there(wish):
            plan = make_plan(found, wish, collected.network)
            listener.say(found.proposal.reason)
            listener.say(cost_text(wish.layer, found.cost(wish.layer, wish.training), folder))
            report = install(plan, _Follower(listener))
            for line in device_lines(report):
                listener.say(line)
        else:
            listener.say(tr("The engine is set up already; nothing was installed."))
        if find_engine() != managed_python():
            text = tr("The options, or the variable {variable}, name another Python, which stays in use.")
            listener.warn(text.format(variable=ENGINE_VARIABLE))
        stamp = read_stamp(folder)
        return {"FOLDER": str(folder / stamp.environment), "LOG": str(folder / LOG)}


class _Follower:
    """Tells Processing how an installation goes."""

    def __init__(self, listener: FeedbackListener) -> None:
        self._listener = listener

    def stepped(self, step: Step) -> None:
        self._listener.progress(step.percent, step_text(step))

    def said(self, line: str) -> None:
        """The log has it."""

    def is_cancelled(self) -> bool:
        return self._listener.is_cancelled()


def _is_there(wish: Wish) -> bool:
    """Whether what is asked for is installed, for this version of the plugin."""
    stamp: Any = read_stamp(engine_folder())
    if stamp is None or current_state() is not State.READY or stamp.layer != wish.layer:
        return False
    return stamp.training or not wish.training

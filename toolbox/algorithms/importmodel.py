"""``fusion_mapper:importmodel``: a model file into the library of installed models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputFile,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)

from ...inference.errors import RequestError
from ...models.card import Card, card_from_dict, read_json
from ..engine.commands import deaf
from ..engine.once import Engine
from ..settings import library_folder
from .base import FeedbackListener, FusionAlgorithm, temporary_folder, tr


@dataclass(frozen=True)
class _Collected:
    model: Path
    card: Optional[Card]
    """The card that was given; None takes what the file itself tells."""
    name: str
    replace: bool


class ImportModelAlgorithm(FusionAlgorithm):
    """Copies a model, with a card that fits it, into the library."""

    def name(self) -> str:
        return "importmodel"

    def displayName(self) -> str:
        return tr("Import a model")

    def summary(self) -> str:
        return tr(
            "Copies a model in ONNX format into the library of installed models, with its card: what it takes, what it "
            "makes and what its classes are called. The card is read from the file or from what lies beside it (our "
            "own card, a STAC MLM item, metadata of Deepness or geoai), or given as a JSON file. A file that does not "
            "tell all that a run needs is refused, with what is missing; the panel's import dialog asks for it. The "
            "file itself is only read, and nothing in it is run."
        )

    def example(self) -> str:
        return "--MODEL=landcover.onnx --CARD=landcover.json --NAME=my-landcover"

    def tags(self) -> list[str]:
        return tr("onnx, install, deepness, geoai, stac, mlm, card").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        self.add(
            QgsProcessingParameterFile("MODEL", tr("Model file"), fileFilter="ONNX models (*.onnx)"),
            tr("The ONNX file; what it keeps in files of its own beside it is copied too."),
        )
        self.add(
            QgsProcessingParameterFile("CARD", tr("Card"), optional=True, fileFilter="Cards (*.json)"),
            tr("A JSON file with the model's card, in place of what the model's own metadata tell."),
        )
        self.add(
            QgsProcessingParameterString("NAME", tr("Name"), optional=True),
            tr("What the model is called in the library; as in its card when empty."),
        )
        self.add(
            QgsProcessingParameterBoolean("REPLACE", tr("Replace an installed model of this name"), defaultValue=False),
            tr("Otherwise a name that is taken is refused."),
        )
        self.addOutput(QgsProcessingOutputFile("MODEL_FILE", tr("Installed model")))
        self.addOutput(QgsProcessingOutputString("MODEL_NAME", tr("Name of the installed model")))
        self.addOutput(QgsProcessingOutputString("WARNINGS", tr("Warnings")))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        model = Path(self.parameterAsFile(parameters, "MODEL", context)).absolute()
        if not model.is_file():
            raise RequestError(f"MODEL is '{model}', which is no file; give the path of an ONNX file.")
        card = self.parameterAsFile(parameters, "CARD", context)
        return _Collected(
            model=model,
            card=card_from_dict(read_json(Path(card)), Path(card).name) if card else None,
            name=self.parameterAsString(parameters, "NAME", context).strip(),
            replace=self.parameterAsBool(parameters, "REPLACE", context),
        )

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        engine, folder = Engine(), temporary_folder()
        card, warnings = collected.card, []
        if card is None:
            listener.progress(0.0, tr("Reading the model"))
            told = engine.inspect(collected.model, folder, deaf, listener.is_cancelled).report
            card, warnings = card_from_dict(told["card"], collected.model.name), list(told["warnings"])
        for warning in warnings:
            listener.warn(warning)
        listener.progress(50.0, tr("Copying the model into the library"))
        done = engine.install(
            collected.model,
            library_folder(),
            folder,
            deaf,
            listener.is_cancelled,
            card=replace(card, name=collected.name or card.name).to_dict(),
            replace=collected.replace,
        )
        path = Path(done.products["model"])
        listener.say(f"Installed as '{path.stem}' in {path.parent}.")
        return {"MODEL_FILE": str(path), "MODEL_NAME": path.stem, "WARNINGS": "\n".join(warnings)}

"""The parameters that say how the engine runs."""

from __future__ import annotations

from typing import Optional, get_args, get_type_hints

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum, QgsProcessingParameterNumber

from ...inference.job import Compute
from ..settings import memory_ceiling
from .base import FusionAlgorithm, tr

_HINTS = get_type_hints(Compute)
DEVICES: tuple[str, ...] = get_args(_HINTS["device"])
PRECISIONS: tuple[str, ...] = get_args(_HINTS["precision"])


def add_compute(algorithm: FusionAlgorithm, model: bool = True) -> None:
    """Device, precision, tiles, workers and memory; without a model only the last two."""
    if model:
        algorithm.add(
            QgsProcessingParameterEnum("DEVICE", tr("Device"), DEVICES, usesStaticStrings=True, defaultValue="auto"),
            tr("Where the model runs; auto takes the fastest that really loads, and the log names it."),
            advanced=True,
        )
        algorithm.add(
            QgsProcessingParameterEnum(
                "PRECISION", tr("Precision"), PRECISIONS, usesStaticStrings=True, defaultValue="auto"
            ),
            tr("Number format in the model; auto keeps full precision unless a lower one is known to be safe."),
            advanced=True,
        )
        tile = tr(
            "When empty, the one with the least to compute, or the model's own where no receptive radius is known."
        )
        _add_number(algorithm, "TILE", tr("Tile size (pixels)"), 1, tile)
        _add_number(algorithm, "OVERLAP", tr("Overlap of tiles (pixels)"), 0, tr("As the model needs when empty."))
        _add_number(algorithm, "BATCH", tr("Tiles at once"), 1, tr("As the device likes when empty."))
    _add_number(algorithm, "WORKERS", tr("Workers"), 1, tr("Blocks that are read and computed at the same time."))
    _add_number(
        algorithm, "MEMORY", tr("Memory (MiB)"), 256, tr("Ceiling of the engine's memory; the options' when empty.")
    )


def given_compute(algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext) -> Compute:
    """How to run; what was left empty is the engine's to choose, within the options' memory ceiling."""

    def number(name: str) -> Optional[int]:
        return None if parameters.get(name) is None else algorithm.parameterAsInt(parameters, name, context)

    def choice(name: str) -> str:
        return algorithm.parameterAsEnumString(parameters, name, context) or "auto"

    return Compute(
        device=choice("DEVICE"),
        precision=choice("PRECISION"),
        tile=number("TILE"),
        overlap=number("OVERLAP"),
        batch=number("BATCH"),
        workers=number("WORKERS"),
        memory=number("MEMORY") or memory_ceiling(),
    )


def _add_number(algorithm: FusionAlgorithm, name: str, title: str, least: int, text: str) -> None:
    kind = QgsProcessingParameterNumber.Type.Integer
    algorithm.add(QgsProcessingParameterNumber(name, title, kind, optional=True, minValue=least), text, advanced=True)

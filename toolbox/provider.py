"""The Processing provider."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms.base import ICON
from .algorithms.compare import CompareAlgorithm
from .algorithms.evaluate import EvaluateAlgorithm
from .algorithms.exportchips import ExportChipsAlgorithm
from .algorithms.importmodel import ImportModelAlgorithm
from .algorithms.map import MapAlgorithm
from .algorithms.models import ModelsAlgorithm
from .algorithms.rasterizeosm import RasterizeOsmAlgorithm
from .algorithms.report import ReportAlgorithm
from .algorithms.setup import SetupAlgorithm
from .algorithms.stack import StackAlgorithm
from .algorithms.terrain import TerrainAlgorithm
from .algorithms.train import TrainAlgorithm

ALGORITHMS = (
    MapAlgorithm,
    StackAlgorithm,
    RasterizeOsmAlgorithm,
    TerrainAlgorithm,
    TrainAlgorithm,
    EvaluateAlgorithm,
    CompareAlgorithm,
    ExportChipsAlgorithm,
    ImportModelAlgorithm,
    ModelsAlgorithm,
    ReportAlgorithm,
    SetupAlgorithm,
)


class FusionMapperProvider(QgsProcessingProvider):
    """Fusion Mapper's algorithms."""

    def id(self) -> str:
        return "fusion_mapper"

    def name(self) -> str:
        return "Fusion Mapper"  # the plugin's name, which is not translated

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:
        return str(ICON)

    def loadAlgorithms(self) -> None:
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())

    # What the engine writes.

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        return ["tif"]

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        return ["gpkg"]

    def defaultVectorFileExtension(self, hasGeometry: bool = True) -> str:
        return "gpkg"

    def defaultRasterFileExtension(self) -> str:
        return "tif"

    def supportsNonFileBasedOutput(self) -> bool:
        return False

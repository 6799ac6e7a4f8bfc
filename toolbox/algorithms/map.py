"""``fusion_mapper:map``: imagery, OpenStreetMap and elevation through a fusion model into a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsCoordinateTransformContext,
    QgsProcessingContext,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from ...inference.errors import RequestError
from ...inference.job import Compute, GridSpec, Outputs
from ...models.card import Card
from ..layers.matching import Given, match
from ..layers.sources import VectorInput
from ..models import ModelChoice
from ..products import ATTRIBUTION, PRODUCTS, Product, natural_products, parameter_of, possible_products
from ..results.project import RunLabel, finish_when_loaded, load_when_done, run_label, run_title
from ..runs.execute import RunRequest, new_run_folder, refuse_elsewhere, refuse_endless
from .base import FeedbackListener, FusionAlgorithm, is_chosen, temporary_folder, tr, wants_loading
from .compute import add_compute, given_compute
from .grid import add_grid, given_area, given_grid
from .layers import add_dem, add_imagery, add_osm, add_prior, add_reading, add_slots, given_layers
from .model import add_model, given_model, named_models, with_card

#: The product whose destination is filled from the start in the window; the others are skipped until chosen.
_FROM_THE_START = "classes"
#: What most runs are for, and so the first to be asked for.
_MAPS = ("classes", "regression")


@dataclass(frozen=True)
class _Collected:
    model: ModelChoice
    given: Given
    grid: GridSpec
    area: Optional[VectorInput]
    compute: Compute
    outputs: Outputs
    """Settings of the outputs; folder and products follow once the card is known."""
    unreadable: str
    max_pixels: int
    place: str

    def as_request(
        self, model: Path, card: Card, outputs: Outputs, transform: QgsCoordinateTransformContext
    ) -> RunRequest:
        """The run of these layers and settings with a model whose card is known."""
        return RunRequest(
            given=self.given,
            outputs=outputs,
            card=card,
            model=model,
            grid=self.grid,
            area=self.area,
            compute=self.compute,
            unreadable=self.unreadable,
            max_pixels=self.max_pixels,
            transform=transform,
        )


class MapAlgorithm(FusionAlgorithm):
    """Runs a fusion model over layers."""

    def name(self) -> str:
        return "map"

    def displayName(self) -> str:
        return tr("Map with a fusion model")

    def summary(self) -> str:
        what = tr(
            "Makes a map (land cover, field boundaries, tree cover) from imagery, OpenStreetMap and an elevation model "
            "with a fusion model in ONNX format. Layers may come in any CRS, resolution and extent: they meet on one "
            "grid. Which products a model makes follows from its kind; choosing none makes its natural one, and a "
            "product that it does not make is passed over."
        )
        return f"{what}\n{named_models()}"

    def example(self) -> str:
        return (
            "--MODEL=landcover-rgb-1m --IMAGERY=ortho.tif --OSM=roads.gpkg --OSM=buildings.gpkg --DEM=srtm.tif "
            "--CLASSES=classes.tif --POLYGONS=polygons.gpkg"
        )

    def tags(self) -> list[str]:
        return tr("deep learning, onnx, land cover, segmentation, regression, field boundaries, osm").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        add_model(self)
        add_imagery(self)
        add_osm(self)
        add_dem(self)
        add_prior(self)
        add_grid(self)
        add_slots(self)
        add_compute(self)
        self._add_shaping()
        add_reading(self)
        for product in sorted(PRODUCTS, key=lambda product: product.name not in _MAPS):
            self._add_product(product)
        self.add(
            QgsProcessingParameterFolderDestination("FOLDER", tr("Run folder"), optional=True, createByDefault=False),
            tr("Keeps the job, the run's record and products without a path of their own; a broken run resumes in it."),
            advanced=True,
        )
        self.addOutput(QgsProcessingOutputString(ATTRIBUTION, tr("Attribution that the layers' licences ask for")))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        model = given_model(self, parameters, context)
        if model is None:
            raise RequestError("No model was chosen; give the path of an ONNX file or the name of an installed model.")
        given = given_layers(self, parameters, context)
        grid, area = given_grid(self, parameters, context), given_area(self, parameters, context)
        if model.card is not None:
            bindings = match(model.card, given).bindings
            refuse_endless(model.card, bindings, grid, area is not None)
            refuse_elsewhere(model.card, bindings, grid, context.transformContext())
        return _Collected(
            model=model,
            given=given,
            grid=grid,
            area=area,
            compute=given_compute(self, parameters, context),
            outputs=self._shaping(parameters, context),
            unreadable=self.parameterAsEnumString(parameters, "UNREADABLE", context),
            max_pixels=int(self.parameterAsDouble(parameters, "FETCH_LIMIT", context) * 1e6),
            place=given.imagery[0].name if given.imagery else "",
        )

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        model, card = with_card(collected.model, listener)
        outputs = self._outputs(collected.outputs, card, parameters, context, listener)
        request = collected.as_request(model.path, card, outputs, context.transformContext())
        done = self.run_engine(request, listener)
        label = run_label(card, run_title(card, collected.place), done.attribution, done.folder)
        self._load(done.products, label, parameters, context)
        return done.answer()

    def _add_shaping(self) -> None:
        number = QgsProcessingParameterNumber
        real = number.Type.Double
        self.add(
            number("MINIMUM_AREA", tr("Smallest polygon (m²)"), real, defaultValue=0.0, minValue=0.0),
            tr("Smaller polygons join a neighbour (classes) or are left out (fields)."),
            advanced=True,
        )
        self.add(
            number("SIMPLIFY", tr("Simplification of polygons (ground metres)"), real, optional=True, minValue=0.0),
            tr("Tolerance to which borders are smoothed; one pixel when empty, 0 keeps the pixels' steps."),
            advanced=True,
        )
        self.add(
            number("THRESHOLD", tr("Least confidence"), real, optional=True, minValue=0.0, maxValue=1.0),
            tr("Pixels of which the model is less sure are nodata in the class map."),
            advanced=True,
        )

    def _shaping(self, parameters: dict[str, object], context: QgsProcessingContext) -> Outputs:
        def number(name: str) -> Optional[float]:
            return None if parameters.get(name) is None else self.parameterAsDouble(parameters, name, context)

        return Outputs(
            "", minimum_area=number("MINIMUM_AREA") or 0.0, simplify=number("SIMPLIFY"), threshold=number("THRESHOLD")
        )

    def _add_product(self, product: Product) -> None:
        made = product.name == _FROM_THE_START
        name, title = product.parameter, tr("Class map") if product.name == "classes" else tr(product.title)
        if product.name == "regression":
            title = tr("Value map")
        if product.kind == "raster":
            parameter = QgsProcessingParameterRasterDestination(name, title, optional=True, createByDefault=made)
        elif product.kind == "vector":
            parameter = QgsProcessingParameterVectorDestination(name, title, optional=True, createByDefault=made)
        else:
            parameter = QgsProcessingParameterFileDestination(
                name, title, "CSV (*.csv)", optional=True, createByDefault=made
            )
        self.add(parameter, tr(product.help))

    def _outputs(
        self,
        shaping: Outputs,
        card: Card,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> Outputs:
        """The chosen products that the model makes; its natural ones, in the run's folder, when none is left."""
        possible = possible_products(card)
        chosen = [product for product in PRODUCTS if is_chosen(parameters, product.parameter)]
        for product in chosen:
            if product.name not in possible:
                listener.say(f"The model '{card.label}' makes no {product.name}; it makes {', '.join(possible)}.")
        products = {
            product.name: self._destination(product, parameters, context)
            for product in chosen
            if product.name in possible
        }
        folder = self._folder(parameters, context) or (temporary_folder() if products else new_run_folder())
        if not products:
            products = dict.fromkeys(natural_products(card))
            listener.say(f"The results ({', '.join(products)}) go to {folder}.")
        return Outputs(
            str(folder),
            products,
            minimum_area=shaping.minimum_area,
            simplify=shaping.simplify,
            threshold=shaping.threshold,
        )

    def _destination(self, product: Product, parameters: dict[str, object], context: QgsProcessingContext) -> str:
        if product.kind == "table":
            path = self.parameterAsFileOutput(parameters, product.parameter, context)
        else:
            path = self.parameterAsOutputLayer(parameters, product.parameter, context)
        return str(Path(path).absolute())

    def _folder(self, parameters: dict[str, object], context: QgsProcessingContext) -> Optional[Path]:
        if not is_chosen(parameters, "FOLDER"):
            return None
        return Path(self.parameterAsString(parameters, "FOLDER", context)).absolute()

    def _load(
        self,
        products: Mapping[str, str],
        label: RunLabel,
        parameters: dict[str, object],
        context: QgsProcessingContext,
    ) -> None:
        """Have what Processing will load styled; load the natural products too where the window loads results."""
        for name, path in products.items():
            if wants_loading(parameters) and not is_chosen(parameters, parameter_of(name)):
                load_when_done(context, path, name, context.project())
            finish_when_loaded(context, path, name, label)

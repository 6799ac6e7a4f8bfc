"""Running a model on a small piece of the map before it is installed, with the card that is being completed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsMapLayer,
    QgsPointXY,
    QgsRectangle,
    QgsReferencedRectangle,
)

from ...inference.errors import Cancelled, RequestError
from ...inference.events import Event
from ...inference.job import Compute, GridSpec, Outputs
from ...models.card import Card
from ...toolbox.engine.commands import EngineCommands, IsCancelled, deaf
from ...toolbox.engine.scratch import ScratchFolder
from ...toolbox.layers.crs import crs_text
from ...toolbox.layers.matching import Given
from ...toolbox.layers.sources import describe
from ...toolbox.runs.execute import RunRequest, execute
from ..inputs.slot_row import SlotRow
from ..shared.ground import rectangle_size
from ..shared.wording import tr

#: Pixels along a side of what is tried.
SIDE = 640


@dataclass(frozen=True)
class Trial:
    """What is to be tried; plain values that a background thread may have."""

    model: Path
    card: Card
    given: Given
    extent: QgsRectangle
    crs: QgsCoordinateReferenceSystem
    transform: QgsCoordinateTransformContext
    device: str = "auto"


@dataclass(frozen=True)
class Tried:
    """What came of it."""

    folder: ScratchFolder
    """Holds the result; to be deleted by whoever has shown it."""
    path: str
    product: str
    warnings: tuple[str, ...]


@dataclass
class _Ear:
    """Listens to the trial's run."""

    is_cancelled: IsCancelled
    warnings: list[str] = field(default_factory=list)
    pictures: Optional[str] = None

    def say(self, _text: str) -> None: ...

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def progress(self, _percent: float, _stage: str) -> None: ...

    def heard(self, _event: Event) -> None: ...


def run_trial(trial: Trial, engine: EngineCommands, scratch: Path, is_cancelled: IsCancelled) -> Tried:
    """Install the model into a folder that is thrown away, and map the piece with it.

    Raises:
        RequestError: when the layers and the card do not go together.
        EngineFailed: with the engine's sentence.
        Cancelled: when nobody waits any more.
    """
    folder = ScratchFolder()
    try:
        tried = _run(trial, folder, engine, scratch, is_cancelled)
        if is_cancelled():
            raise Cancelled(tr("The trial was cancelled."))
        return tried
    except BaseException:
        folder.delete()
        raise


def _run(
    trial: Trial, folder: ScratchFolder, engine: EngineCommands, scratch: Path, is_cancelled: IsCancelled
) -> Tried:
    card = trial.card.to_dict()
    made = engine.install(trial.model, folder.path / "library", scratch, deaf, is_cancelled, card)
    product = trial_product(trial.card)
    extent = trial.extent
    request = RunRequest(
        given=trial.given,
        outputs=Outputs(str(folder.path / "run"), {product: None}),
        card=trial.card,
        model=Path(made.products["model"]),
        grid=GridSpec(
            extent=(extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()),
            extent_crs=crs_text(trial.crs),
            # What a run takes anyhow; that a whole map would have many pixels is no matter of a trial's.
            resolution=trial.card.gsd,
        ),
        compute=Compute(device=trial.device),
        transform=trial.transform,
    )
    ear = _Ear(is_cancelled)
    products = execute(request, engine, ear).products
    path = next(path for name, path in products.items() if name.startswith(product))
    return Tried(folder, path, product, tuple(dict.fromkeys(ear.warnings)))


def trial_product(card: Card) -> str:
    """The raster that shows what the card's first output answers."""
    return "regression" if card.outputs[0].task == "pixel-regression" else "classes"


def given_rows(rows: Sequence[SlotRow]) -> Given:
    """The layers chosen in the rows, their bands and how their numbers are read, in plain values; main thread.

    Raises:
        RequestError: when a layer is broken or of a kind that no model takes.
    """
    bound, vectors, radiometry = [], [], []
    for row in rows:
        chosen, name = row.chosen(), row.slot.name
        for layer in chosen.vectors:
            plain = describe(layer)
            if row.slot.role == "osm":
                bound.append((name, plain, ()))
            else:
                vectors.append(plain)
        bound += [(name, describe(layer), bands) for layer, bands in chosen.pieces()]
        if chosen.read_otherwise:
            radiometry.append((name, chosen.radiometry))
    return Given(osm=tuple(vectors), bound=tuple(bound), radiometry=tuple(radiometry))


def piece(layer: QgsMapLayer, seen: Optional[QgsRectangle], metres: float) -> QgsReferencedRectangle:
    """A square of `metres` a side in the middle of what is seen of the layer (both in its CRS), else of the layer.

    Raises:
        RequestError: when the layer has no extent to speak of.
    """
    whole = layer.extent()
    if whole.isEmpty():
        raise RequestError(tr("{layer} is empty; choose another layer.").format(layer=layer.name()))
    common = seen.intersect(whole) if seen is not None else QgsRectangle()
    center = whole.center() if common.isEmpty() else common.center()
    unit = QgsRectangle.fromCenterAndSize(QgsPointXY(center), whole.width() / 1000, whole.height() / 1000)
    across, along = rectangle_size(unit, layer.crs())
    width, height = metres / across * unit.width(), metres / along * unit.height()
    square = QgsRectangle.fromCenterAndSize(center, width, height).intersect(whole)
    return QgsReferencedRectangle(square, layer.crs())

"""One run from layers to products: match, stage, check, run.

`execute` is called in the background with plain values only. What it does is told to a `Listener`, which stands between
the engine's events and whoever shows them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Optional, Protocol

from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransformContext, QgsRectangle

from ...inference.errors import Cancelled, SourceError
from ...inference.events import Epoch, Event, Progress, Started, Warn
from ...inference.job import Compute, GridSpec, Job, Outputs, Source
from ...models.card import Card
from ..engine.commands import EngineCommands, deaf
from ..layers.crs import crs_of, crs_text
from ..layers.matching import Binding, Given, Layer, match
from ..layers.sources import RasterInput, VectorInput
from ..layers.staging import MAX_PIXELS, PixelGrid, Stage, stage_raster, stage_vector, transformed
from ..products import ATTRIBUTION, parameter_of
from ..settings import data_folder, output_folder

Span = tuple[float, float]


@dataclass(frozen=True)
class Course:
    """The share of the progress bar that each part of the engine's work has, from and to, in percent."""

    stages: Mapping[str, Span]
    """By the first word of a stage: "reading imagery" and "reading dem" are both reading."""
    after: Span
    """Of all stages that are not named."""
    epochs: Optional[Span] = None
    """Of a training's epochs; None where a training is one of many, and moves nothing by itself."""


MAPPING = Course({"trying": (0.0, 0.0), "mapping": (0.0, 85.0)}, (85.0, 100.0))


class Listener(Protocol):
    """Who hears what a run says."""

    @property
    def pictures(self) -> Optional[Literal["watch", "preview"]]:
        """Whether the engine draws finished blocks, as a job says it; None where nobody looks at them."""

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def progress(self, percent: float, stage: str) -> None: ...

    def heard(self, event: Event) -> None:
        """Every event of the engine as it came, for whoever shows its numbers and pictures besides its words."""

    def is_cancelled(self) -> bool: ...


@dataclass(frozen=True)
class RunRequest:
    """What is to be made of which layers; plain values that a background thread may have.

    `outputs.folder` is the run's folder: it takes the job, what is staged, the engine's record and its error output,
    and the products that have no path of their own.
    """

    given: Given
    outputs: Outputs
    card: Card
    model: Optional[Path] = None
    """None for a stack without a model; `card` then only has slots."""
    grid: GridSpec = GridSpec()
    area: Optional[VectorInput] = None
    reference: Optional[RasterInput] = None
    """A raster on whose pixels the result lies, though it goes into no slot."""
    compute: Compute = Compute()
    unreadable: str = "stop"
    max_pixels: int = MAX_PIXELS
    transform: QgsCoordinateTransformContext = field(default_factory=QgsCoordinateTransformContext)


@dataclass(frozen=True)
class FinishedRun:
    """What a run made."""

    products: dict[str, str]
    """Product name → absolute path."""
    attribution: tuple[str, ...]
    """What the licences of the layers ask to be said."""
    folder: Path

    def answer(self) -> dict[str, object]:
        """What the algorithm ``fusion_mapper:map`` answers: paths by parameter, the folder, the attribution."""
        paths = {parameter_of(name): path for name, path in self.products.items()}
        return {"FOLDER": str(self.folder), ATTRIBUTION: "; ".join(self.attribution), **paths}


#: Name under which a grid's reference that goes into no slot stands among a job's sources.
REFERENCE = "reference"


def new_run_folder() -> Path:
    """A folder for a run whose user named none, named by the time and a random word."""
    return (output_folder() or data_folder() / "runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def execute(request: RunRequest, engine: EngineCommands, listener: Listener) -> FinishedRun:
    """Do the run.

    Raises:
        RequestError: when the layers, the model and the settings do not go together.
        EngineFailed: with the engine's sentence.
        Cancelled: when the user stopped it.
    """
    folder = Path(request.outputs.folder)
    hear = hearer(listener)
    job = replace(prepare(request, engine, listener), pictures=listener.pictures)
    result = engine.run(job, folder, hear, listener.is_cancelled)
    return FinishedRun(dict(result.products), tuple(result.report.get("attribution", ())), folder)


def prepare(request: RunRequest, engine: EngineCommands, listener: Listener) -> Job:
    """The job of a run: its layers matched, and staged where they are no files.

    Raises:
        RequestError, EngineFailed, Cancelled: as `execute` does.
    """
    folder = Path(request.outputs.folder)
    matched = match(request.card, request.given)
    for note in matched.notes:
        listener.say(note)
    for warning in matched.warnings:
        listener.warn(warning)
    stage = Stage(
        folder / "staged", request.transform, listener.is_cancelled, listener.say, listener.warn, request.max_pixels
    )
    job = _Builder(request, matched.bindings, stage).job(engine, folder)
    if listener.is_cancelled():
        raise Cancelled("The run was cancelled.")
    return job


def hearer(listener: Listener, course: Course = MAPPING) -> Callable[[Event], None]:
    """What takes the engine's events and tells the listener of them."""
    percent = 0.0

    def hear(event: Event) -> None:
        nonlocal percent
        listener.heard(event)
        if isinstance(event, Progress):
            span = course.stages.get(event.stage.partition(" ")[0], course.after)
            percent = _share(span, event.done, event.total)
            listener.progress(percent, _stage_text(event))
        elif isinstance(event, Epoch):
            percent = _share(course.epochs, event.index, event.total) if course.epochs else percent
            listener.progress(percent, _epoch_text(event))
        elif isinstance(event, Warn):
            listener.warn(event.text)
        elif isinstance(event, Started) and event.backend:
            listener.say(_session_text(event))

    return hear


def _share(span: Span, done: int, total: int) -> float:
    low, high = span
    return low + (high - low) * done / max(total, 1)


def _epoch_text(event: Epoch) -> str:
    best = " (best)" if event.best else ""
    left = "" if event.remaining is None else f", {event.remaining:.0f} s left"
    score = f"{event.metric} {event.score:.3f}"
    return f"Epoch {event.index} of {event.total}: loss {event.loss:.3f}, {score}{best}{left}"


def _stage_text(event: Progress) -> str:
    parts = [event.stage.capitalize()]
    if event.rate:
        rate = event.rate / 1e6
        parts.append(f"{rate:.0f} Mpx/s" if rate >= 10 else f"{rate:.2g} Mpx/s")
    if event.remaining is not None:
        parts.append(f"{event.remaining:.0f} s left")
    return ", ".join(parts)


def _session_text(event: Started) -> str:
    what = "The model is trained" if event.backend == "torch" else "The model runs"
    text = f"{what} on {event.device} with {event.backend}, {event.precision}."
    return f"{text} {event.reason}" if event.reason else text


@dataclass
class _Builder:
    """Turns matched layers into a job, staging what is not a file."""

    request: RunRequest
    bindings: dict[str, Binding]
    stage: Stage

    def job(self, engine: EngineCommands, folder: Path) -> Job:
        staged = self._stage_files()
        bindings = {name: binding.with_staged(staged) for name, binding in self.bindings.items()}
        spec = self._grid(bindings)
        area = self._staged_area()
        if area is not None:
            spec = replace(spec, area=area.as_area())
        drawn = [raster for binding in bindings.values() for raster in binding.rasters if _is_service(raster)]
        if drawn:
            grid = self._ask_grid(bindings, spec, engine, folder)
            on_grid = {raster.id: stage_raster(raster, self.stage, grid) for raster in drawn}
            bindings = {name: binding.with_staged(on_grid) for name, binding in bindings.items()}
        return self._job(self._sources(bindings), spec)

    def _job(self, sources: dict[str, Source], spec: GridSpec) -> Job:
        return Job(
            sources=sources,
            outputs=self.request.outputs,
            model=str(self.request.model) if self.request.model else None,
            slots=() if self.request.model else self.request.card.slots,
            grid=spec,
            compute=self.request.compute,
        )

    def _stage_files(self) -> dict[str, Layer]:
        """Everything but what has to be drawn on the grid, by layer id."""
        near = self._near()
        staged: dict[str, Layer] = {}
        for binding in self.bindings.values():
            for vector in binding.vectors:
                staged.setdefault(vector.id, stage_vector(vector, self.stage, near))
            for raster in binding.rasters:
                if raster.staging is not None and raster.staging.kind != "render":
                    staged.setdefault(raster.id, stage_raster(raster, self.stage, near))
        return staged

    def _staged_area(self) -> Optional[VectorInput]:
        return stage_vector(self.request.area, self.stage) if self.request.area else None

    def _near(self) -> Optional[PixelGrid]:
        """Roughly where the run will be: staging needs no features beyond it. None when nothing tells."""
        spec, area = self.request.grid, self.request.area
        if spec.extent and spec.extent_crs:
            xmin, ymin, xmax, ymax = spec.extent
            return PixelGrid(crs_of(spec.extent_crs), QgsRectangle(xmin, ymin, xmax, ymax), 0, 0)
        if area is not None:
            return PixelGrid(area.crs, area.extent, 0, 0) if area.extent else None
        first = self.request.reference or first_raster(self.request.card, self.bindings)
        if first is None or not all(first.size) or not first.crs.isValid():
            return None
        return PixelGrid(first.crs, first.extent, 0, 0)

    def _grid(self, bindings: dict[str, Binding]) -> GridSpec:
        """The grid as asked for; made explicit where the layer it would be taken from has yet to be drawn on it."""
        spec = self.request.grid
        if self.request.reference is not None:
            return replace(spec, reference=REFERENCE)
        if not any(raster.staging for binding in bindings.values() for raster in binding.rasters):
            return spec
        refuse_endless(self.request.card, self.bindings, spec, self.request.area is not None)
        spec = replace(spec, resolution=spec.resolution or self.request.card.gsd)
        first = first_raster(self.request.card, self.bindings)
        if first is None or not _is_service(first):
            return spec
        return replace(spec, crs=spec.crs or crs_text(first.crs), native=False)

    def _ask_grid(
        self,
        bindings: dict[str, Binding],
        spec: GridSpec,
        engine: EngineCommands,
        folder: Path,
    ) -> PixelGrid:
        """The engine's own answer to where the grid lies, from the layers that are files already."""
        ready = {name: binding for name, binding in bindings.items() if not any(r.staging for r in binding.rasters)}
        job = replace(
            self._job(self._sources(ready), spec),
            model=None,
            slots=tuple(replace(slot, missing="fill") for slot in self.request.card.slots),
            outputs=replace(self.request.outputs, products={"stack": None}),
        )
        # What it warns of is told again, and more fully, by the run.
        answer = engine.check(job, folder, deaf, self.stage.is_cancelled).report["grid"]
        return PixelGrid(crs_of(answer["crs"]), QgsRectangle(*answer["bounds"]), answer["width"], answer["height"])

    def _sources(self, bindings: dict[str, Binding]) -> dict[str, Source]:
        sources = {name: binding.to_source(self.request.unreadable) for name, binding in bindings.items()}
        if self.request.reference is not None:
            reference = stage_raster(self.request.reference, self.stage, self._near())
            sources[REFERENCE] = Source(path=reference.opened(), name=reference.name)
        return sources


def first_raster(card: Card, bindings: Mapping[str, Binding]) -> Optional[RasterInput]:
    """The layer from which the engine takes the grid: of the first imagery slot, else of the first raster slot.

    One tile of a mosaic is not its whole extent, so a mosaic tells nothing.
    """
    for roles in (("imagery",), ("raster", "dem", "prior")):
        for slot in card.slots:
            binding = bindings.get(slot.name)
            if slot.role in roles and binding and binding.rasters:
                mosaic = len(binding.rasters) > 1 and not binding.stacked
                return None if mosaic else binding.rasters[0]
    return None


def refuse_endless(card: Card, bindings: Mapping[str, Binding], spec: GridSpec, has_area: bool) -> None:
    """Raise SourceError where the grid would be that of a map service, which has neither end nor pixels."""
    first = first_raster(card, bindings)
    if first is None or not _is_service(first):
        return
    if spec.extent is None and not has_area:
        raise SourceError(f"'{first.name}' is a map service without an end; choose an extent or an area to map.")
    if spec.resolution is None and card.gsd is None:
        raise SourceError(f"'{first.name}' is a map service without pixels of its own; set a resolution in metres.")


def refuse_elsewhere(
    card: Card, bindings: Mapping[str, Binding], spec: GridSpec, transform: QgsCoordinateTransformContext
) -> None:
    """Raise SourceError where no layer of a required slot reaches into the extent: all would be nodata."""
    if spec.extent is None or spec.extent_crs is None:
        return
    xmin, ymin, xmax, ymax = spec.extent
    wanted, crs = QgsRectangle(xmin, ymin, xmax, ymax), crs_of(spec.extent_crs)
    for slot in card.slots:
        rasters = bindings[slot.name].rasters if slot.missing == "required" and slot.name in bindings else ()
        files = [raster for raster in rasters if not _is_service(raster)]
        if files and not any(_touches(raster, wanted, crs, transform) for raster in files):
            raise SourceError(f"The extent lies outside '{files[0].name}'; choose another extent or layer.")


def _touches(
    raster: RasterInput, extent: QgsRectangle, crs: QgsCoordinateReferenceSystem, context: QgsCoordinateTransformContext
) -> bool:
    # Carried into the extent's CRS, because an extent may be larger than a layer's CRS can hold.
    return extent.intersects(transformed(raster.extent, raster.crs, crs, context))


def _is_service(raster: RasterInput) -> bool:
    return raster.staging is not None and raster.staging.kind == "render"

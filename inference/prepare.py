"""From a job to what a run needs: the model, the run grid, the lattice and the blocks. Shared by `check` and `run`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.card import Card, Output, Slot
from ..models.load import LoadedModel, require_complete
from .destinations import destinations, run_folder
from .errors import RequestError
from .grid import Grid
from .inputs import input_shapes
from .job import Area, Job, resolve
from .job import Source as SourceSpec
from .kept import Kept
from .lattice import BlockLayout, Lattice, make_blocks, make_lattice
from .occupancy import Occupancy, occupancy
from .rungrid import build_grid
from .sinks.areas import EllipsoidAreas
from .sinks.encode import products_of
from .sources import Context, Source, open_source
from .sources.raster_grid import native_grid
from .workers import MOST_WORKERS

if TYPE_CHECKING:
    from .area import AreaMask

#: Bytes that the arrays of one block may take for each worker, unless the job sets a ceiling.
BLOCK_BYTES = 192 * 2**20
#: A batch that needs more than this comes from a mistyped tile or batch size.
BATCH_BYTES = 64 * 2**30
#: Products that need no model.
ASIDES = frozenset({"stack", "missing"})


@dataclass(frozen=True)
class Prepared:
    """A job made concrete. `model` is None for a stack without a model; `card` then holds the job's slots."""

    job: Job
    base: Path
    folder: Path
    model: LoadedModel | None
    card: Card
    grid: Grid
    area: AreaMask | None
    held: Occupancy | None
    """Where the area lies, coarsely; None without an area or a model."""
    lattice: Lattice
    layout: BlockLayout
    products: dict[str, Path]
    warnings: tuple[str, ...]

    def open_sources(self, context: Context) -> dict[str, Source]:
        """Open every slot that the job binds a layer to, and those of locations, which need none."""
        opened = {slot.name: self.open_slot(slot, context) for slot in self.card.slots}
        return {name: source for name, source in opened.items() if source is not None}

    def open_slot(self, slot: Slot, context: Context) -> Source | None:
        """Open the layers of one slot; None where it has none.

        Raises:
            SourceError: names the file and what to do.
        """
        spec = self.job.sources.get(slot.name)
        if spec is None and slot.role == "location":
            spec = SourceSpec()
        return open_source(slot, spec, self.grid, context) if spec else None

    @cached_property
    def areas(self) -> EllipsoidAreas:
        """Measures on the run grid."""
        return EllipsoidAreas(self.grid)

    @property
    def runs_model(self) -> bool:
        """False when nothing is asked for that needs it."""
        return self.model is not None and not set(self.products) <= ASIDES


def prepare(
    job: Job, base: Path, warn: Callable[[str], None], kept: Kept | None = None, incomplete: bool = False
) -> Prepared:
    """Load the model, or take it from what was kept; lay the grid, the lattice and the blocks.

    `incomplete` allows slots that need a layer and have none yet, for looking at a job that is being put together.

    Raises:
        RequestError: names the file or field that is wrong.
    """
    model = (kept or Kept()).model(Path(resolve(job.model, base))) if job.model else None
    if model:
        require_complete(model.card)
    card = model.card if model else Card("stack", job.slots, ())
    _check_binding(job, card, incomplete)
    products = _products(job, card, base)
    area = _area(job.grid.area, base, warn) if job.grid.area else None
    folder = run_folder(job, base)
    context = Context(base, folder, warn)
    run_grid = build_grid(
        job.grid, card.slots, job.sources, card.gsd, lambda spec: native_grid(spec, context), area and area.bounds
    )
    grid = run_grid.grid
    held = occupancy(area, grid) if area and model else None
    lattice = _lattice(card, job, grid, held) if model else Lattice(512, 512, 0, 0, 0)
    _check_batch(card, job, lattice.size)
    layout = make_blocks(grid, lattice, _values_per_pixel(card), block_bytes(job), job.compute.block)
    return Prepared(
        job,
        base,
        folder,
        model,
        card,
        grid,
        area,
        held,
        lattice,
        layout,
        products,
        (*(model.warnings if model else ()), *run_grid.warnings),
    )


def _area(area: Area, base: Path, warn: Callable[[str], None]) -> AreaMask:
    # What reads vectors is slow to import, and most maps have no area.
    from .area import AreaMask

    return AreaMask(area, base, warn)


def _lattice(card: Card, job: Job, grid: Grid, held: Occupancy | None) -> Lattice:
    return make_lattice(card, job.compute, (grid.height, grid.width), held and held.count)


def wanted_of(output: Output, products: dict[str, Path]) -> frozenset[str]:
    """Which of the products asked for a head can make."""
    return products_of(output) & frozenset(products)


def encoded_of(output: Output, products: dict[str, Path]) -> frozenset[str]:
    """The products whose arrays a head's blocks hold: the wanted ones, and the figures that every run records."""
    wanted = wanted_of(output, products)
    return wanted | {"summary"} if wanted else wanted


def _check_binding(job: Job, card: Card, incomplete: bool) -> None:
    known = {slot.name: slot for slot in card.slots}
    for name in job.sources:
        # The grid may be taken from a layer that goes into no slot.
        if name not in known and name != job.grid.reference:
            raise RequestError(f"sources.{name} fits no slot of the model; its slots are {', '.join(known) or 'none'}.")
    for slot in card.slots:
        source = job.sources.get(slot.name)
        if source is None and slot.missing == "required" and slot.role != "location" and not incomplete:
            raise RequestError(
                f"The model needs a layer for its slot '{slot.name}' ({slot.role}): add sources.{slot.name}."
            )
        if source is not None:
            _check_kind(slot, bool(source.path or source.mosaic or source.stack), bool(source.layers))


def _check_kind(slot: Slot, raster: bool, vectors: bool) -> None:
    if slot.role in ("imagery", "raster", "dem", "prior") and not raster:
        raise RequestError(f"sources.{slot.name} needs a raster: give 'path', 'mosaic' or 'stack'.")
    if slot.role == "osm" and not vectors:
        raise RequestError(f"sources.{slot.name} needs vector layers: give 'layers'.")


def _products(job: Job, card: Card, base: Path) -> dict[str, Path]:
    """Product → path; what a model makes by its nature when none is named."""
    named = dict(job.outputs.products)
    if not named:
        tasks = {output.task for output in card.outputs}
        named = {"regression": None} if tasks == {"pixel-regression"} else {"classes": None}
        if not card.outputs:
            named = {"stack": None}
    possible = ASIDES.union(*(products_of(output) for output in card.outputs))
    for name in named:
        if name not in possible:
            raise RequestError(
                f"outputs.products.{name} is not something this model makes; it can make {', '.join(sorted(possible))}."
            )
    return destinations(job, base, named)


def _values_per_pixel(card: Card) -> int:
    """float32 values that a block holds for each pixel: patches, model inputs, scores and their sums."""
    channels = sum(slot.width for slot in card.slots)
    inputs = sum(count * max(dates, 1) for count, dates, _ in input_shapes(card).values())
    heads = sum(max(1, len(output.classes)) for output in card.outputs)
    return channels + inputs + 2 * heads + 4


def _check_batch(card: Card, job: Job, tile: int) -> None:
    need = 4 * _values_per_pixel(card) * tile**2 * (card.tiling.batch or job.compute.batch or 1)
    if need > BATCH_BYTES:
        raise RequestError(
            f"One batch of tiles of {tile:,} pixels would take {need / 2**30:,.0f} GiB; "
            "set compute.tile or compute.batch lower."
        )


def block_bytes(job: Job) -> int:
    """What the arrays of one block may take."""
    if job.compute.memory is None:
        return BLOCK_BYTES
    # A quarter of the ceiling for the workers' arrays leaves room for the model, GDAL's cache and the sinks. It does
    # not depend on the machine's cores, since a run must go on with its blocks wherever it is resumed.
    return max(job.compute.memory * 2**20 // (4 * (job.compute.workers or MOST_WORKERS)), 2**22)

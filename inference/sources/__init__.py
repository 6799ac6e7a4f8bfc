"""The sources: layers of any kind, read as patches on the run grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ...models.card import Slot
from ..errors import RequestError
from ..grid import Grid, Window
from ..job import Source as SourceSpec
from ..patch import Patch


@dataclass(frozen=True)
class Context:
    """What a source may use of its run: the folder that paths resolve against, a folder of its own, and a voice."""

    base: Path
    """Folder against which the job's relative paths resolve."""
    folder: Path
    """The run's folder; converted copies (indexed vectors) live in it and are reused by a resumed run."""
    warn: Callable[[str], None]
    """Tells the user one sentence; the same sentence is told once."""


@dataclass(frozen=True)
class Facts:
    """What the pre-flight check says of a source."""

    crs: str = ""
    """Name or code of the layer's CRS."""
    gsd: float | None = None
    """The layer's own ground sampling distance in metres at the grid's centre; None for vectors."""
    coverage: float | None = None
    """Share (0 to 1) of the grid's extent that the layer's extent covers."""
    dtype: str = ""
    minimum: tuple[float, ...] = ()
    """Lowest valid value of each channel in a decimated sample, in source units."""
    maximum: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    """Mean of each channel in that sample; empty where there is no sample."""
    details: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """One slot's layers, on the run grid. Not thread-safe: every reading thread or process opens its own."""

    channels: tuple[str, ...]
    """Channel names, in order."""
    attribution: tuple[str, ...]
    """What the layers' licences ask to be said."""

    def read(self, window: Window) -> Patch:
        """Values in source units on a window, which may reach beyond the grid (real ones where the layer has them)."""
        ...

    def facts(self) -> Facts:
        """What the pre-flight check tells."""
        ...

    def fingerprint(self) -> str:
        """Recognises the input's content: size, time and header for rasters, a hash of the features for vectors."""
        ...

    def close(self) -> None: ...


def open_source(slot: Slot, spec: SourceSpec, grid: Grid, context: Context) -> Source:
    """Open the layers of one slot on the slot's grid (the run grid, or coarser by the slot's ratio).

    Raises:
        SourceError: names the file and what to do.
    """
    # Imported here so that a job without vectors never loads the vector readers, and the other way round.
    grid = grid.coarser(slot.grid_ratio)
    if slot.role in ("imagery", "raster"):
        from .raster import open_raster

        return open_raster(slot, spec, grid, context)
    if slot.role == "dem":
        from .terrain import open_terrain

        return open_terrain(slot, spec, grid, context)
    if slot.role == "osm":
        from .osm import open_osm

        return open_osm(slot, spec, grid, context)
    if slot.role == "prior":
        from .prior import open_prior

        return open_prior(slot, spec, grid, context)
    if slot.role == "location":
        from .location import open_location

        return open_location(slot, spec, grid, context)
    raise RequestError(f"The slot '{slot.name}' has the role '{slot.role}', which this engine does not know.")

"""Reading the features of any vector layer that lie in a box of the run grid's CRS, through a spatial index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from pyogrio import raw
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError

from ..errors import SourceError
from . import Context
from .vector_convert import Losses, filter_columns, hides_damage, indexed_copy
from .vector_files import LayerFile, short_problem
from .vector_place import Bounds, Placement, usable

#: A survey holds at most about so many features at a time.
SURVEY = 50_000
_DEEPEST = 24


@dataclass(frozen=True)
class Rows:
    """Features as they lie in the file.

    Attributes:
        ids: int64 feature numbers.
        shapes: WKB (bytes or None) in the layer's CRS.
        columns: attribute name → values.
        shift: degrees that the features move east in the grid's CRS.
    """

    ids: np.ndarray
    shapes: np.ndarray
    columns: dict[str, np.ndarray]
    shift: float = 0.0

    def take(self, mask: np.ndarray) -> Rows:
        """The rows where `mask` is True."""
        columns = {name: values[mask] for name, values in self.columns.items()}
        return Rows(self.ids[mask], self.shapes[mask], columns, self.shift)


@dataclass(frozen=True)
class Features:
    """Usable features in the grid's CRS: shapely geometries, no collections, none empty, all finite.

    Attributes:
        shapes: object array of shapely geometries.
        columns: attribute name → values, as long as `shapes`.
        dropped: how many had no usable geometry.
    """

    shapes: np.ndarray
    columns: dict[str, np.ndarray]
    dropped: int = 0


class VectorReader:
    """One layer with a spatial index, its own or a converted copy's: costs grow with the box, not with the layer."""

    def __init__(
        self, file: LayerFile, columns: tuple[str, ...], where: str | None, skip: bool, crs: CRS, context: Context
    ) -> None:
        """Open a layer; converts it first where it has no spatial index.

        Args:
            file: the layer.
            columns: attributes to read.
            where: attribute filter in OGR SQL.
            skip: True leaves out what cannot be read, with a warning that counts it; False refuses a broken file.
            crs: the grid's CRS.
            context: the run; copies go to its folder `vectors`.

        Raises:
            SourceError: the layer is broken, its filter wrong, or its CRS unknown.
        """
        self.original = file
        self._columns = columns
        self._where = where
        self._skip = skip
        self._folder = Path(context.folder) / "vectors"
        self._warn = context.warn
        self._copied = False
        self.file = file
        try:
            self.placement = Placement(CRS.from_user_input(file.crs), crs)
        except CRSError as problem:
            raise SourceError(f"The CRS of '{file.name}' is not understood; assign another one.") from problem
        if not file.indexed or hides_damage(file):
            self._convert()

    @property
    def extent(self) -> Bounds | None:
        """The layer's extent in the grid's CRS, or None where it is unknown or empty."""
        return self.placement.extent(self.file.bounds) if self.file.bounds else None

    def read(self, bounds: Bounds, most: int | None = None) -> Features | None:
        """Features that meet `bounds` (xmin, ymin, xmax, ymax in the grid's CRS); None where they are more than `most`.

        Raises:
            SourceError: names the file and what GDAL says of it.
        """
        parts = self._rows_of(bounds, most)
        return None if parts is None else _join([self.features(rows) for rows in parts], self._columns)

    def features(self, rows: Rows) -> Features:
        """Rows as usable geometries in the grid's CRS; collections are taken apart."""
        with np.errstate(invalid="ignore"):
            shapes = shapely.force_2d(shapely.from_wkb(rows.shapes, on_invalid="ignore"))
            good = usable(shapes)
            landed = self.placement.to_grid(shapes[good], rows.shift)
        fine = usable(landed)
        index = np.flatnonzero(good)[fine]
        dropped = len(shapes) - len(index)
        landed, index = _taken_apart(landed[fine], index)
        return Features(landed, {name: values[index] for name, values in rows.columns.items()}, dropped)

    def survey(self, bounds: Bounds) -> Iterator[Rows]:
        """Every feature that meets `bounds` once, in batches of bounded size (the box is quartered until they fit)."""
        for box, shift in self.placement.boxes(bounds):
            seen: set[int] = set()
            pending = [(box, 0)]
            while pending:
                part, depth = pending.pop()
                rows = self._query(part, shift, None if depth == _DEEPEST else SURVEY + 1)
                if len(rows.ids) > SURVEY and depth < _DEEPEST:
                    pending += [(quarter, depth + 1) for quarter in _quarters(part)]
                elif depth == 0:
                    yield rows
                else:
                    yield rows.take(_first_met(rows, part, seen))

    def _rows_of(self, bounds: Bounds, most: int | None) -> list[Rows] | None:
        parts, seen = [], {}
        for box, shift in self.placement.boxes(bounds):
            rows = self._query(box, shift, None if most is None else most + 1)
            if most is not None and len(rows.ids) > most:
                return None
            before = seen.get(shift)
            parts.append(rows if before is None else rows.take(~np.isin(rows.ids, before)))
            seen[shift] = rows.ids if before is None else np.union1d(before, rows.ids)
        return parts

    def _query(self, box: Bounds, shift: float, limit: int | None) -> Rows:
        try:
            return self._ask(box, shift, limit)
        except (DataSourceError, DataLayerError, RuntimeError, ValueError) as problem:
            words = short_problem(problem)
            if self._copied or not self._skip:
                hint = "" if self._copied else "; repair it, or let unreadable data be skipped"
                name = self.original.name
                raise SourceError(f"Features of '{name}' cannot be read: {words}{hint}.") from problem
        self._convert()
        return self._ask(box, shift, limit)

    def _ask(self, box: Bounds, shift: float, limit: int | None) -> Rows:
        where = None if self._copied else self._where
        meta, ids, shapes, values = raw.read(
            self.file.path,
            layer=self.file.layer,
            columns=list(dict.fromkeys((*self._columns, *filter_columns(self.file, where)))),
            where=where,
            bbox=box,
            max_features=limit,
            return_fids=True,
            force_2d=True,
        )
        return Rows(ids, shapes, dict(zip(map(str, meta["fields"]), values, strict=True)), shift)

    def _convert(self) -> None:
        self.file, losses = indexed_copy(self.original, self._columns, self._where, self._skip, self._folder)
        self._copied = True
        self._tell(losses)

    def _tell(self, losses: Losses) -> None:
        name = self.original.name
        if losses.unreadable:
            total = f" of {self.original.features}" if self.original.features else " or more"
            self._warn(
                f"{losses.unreadable}{total} features of '{name}' cannot be read and are left out ({losses.problem})."
            )
        if losses.shapeless:
            self._warn(f"{losses.shapeless} features of '{name}' have no geometry and are left out.")


def _join(parts: list[Features], columns: tuple[str, ...]) -> Features:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Features(np.empty(0, object), {name: np.empty(0, object) for name in columns})
    joined = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    return Features(np.concatenate([part.shapes for part in parts]), joined, sum(part.dropped for part in parts))


def _taken_apart(shapes: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Geometry collections replaced by their members, however deep they are nested."""
    while (shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION).any():
        collected = shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION
        members, owner = shapely.get_parts(shapes[collected], return_index=True)
        keep = ~shapely.is_empty(members)
        shapes, index = (
            np.concatenate([shapes[~collected], members[keep]]),
            np.concatenate([index[~collected], index[collected][owner[keep]]]),
        )
    return shapes, index


def _quarters(box: Bounds) -> list[Bounds]:
    west, south, east, north = box
    x, y = (west + east) / 2, (south + north) / 2
    return [(west, south, x, y), (x, south, east, y), (west, y, x, north), (x, y, east, north)]


def _first_met(rows: Rows, part: Bounds, seen: set[int]) -> np.ndarray:
    """True for rows that no earlier part has answered; only features that leave their part have to be remembered."""
    with np.errstate(invalid="ignore"):
        bounds = shapely.bounds(shapely.from_wkb(rows.shapes, on_invalid="ignore"))
    inside = (bounds[:, 0] > part[0]) & (bounds[:, 1] > part[1]) & (bounds[:, 2] < part[2]) & (bounds[:, 3] < part[3])
    new = inside.copy()
    for i in np.flatnonzero(~inside):
        number = int(rows.ids[i])
        new[i] = number not in seen
        seen.add(number)
    return new

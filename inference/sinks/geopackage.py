"""One GeoPackage layer, written in batches and the same to the byte whenever its features are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyogrio
import shapely

from ..grid import Grid
from .staging import staged

#: Stands where a GeoPackage notes when it was written, since a product carries no clock.
_FIXED_DATE = "2000-01-01T00:00:00.000Z"
#: Coordinates gathered before they are appended to the file, and what a feature weighs besides them.
_BATCH = 400_000
_FEATURE = 10


class LayerWriter:
    """Takes features in batches; see `layer_writer`.

    Attributes:
        scratch: a file name for whoever needs room on the same volume; nothing may be left there at the end.
    """

    def __init__(
        self, file: Path, layer: str, grid: Grid, columns: Mapping[str, type], tags: Mapping[str, str]
    ) -> None:
        self.scratch = file.with_name("scratch.tif")
        self._file = file
        self._layer = layer
        self._grid = grid
        self._columns = dict(columns)
        self._tags = dict(tags)
        self._waiting: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
        self._weight = 0
        self._begun = False

    def add(self, polygons: np.ndarray, fields: Mapping[str, np.ndarray]) -> None:
        """Append features: polygons in the grid's CRS, and an array for each column."""
        if len(polygons):
            self._waiting.append((shapely.to_wkb(polygons), dict(fields)))
            self._weight += int(shapely.get_num_coordinates(polygons).sum()) + _FEATURE * len(polygons)
        if self._weight >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits; the first call makes the file, even for no features."""
        if self._begun and not self._waiting:
            return
        geometry = np.concatenate([np.empty(0, object), *(wkb for wkb, _ in self._waiting)])
        data = [
            np.concatenate([np.empty(0, kind), *(fields[name] for _, fields in self._waiting)]).astype(kind)
            for name, kind in self._columns.items()
        ]
        first = {} if self._begun else self._creation()
        pyogrio.raw.write(
            self._file,
            geometry,
            data,
            list(self._columns),
            layer=self._layer,
            driver="GPKG",
            geometry_type="Polygon",
            crs=self._grid.pyproj_crs.to_wkt(),
            append=self._begun,
            **first,
        )
        self._waiting, self._weight, self._begun = [], 0, True

    def _creation(self) -> dict[str, object]:
        """GeoPackage 1.2 is what the GDAL of QGIS 3.22 reads without a warning."""
        return {
            "dataset_metadata": self._tags,
            "layer_metadata": self._tags,
            "dataset_options": {"VERSION": "1.2"},
            "layer_options": {"GEOMETRY_NAME": "geom", "FID": "fid"},
        }


@contextmanager
def layer_writer(
    path: Path, layer: str, grid: Grid, columns: Mapping[str, type], tags: Mapping[str, str]
) -> Iterator[LayerWriter]:
    """Write a GeoPackage with one polygon layer, under its name only once it is whole.

    Args:
        path: the file to make, replacing an older one.
        layer: the layer's name.
        grid: gives the CRS.
        columns: field names with their NumPy type (``object`` for text).
        tags: metadata of the file and the layer.

    Raises:
        RequestError: where the file cannot be written.
    """
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    with staged(path) as folder:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _FIXED_DATE})
        try:
            writer = LayerWriter(folder / path.name, layer, grid, columns, tags)
            yield writer
            writer.flush()
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
        # GDAL repeats the metadata, which the GeoPackage itself holds, in a file beside it.
        (folder / f"{path.name}.aux.xml").unlink(missing_ok=True)

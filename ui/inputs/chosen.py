"""What is chosen for one slot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from qgis.core import QgsMapLayer, QgsRasterLayer, QgsVectorLayer

from ...toolbox.radiometry import STORED, Radiometry


@dataclass(frozen=True)
class Chosen:
    """Layers, the bands taken from them, and how their numbers are read."""

    rasters: tuple[QgsRasterLayer, ...] = ()
    vectors: tuple[QgsVectorLayer, ...] = ()
    bands: tuple[tuple[QgsRasterLayer, int], ...] = ()
    """For each channel a raster and its 1-based band; empty where the toolbox's matching is to find them."""
    radiometry: Radiometry = STORED

    @property
    def layers(self) -> tuple[QgsMapLayer, ...]:
        return (*self.rasters, *self.vectors)

    def slot_lines(self, slot: str) -> list[str]:
        """Lines of the SLOTS parameter that bind the rasters to the slot."""
        if not self.bands:
            return [f"{slot}={raster.id()}" for raster in self.rasters]
        runs = groupby(self.bands, key=lambda entry: entry[0].id())
        return [f"{slot}={key}:{','.join(str(band) for _, band in run)}" for key, run in runs]

    def radiometry_lines(self, slot: str) -> list[str]:
        """Lines of the RADIOMETRY parameter; none where the numbers are taken as stored."""
        return [f"{slot}={self.radiometry.name}"] if self.rasters and self.radiometry != STORED else []

"""Features read for large squares of the grid and kept for a while, so that the chunks on them share one reading."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import shapely

from ..grid import Window
from .osm_layers import Matches, OsmLayers
from .vector_place import Bounds

#: Sides in pixels, multiples of the chunks', of the squares for which features are read; the first in which no layer
#: has more than so many features is taken. How many squares are kept.
_SIDES, _MOST, _SHEETS = (16_384, 2048), 20_000, 4


class OsmSheets:
    """The features around chunks.

    Args:
        layers: what is read.
        reach: the box from which features can touch a window.
    """

    def __init__(self, layers: OsmLayers, reach: Callable[[Window], Bounds]) -> None:
        self._layers = layers
        self._reach = reach
        self._sheets: OrderedDict[Window, tuple[Matches, np.ndarray] | None] = OrderedDict()

    def around(self, chunk: Window) -> tuple[Matches, np.ndarray]:
        """Features that can touch a chunk, with their bounds (N×4): those of the sheet that it lies on, or its own
        where the sheet has too many.

        Asking a layer takes longer than reading some thousand features of it, so chunks share what is read for a sheet.
        """
        for side in _SIDES:
            shared = self._sheet(Window(chunk.row // side * side, chunk.col // side * side, side, side))
            if shared is not None:
                return shared
        found = self._layers.read(self._reach(chunk))
        return found, _bounds(found)

    def forget(self) -> None:
        """Give back the memory of what was read."""
        self._sheets.clear()

    def _sheet(self, sheet: Window) -> tuple[Matches, np.ndarray] | None:
        if sheet not in self._sheets:
            found = self._layers.read(self._reach(sheet), _MOST)
            self._sheets[sheet] = None if found is None else (found, _bounds(found))
        self._sheets.move_to_end(sheet)
        while len(self._sheets) > _SHEETS:
            self._sheets.popitem(last=False)
        return self._sheets[sheet]


def _bounds(found: Matches) -> np.ndarray:
    return shapely.bounds(found.shapes).reshape(-1, 4)

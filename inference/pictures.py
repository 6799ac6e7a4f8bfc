"""Small pictures of finished blocks, so that a run can be watched on the map while it goes on."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.io import MemoryFile

from ..models.card import Output
from ..models.files import write_atomically
from ..models.palette import class_color, ramp_colors
from .blockstore import BlockStore
from .events import Block
from .prepare import Prepared, wanted_of
from .sinks.encode import ARRAYS, REGRESSION_ARRAYS
from .sinks.legend import class_colors
from .sinks.values import FLOAT_NODATA, class_dtype, value_nodata
from .voice import Voice

#: Longest side of a picture in pixels; a screen shows no more of a block.
SIDE = 512
#: Pixels of all pictures of a run together: whoever shows them holds them in memory.
BUDGET = 16e6
#: Palette entries: 0 is transparent, the others are classes or steps of a ramp.
_STEPS = 255
#: What is drawn of a head, the first that the run makes: block array → product.
_DRAWN = {"classes": "classes", "regression": "regression", "interior": "fields", "confidence": "confidence"}
_CLEAR = (0, 0, 0, 0)
#: rasterio warns of a file without a georeference; a PNG has no place for one.
_ANYWHERE = Affine.scale(2.0, -2.0)
Color = tuple[int, int, int, int]


@dataclass(frozen=True)
class Look:
    """How one block array becomes a picture: palette indices, 0 for nodata, and the palette."""

    array: str
    """Name in the block file, for example ``0.classes``."""
    product: str
    indices: Callable[[np.ndarray], np.ndarray]
    """Values (h×w) → palette indices (h×w uint8)."""
    palette: dict[int, Color]


class Pictures:
    """Draws the blocks of one run, each beside its block file, and tells of them."""

    def __init__(self, prepared: Prepared, store: BlockStore, look: Look, voice: Voice) -> None:
        self._grid, self._layout = prepared.grid, prepared.layout
        self._store, self._look, self._voice = store, look, voice
        self._side = min(SIDE, max(1, int(math.sqrt(BUDGET / prepared.layout.count))))

    def draw(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Draw a block that was computed just now; raises RequestError when the disk does not take the picture."""
        self._write(index, arrays[self._look.array])

    def show_kept(self, index: int) -> None:
        """Tell of a block that an earlier try left; draw it where that try drew none."""
        if self._store.picture(index).exists():
            self._tell(index)
        else:
            self._write(index, self._store.array(index, self._look.array))

    def _write(self, index: int, values: np.ndarray) -> None:
        indices = self._look.indices(thinned(values, self._side))
        write_atomically(self._store.picture(index), png(indices, self._look.palette))
        self._tell(index)

    def _tell(self, index: int) -> None:
        bounds = self._grid.window_bounds(self._layout.window(index))
        picture = str(self._store.picture(index).absolute())
        self._voice.say(Block(index, picture, bounds, self._grid.crs, self._look.product))


def make_pictures(prepared: Prepared, store: BlockStore, voice: Voice) -> Pictures | None:
    """What draws the run's blocks; None where the job asks for no pictures, or makes nothing that has one."""
    if prepared.job.pictures is None or not prepared.runs_model:
        return None
    for number, output in enumerate(prepared.card.outputs):
        look = _look(number, output, wanted_of(output, prepared.products))
        if look is not None:
            return Pictures(prepared, store, look, voice)
    return None


def thinned(values: np.ndarray, side: int) -> np.ndarray:
    """Every n-th value (h×w), so that neither side is longer than `side`; the rest still covers the same ground."""
    step = -(-max(values.shape) // side)
    rows, cols = (_spread(length, -(-length // step)) for length in values.shape)
    return values[np.ix_(rows, cols)] if step > 1 else values


def png(indices: np.ndarray, palette: Mapping[int, Color]) -> bytes:
    """A palette PNG of h×w uint8 indices."""
    height, width = indices.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="PNG", width=width, height=height, count=1, dtype="uint8", transform=_ANYWHERE, ZLEVEL=1
        ) as file:
            file.write(indices, 1)
            file.write_colormap(1, {index: palette.get(index, _CLEAR) for index in range(_STEPS + 1)})
        return bytes(memory.read())


def _spread(length: int, count: int) -> np.ndarray:
    """`count` indices in the middle of equal parts of `length`."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.intp)


def _look(number: int, output: Output, wanted: frozenset[str]) -> Look | None:
    known = REGRESSION_ARRAYS if output.task == "pixel-regression" else ARRAYS
    made = {array for product in wanted for array in known[product]}
    array = next((array for array in _DRAWN if array in made), None)
    if array is None:
        return None
    indices, palette = _MAKERS[array](output)
    return Look(f"{number}.{array}", _DRAWN[array], indices, palette)


def _of_classes(output: Output) -> tuple[Callable[[np.ndarray], np.ndarray], dict[int, Color]]:
    colors = class_colors(output)
    table = np.zeros(np.iinfo(class_dtype(output)).max + 1, np.uint8)
    # Past the palette's end colours come again; no map with so many classes is read by its colours.
    places = {value: 1 + position % _STEPS for position, value in enumerate(colors)}
    table[list(places)] = list(places.values())
    palette = {place: (*colors[value], 255) for value, place in reversed(places.items())}
    return table.__getitem__, palette


def _of_values(output: Output) -> tuple[Callable[[np.ndarray], np.ndarray], dict[int, Color]]:
    return _Ramp(output.range, value_nodata(output)).indices, _ramp_palette(output.ramp)


def _of_confidence(_output: Output) -> tuple[Callable[[np.ndarray], np.ndarray], dict[int, Color]]:
    return _Ramp((0.0, 1.0), FLOAT_NODATA).indices, _ramp_palette("gray")


def _of_fields(output: Output) -> tuple[Callable[[np.ndarray], np.ndarray], dict[int, Color]]:
    position, info = next(pair for pair in enumerate(output.classes) if pair[1].value == output.field)
    red, green, blue = bytes.fromhex(class_color(info, position)[1:])
    return lambda interior: (interior > 0).astype(np.uint8), {1: (red, green, blue, 255)}


def _ramp_palette(name: str) -> dict[int, Color]:
    return {place: (*color, 255) for place, color in enumerate(ramp_colors(name, _STEPS), 1)}


class _Ramp:
    """Steps of a ramp between two limits; where none are known, those of the first block that has values."""

    def __init__(self, limits: tuple[float, float] | None, nodata: float) -> None:
        self._limits, self._nodata = limits, nodata
        self._lock = threading.Lock()

    def indices(self, values: np.ndarray) -> np.ndarray:
        known = np.isfinite(values) & (values != np.float32(self._nodata))
        if not known.any():
            return np.zeros(values.shape, np.uint8)
        with self._lock:
            if self._limits is None:
                low, high = np.percentile(values[known], (2, 98))
                self._limits = float(low), float(high)
        low, high = self._limits
        share = np.clip((np.where(known, values, low) - low) / ((high - low) or 1.0), 0, 1)
        return np.where(known, 1 + np.rint(share * (_STEPS - 1)), 0).astype(np.uint8)


_MAKERS = {"classes": _of_classes, "regression": _of_values, "interior": _of_fields, "confidence": _of_confidence}

"""What stands in a product's pixels: the type, the nodata value and the order of the classes, read off the card."""

from __future__ import annotations

import numpy as np

from ...models.card import Output
from ..errors import CardError

#: Nodata of every float product for which the card names none.
FLOAT_NODATA = -9999.0
_LARGEST = 65535


def class_dtype(output: Output) -> np.dtype:
    """uint8, or uint16 where a class value or nodata does not fit."""
    highest = max(*(info.value for info in output.classes), class_nodata(output))
    return np.dtype(np.uint8 if highest <= 255 else np.uint16)


def class_nodata(output: Output) -> int:
    """The card's nodata, else 255, or 65535 where 255 may be a class.

    Raises:
        CardError: for a nodata that a class raster cannot hold.
    """
    if output.nodata is None:
        return 255 if max(info.value for info in output.classes) < 255 else _LARGEST
    nodata = int(output.nodata)
    if nodata != output.nodata or not 0 <= nodata <= _LARGEST:
        raise CardError(
            f"The output '{output.name}' has the nodata {output.nodata:g}, but a class raster holds whole numbers "
            f"from 0 to {_LARGEST}; correct the card."
        )
    return nodata


def value_nodata(output: Output) -> float:
    """Nodata of a regression raster, as float32 holds it."""
    return float(np.float32(FLOAT_NODATA if output.nodata is None else output.nodata))


def class_values(output: Output) -> np.ndarray:
    """Class values in channel order, in the class raster's type."""
    return np.array([info.value for info in output.classes], dtype=class_dtype(output))

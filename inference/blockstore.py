"""Finished blocks on disk: one file each, written atomically, so that a killed run goes on where it was."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..models.files import write_atomically
from .blocks import BlockResult
from .errors import RequestError
from .grid import Window
from .lattice import BlockLayout
from .plan import BLOCKS
from .uniform import is_spread, spread


class BlockStore:
    """The block files of one run folder."""

    def __init__(self, folder: Path, layout: BlockLayout) -> None:
        self._folder = folder / BLOCKS
        self._layout = layout

    def missing(self) -> list[int]:
        """Indices of the blocks that are still to be computed: those without a file, or with a damaged one."""
        return [index for index in range(self._layout.count) if not _is_whole(self._path(index))]

    def write(self, index: int, result: BlockResult) -> None:
        """Keep a block; raises RequestError when the disk does not take it (finished blocks stay)."""
        buffer = io.BytesIO()
        arrays = {name: _shrunk(array) for name, array in result.arrays.items()}
        np.savez(buffer, allow_pickle=False, not_finite=np.int64(result.not_finite), counts=result.counts, **arrays)
        write_atomically(self._path(index), buffer.getvalue())

    def read(self, name: str) -> Iterator[tuple[Window, np.ndarray]]:
        """Every block's window and its array `name`, in block order."""
        for index in range(self._layout.count):
            yield self._layout.window(index), self.array(index, name)

    def array(self, index: int, name: str) -> np.ndarray:
        """One array of one block; one value, shown for every pixel, where the block has but one."""
        try:
            with np.load(self._path(index), allow_pickle=False) as arrays:
                return self._grown(np.asarray(arrays[name]), index)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as problem:
            raise RequestError(f"The block file {self._path(index)} is damaged; run again.") from problem

    def total(self, name: str) -> np.ndarray:
        """A small array that every block has, summed in block order."""
        return np.sum([self.array(index, name) for index in range(self._layout.count)], axis=0)

    def picture(self, index: int) -> Path:
        """Where the picture of a block lies, if it was drawn."""
        return self._path(index).with_suffix(".png")

    def clear(self, pictures: bool = True) -> None:
        """Delete the block files of a finished run, and unless told otherwise their pictures."""
        for index in range(self._layout.count):
            self._path(index).unlink(missing_ok=True)
            if pictures:
                self.picture(index).unlink(missing_ok=True)

    def _grown(self, array: np.ndarray, index: int) -> np.ndarray:
        if array.ndim < 2 or array.shape[-2:] != (1, 1):
            return array
        return spread(array, self._layout.window(index))

    def _path(self, index: int) -> Path:
        return self._folder / f"{index:08d}.npz"


def _shrunk(array: np.ndarray) -> np.ndarray:
    """An array that shows one pixel everywhere as that pixel."""
    return array[..., :1, :1] if is_spread(array) else array


def _is_whole(path: Path) -> bool:
    """True for a block file whose checksums hold; one that was in writing when the power failed may be empty."""
    try:
        with zipfile.ZipFile(path) as kept:
            return kept.testzip() is None
    except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
        return False

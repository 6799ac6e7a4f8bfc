"""Connected pixels of equal value, and regions joined across the borders of cells."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def label_equal(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label the 4-connected components of equal value of an h×w array.

    Returns:
        h×w int32 labels, numbered from 0 by each component's first pixel in raster order; and for each label the index
        of that pixel in the flattened array. Every pixel belongs to a component, nodata too.
    """
    starts = np.ones(values.shape, bool)
    starts[:, 1:] = values[:, 1:] != values[:, :-1]
    run = np.cumsum(starts.ravel(), dtype=np.int32).reshape(values.shape) - 1
    first = np.flatnonzero(starts.ravel())
    # Two runs of neighbouring rows meet first where one of them starts.
    meet = (values[1:] == values[:-1]) & (starts[1:] | starts[:-1])
    above, below = run[:-1][meet], run[1:][meet]
    links = coo_array((np.ones(above.size, np.int8), (above, below)), shape=(first.size, first.size))
    count, component = connected_components(links.tocsr(), directed=False)
    head = np.empty(count, np.int64)
    # Of several values for one place NumPy keeps the last, which here is the component's first run.
    head[component[::-1]] = np.arange(first.size)[::-1]
    order = np.empty(head.size, np.int32)
    order[np.argsort(head)] = np.arange(head.size, dtype=np.int32)
    return order[component][run], first[np.sort(head)]


class Regions:
    """Union-find over regions that are named as they appear; the earliest name stands for a joined region."""

    def __init__(self) -> None:
        self._parent: list[int] = []

    def __len__(self) -> int:
        return len(self._parent)

    def add(self, count: int) -> np.ndarray:
        """Names (int64) for `count` new regions."""
        names = range(len(self._parent), len(self._parent) + count)
        self._parent.extend(names)
        return np.fromiter(names, np.int64, count)

    def find(self, name: int) -> int:
        """The name that stands for a region."""
        root = name
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[name] != root:
            self._parent[name], name = root, self._parent[name]
        return root

    def join(self, one: int, other: int) -> None:
        """Let two names mean one region."""
        one, other = self.find(one), self.find(other)
        self._parent[max(one, other)] = min(one, other)

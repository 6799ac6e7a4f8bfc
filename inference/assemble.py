"""From finished blocks to products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .grid import Window

Blocks = Iterator[tuple[Window, np.ndarray]]

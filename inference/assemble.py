"""From finished blocks to products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..models.card import Output
from .blockstore import BlockStore
from .errors import Cancelled
from .events import Progress
from .grid import Window
from .prepare import Prepared, wanted_of
from .sinks.provenance import product_tags
from .sinks.rasters import missing_spec, raster_spec, stack_spec, write_cog
from .sinks.values import FLOAT_NODATA

Blocks = Iterator[tuple[Window, np.ndarray]]

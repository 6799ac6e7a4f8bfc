"""From finished blocks to products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.card import Output
from .blockstore import BlockStore
from .events import Progress
from .grid import Window
from .prepare import Prepared, wanted_of
from .record import Figures
from .recording import figures_of
from .sinks.mosaic import Mosaic
from .sinks.rasters import RasterSpec, missing_spec, raster_spec, stack_spec, write_cog
from .sinks.summary import SummaryPart, summarise, write_summary
from .sinks.values import FLOAT_NODATA
from .voice import Voice

if TYPE_CHECKING:
    from .sinks.polygons import PolygonCounts

Blocks = Iterator[tuple[Window, np.ndarray]]
STAGE = "writing"


class Assembler:
    """Writes the products of one run from its blocks."""

    def __init__(
        self,
        prepared: Prepared,
        store: BlockStore,
        tags: Mapping[str, str],
        voice: Voice,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._prepared = prepared
        self._store = store
        self._tags = tags
        self._voice = voice
        self._warn = warn
        self._written: dict[str, Path] = {}
        self._reports: dict[int, dict[str, Any]] = {}

    def write_all(self) -> dict[str, Path]:
        """Write every product; returns paths by name (``classes``; ``classes:<output>`` for further heads).

        Raises:
            RequestError: when a file cannot be written.
            Cancelled: between two blocks.
        """
        heads = [(n, output, sorted(wanted_of(output, self._prepared.products))) for n, output in self._heads()]
        asides = self._asides()
        # Each head's figures are counted besides, which takes a while too.
        total = len(asides) + sum(len(wanted) + bool(wanted) for _, _, wanted in heads)
        for name, spec in asides.items():
            self._tell(total)
            self._written[name] = self._raster(self._prepared.products[name], spec, name)
        for number, output, wanted in heads:
            if wanted:
                self._tell(total)
                self._report(number, output)
            for name in wanted:
                self._tell(total)
                path, key = self._place(name, output)
                self._head_product(name, path, number, output)
                self._written[key] = path
        self._tell(total)
        return self._written

    def figures(self) -> list[Figures]:
        """What the map of each head amounts to of which something was made, whether or not its summary was."""
        heads = [(n, output) for n, output in self._heads() if wanted_of(output, self._prepared.products)]
        return [figures_of(output, self._report(n, output)) for n, output in heads]

    def _heads(self) -> list[tuple[int, Output]]:
        return list(enumerate(self._prepared.card.outputs)) if self._prepared.runs_model else []

    def _asides(self) -> dict[str, RasterSpec]:
        """The products that need no model, and how they look."""
        slots = [slot for slot in self._prepared.card.slots if slot.layout != "vector"]
        looks = {
            "stack": stack_spec([f"{slot.name}: {channel.name}" for slot in slots for channel in slot.channels]),
            "missing": missing_spec([slot.name for slot in slots if slot.missing != "required"]),
        }
        return {name: spec for name, spec in looks.items() if name in self._prepared.products and spec.bands}

    def _place(self, name: str, output: Output) -> tuple[Path, str]:
        """Further heads' files carry their output's name."""
        path = self._prepared.products[name]
        if name not in self._written:
            return path, name
        safe = "".join(letter if letter.isalnum() else "_" for letter in output.name)
        return path.with_stem(f"{path.stem}_{safe}"), f"{name}:{output.name}"

    def _head_product(self, name: str, path: Path, number: int, output: Output) -> None:
        """Every kind of product has its sink; those of polygons load SciPy, which takes a while."""
        if name == "polygons":
            from .sinks.polygons import write_polygons

            outputs, mosaic = self._prepared.job.outputs, self._mosaic(number)
            self._told(write_polygons(path, output, mosaic, outputs, self._tags, self._voice.checkpoint), path)
        elif name == "fields":
            from .sinks.fields import write_fields

            outputs, mosaic = self._prepared.job.outputs, self._mosaic(number)
            self._told(write_fields(path, mosaic, outputs, self._tags, self._voice.checkpoint), path)
        elif name == "summary":
            write_summary(path, self._report(number, output))
        else:
            self._raster(path, raster_spec(name, output), f"{number}.{name}")

    def _told(self, counts: PolygonCounts, path: Path) -> None:
        if counts.cuts:
            self._warn(
                f"{path.name} has polygons of many million vertices, which were cut along straight lines; a minimum "
                "area or a coarser simplification (outputs) makes them smaller."
            )

    def _report(self, number: int, output: Output) -> dict[str, Any]:
        """A head's figures, counted once."""
        if number not in self._reports:
            figures = self._blocks(f"{number}.figures")
            parts = (SummaryPart.of_array(part, output.range) for _, part in figures)
            self._reports[number] = summarise(self._prepared.grid, output, parts)
        return self._reports[number]

    def _mosaic(self, number: int) -> Mosaic:
        layout = self._prepared.layout
        windows = [layout.window(index) for index in range(layout.count)]
        return Mosaic(self._prepared.grid, windows, lambda index, name: self._store.array(index, f"{number}.{name}"))

    def _raster(self, path: Path, spec: RasterSpec, array: str) -> Path:
        write_cog(path, self._prepared.grid, spec, self._blocks(array), self._tags, self._prepared.layout.side)
        return path

    def _blocks(self, array: str) -> Blocks:
        for window, values in self._store.read(array):
            self._voice.checkpoint()
            yield window, np.nan_to_num(values, nan=FLOAT_NODATA) if array == "stack" else values

    def _tell(self, total: int) -> None:
        self._voice.say(Progress(len(self._written) + len(self._reports), total, STAGE))

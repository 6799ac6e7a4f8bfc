"""The slots of a model that is to be trained, where its job names none: made from the layers themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rasterio.enums import ColorInterp

from ...models.card import Channel, Slot
from ...models.training.recipes import dem_slot, osm_slot
from ...models.trainplan import TRANSFORMERS, Strategy
from ..errors import RequestError
from ..job import Source
from ..learnjob import Place
from ..sources import Context
from ..sources.raster_file import open_dataset
from ..sources.raster_grid import native_grid

#: Pixels from this size in metres are wider than most roads.
_COARSE = 3.0
#: Radius in metres of the topographic position, on fine and on coarse pixels.
_NEAR, _FAR = 100.0, 300.0
_COLOURS = {ColorInterp.red: "red", ColorInterp.green: "green", ColorInterp.blue: "blue", ColorInterp.gray: "grey"}
_WAVELENGTHS = {"red": 0.665, "green": 0.56, "blue": 0.49, "nir": 0.842}
#: Strategies that look at imagery alone; what else they know comes in by other ways.
_IMAGERY_ONLY = ("imagery", *TRANSFORMERS)


def default_slots(place: Place, base: Path, gsd: float | None, prior: str = "prior") -> tuple[Slot, ...]:
    """Slots for the place's sources, by their names: ``imagery``, ``osm``, ``dem``, and further rasters by their own.

    Imagery is required and its channels are its bands, by description or colour. OpenStreetMap and elevation have the
    channels of the starter models; they and further rasters may be missing. The source named `prior` gets no slot here:
    its matrix has to be estimated first.

    Raises:
        RequestError: there is no imagery, or vector layers go by a name of their own.
        SourceError: a raster cannot be opened.
    """
    if "imagery" not in place.sources:
        raise RequestError(f"The place '{place.name}' has no imagery to learn from; give sources.imagery.")
    context = Context(base, base, lambda _sentence: None)
    own = native_grid(place.sources["imagery"], context).mean_gsd
    pixel = gsd or own
    slots = [_imagery(place.sources["imagery"], own, context)]
    if "osm" in place.sources:
        slots.append(osm_slot(0, pixel >= _COARSE, pixel >= _COARSE))
    if "dem" in place.sources:
        slots.append(_dem(place.sources["dem"], _FAR if pixel >= _COARSE else _NEAR, context))
    for name, source in place.sources.items():
        if name not in ("imagery", "osm", "dem", "prior", prior):
            if source.layers:
                raise RequestError(
                    f"sources.{name} holds vector layers, which nothing says how to draw; put them into sources.osm, "
                    "or describe the slot in the job."
                )
            channels = tuple(Channel(band) for band in _band_names(source, context))
            slots.append(Slot(name, "raster", channels, "input", missing="fill", description=f"the layer '{name}'"))
    return with_offsets(slots)


def slots_of(strategy: Strategy, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """What a strategy stacks of them (a prior or a location is added later); offsets are those of the whole stack."""
    if strategy in _IMAGERY_ONLY or strategy == "proc-stack":
        return tuple(slot for slot in slots if slot.role == "imagery")
    return tuple(slot for slot in slots if slot.role not in ("prior", "location"))


def with_offsets(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """The slots one after the other in one input, without a hole."""
    laid, first = [], 0
    for slot in slots:
        laid.append(replace(slot, offset=first))
        first += slot.width
    return tuple(laid)


def _imagery(source: Source, gsd: float, context: Context) -> Slot:
    names = _band_names(source, context)
    channels = tuple(Channel(name, wavelength=_WAVELENGTHS.get(name)) for name in names)
    text = f"imagery: {', '.join(names)}"
    return Slot("imagery", "imagery", channels, "input", gsd=float(f"{gsd:.4g}"), description=text)


def _dem(source: Source, radius: float, context: Context) -> Slot:
    """The starter models' terrain channels, of a model as fine as this one is."""
    gsd = float(f"{native_grid(source, context).mean_gsd:.4g}")
    text = f"elevation model of about {gsd:.2g} m, in metres"
    return replace(dem_slot(0, radius), gsd=gsd, description=text)


def _band_names(source: Source, context: Context) -> list[str]:
    """One name a channel, no name twice: descriptions, else the file of a stack's single band, else colours."""
    names: list[str] = []
    for file in source.stack:
        names += _names_in(file.path, file.bands, context, Path(file.path).stem)
    if not source.stack:
        for path in (source.path,) if source.path else source.mosaic[:1]:
            names += _names_in(path, source.bands, context, None)
    return _told_apart(names)


def _told_apart(names: list[str]) -> list[str]:
    """Names that occur more than once get their place in the stack, and what they then are called by is free."""
    apart = []
    for place, name in enumerate(names, start=1):
        new = name if names.count(name) == 1 else f"{name} {place}"
        while new != name and (new in names or new in apart):
            new += "'"
        apart.append(new)
    return apart


def _names_in(path: str, bands: tuple[int, ...], context: Context, alone: str | None) -> list[str]:
    """Names of the chosen bands; `alone` is that of a single band which has no description."""
    dataset, _ = open_dataset(path, context)
    with dataset:
        colours = dataset.colorinterp
        chosen = bands or tuple(band for band in dataset.indexes if colours[band - 1] != ColorInterp.alpha)
        told = alone if len(chosen) == 1 else None
        return [
            (dataset.descriptions[band - 1] or "").strip() or told or _COLOURS.get(colours[band - 1]) or f"band {band}"
            for band in chosen
            if band <= dataset.count
        ]

"""Which layers go to which slot of a model.

By role first; then by number of bands and by names. What was decided where another reader might decide otherwise is
told in `Match.notes`. Everything works on plain values, so that the same answer is given when the parameters are
checked on the main thread and when the run starts in the background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Optional, Union

from ...inference.errors import RequestError
from ...inference.job import Source
from ...models.card import Card, Slot
from .bands import Choice, in_order, told_apart
from .osm_tags import fitting_vectors
from .radiometry import ROLES, STORED, Radiometry
from .sources import RasterInput, VectorInput

Layer = Union[RasterInput, VectorInput]
#: Where the user chooses layers of a role.
_PARAMETER = {"imagery": "IMAGERY", "osm": "OSM", "dem": "DEM", "prior": "PRIOR", "raster": "PRIOR"}
_WORDS = {
    "imagery": "imagery",
    "osm": "OpenStreetMap or other vector layers",
    "dem": "an elevation model",
    "prior": "a coarse class raster",
    "raster": "a raster",
}


@dataclass(frozen=True)
class Given:
    """The layers that the user chose, by role, and those bound to a slot by name."""

    imagery: tuple[RasterInput, ...] = ()
    osm: tuple[VectorInput, ...] = ()
    dem: tuple[RasterInput, ...] = ()
    prior: tuple[RasterInput, ...] = ()
    bound: tuple[tuple[str, Layer, tuple[int, ...]], ...] = ()
    """Slot name, layer, bands (empty: to be found)."""
    radiometry: tuple[tuple[str, Radiometry], ...] = ()
    """Slot name, and how its layers' numbers are read."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        return (*self.imagery, *self.osm, *self.dem, *self.prior, *(layer for _, layer, _ in self.bound))


@dataclass(frozen=True)
class Binding:
    """The layers of one slot."""

    rasters: tuple[RasterInput, ...] = ()
    bands: tuple[tuple[int, ...], ...] = ()
    """For each raster; in a mosaic all have the same."""
    stacked: bool = False
    """True when the rasters' bands follow one another; False when they are one mosaic, the first on top."""
    vectors: tuple[VectorInput, ...] = ()
    tags: tuple[dict[str, str], ...] = ()
    """For each vector layer: what all its features are."""
    radiometry: Radiometry = STORED

    def with_staged(self, staged: dict[str, Layer]) -> Binding:
        """The binding with layers (by id) replaced by their staged files."""
        return replace(
            self,
            rasters=tuple(staged.get(raster.id, raster) for raster in self.rasters),
            vectors=tuple(staged.get(vector.id, vector) for vector in self.vectors),
        )

    def to_source(self, unreadable: str = "stop") -> Source:
        """The engine's source; raises SourceError while a layer is not staged."""
        layers: tuple[Layer, ...] = (*self.rasters, *self.vectors)
        common = Source(
            layers=tuple(vector.as_layer(tags) for vector, tags in zip(self.vectors, self.tags)),
            nodata=next((raster.nodata for raster in self.rasters if raster.nodata is not None), None),
            ignore_mask=any(raster.ignore_mask for raster in self.rasters),
            dn_offset=self.radiometry.offset,
            dn_scale=self.radiometry.scale,
            unreadable=unreadable,
            name=", ".join(dict.fromkeys(layer.name for layer in layers)) or None,
            attribution=tuple(dict.fromkeys(line for layer in layers for line in layer.attribution)),
        )
        if self.stacked:
            return replace(common, stack=tuple(r.part(bands) for r, bands in zip(self.rasters, self.bands)))
        if len(self.rasters) > 1:
            return replace(common, mosaic=tuple(r.opened() for r in self.rasters), bands=self.bands[0])
        if self.rasters:
            return replace(common, path=self.rasters[0].opened(), bands=self.bands[0])
        return common


@dataclass(frozen=True)
class Match:
    """Bindings by slot name, and sentences about them."""

    bindings: dict[str, Binding]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class _Notes:
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def match(card: Card, given: Given) -> Match:
    """Bind the given layers to the card's slots.

    Raises:
        RequestError: when a required slot stays empty, a layer does not fit, or the choice is not clear; the sentence
            says where to choose.
    """
    said = _Notes()
    bindings = _bound(card, given, said)
    free = [slot for slot in card.slots if slot.name not in bindings]
    bindings.update(_share(_of(free, "imagery"), given.imagery, said))
    bindings.update(_share(_of(free, "prior", "raster"), given.prior, said))
    bindings.update({slot.name: _combine(slot, given.dem, said) for slot in _of(free, "dem") if given.dem})
    bindings.update(_vectors(_of(free, "osm"), given.osm, said))
    bindings.update({slot.name: Binding() for slot in _of(free, "location")})
    _add_vectors_to_priors(card, bindings, given.osm, said)
    _set_radiometry(card, bindings, given.radiometry, said)
    _refuse_missing(card, bindings)
    _tell_unused(card, bindings, given, said)
    return Match(bindings, tuple(said.notes), tuple(said.warnings))


def _of(slots: Sequence[Slot], *roles: str) -> list[Slot]:
    return [slot for slot in slots if slot.role in roles]


def bands_needed(slot: Slot) -> int:
    """Bands that a slot takes from its layers: terrain and priors are computed from one."""
    return 1 if slot.role in ("dem", "prior") else len(slot.channels)


def _bound(card: Card, given: Given, said: _Notes) -> dict[str, Binding]:
    """What the user bound by name."""
    lines: dict[str, list[tuple[Layer, tuple[int, ...]]]] = {}
    for name, layer, bands in given.bound:
        slot = card.slot(name)
        if isinstance(layer, VectorInput) != (slot.role == "osm"):
            raise RequestError(f"The slot '{name}' takes {_WORDS[slot.role]}, and '{layer.name}' is something else.")
        lines.setdefault(name, []).append((layer, bands))
    return {name: _bound_slot(card.slot(name), parts, said) for name, parts in lines.items()}


def _bound_slot(slot: Slot, parts: list[tuple[Layer, tuple[int, ...]]], said: _Notes) -> Binding:
    layers = tuple(layer for layer, _ in parts)
    if slot.role == "osm":
        return _vector_binding([slot], layers, said)
    if not any(bands for _, bands in parts):
        return _combine(slot, layers, said)
    chosen = tuple(bands or tuple(band.number for band in layer.colour_bands) for layer, bands in parts)
    for layer, bands in zip(layers, chosen):
        if max(bands) > len(layer.bands) and layer.staging is None:
            raise RequestError(
                f"The slot '{slot.name}' asks for band {max(bands)} of '{layer.name}', which has {len(layer.bands)}."
            )
    needed = bands_needed(slot)
    if all(len(bands) == needed for bands in chosen) and len(set(chosen)) == 1:
        return Binding(layers, chosen)
    if sum(map(len, chosen)) == needed:
        return Binding(layers, chosen, stacked=True)
    raise RequestError(
        f"The slot '{slot.name}' takes {needed} bands ({_channels(slot)}), and {sum(map(len, chosen))} were named; "
        "correct its lines."
    )


def _share(slots: Sequence[Slot], rasters: tuple[RasterInput, ...], said: _Notes) -> dict[str, Binding]:
    """Deal layers to the slots of one role: all to a single slot, one each in order, or one layer's bands in order."""
    if not slots or not rasters:
        return {}
    if len(slots) == 1:
        return {slots[0].name: _combine(slots[0], rasters, said)}
    if len(rasters) == 1 and len(rasters[0].colour_bands) == sum(map(bands_needed, slots)):
        return _split(slots, rasters[0], said)
    if len(rasters) > len(slots):
        raise RequestError(
            f"The model has the slots {_list(slots)}, and {len(rasters)} layers were given; say in SLOTS which go "
            "where."
        )
    said.notes.extend(f"Slot '{slot.name}' takes '{raster.name}'." for slot, raster in zip(slots, rasters))
    return {slot.name: _combine(slot, (raster,), said) for slot, raster in zip(slots, rasters)}


def _split(slots: Sequence[Slot], raster: RasterInput, said: _Notes) -> dict[str, Binding]:
    numbers = [band.number for band in raster.colour_bands]
    bindings = {}
    for slot in slots:
        count = bands_needed(slot)
        bindings[slot.name] = Binding((raster,), (tuple(numbers[:count]),))
        said.notes.append(f"Slot '{slot.name}' takes bands {_numbers(numbers[:count])} of '{raster.name}'.")
        numbers = numbers[count:]
    return bindings


def _combine(slot: Slot, rasters: tuple[RasterInput, ...], said: _Notes) -> Binding:
    """One slot's rasters: one file, a mosaic of files that all have the channels, or a stack of bands."""
    for raster in rasters:
        if not isinstance(raster, RasterInput):
            raise RequestError(
                f"The slot '{slot.name}' takes {_WORDS[slot.role]}, and '{raster.name}' is a vector layer."
            )
    choices = [_choose(slot, raster) for raster in rasters]
    if all(choices):
        return _mosaic(slot, rasters, choices, said)
    together = _together(slot, rasters)
    if together is None:
        raise RequestError(
            f"The slot '{slot.name}' takes {bands_needed(slot)} bands ({_channels(slot)}), and "
            + " and ".join(f"'{r.name}' has {len(r.colour_bands)}" for r in rasters)
            + "; choose other layers, or name the bands in SLOTS."
        )
    order = ", ".join(
        f"{channel.name} = '{rasters[p].name}' band {n}" for channel, (p, n) in zip(slot.channels, together.bands)
    )
    said.notes.append(f"Slot '{slot.name}' takes the layers' bands one after another: {order}.")
    return Binding(
        tuple(rasters[position] for position, _ in together.bands),
        tuple((number,) for _, number in together.bands),
        stacked=True,
    )


def _choose(slot: Slot, raster: RasterInput) -> Optional[Choice]:
    named = told_apart(slot, [raster]) if slot.role in ("imagery", "raster") else None
    return named or in_order(bands_needed(slot), raster)


def _together(slot: Slot, rasters: tuple[RasterInput, ...]) -> Optional[Choice]:
    named = told_apart(slot, rasters)
    listed = [(position, band.number) for position, raster in enumerate(rasters) for band in raster.colour_bands]
    if named or len(listed) != bands_needed(slot):
        return named
    return Choice(tuple(listed))


def _mosaic(slot: Slot, rasters: tuple[RasterInput, ...], choices: Sequence[Choice], said: _Notes) -> Binding:
    numbers = [tuple(number for _, number in choice.bands) for choice in choices]
    if len(set(numbers)) > 1:
        names = ", ".join(f"'{raster.name}'" for raster in rasters)
        raise RequestError(
            f"The bands of {names} stand in different orders, so they are no mosaic for the slot '{slot.name}'; "
            "name the bands in SLOTS."
        )
    if len(rasters) > 1:
        said.notes.append(f"Slot '{slot.name}' takes {len(rasters)} layers as one mosaic, '{rasters[0].name}' on top.")
    if any(choice.guessed for choice in choices):
        said.warnings.append(
            f"'{rasters[0].name}' has {len(rasters[0].colour_bands)} bands; {_numbers(numbers[0])} are taken as "
            f"{_channels(slot)}. Name others in SLOTS if that is wrong."
        )
    return Binding(rasters, tuple(numbers))


def _vectors(slots: Sequence[Slot], vectors: tuple[VectorInput, ...], said: _Notes) -> dict[str, Binding]:
    bindings = {slot.name: _vector_binding([slot], vectors, said) for slot in slots if vectors}
    return {name: binding for name, binding in bindings.items() if binding.vectors}


def _vector_binding(slots: Sequence[Slot], vectors: Sequence[Layer], said: _Notes) -> Binding:
    recipes = [channel.osm for slot in slots for channel in slot.channels if channel.osm]
    fitting = fitting_vectors(recipes, vectors)
    said.notes.extend(fitting.notes)
    said.warnings.extend(fitting.warnings)
    return Binding(vectors=fitting.vectors, tags=fitting.tags)


def _add_vectors_to_priors(
    card: Card, bindings: dict[str, Binding], vectors: tuple[VectorInput, ...], said: _Notes
) -> None:
    for slot in _of(card.slots, "prior"):
        if slot.name in bindings and slot.prior and slot.prior.additions:
            fitting = fitting_vectors([addition.osm for addition in slot.prior.additions], vectors)
            said.warnings.extend(text for text in fitting.warnings if text not in said.warnings)
            bindings[slot.name] = replace(bindings[slot.name], vectors=fitting.vectors, tags=fitting.tags)


def _set_radiometry(
    card: Card, bindings: dict[str, Binding], wanted: Sequence[tuple[str, Radiometry]], said: _Notes
) -> None:
    for name, radiometry in wanted:
        slot = card.slot(name)
        if slot.role not in ROLES:
            raise RequestError(f"RADIOMETRY names the slot '{name}', which takes {_WORDS[slot.role]}; leave it out.")
        if name in bindings:
            bindings[name] = replace(bindings[name], radiometry=radiometry)
            said.notes.append(f"Slot '{name}' reads its layers' numbers so: {radiometry.title}.")


def _refuse_missing(card: Card, bindings: dict[str, Binding]) -> None:
    for slot in card.slots:
        if slot.missing == "required" and slot.name not in bindings:
            raise RequestError(
                f"The model '{card.label}' needs {_WORDS[slot.role]} for its slot '{slot.name}'; choose it under "
                f"{_PARAMETER[slot.role]}."
            )


def _tell_unused(card: Card, bindings: dict[str, Binding], given: Given, said: _Notes) -> None:
    used = {layer.id for binding in bindings.values() for layer in (*binding.rasters, *binding.vectors)}
    told = " ".join(said.warnings)
    for layer in given.layers:
        if layer.id not in used and f"'{layer.name}'" not in told:
            said.warnings.append(f"The model '{card.label}' has no place for '{layer.name}'; it is not used.")


def _channels(slot: Slot) -> str:
    return slot.role if slot.role in ("dem", "prior") else ", ".join(channel.name for channel in slot.channels)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _list(slots: Sequence[Slot]) -> str:
    return " and ".join(f"'{slot.name}'" for slot in slots)

"""The starter models: what each sees, answers and is trained on, and the card that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..card import Card, Channel, ClassInfo, OsmRecipe, Output, Scaling, Slot, TagRule, Tiling
from .chips import Normalisation, Variation

NOTICE = "trained on simulated landscapes: for trying out, not for mapping"
LAND_COVER = (
    ClassInfo(1, "water", "#3c6edc"),
    ClassInfo(2, "impervious", "#c83c3c"),
    ClassInfo(3, "barren", "#dcbe82"),
    ClassInfo(4, "tree", "#146428"),
    ClassInfo(5, "grass", "#8cc85a"),
)
FIELD_CLASSES = (
    ClassInfo(0, "background", "#6e6e6e"),
    ClassInfo(1, "field", "#e6c864"),
    ClassInfo(2, "boundary", "#c81e1e"),
)
_WAVELENGTHS = {"red": 0.665, "green": 0.56, "blue": 0.49, "nir": 0.842}
_ROADS = (
    (22.0, ("motorway", "trunk")),
    (10.0, ("primary", "motorway_link", "trunk_link")),
    (8.0, ("secondary", "primary_link")),
    (7.0, ("tertiary", "secondary_link", "tertiary_link")),
    (6.0, ("residential", "living_street", "pedestrian", "road")),
    (5.5, ("unclassified",)),
    (4.0, ("service",)),
)
_TRACKS = ((3.0, ("track",)), (1.5, ("path", "footway", "bridleway", "cycleway", "steps")))
_WATERWAYS = ((15.0, ("river",)), (10.0, ("canal",)), (5.0, ("stream",)), (2.0, ("ditch", "drain")))
_WATER = (
    TagRule("natural", ("water",), geometry=("polygon",)),
    TagRule("water", geometry=("polygon",)),
    TagRule("waterway", ("riverbank", "dock"), geometry=("polygon",)),
    TagRule("landuse", ("reservoir", "basin"), geometry=("polygon",)),
)
_WOODS = (
    TagRule("natural", ("wood",), geometry=("polygon",)),
    TagRule("landuse", ("forest",), geometry=("polygon",)),
)
_LEAVE_OUT = {"osm": 0.25, "dem": 0.2}
_AERIAL = Variation(gain=0.12, shift=0.22, tint=0.07, coarse=0.4)
"""Aerial pictures have no calibration: exposure, tone and pixel size are each flight's own."""


@dataclass(frozen=True)
class Starter:
    """One starter model before training.

    Attributes:
        card: the card with everything but scaling, receptive field and training facts.
        truth: attribute of a written scene that holds the truth.
        layers: attribute of a written scene and 1-based bands, by imagery slot.
        steps: training steps.
        leave_out: probability by slot that a training chip goes without it.
        variation: how much pictures are varied in training.
    """

    card: Card
    truth: str
    layers: Mapping[str, tuple[str, tuple[int, ...]]]
    steps: int
    leave_out: Mapping[str, float]
    variation: Variation

    @property
    def regression(self) -> bool:
        return self.card.outputs[0].task == "pixel-regression"

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All channels of the stack, in order."""
        return tuple(channel for slot in self.card.slots for channel in slot.channels)

    @property
    def groups(self) -> dict[str, slice]:
        """Where each slot's channels stand in the stack."""
        return {s.name: slice(s.offset, s.offset + len(s.channels)) for s in self.card.slots}


def finished_card(
    starter: Starter, normalisation: Normalisation, radius: int, stride: int, facts: Mapping[str, object]
) -> Card:
    """The card of a trained starter: scaling, receptive field and training facts filled in."""
    slots = tuple(
        replace(slot, channels=tuple(_scaled(c, slot.offset + i, normalisation) for i, c in enumerate(slot.channels)))
        for slot in starter.card.slots
    )
    return replace(starter.card, slots=slots, receptive_radius=radius, stride=stride, training=dict(facts))


def _scaled(channel: Channel, place: int, normalisation: Normalisation) -> Channel:
    if channel.osm is not None:
        return channel
    values = (normalisation.offset, normalisation.scale, normalisation.low, normalisation.high)
    return replace(channel, scaling=Scaling(*(float(v[place]) for v in values)))


def _imagery(name: str, bands: tuple[str, ...], offset: int, gsd: float, date: str | None = None) -> Slot:
    channels = tuple(Channel(band, wavelength=_WAVELENGTHS[band]) for band in bands)
    units = "aerial picture, 8 bit" if gsd < 3 else "surface reflectance times 10000"
    what = f"{', '.join(bands)}; {units}"
    return Slot(name, "imagery", channels, "input", offset, gsd=gsd, date=date, description=what)


def _lines(key: str, table: tuple[tuple[float, tuple[str, ...]], ...]) -> tuple[TagRule, ...]:
    return tuple(TagRule(key, values, geometry=("line",), width=width) for width, values in table)


def _osm(offset: int, coarse: bool, woods: bool) -> Slot:
    """OpenStreetMap as channels; where pixels are wider than roads, a line colours every pixel it touches."""
    recipes = {
        "roads": OsmRecipe(_lines("highway", _ROADS), all_touched=coarse),
        "tracks": OsmRecipe(_lines("highway", _TRACKS), all_touched=coarse),
        "buildings": OsmRecipe((TagRule("building", geometry=("polygon",)),), all_touched=coarse),
        "waterways": OsmRecipe(_lines("waterway", _WATERWAYS), all_touched=coarse),
        "water": OsmRecipe(_WATER),
    }
    if woods:
        recipes["woods"] = OsmRecipe(_WOODS)
    channels = tuple(Channel(name, osm=recipe) for name, recipe in recipes.items())
    what = "OpenStreetMap: " + ", ".join(recipes)
    return Slot("osm", "osm", channels, "input", offset, missing="fill", description=what)


def _dem(offset: int, radius: float) -> Slot:
    channels = (
        Channel("slope", derivative="slope"),
        Channel("topographic position", derivative="tpi", radius=radius),
    )
    what = "elevation model of about 30 m, in metres"
    return Slot("dem", "dem", channels, "input", offset, gsd=30.0, resampling="cubic", missing="fill", description=what)


def _card(name: str, title: str, text: str, slots: tuple[Slot, ...], output: Output, gsd: float) -> Card:
    return Card(
        name=name,
        title=title,
        description=text,
        notice=NOTICE,
        version="1",
        license="CC0-1.0",
        architecture="U-Net 16-32-48-64",
        slots=slots,
        outputs=(output,),
        gsd=gsd,
        tiling=Tiling(size=1024),
    )


def _land_cover(name: str, title: str, bands: tuple[str, ...]) -> Starter:
    slots = (
        _imagery("imagery", bands, 0, 1.0),
        _osm(len(bands), coarse=False, woods=False),
        _dem(len(bands) + 5, 100.0),
    )
    text = f"Land cover of aerial pictures ({', '.join(bands)}) at 1 m, with OpenStreetMap and an elevation model."
    output = Output("output", "semantic-segmentation", LAND_COVER, activation="softmax", title="Land cover")
    layers = {"imagery": ("imagery", tuple(range(1, len(bands) + 1)))}
    card = _card(name, title, text, slots, output, 1.0)
    return Starter(card, "classes", layers, 1200, _LEAVE_OUT, _AERIAL)


def _fields() -> Starter:
    bands = ("red", "green", "blue", "nir")
    slots = (
        _imagery("early", bands, 0, 10.0, "early in the season"),
        _imagery("late", bands, 4, 10.0, "late in the season"),
        _osm(8, coarse=True, woods=False),
        _dem(13, 300.0),
    )
    text = "Fields and their boundaries on two dates of satellite imagery at 10 m, with OpenStreetMap and elevation."
    output = Output(
        "output", "field-boundaries", FIELD_CLASSES, activation="softmax", field=1, boundary=2, title="Fields"
    )
    layers = {"early": ("early", (1, 2, 3, 4)), "late": ("late", (1, 2, 3, 4))}
    card = _card("fields-10m", "Field boundaries, two dates, 10 m", text, slots, output, 10.0)
    return Starter(card, "fields", layers, 900, _LEAVE_OUT, Variation())


def _tree_cover() -> Starter:
    bands = ("red", "green", "blue", "nir")
    slots = (_imagery("imagery", bands, 0, 10.0), _osm(4, coarse=True, woods=True), _dem(10, 300.0))
    text = "Share of the ground under tree crowns at 10 m, with OpenStreetMap and elevation."
    output = Output(
        "output",
        "pixel-regression",
        units="%",
        range=(0.0, 100.0),
        scaling=Scaling(scale=100.0),
        ramp="Greens",
        title="Tree cover",
    )
    card = _card("treecover-10m", "Tree cover, 10 m", text, slots, output, 10.0)
    return Starter(card, "tree_cover", {"imagery": ("early", (1, 2, 3, 4))}, 700, _LEAVE_OUT, Variation())


STARTERS = {
    starter.card.name: starter
    for starter in (
        _land_cover("landcover-rgb-1m", "Land cover, RGB, 1 m", ("red", "green", "blue")),
        _land_cover("landcover-rgbn-1m", "Land cover, RGB + NIR, 1 m", ("red", "green", "blue", "nir")),
        _fields(),
        _tree_cover(),
    )
}

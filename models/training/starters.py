"""The starter models: what each sees, answers and is trained on, and the card that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..card import Card, Channel, ClassInfo, Output, Scaling, Slot, Tiling
from .recipes import dem_slot, osm_slot

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


@dataclass(frozen=True)
class Starter:
    """One starter model before training.

    Attributes:
        card: the card with everything but scaling, receptive field and training facts.
        truth: attribute of a written scene that holds the truth.
        layers: attribute of a written scene and 1-based bands, by imagery slot.
        steps: training steps.
    """

    card: Card
    truth: str
    layers: Mapping[str, tuple[str, tuple[int, ...]]]
    steps: int

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


def _imagery(name: str, bands: tuple[str, ...], offset: int, gsd: float, date: str | None = None) -> Slot:
    channels = tuple(Channel(band, wavelength=_WAVELENGTHS[band]) for band in bands)
    units = "aerial picture, 8 bit" if gsd < 3 else "surface reflectance times 10000"
    what = f"{', '.join(bands)}; {units}"
    return Slot(name, "imagery", channels, "input", offset, gsd=gsd, date=date, description=what)


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
        osm_slot(len(bands), coarse=False, woods=False),
        dem_slot(len(bands) + 5, 100.0),
    )
    text = f"Land cover of aerial pictures ({', '.join(bands)}) at 1 m, with OpenStreetMap and an elevation model."
    output = Output("output", "semantic-segmentation", LAND_COVER, activation="softmax", title="Land cover")
    layers = {"imagery": ("imagery", tuple(range(1, len(bands) + 1)))}
    card = _card(name, title, text, slots, output, 1.0)
    return Starter(card, "classes", layers, 1200)


def _fields() -> Starter:
    bands = ("red", "green", "blue", "nir")
    slots = (
        _imagery("early", bands, 0, 10.0, "early in the season"),
        _imagery("late", bands, 4, 10.0, "late in the season"),
        osm_slot(8, coarse=True, woods=False),
        dem_slot(13, 300.0),
    )
    text = "Fields and their boundaries on two dates of satellite imagery at 10 m, with OpenStreetMap and elevation."
    output = Output(
        "output", "field-boundaries", FIELD_CLASSES, activation="softmax", field=1, boundary=2, title="Fields"
    )
    layers = {"early": ("early", (1, 2, 3, 4)), "late": ("late", (1, 2, 3, 4))}
    card = _card("fields-10m", "Field boundaries, two dates, 10 m", text, slots, output, 10.0)
    return Starter(card, "fields", layers, 900)


def _tree_cover() -> Starter:
    bands = ("red", "green", "blue", "nir")
    slots = (_imagery("imagery", bands, 0, 10.0), osm_slot(4, coarse=True, woods=True), dem_slot(10, 300.0))
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
    return Starter(card, "tree_cover", {"imagery": ("early", (1, 2, 3, 4))}, 700)


STARTERS = {
    starter.card.name: starter
    for starter in (
        _land_cover("landcover-rgb-1m", "Land cover, RGB, 1 m", ("red", "green", "blue")),
        _land_cover("landcover-rgbn-1m", "Land cover, RGB + NIR, 1 m", ("red", "green", "blue", "nir")),
        _fields(),
        _tree_cover(),
    )
}

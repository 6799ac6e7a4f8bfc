"""The model card: what a fusion model takes, gives and needs.

The card is the block of our own words inside a STAC MLM item (see `mlm.py`); this module is the part that both
processes read. A contract module: standard library only, Python 3.9.

Spatial words used throughout: *run grid*, the one pixel grid of a run; *GSD*, ground sampling distance in metres of
ground; *tile*, the square of run-grid pixels that goes through the model at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

from .errors import CardError
from .fields import decode, encode

SCHEMA = 1
#: Name of our block in a STAC MLM item's properties, and of the ONNX metadata key that holds the whole item.
BLOCK = "fusion:card"
ONNX_KEY = "fusion_mapper.card"
MAX_BYTES = 4 * 2**20

#: Facts without which a result would be a guess. Others (GSD, class names) have honest stand-ins.
_NEEDED = ("task", "scaling", "channels", "layout", "location", "role")

Role = Literal["imagery", "osm", "dem", "prior", "location", "raster"]
Layout = Literal["NCHW", "NCTHW", "vector"]
Missing = Literal["required", "fill", "mask_channel"]
Resampling = Literal["nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode"]
Derivative = Literal["elevation", "slope", "aspect_sin", "aspect_cos", "hillshade", "tpi", "roughness"]
Geometry = Literal["point", "line", "polygon"]
Task = Literal["semantic-segmentation", "pixel-regression", "field-boundaries"]
Activation = Literal["none", "softmax", "sigmoid", "labels"]


@dataclass(frozen=True)
class Scaling:
    """What becomes of a source value x before the model: ``(clip(x, minimum, maximum) - offset) / scale``."""

    offset: float = 0.0
    scale: float = 1.0
    minimum: Optional[float] = None
    maximum: Optional[float] = None


@dataclass(frozen=True)
class TagRule:
    """Features with one OSM tag. Rules of a channel are tried in order; the first that fits gives the width."""

    key: str
    values: tuple[str, ...] = ()
    """Accepted tag values; empty accepts any value but ``no``."""
    geometry: tuple[Geometry, ...] = ()
    """Accepted geometry kinds; empty accepts all."""
    width: Optional[float] = None
    """Full width in ground metres to which lines and points are widened; None draws them as GDAL rasterises them."""
    buffer: Optional[float] = None
    """Ground metres by which polygons are grown."""


@dataclass(frozen=True)
class OsmRecipe:
    """How vector features become one channel with values 0 to 1."""

    rules: tuple[TagRule, ...]
    all_touched: bool = False
    dilate: int = 0
    """Side in pixels (odd) of a square dilation after rasterising; 0 for none."""
    soften: int = 0
    """Side in pixels (odd) of a mean filter after dilation; 0 for none."""


@dataclass(frozen=True)
class PriorAddition:
    """An OSM recipe whose raster is added to one label class of the prior before it is normalised again."""

    label: int
    """Index of the label class, 0-based among the slot's channels."""
    osm: OsmRecipe


@dataclass(frozen=True)
class PriorRecipe:
    """PROC-STACK's hand-made prior (Rao & Rolf, arXiv 2507.13385; Rolf et al., implicit posterior)."""

    coarse: tuple[int, ...]
    """Values of the coarse class raster, in the order of the matrix's rows."""
    cooccurrence: tuple[tuple[float, ...], ...]
    """P(label | coarse class): a row for each coarse class, a column for each label class (the slot's channels)."""
    blur: float = 31.0
    """Standard deviation, in ground metres, of the Gaussian that blurs each one-hot coarse class."""
    additions: tuple[PriorAddition, ...] = ()


@dataclass(frozen=True)
class LocationRecipe:
    """A location's encoding: longitude and latitude in degrees, or the real spherical-harmonic basis of SatCLIP."""

    basis: Literal["lonlat", "spherical_harmonics"] = "lonlat"
    degree: int = 10
    """Number L of Legendre polynomials; the spherical-harmonic basis has L² values."""


@dataclass(frozen=True)
class Channel:
    """One channel of a slot, before scaling in the source's own units."""

    name: str
    scaling: Scaling = Scaling()
    wavelength: Optional[float] = None
    """Centre wavelength in micrometres (imagery)."""
    derivative: Optional[Derivative] = None
    """What is derived from elevation (role ``dem``); slope in degrees, aspect as sine and cosine, hillshade 0-255,
    tpi and roughness in metres."""
    radius: Optional[float] = None
    """Neighbourhood radius in ground metres of ``tpi``; None means the 3×3 neighbours."""
    osm: Optional[OsmRecipe] = None
    """How features become this channel (role ``osm``)."""


@dataclass(frozen=True)
class Slot:
    """A place for one layer (or set of layers) in the model's input."""

    name: str
    role: Role
    channels: tuple[Channel, ...]
    input: str
    """Name of the ONNX graph input."""
    offset: int = 0
    """Position of the slot's first channel in that input."""
    layout: Layout = "NCHW"
    time: int = 0
    """Index on the T axis of an ``NCTHW`` input."""
    gsd: Optional[float] = None
    """Ground sampling distance, in metres, of the layers the model was trained with."""
    grid_ratio: int = 1
    """Pixels of the run grid along one pixel of this slot's grid (an input of its own may be coarser)."""
    date: Optional[str] = None
    """What the layer's date means to the model, for example ``spring`` or ``before``."""
    resampling: Resampling = "bilinear"
    fill: float = 0.0
    """Model-input value, after scaling, where the layer is nodata or missing."""
    missing: Missing = "required"
    """``required`` refuses to run without the layer; ``fill`` uses `fill`; ``mask_channel`` also feeds a 1/0 channel
    (1 = valid) that stands right after the slot's channels."""
    prior: Optional[PriorRecipe] = None
    location: Optional[LocationRecipe] = None
    description: str = ""

    @property
    def width(self) -> int:
        """Channels that the slot takes up in its ONNX input."""
        return len(self.channels) + (self.missing == "mask_channel")


@dataclass(frozen=True)
class ClassInfo:
    """One class: its value in the class raster, its name and its colour."""

    value: int
    name: str
    color: str = ""
    """``#rrggbb``; empty takes one from a default palette."""
    description: str = ""


@dataclass(frozen=True)
class Output:
    """One head of the model: an ONNX output of shape N×C×H×W, N×H×W, or N×C for the grid ``tile``."""

    name: str
    """Name of the ONNX graph output."""
    task: Task
    classes: tuple[ClassInfo, ...] = ()
    """In channel order. A head of one channel with two classes is binary: it gives the second one's probability."""
    activation: Activation = "none"
    """What has still to be applied to get probabilities; ``labels`` when the graph answers class indices itself."""
    grid: Literal["pixel", "tile"] = "pixel"
    stride: int = 1
    """Run-grid pixels along one output pixel."""
    margin: int = 0
    """Run-grid pixels that the network itself cuts off at each side (a 512 input with a 484 output has 14)."""
    threshold: Optional[float] = None
    """Probability from which a class is accepted; below it a pixel takes the first class (background)."""
    field: Optional[int] = None
    """Value of the class that is field interior (task field-boundaries)."""
    boundary: Optional[int] = None
    """Value of the class that is field boundary (task field-boundaries)."""
    units: str = ""
    range: Optional[tuple[float, float]] = None
    """Range to which regression values are clipped."""
    scaling: Scaling = Scaling()
    """Regression: the map's value is ``model output * scale + offset``."""
    ramp: str = "viridis"
    nodata: Optional[float] = None
    """Outside the class values; None takes 255 (65535 where a class value is above 254), and -9999 in regression."""
    title: str = ""


@dataclass(frozen=True)
class Tiling:
    """How the model wants its tiles."""

    size: int = 512
    fixed: bool = False
    """True when the graph accepts no other size."""
    batch: Optional[int] = None
    """The graph's fixed batch, or None when it is free."""
    overlap: Optional[int] = None
    """Pixels by which neighbouring tiles overlap where no finite receptive radius is known."""


@dataclass(frozen=True)
class Card:
    """What a fusion model takes, gives and needs."""

    name: str
    slots: tuple[Slot, ...]
    outputs: tuple[Output, ...]
    schema: int = field(default=SCHEMA, metadata={"always": True})
    title: str = ""
    description: str = ""
    version: str = ""
    license: str = ""
    source: str = ""
    """Where the model comes from: a URL or a reference."""
    notice: str = ""
    """Shown wherever the model appears, for example that it was trained on simulated landscapes."""
    architecture: str = ""
    gsd: Optional[float] = None
    """Ground sampling distance, in metres, of the run grid."""
    tiling: Tiling = Tiling()
    receptive_radius: Optional[int] = None
    """Pixels of the run grid from which an output pixel still draws; None when unknown or unbounded."""
    stride: int = 1
    """Coarsest stride of the network: shifts by multiples of it leave the result unchanged."""
    training: dict[str, object] = field(default_factory=dict)
    """Free facts: area, labels, normalisation, validation figures."""
    unknown: tuple[str, ...] = ()
    """Fields that the model's metadata did not tell and that somebody has to fill in before it can run."""

    def slot(self, name: str) -> Slot:
        """The slot called `name`; raises CardError when there is none."""
        for slot in self.slots:
            if slot.name == name:
                return slot
        known = ", ".join(slot.name for slot in self.slots)
        raise CardError(f"The model '{self.name}' has no slot '{name}'; its slots are {known}.")

    @property
    def blocking(self) -> tuple[str, ...]:
        """The unknown fields without which a run would be a guess; the others have honest stand-ins."""
        return tuple(name for name in self.unknown if name.rpartition(".")[2] in _NEEDED)

    @property
    def label(self) -> str:
        return self.title or self.name

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values of our block."""
        return dict(encode(self))


def card_from_dict(data: object, where: str = "card") -> Card:
    """Read our block, or a STAC MLM item that holds it, and check what the types alone do not say.

    Raises:
        CardError: names the field.
    """
    block = _block(data, where)
    version = block.get("schema")
    if version != SCHEMA:
        raise CardError(f"{where}.schema is {version!r}, but this Fusion Mapper reads {SCHEMA}; update one of them.")
    card = decode(Card, block, where, CardError)
    _check(card, where)
    return card


def read_sidecar(path: Path) -> Card:
    """Read a card from its JSON file.

    Raises:
        CardError: when the file is missing, too large, not JSON, or not a card.
    """
    return card_from_dict(read_json(path), str(path.name))


def read_json(path: Path) -> object:
    """Parsed JSON of a small, untrusted file; raises CardError with one sentence."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CardError(f"{path.name} is larger than {MAX_BYTES // 2**20} MiB, which no model card is.")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise CardError(f"{path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError) as problem:
        raise CardError(f"{path.name} is not valid JSON.") from problem


def _block(data: object, where: str) -> dict[str, Any]:
    if isinstance(data, dict) and isinstance(data.get("properties"), dict):
        data = data["properties"].get(BLOCK, data)
    if not isinstance(data, dict) or "slots" not in data:
        raise CardError(f"{where} has no '{BLOCK}' block, so it is not a Fusion Mapper card.")
    return data


def _check(card: Card, where: str) -> None:
    _refuse_twins([slot.name for slot in card.slots], f"{where}.slots")
    _refuse_twins([output.name for output in card.outputs], f"{where}.outputs")
    if not card.slots or not card.outputs:
        raise CardError(f"{where} must have at least one slot and one output.")
    if card.stride < 1 or (card.receptive_radius is not None and card.receptive_radius < 0):
        raise CardError(f"{where}.stride must be at least 1 and {where}.receptive_radius at least 0.")
    if not 1 <= card.tiling.size <= 16384:
        raise CardError(f"{where}.tiling.size must lie between 1 and 16384, not {card.tiling.size}.")
    if card.gsd is not None and card.gsd <= 0:
        raise CardError(f"{where}.gsd must be more than 0 metres.")
    for i, slot in enumerate(card.slots):
        _check_slot(slot, f"{where}.slots[{i}]")
    for i, output in enumerate(card.outputs):
        _check_output(output, f"{where}.outputs[{i}]")


def _check_slot(slot: Slot, where: str) -> None:
    if not slot.channels:
        raise CardError(f"{where} ('{slot.name}') has no channels.")
    if slot.grid_ratio < 1:
        raise CardError(f"{where}.grid_ratio must be at least 1.")
    if slot.offset < 0 or slot.time < 0:
        raise CardError(f"{where}.offset and {where}.time must not be negative.")
    for j, channel in enumerate(slot.channels):
        spot = f"{where}.channels[{j}]"
        if channel.scaling.scale == 0:
            raise CardError(f"{spot}.scaling.scale must not be 0.")
        if slot.role == "dem" and channel.derivative is None:
            raise CardError(f"{spot} needs a 'derivative', since the slot's role is dem.")
        if slot.role == "osm":
            _check_osm(channel.osm, spot)
    if slot.role == "prior":
        _check_prior(slot, where)
    if slot.role == "location" and slot.location is None:
        raise CardError(f"{where} needs 'location', since its role is location.")


def check_recipe(recipe: OsmRecipe, where: str) -> None:
    """Refuse a recipe that stands outside a card (a user's own) as one inside a card is; raises CardError."""
    _check_osm(recipe, where)


def check_slots(slots: tuple[Slot, ...], where: str) -> None:
    """Refuse slots that stand outside a card (a job's own) as those inside a card are; raises CardError."""
    _refuse_twins([slot.name for slot in slots], where)
    for i, slot in enumerate(slots):
        _check_slot(slot, f"{where}[{i}]")


def check_classes(classes: tuple[ClassInfo, ...], where: str) -> None:
    """Refuse values that no class raster can hold, or that two classes share; raises CardError."""
    values = [info.value for info in classes]
    if len(set(values)) != len(values):
        raise CardError(f"{where} use one value twice.")
    if any(not 0 <= value <= 65534 for value in values):
        raise CardError(f"{where} must have values between 0 and 65534.")


def _check_osm(recipe: Optional[OsmRecipe], where: str) -> None:
    if recipe is None or not recipe.rules:
        raise CardError(f"{where} needs 'osm' with at least one rule.")
    for name in ("dilate", "soften"):
        side = getattr(recipe, name)
        if side < 0 or side > 255 or (side and side % 2 == 0):
            raise CardError(f"{where}.osm.{name} must be 0 or an odd number of pixels up to 255, not {side}.")


def _check_prior(slot: Slot, where: str) -> None:
    prior = slot.prior
    if prior is None:
        raise CardError(f"{where} needs 'prior', since its role is prior.")
    if len(prior.cooccurrence) != len(prior.coarse):
        raise CardError(f"{where}.prior.cooccurrence needs a row for each of the {len(prior.coarse)} coarse classes.")
    if any(len(row) != len(slot.channels) for row in prior.cooccurrence):
        raise CardError(f"{where}.prior.cooccurrence needs {len(slot.channels)} columns, one for each channel.")
    for addition in prior.additions:
        if not 0 <= addition.label < len(slot.channels):
            raise CardError(f"{where}.prior.additions name the label {addition.label}, which the slot does not have.")
        _check_osm(addition.osm, f"{where}.prior.additions")


def _check_output(output: Output, where: str) -> None:
    values = [info.value for info in output.classes]
    check_classes(output.classes, f"{where}.classes")
    if output.nodata is not None and output.nodata in values:
        raise CardError(f"{where}.nodata is {output.nodata:g}, which is also the value of a class.")
    if output.stride < 1 or output.margin < 0 or output.scaling.scale == 0:
        raise CardError(f"{where} needs a stride of at least 1, a margin of at least 0 and a scale other than 0.")
    if output.task != "pixel-regression" and not output.classes:
        raise CardError(f"{where} needs 'classes', since its task is {output.task}.")
    if output.task == "field-boundaries":
        for name in ("field", "boundary"):
            if getattr(output, name) not in values:
                raise CardError(f"{where}.{name} must be the value of one of the classes.")


def _refuse_twins(names: list[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CardError(f"{where} uses the name '{name}' twice.")
        seen.add(name)

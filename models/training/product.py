"""From a trained network to the card that tells all about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from ..card import Card, Channel, LocationRecipe, Output, Scaling, Slot, Tiling
from .course import Course, Learned
from .losses import ClassObjective, ValueObjective
from .normalise import scaled_slots

#: Side of a tile, unless the network wants another one; several times the receptive radius, so that little is redone.
_TILE = 512
_TITLES = {
    "semantic-segmentation": "Classes",
    "field-boundaries": "Fields",
    "pixel-regression": "Values",
    "chip-regression": "Values by tile",
    "scene-labels": "Classes by tile",
}
_ARCHITECTURES = {"unet-small": "U-Net 16-32-48-64", "fcn": "FCN 5 × 64", "vit": "ViT"}


@dataclass(frozen=True)
class Naming:
    """What the user says of the model."""

    name: str
    title: str = ""
    description: str = ""
    units: str = ""
    license: str = ""
    notice: str = ""


def trained_card(learned: Learned, naming: Naming, gsd: float, facts: Mapping[str, object]) -> Card:
    """The card: slots with their scaling, outputs, receptive field, and how, on what and how well it was trained.

    Args:
        learned: the training.
        naming: the user's words.
        gsd: ground sampling distance in metres.
        facts: more for the card's `training`, such as the training area.
    """
    course, network = learned.course, learned.network
    return Card(
        name=naming.name,
        title=naming.title or naming.name,
        description=naming.description,
        notice=naming.notice,
        license=naming.license,
        version="1",
        architecture=_architecture(course),
        slots=(*scaled_slots(course.slots, learned.normalisation), *_location(course, network)),
        outputs=(_output(learned, naming),),
        gsd=gsd,
        tiling=_tiling(course, network),
        receptive_radius=None if course.chip or network.fixed else network.radius,
        stride=1 if network.fixed else network.stride,
        training={**_facts(learned), **facts},
    )


class FirstChannels(nn.Module):
    """A network without the channels that only trained it (the distance to the field boundary)."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count
        self.stride, self.radius, self.fixed = network.stride, network.radius, network.fixed
        self.takes_location = network.takes_location

    def forward(self, stack: Tensor, location: Tensor | None = None) -> Tensor:
        """The network's first channels."""
        return self.network(stack, location)[:, : self.count]


def mapping_network(learned: Learned) -> nn.Module:
    """What is exported: the network's answers that a map is made of."""
    objective, network = learned.objective, learned.network
    if isinstance(objective, ClassObjective) and objective.distance:
        return FirstChannels(network, len(objective.names)).eval()
    return network


def _architecture(course: Course) -> str:
    name = course.network.architecture
    known = _ARCHITECTURES.get(name, f"{name} with {course.network.encoder}")
    return f"{course.strategy}: {known}"


def _location(course: Course, network: nn.Module) -> tuple[Slot, ...]:
    if not network.takes_location:
        return ()
    recipe = LocationRecipe()
    names: tuple[str, ...] = ("longitude", "latitude")
    if course.network.location_slot and course.network.location == "spherical_harmonics":
        recipe = LocationRecipe("spherical_harmonics", course.network.degree)
        names = tuple(f"harmonic {number}" for number in range(course.network.degree**2))
    channels = tuple(Channel(name) for name in names)
    text = "where the tile lies; needs no layer"
    return (Slot("location", "location", channels, "location", layout="vector", location=recipe, description=text),)


def _output(learned: Learned, naming: Naming) -> Output:
    course, objective = learned.course, learned.objective
    title = naming.title or _TITLES[course.task]
    grid = "tile" if course.chip else "pixel"
    if isinstance(objective, ValueObjective):
        scaling = Scaling(offset=objective.offset, scale=objective.scale)
        return Output(
            "output",
            "pixel-regression",
            grid=grid,
            units=naming.units,
            range=course.bounds,
            scaling=scaling,
            title=title,
        )
    task = "field-boundaries" if course.task == "field-boundaries" else "semantic-segmentation"
    plain = Output("output", task, course.classes, activation="softmax", grid=grid, title=title)
    if task == "field-boundaries":
        return replace(plain, field=course.classes[1].value, boundary=course.classes[2].value)
    return plain


def _tiling(course: Course, network: nn.Module) -> Tiling:
    if network.fixed is not None:
        return Tiling(size=network.fixed, fixed=True, overlap=None if course.chip else network.fixed // 4)
    if course.chip:
        return Tiling(size=course.training.chip)
    stride = network.stride
    if network.radius is None:
        return Tiling(size=_round(_TILE, stride), overlap=_round(64, stride))
    return Tiling(size=_round(max(_TILE, 4 * network.radius), stride))


def _round(size: int, stride: int) -> int:
    return -(-size // stride) * stride


def _facts(learned: Learned) -> dict[str, object]:
    course = learned.course
    return {
        "task": course.task,
        "strategy": course.strategy,
        "network": asdict(course.network),
        "settings": asdict(course.training),
        "labels": learned.labels,
        "validation": learned.figures,
        "validation_by": "spatial blocks, never random pixels",
        "best_epoch": learned.fitted.best_epoch,
        "epochs": len(learned.fitted.history),
        "normalisation": "z-score over the training scenes; OpenStreetMap, priors and directions as they are",
        "torch": torch.__version__.partition("+")[0],
    }

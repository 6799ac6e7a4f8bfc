"""What a training or a comparison works on: places read once, and for each strategy the channels that it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...models.card import ClassInfo, Slot
from ...models.training.scenes import Scene as TrainingScene
from ...models.trainplan import REGRESSIONS, LearnTask, Strategy
from ..errors import RequestError
from ..learnjob import Place
from ..voice import Voice, Warnings
from .coarse import prior_slot
from .labels import survey_classes, title_of
from .scene import Scene, read_scene, read_slot
from .slots import default_slots, slots_of, with_offsets


@dataclass(frozen=True)
class Wanted:
    """What of a job decides what is read.

    Attributes:
        task: what is learned.
        slots: the job's slots; empty makes them from the first place's layers.
        classes: the job's classes; empty takes the labels'.
        gsd: metres, or None for the first place's own grid.
        prior: the source that holds the coarse class raster.
        unseen: True for places that no training sees, which may lack a class.
    """

    task: LearnTask
    slots: tuple[Slot, ...]
    classes: tuple[ClassInfo, ...]
    gsd: float | None
    prior: str
    unseen: bool = False


@dataclass(frozen=True)
class Material:
    """Places with all channels that any of the strategies may see, without the prior, which is made for each training.

    Attributes:
        slots: in channel order; offsets follow one another.
        classes: in the order of the truths' indices; empty for a regression.
        scenes: one a place.
    """

    wanted: Wanted
    places: tuple[Place, ...]
    slots: tuple[Slot, ...]
    classes: tuple[ClassInfo, ...]
    scenes: tuple[Scene, ...]
    base: Path
    folder: Path

    @property
    def truths(self) -> list[np.ndarray]:
        return [scene.truth for scene in self.scenes]

    @property
    def gsd(self) -> float:
        """Ground sampling distance of the model, in metres."""
        return self.wanted.gsd or self.scenes[0].grid.mean_gsd

    @property
    def names(self) -> list[str]:
        return [info.name for info in self.classes]


def gather(
    wanted: Wanted, places: Sequence[Place], base: Path, folder: Path, voice: Voice, warnings: Warnings
) -> Material:
    """Read the places' layers and labels; what each place has to tell is told at once, also where a later one fails.

    Raises:
        RequestError: labels and layers do not go together, or too little is labelled.
        SourceError: a layer cannot be read.
        Cancelled: the user stopped it.
    """
    slots = wanted.slots or default_slots(places[0], base, wanted.gsd, wanted.prior)
    slots = with_offsets(tuple(slot for slot in slots if slot.role not in ("prior", "location")))
    if not slots:
        raise RequestError("The job's slots name no layer to learn from; a prior and a location alone are none.")
    classes = survey_classes([place.labels for place in places], wanted.task, wanted.classes, base)
    scenes = tuple(
        _told(read_scene(place, slots, classes, wanted.task, wanted.gsd, base, folder, voice), warnings)
        for place in places
    )
    if not wanted.classes and wanted.task not in (*REGRESSIONS, "field-boundaries"):
        classes, scenes = _labelled_alone(classes, scenes, places, warnings)
    if not wanted.unseen:
        _refuse_unlabelled(classes, scenes, places)
    return Material(wanted, tuple(places), slots, classes, scenes, base, folder)


def _told(scene: Scene, warnings: Warnings) -> Scene:
    for sentence in scene.warnings:
        warnings.tell(sentence)
    return scene


def _labelled_alone(
    classes: tuple[ClassInfo, ...], scenes: tuple[Scene, ...], places: Sequence[Place], warnings: Warnings
) -> tuple[tuple[ClassInfo, ...], tuple[Scene, ...]]:
    """Classes that nobody asked for by name, without those that have no pixel: labels may reach beyond the layers."""
    kept = [i for i in range(len(classes)) if any((scene.truth == i).any() for scene in scenes)]
    title = title_of(places[0].labels)
    if len(kept) < 2:
        raise RequestError(
            f"On the layers, the labels '{title}' have only the class '{classes[kept[0]].name}'; a model has to tell "
            "at least two apart."
        )
    if len(kept) == len(classes):
        return classes, scenes
    lost = ", ".join(f"'{info.name}'" for i, info in enumerate(classes) if i not in kept)
    warnings.tell(f"No pixel of the layers is labelled {lost} in '{title}'; the model is made without.")
    table = np.full(len(classes) + 1, -1, np.int16)
    table[kept] = np.arange(len(kept))
    left = tuple(classes[i] for i in kept)
    return left, tuple(
        replace(
            scene,
            truth=table[scene.truth],
            pixels={info.name: scene.pixels[info.name] for info in left},
            features={name: n for name, n in scene.features.items() if any(name == info.name for info in left)},
        )
        for scene in scenes
    )


def _refuse_unlabelled(classes: tuple[ClassInfo, ...], scenes: Sequence[Scene], places: Sequence[Place]) -> None:
    """A class that nobody labelled cannot be learned."""
    for index, info in enumerate(classes):
        if not any((scene.truth == index).any() for scene in scenes):
            title = title_of(places[0].labels)
            raise RequestError(
                f"The class '{info.name}' has no label in '{title}'; label it, or take it out of the classes."
            )


def seen_by(
    strategy: Strategy, material: Material, truths: list[np.ndarray], others: Sequence[Material], voice: Voice
) -> tuple[tuple[Slot, ...], list[list[TrainingScene]]]:
    """The slots that a strategy sees, and the scenes of `material` and of the `others` with just those channels.

    A hand-made prior is estimated from the training part of `material`'s labels (`truths`) alone, and read anew.

    Raises:
        RequestError: the strategy wants a layer that the places lack.
    """
    slots = slots_of(strategy, material.slots)
    prior = None
    if strategy == "proc-stack":
        prior = _prior(material, truths, sum(slot.width for slot in slots))
        slots = (*slots, prior)
    if not slots:
        raise RequestError(f"The strategy {strategy} has no layer to look at; give an imagery layer.")
    chosen = [slot for slot in slots if slot is not prior]
    everything = [
        [
            _training_scene(scene, one, place, chosen, prior, voice)
            for scene, place in zip(one.scenes, one.places, strict=True)
        ]
        for one in (material, *others)
    ]
    return with_offsets(slots), everything


def _prior(material: Material, truths: list[np.ndarray], offset: int) -> Slot:
    name = material.wanted.prior
    for place in material.places:
        if name not in place.sources:
            raise RequestError(
                f"The strategy proc-stack needs a coarse class raster: the place '{place.name}' lacks sources.{name}."
            )
    sources = [place.sources[name] for place in material.places]
    return replace(
        prior_slot(name, material.classes, list(material.scenes), truths, sources, material.base, material.folder),
        offset=offset,
    )


def _training_scene(
    scene: Scene, material: Material, place: Place, slots: Sequence[Slot], prior: Slot | None, voice: Voice
) -> TrainingScene:
    index = np.concatenate([np.arange(slot.offset, slot.offset + slot.width) for slot in slots]) if slots else []
    values, valid = scene.values[index], scene.valid[index]
    if prior is not None:
        more, known = read_slot(prior, place.sources[prior.name], scene.grid, material.base, material.folder, voice)
        values, valid = np.concatenate([values, more]), np.concatenate([valid, known])
    return TrainingScene(scene.name, values, valid, scene.truth, scene.corners)

"""One training made ready: its parts of the labels, the channels that its strategy sees, and what it is to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.training.blocks import Split
from ...models.training.scenes import Scene
from ...models.trainplan import Network, Strategy, Training
from ..job import resolve
from ..learnjob import CompareJob, LearnJob
from ..voice import Voice, Warnings
from .material import Material, seen_by

if TYPE_CHECKING:
    from ...models.training.course import Course


@dataclass(frozen=True)
class Lesson:
    """What `models.training.course.learn` takes, and the scenes of places that are only judged."""

    course: Course
    parts: Split
    scenes: list[Scene]
    elsewhere: list[Scene]


def make_lesson(
    job: LearnJob | CompareJob,
    base: Path,
    material: Material,
    strategy: Strategy,
    network: Network,
    training: Training,
    voice: Voice,
    warnings: Warnings,
    others: Sequence[Material] = (),
) -> Lesson:
    """Split the labels, pick (or make) the strategy's channels in `material` and the `others`, and say what to learn.

    Raises:
        RequestError: no label is left to train on, or the strategy wants a layer that the places lack.
    """
    from ...models.training.course import Course, divide

    parts = divide(material.truths, training, warnings.tell, material.names)
    slots, (scenes, *elsewhere) = seen_by(strategy, material, parts.training, others, voice)
    course = Course(
        slots=slots,
        classes=material.classes,
        task=job.task,
        strategy=strategy,
        network=network,
        training=training,
        bounds=job.range,
        resolve=lambda path: Path(resolve(path, base)),
    )
    return Lesson(course, parts, scenes, [scene for found in elsewhere for scene in found])

"""From scenes with labels to a trained network: the split, the scaling, the task, the network and the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from ..architectures.blueprint import Blueprint
from ..architectures.build import build
from ..card import ClassInfo, Slot
from ..errors import RequestError
from ..trainplan import REGRESSIONS, TRANSFORMERS, LearnTask, Network, Strategy, Training
from .augment import Directions, variation_of
from .blocks import Split, rectangle, split_truths
from .fit import Fitted, Listener, fit, prepare
from .losses import ClassObjective, Objective, ValueObjective, class_weights, rounded
from .normalise import Normalisation, measure
from .sampling import Handling, Sampler
from .scenes import Scene, is_labelled
from .windows import Looking, answers, windows_with_truth

#: Windows that are judged after each epoch; the figures at the end are of all.
_JUDGED = 48
#: Pixels from a field's boundary over which the distance objective rises to 1.
_REACH = 10
_FUSIONS = {"compress": "compress", "token-fuse": "token", "token-control": "control"}


@dataclass(frozen=True)
class Course:
    """What is to be learned, and how.

    Attributes:
        slots: what the network sees, in the order of its channels; offsets follow one another.
        classes: in the order of the truth's indices; empty for a regression.
        bounds: range of a regression's values; the network then cannot leave it.
        resolve: a job's relative path as a file.
    """

    slots: tuple[Slot, ...]
    classes: tuple[ClassInfo, ...]
    task: LearnTask
    strategy: Strategy
    network: Network
    training: Training
    bounds: tuple[float, float] | None = None
    resolve: Callable[[str], Path] = Path

    @property
    def regression(self) -> bool:
        return self.task in REGRESSIONS

    @property
    def chip(self) -> bool:
        """Whether a whole chip gets one answer."""
        return self.task in ("chip-regression", "scene-labels")

    @property
    def channels(self) -> int:
        return sum(slot.width for slot in self.slots)

    def looking(self, network: nn.Module) -> Looking:
        """How its network is shown a scene: by chips where a chip gets one answer, else as the network takes it."""
        return Looking(self.training.chip, 0) if self.chip and not network.fixed else Looking.of(network)


@dataclass(frozen=True)
class Learned:
    """A trained network with what its card needs.

    Attributes:
        fitted: the network of the best epoch, and the history.
        figures: on all of the validation part.
        labels: labelled pixels by class name ("all" in a regression), of the training and of the validation part.
    """

    course: Course
    fitted: Fitted
    normalisation: Normalisation
    objective: Objective
    figures: dict[str, float]
    labels: dict[str, dict[str, int]]

    @property
    def network(self) -> nn.Module:
        return self.fitted.network


def divide(truths: list[np.ndarray], training: Training, warn: Callable[[str], None], names: list[str]) -> Split:
    """The two parts of the labels: validation by spatial blocks, then a rectangle of what is left to train on.

    Raises:
        RequestError: nothing would be left to train on.
    """
    rng = np.random.default_rng(training.seed)
    parts = split_truths(truths, training.validation, rng, training.block)
    if parts.alone:
        listed = ", ".join(names[index] for index in parts.alone if index < len(names)) or "the labels"
        warn(f"All labels of {listed} lie in one place: they train, and nothing is left to judge them by.")
    part = replace(parts, training=rectangle(parts.training, training.fraction, rng))
    if not any(is_labelled(truth).any() for truth in part.training):
        raise RequestError("No label is left to train on; give more labels, or a smaller training.validation.")
    return part


def learn(
    course: Course,
    scenes: list[Scene],
    parts: Split,
    listener: Listener | None = None,
    folder: Path | None = None,
    fingerprint: str = "",
) -> Learned:
    """Train a network on scenes whose channels are those of the course's slots.

    Args:
        course: what and how.
        scenes: one a place; `Scene.truth` is not looked at.
        parts: the truths that train, and those that judge.
        listener, folder, fingerprint: as `fit` takes them.

    Raises:
        RequestError: the network cannot be made, the loss became NaN, or an epoch cannot be saved.
    """
    listener = listener or Listener()
    prepare(course.training)
    objective = make_objective(course, parts.training)
    network = build(blueprint(course, objective))
    side = network.fixed or _multiple(course.training.chip, network.stride)
    training = [replace(s, truth=t).at_least(side) for s, t in zip(scenes, parts.training, strict=True)]
    judged = [replace(s, truth=t).at_least(side) for s, t in zip(scenes, parts.validation, strict=True)]
    normalisation = measure(training, course.slots)
    inputs = [normalisation.apply(scene) for scene in training]
    sampler = Sampler(inputs, [scene.truth for scene in training], training, side, _handling(course, training))
    judge = _Judging(objective, inputs, judged, course.looking(network))
    fitted = fit(network, sampler, objective, judge.score, course.training, listener, folder, fingerprint)
    labels = {"training": _counts(course, parts.training), "validation": _counts(course, parts.validation)}
    return Learned(course, fitted, normalisation, objective, judge.figures(fitted.network), labels)


def judge_elsewhere(learned: Learned, scenes: list[Scene]) -> dict[str, float]:
    """Figures of a trained network on scenes that it never saw, over all their labels (`Scene.truth`)."""
    network, course = learned.network, learned.course
    looking = course.looking(network)
    larger = [scene.at_least(looking.side) for scene in scenes]
    inputs = [learned.normalisation.apply(scene) for scene in larger]
    return _Judging(learned.objective, inputs, larger, looking).figures(network)


class _Judging:
    """Judges networks on the labels of some scenes."""

    def __init__(self, objective: Objective, inputs: list[np.ndarray], scenes: list[Scene], looking: Looking) -> None:
        self._objective, self._inputs, self._scenes, self._looking = objective, inputs, scenes, looking
        self._truths = [scene.truth for scene in scenes]

    def score(self, network: nn.Module) -> float:
        """On a repeatable choice of windows."""
        return self._seen(network, _JUDGED)["score"]

    def figures(self, network: nn.Module) -> dict[str, float]:
        """On all windows."""
        return rounded(self._seen(network, None))

    def _seen(self, network: nn.Module, most: int | None) -> dict[str, float]:
        judge, side = self._objective.judge(), self._looking.side
        windows = windows_with_truth(self._truths, side, most)
        for window, scores in answers(network, self._inputs, self._scenes, windows, self._looking):
            truth = self._truths[window.scene]
            judge.see(scores, truth[window.row : window.row + side, window.col : window.col + side])
        return judge.figures()


def blueprint(course: Course, objective: Objective) -> Blueprint:
    """The network that the course asks for.

    Raises:
        RequestError: the strategy and the architecture do not go together.
    """
    wanted = course.network
    token = course.strategy in TRANSFORMERS
    if token != (wanted.architecture == "vit"):
        fit_for = "vit" if token else "a convolutional network such as unet-small"
        raise RequestError(f"The strategy {course.strategy} goes with {fit_for}, not with {wanted.architecture}.")
    if wanted.architecture == "deeplabv3plus" and course.training.batch < 2:
        raise RequestError("training.batch must be at least 2 for deeplabv3plus, which normalises over whole chips.")
    extra = tuple(
        slot.offset + number for slot in course.slots if slot.role != "imagery" for number in range(slot.width)
    )
    if course.strategy == "compress" and not extra:
        raise RequestError("The strategy compress squeezes layers beside the imagery, and there are none.")
    return Blueprint(
        architecture=wanted.architecture,
        channels=course.channels,
        outputs=objective.outputs,
        extra=extra,
        fusion=_FUSIONS.get(course.strategy, "none"),
        encoder=wanted.encoder,
        weights=course.resolve(wanted.weights) if wanted.weights else None,
        squeeze=wanted.squeeze,
        location=wanted.location,
        degree=wanted.degree,
        location_weights=course.resolve(wanted.location_weights) if wanted.location_weights else None,
        location_slot=wanted.location_slot,
        patch=wanted.patch,
        size=_multiple(course.training.chip, wanted.patch),
        squash=course.regression and course.bounds is not None,
        chip=course.chip,
    )


def make_objective(course: Course, truths: list[np.ndarray]) -> Objective:
    """What the network is asked to do, from the task and the training labels."""
    if not course.regression:
        names = tuple(info.name for info in course.classes)
        far = _REACH if course.task == "field-boundaries" and course.training.objective == "distance" else 0
        metric = "accuracy by class (mIoU)" if course.chip else "mIoU"
        return ClassObjective(names, class_weights(truths, len(names)), course.chip, far, metric)
    if course.bounds is not None:
        low, high = course.bounds
        return ValueObjective(low, high - low, course.chip)
    values = np.concatenate([truth[np.isfinite(truth)] for truth in truths])
    return ValueObjective(float(values.mean(dtype=float)), max(float(values.std(dtype=float)), 1e-6), course.chip)


def _handling(course: Course, scenes: list[Scene]) -> Handling:
    places = {slot.name: slice(slot.offset, slot.offset + slot.width) for slot in course.slots}
    imagery = tuple(places[slot.name] for slot in course.slots if slot.role == "imagery")
    samples = [scene.values[at, ::7, ::7][scene.valid[at, ::7, ::7]] for scene in scenes for at in imagery]
    return Handling(
        imagery=imagery,
        optional={slot.name: places[slot.name] for slot in course.slots if slot.missing != "required"},
        dropout=course.training.dropout,
        directions=_directions(course.slots),
        variation=variation_of(samples) if course.training.vary else None,
    )


def _directions(slots: tuple[Slot, ...]) -> tuple[Directions, ...]:
    """The aspect channels, in pairs.

    Raises:
        RequestError: a slot has one component of the aspect and not the other, so that it cannot be turned.
    """
    pairs = []
    for slot in slots:
        found = {channel.derivative: slot.offset + i for i, channel in enumerate(slot.channels)}
        parts = [found[name] for name in ("aspect_sin", "aspect_cos") if name in found]
        if len(parts) == 1:
            raise RequestError(f"The slot '{slot.name}' needs both aspect_sin and aspect_cos, or neither.")
        if parts:
            pairs.append(Directions(*parts))
    return tuple(pairs)


def _counts(course: Course, truths: list[np.ndarray]) -> dict[str, int]:
    if course.regression:
        return {"all": int(sum(np.isfinite(truth).sum() for truth in truths))}
    return {
        info.name: int(sum((truth == index).sum() for truth in truths)) for index, info in enumerate(course.classes)
    }


def _multiple(side: int, stride: int) -> int:
    return max(-(-side // stride), 1) * stride

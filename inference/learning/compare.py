"""``compare``: strategies × label fractions × seeds, judged in place and in places never seen (arXiv 2507.13385).

Every finished training is one row for each place, appended at once; a comparison that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models.trainplan import TRANSFORMERS, Network, Strategy
from ..alone import alone_in
from ..events import Progress, Result
from ..job import resolve
from ..learnjob import CompareJob, Place, to_dict
from ..voice import Voice, Warnings
from .comparison_plot import draw
from .comparison_table import Row, Table
from .lesson import make_lesson
from .material import Material, Wanted, gather
from .train import require_torch

if TYPE_CHECKING:
    from ...models.training.course import Learned

TABLE, PLOT = "comparison.csv", "comparison.png"


@dataclass(frozen=True)
class Trial:
    """One training of the comparison."""

    strategy: Strategy
    fraction: float
    seed: int


def compare_strategies(job: CompareJob, base: Path, voice: Voice) -> Result:
    """Train every strategy with every share of the labels and every seed, and judge each in every place.

    Returns:
        Products ``table`` (CSV, a row for each training and place) and ``plot`` (PNG); in the report the number of
        ``trainings`` done now, and those that lay there already.

    Raises:
        RequestError: names the field, layer or label that is wrong.
        Cancelled: the user stopped it; the rows written so far stay, and count when it is started again.
    """
    require_torch()
    warnings = Warnings(voice.say)
    folder = Path(resolve(job.folder, base))
    with alone_in(folder, warnings.tell):
        return _Comparison(job, base, folder, voice, warnings).run()


class _Comparison:
    def __init__(self, job: CompareJob, base: Path, folder: Path, voice: Voice, warnings: Warnings) -> None:
        self.job, self.base, self.folder, self.voice, self.warnings = job, base, folder, voice, warnings
        self.table = Table(folder / TABLE)
        self.settings = settings_hash(job)

    def run(self) -> Result:
        trials = self._trials()
        open_trials = [trial for trial in trials if not self._is_done(trial)]
        if open_trials:
            self._run(open_trials)
        rows = [row for row in self.table.rows() if row["settings"] == self.settings]
        draw(rows, self.folder / PLOT)
        products = {"table": self.folder / TABLE, "plot": self.folder / PLOT}
        report = {"trainings": len(open_trials), "found": len(trials) - len(open_trials)}
        return Result({name: str(path.absolute()) for name, path in products.items()}, report)

    def _trials(self) -> list[Trial]:
        """Seed by seed, so that a comparison that was stopped early has all strategies and fractions for some seeds."""
        job = self.job
        order = itertools.product(job.seeds, job.fractions, job.strategies)
        return [Trial(strategy, fraction, seed) for seed, fraction, strategy in order]

    def _is_done(self, trial: Trial) -> bool:
        key = {"strategy": trial.strategy, "fraction": f"{trial.fraction:g}", "seed": str(trial.seed)}
        return self.table.holds({**key, "settings": self.settings}, 1 + len(self.job.test))

    def _run(self, trials: list[Trial]) -> None:
        train, test = self._materials()
        began = time.monotonic()
        for number, trial in enumerate(trials):
            spent = time.monotonic() - began
            left = spent / number * (len(trials) - number) if number else None
            said = f"{trial.strategy}, {trial.fraction:g} of the labels, seed {trial.seed}"
            self.voice.say(Progress(number, len(trials), said, remaining=left))
            self.voice.checkpoint()
            self.table.add(self._trained(trial, train, test))
        self.voice.say(Progress(len(trials), len(trials), "drawing"))

    def _materials(self) -> tuple[Material, Material | None]:
        job = self.job
        wanted = Wanted(job.task, job.slots, job.classes, job.gsd, job.prior)
        train = self._gathered(wanted, job.train)
        if not job.test:
            return train, None
        same = replace(wanted, slots=(*train.slots, *_priors(job)), classes=train.classes, unseen=True)
        return train, self._gathered(same, job.test)

    def _gathered(self, wanted: Wanted, places: tuple[Place, ...]) -> Material:
        material = gather(wanted, places, self.base, self.folder, self.voice, self.warnings)
        if not self.job.shuffled:
            return material
        extra = [s.offset + i for s in material.slots if s.role != "imagery" for i in range(s.width)]
        return replace(material, scenes=tuple(shuffled(scene, extra) for scene in material.scenes))

    def _trained(self, trial: Trial, train: Material, test: Material | None) -> list[Row]:
        from ...models.training.course import judge_elsewhere, learn
        from ...models.training.fit import Listener

        job = self.job
        began = time.monotonic()
        training = replace(job.training, fraction=trial.fraction, seed=trial.seed)
        network = _network(job.network, trial.strategy)
        others = [test] if test else []
        lesson = make_lesson(
            job, self.base, train, trial.strategy, network, training, self.voice, self.warnings, others
        )
        listener = Listener(warn=self.warnings.tell, check=self.voice.checkpoint)
        learned = learn(lesson.course, lesson.scenes, lesson.parts, listener)
        rows = [self._row(trial, "in place", "", learned, learned.figures, began)]
        for scene in lesson.elsewhere:
            figures = judge_elsewhere(learned, [scene])
            rows.append(self._row(trial, "unseen", scene.name, learned, figures, began))
        return rows

    def _row(
        self, trial: Trial, where: str, place: str, learned: Learned, figures: dict[str, float], began: float
    ) -> Row:
        training = learned.course.training
        return {
            **self.job.facts,
            "settings": self.settings,
            "strategy": trial.strategy,
            "architecture": learned.course.network.architecture,
            "layers": "shuffled" if self.job.shuffled else "as they are",
            "fraction": f"{trial.fraction:g}",
            "seed": str(trial.seed),
            "where": where,
            "place": place or "+".join(one.name for one in self.job.train),
            "labels": str(sum(learned.labels["training"].values())),
            "best_epoch": str(learned.fitted.best_epoch),
            "epochs": str(training.epochs),
            "seconds": f"{time.monotonic() - began:.1f}",
            "metric": learned.objective.metric,
            **{name: f"{value:g}" for name, value in figures.items()},
        }


def shuffled(scene: Any, extra: list[int]) -> Any:
    """The scene with its extra channels moved by half its size: real layers of another place, telling nothing here."""
    half = tuple(side // 2 for side in scene.truth.shape)
    values, valid = scene.values.copy(), scene.valid.copy()
    values[extra] = np.roll(values[extra], half, (1, 2))
    valid[extra] = np.roll(valid[extra], half, (1, 2))
    return replace(scene, values=values, valid=valid)


def settings_hash(job: CompareJob) -> str:
    """What a training's result hangs on besides strategy, fraction and seed; rows of other settings do not count."""
    kept = to_dict(job)
    for name in ("folder", "strategies", "fractions", "seeds"):
        kept.pop(name, None)
    return hashlib.sha256(json.dumps(_without_folders(kept), sort_keys=True).encode()).hexdigest()[:12]


def _without_folders(value: object) -> object:
    """The job with the names of files alone: the same layers in another folder make the same comparison."""
    if isinstance(value, dict):
        return {name: Path(v).name if name == "path" else _without_folders(v) for name, v in value.items()}
    return [_without_folders(one) for one in value] if isinstance(value, (list, tuple)) else value


def _priors(job: CompareJob) -> tuple[Any, ...]:
    return tuple(slot for slot in job.slots if slot.role == "prior")


def _network(network: Network, strategy: Strategy) -> Network:
    """The job's network, or the transformer that the strategy needs, or the small U-Net beside transformers."""
    if strategy in TRANSFORMERS:
        return replace(network, architecture="vit")
    return replace(network, architecture="unet-small") if network.architecture == "vit" else network

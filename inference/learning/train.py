"""``train``: layers and labels become a model that runs at once, with its card, figures and history."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models.card import Card
from ...models.files import write_atomically
from ..alone import alone_in
from ..errors import RequestError
from ..events import Progress, Result, Started
from ..job import resolve
from ..learnjob import LearnJob, to_dict
from ..version import ENGINE_VERSION
from ..voice import Voice, Warnings
from .lesson import Lesson, make_lesson
from .listening import forget_stop, listener_of
from .material import Material, Wanted, gather

if TYPE_CHECKING:
    from ...models.training.course import Learned
    from ...models.training.scenes import Scene

HISTORY, FIGURES = "history.csv", "figures.json"


def require_torch() -> None:
    """Raise RequestError where this Python cannot train."""
    missing = [name for name in ("torch", "timm", "segmentation_models_pytorch") if not importlib.util.find_spec(name)]
    if missing:
        raise RequestError(
            f"This Python cannot train, because it lacks {', '.join(missing)}; make the training environment "
            "(make setup-train) and name its Python in the options."
        )


def train_model(job: LearnJob, base: Path, voice: Voice) -> Result:
    """Train, export and measure a model; a training that was stopped in the job's folder goes on.

    Returns:
        Products ``model`` (ONNX), ``card`` (its STAC MLM item), ``history`` (CSV) and ``figures`` (JSON), and the
        variants as ``fp16`` and ``int8``; in the report ``score``, ``metric``, ``figures``, ``labels``, ``seconds``
        and ``warnings``.

    Raises:
        RequestError: names the field, layer or label that is wrong.
        Cancelled: the user stopped it; finished epochs are kept.
    """
    require_torch()
    began = time.monotonic()
    warnings = Warnings(voice.say)
    folder = Path(resolve(job.folder, base))
    with alone_in(folder, warnings.tell):
        forget_stop(folder)
        return _Training(job, base, folder, voice, warnings, began).run()


class _Training:
    def __init__(self, job: LearnJob, base: Path, folder: Path, voice: Voice, warnings: Warnings, began: float) -> None:
        self.job, self.base, self.folder = job, base, folder
        self.voice, self.warnings, self.began = voice, warnings, began

    def run(self) -> Result:
        job = self.job
        self.voice.say(_started())
        material = self._gather()
        lesson = make_lesson(
            job, self.base, material, job.strategy, job.network, job.training, self.voice, self.warnings
        )
        learned = self._learn(lesson)
        self.voice.say(Progress(0, 1, "exporting"))
        card = self._card(learned, material)
        products = self._export(learned, card, lesson)
        report = {
            "score": learned.figures.get("score"),
            "metric": learned.objective.metric,
            "figures": learned.figures,
            "labels": learned.labels,
            "best_epoch": learned.fitted.best_epoch,
            "seconds": round(time.monotonic() - self.began, 1),
            "warnings": self.warnings.told,
        }
        products |= self._write_figures(learned, report)
        _forget_checkpoint(self.folder)
        self.voice.say(Progress(1, 1, "exporting"))
        return Result({name: str(path.absolute()) for name, path in products.items()}, {"name": job.name, **report})

    def _gather(self) -> Material:
        job = self.job
        wanted = Wanted(job.task, job.slots, job.classes, job.gsd, job.prior)
        return gather(wanted, job.places, self.base, self.folder, self.voice, self.warnings)

    def _learn(self, lesson: Lesson) -> Learned:
        from ...models.training.course import learn

        listener = listener_of(self.folder, self.voice, self.warnings)
        fingerprint = _fingerprint(self.job, lesson.scenes)
        return learn(lesson.course, lesson.scenes, lesson.parts, listener, self.folder, fingerprint)

    def _card(self, learned: Learned, material: Material) -> Card:
        from ...models.training.product import Naming, trained_card

        job = self.job
        naming = Naming(job.name, job.title, "", job.units, job.license, job.notice)
        area = [_area(scene) for scene in material.scenes]
        facts = {"engine": ENGINE_VERSION, "area": area, "sources": _sources(job), "attribution": _credits(material)}
        return trained_card(learned, naming, material.gsd, facts)

    def _export(self, learned: Learned, card: Card, lesson: Lesson) -> dict[str, Path]:
        from .exporting import export_trained

        return export_trained(learned, card, self.job.variants, lesson.scenes, lesson.parts, self.folder)

    def _write_figures(self, learned: Learned, report: dict[str, Any]) -> dict[str, Path]:
        history = io.StringIO()
        writer = csv.DictWriter(history, ["epoch", "loss", "score"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(learned.fitted.history)
        paths = {"history": self.folder / HISTORY, "figures": self.folder / FIGURES}
        write_atomically(paths["history"], history.getvalue().encode())
        write_atomically(paths["figures"], json.dumps(report, indent=1, ensure_ascii=False).encode())
        return paths


def _started() -> Started:
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return Started(ENGINE_VERSION, backend="torch", device=device, precision="f32")


def _fingerprint(job: LearnJob, scenes: list[Scene]) -> str:
    """Recognises layers, labels and settings: a checkpoint of other ones is not gone on from."""
    digest = hashlib.sha256(json.dumps(_settings(job), sort_keys=True).encode())
    for scene in scenes:
        for array in (scene.truth, scene.valid, scene.values):
            digest.update(np.ascontiguousarray(array))
    return f"sha256:{digest.hexdigest()}"


def _settings(job: LearnJob) -> dict[str, Any]:
    """What shapes the network; neither names nor further variants do, nor a patience that is over."""
    kept = to_dict(job)
    for name in ("name", "title", "folder", "license", "notice", "units", "variants", "places"):
        kept.pop(name, None)
    return kept


def _area(scene: Any) -> dict[str, object]:
    """Where a scene lies: its name, its bounds in degrees, and its pixels."""
    corners = scene.corners.reshape(4, 2)
    west, south = (round(float(v), 5) for v in corners.min(0))
    east, north = (round(float(v), 5) for v in corners.max(0))
    return {"place": scene.name, "bounds": [west, south, east, north], "pixels": list(scene.truth.shape)}


def _sources(job: LearnJob) -> list[dict[str, str]]:
    """What each place's layers are called; paths are of one machine and stay out of a card."""
    named = []
    for place in job.places:
        for slot, source in place.sources.items():
            path = source.path or next((layer.path for layer in source.layers), "")
            named.append({"place": place.name, "slot": slot, "layer": source.name or Path(path).name})
        named.append(
            {"place": place.name, "slot": "labels", "layer": place.labels.name or Path(place.labels.path).name}
        )
    return named


def _credits(material: Material) -> list[str]:
    return list(dict.fromkeys(credit for scene in material.scenes for credit in scene.attribution))


def _forget_checkpoint(folder: Path) -> None:
    from ...models.training import checkpoint

    checkpoint.remove(folder)
    forget_stop(folder)

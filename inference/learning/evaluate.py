"""``evaluate``: what a map, or a model run on layers, is worth against reference labels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...models.files import write_atomically
from ...models.load import load_model
from ...models.trainplan import REGRESSIONS
from ..alone import alone_in
from ..errors import RequestError
from ..events import Result
from ..job import Job, Outputs, resolve
from ..learnjob import EvaluateJob, LearnTask
from ..plan import library_versions
from ..run import run_job
from ..sinks.provenance import grid_text
from ..sources import Context
from ..version import ENGINE_VERSION
from ..voice import Voice, Warnings
from .evaluation_count import Counting, Judged
from .evaluation_facts import Facts
from .evaluation_figures import ClassJudgement, plain
from .evaluation_map import JudgedMap, open_map
from .evaluation_tables import area_table, class_table, confusion_table, figure_table
from .evaluation_truth import Reference, open_reference

REPORT, PLOT, FIGURES = "report.html", "plot.png", "evaluation.json"
CLASSES, VALUES, CONFUSION, AREAS = "classes.csv", "figures.csv", "confusion.csv", "areas.csv"
#: Folder, in the job's, of the run that makes a model's map.
RUN = "run"


def evaluate_map(job: EvaluateJob, base: Path, voice: Voice) -> Result:
    """Judge a map against labels; without a map, the job's model is run on its layers first.

    Returns:
        Products ``report`` (HTML), ``plot`` (PNG), ``figures`` (JSON) and ``table`` (CSV); for classes also
        ``confusion`` and ``areas`` (CSV), and what a run of the model made. The report holds the figures.

    Raises:
        RequestError: names the file or field that is wrong.
        Cancelled: the user stopped it.
    """
    warnings = Warnings(voice.say)
    folder = Path(resolve(job.folder, base))
    with alone_in(folder, warnings.tell):
        return _Evaluation(job, base, folder, voice, warnings).run()


class _Evaluation:
    def __init__(self, job: EvaluateJob, base: Path, folder: Path, voice: Voice, warnings: Warnings) -> None:
        self.job, self.base, self.folder, self.voice, self.warnings = job, base, folder, voice, warnings
        self.context = Context(base, folder, warnings.tell)
        self.made: dict[str, str] = {}

    def run(self) -> Result:
        path = self.job.map or self._run_model()
        judged = open_map(path, self.job.band, self.context)
        try:
            reference = open_reference(self.job.labels, self.job.task, judged.grid, judged.title, self.context)
            fields = self.job.fields or self.made.get("fields")
            counting = Counting(replace(self.job, fields=fields), judged, reference, self.voice, self.context)
            return self._written(judged, reference, counting.judge())
        finally:
            judged.close()

    @property
    def _is_regression(self) -> bool:
        return self.job.task in REGRESSIONS

    def _run_model(self) -> str:
        """Make the map; returns its path."""
        job = self.job
        model = load_model(Path(resolve(str(job.model), self.base)))
        product = "regression" if self._is_regression else "classes"
        task = _map_task(job.task)
        if model.card is not None and task not in (output.task for output in model.card.outputs):
            made = ", ".join(dict.fromkeys(output.task for output in model.card.outputs))
            raise RequestError(f"The model '{model.card.label}' does {made}, not {task}; change job.task.")
        wanted = {product: None, **({"fields": None} if task == "field-boundaries" and not job.fields else {})}
        run = Job(
            sources=job.sources,
            outputs=Outputs(str(self.folder / RUN), wanted),
            model=str(job.model),
            grid=job.grid,
            compute=job.compute,
        )
        self.made = run_job(run, self.base, self.voice).products
        return self.made[product]

    def _written(self, judged: JudgedMap, reference: Reference, found: Judged) -> Result:
        # Here because matplotlib takes a second to load, and a wrong request is answered without it.
        from .report.page import evaluation_html
        from .report.plots import class_plot, value_plot

        main = found.main
        facts = self._facts(judged, reference, main.groups)
        figures = plain({**main.figures(), **(found.fields.figures() if found.fields else {})})
        plot = class_plot(main) if isinstance(main, ClassJudgement) else value_plot(main, facts.units)
        contents = {
            "report": (REPORT, evaluation_html(figures, facts, plot)),
            "plot": (PLOT, plot),
            "figures": (FIGURES, _json({**figures, **_about(facts, self.job)})),
        }
        if isinstance(main, ClassJudgement):
            contents["table"] = (CLASSES, class_table(figures))
            contents["confusion"] = (CONFUSION, confusion_table(figures))
            contents["areas"] = (AREAS, area_table(figures))
        else:
            contents["table"] = (VALUES, figure_table(figures))
        products = dict(self.made)
        for product, (name, content) in contents.items():
            write_atomically(self.folder / name, content)
            products[product] = str((self.folder / name).absolute())
        return Result(products, {**figures, **_about(facts, self.job)})

    def _facts(self, judged: JudgedMap, reference: Reference, groups: int) -> Facts:
        block = reference.block
        return Facts(
            title=self.job.title or f"Evaluation of {judged.model or judged.title}",
            map=judged.title,
            labels=reference.title,
            kind=reference.kind,
            groups=groups,
            blocks=block * judged.grid.mean_gsd if block is not None else None,
            simple_random=self.job.simple_random,
            model=judged.model,
            model_hash=judged.model_hash,
            notice=judged.notice,
            grid=grid_text(judged.grid),
            units=self.job.units or judged.units,
            versions={"fusion_mapper": ENGINE_VERSION, **library_versions()},
            warnings=tuple(self.warnings.told),
            attribution=judged.attribution,
        )


def _map_task(task: LearnTask) -> str:
    """The task of a model's output that makes such a map."""
    return {"chip-regression": "pixel-regression", "scene-labels": "semantic-segmentation"}.get(task, task)


def _about(facts: Facts, job: EvaluateJob) -> dict[str, Any]:
    """What was judged, for the figures' file."""
    return {
        "schema": 1,
        "task": job.task,
        "map": facts.map,
        "labels": facts.labels,
        "labels_kind": facts.kind,
        "groups": facts.groups,
        "block_m": facts.blocks,
        "simple_random": facts.simple_random,
        "model": facts.model,
        "model_hash": facts.model_hash,
        "notice": facts.notice,
        "units": facts.units,
        "warnings": list(facts.warnings),
        "versions": dict(facts.versions),
    }


def _json(figures: dict[str, Any]) -> bytes:
    return json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8")

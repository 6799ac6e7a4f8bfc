"""Fusion on real places with few labels: spatial blocks are left out, trained, mapped and judged, over several seeds.

    .venv-train/bin/pip install h5py                                   # for the Chesapeake patches alone
    .venv-train/bin/python scripts/experiments/real.py ../shared/data  # everything; goes on where it stopped
    .venv-train/bin/python scripts/experiments/real.py ../shared/data --only amazon --seeds 1
    .venv-train/bin/python scripts/experiments/real_summary.py         # figures with intervals, from the tables

Each training and each judgement is a job for the engine's own commands `train` and `evaluate`, kept under
build/experiments/real. The tables lie in docs/experiments: real-runs.csv has a row for each (fold, seed, strategy),
real-counts.csv what the maps say inside each left-out polygon.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts" / "experiments")]

from simulate import register_package  # noqa: E402

register_package()

from fusion_mapper.inference.job import Source  # noqa: E402
from fusion_mapper.inference.learnjob import EvaluateJob, LearnJob, to_dict  # noqa: E402
from fusion_mapper.models.trainplan import Strategy  # noqa: E402
from real_counts import count_map  # noqa: E402
from real_engine import Engine  # noqa: E402
from real_places import PLACES, Fold, Question  # noqa: E402

TABLES = ROOT / "docs" / "experiments"
RUNS, COUNTS = TABLES / "real-runs.csv", TABLES / "real-counts.csv"
KEY = ("data", "strategy", "fold", "seed")
_FIGURES = ("accuracy", "miou", "f1", "r2", "rmse", "bias", "boundary_f1", "object_f1")
_OBJECTS = ("objects_true", "objects_mapped", "objects_matched")
_INTERVALS = ("accuracy", "miou", "r2", "rmse")
RUN_COLUMNS = (
    *KEY,
    "training_pixels",
    "judged_pixels",
    *_FIGURES,
    *(f"{name}_{end}" for name in _INTERVALS for end in ("low", "high")),
    *_OBJECTS,
    "best_epoch",
    "training_seconds",
)
COUNT_COLUMNS = (*KEY, "block", "polygon", "truth", "found", "pixels", "squared")
Row = dict[str, Any]


def _seen(sources: dict[str, Source], strategy: Strategy) -> dict[str, Source]:
    return {name: source for name, source in sources.items() if strategy != "imagery" or name == "imagery"}


def train(engine: Engine, question: Question, strategy: Strategy, fold: Fold, seed: int, home: Path) -> Row:
    """The training of one fold."""
    job = LearnJob(
        name=f"{question.name}-{strategy}",
        places=tuple(replace(place, sources=_seen(place.sources, strategy)) for place in fold.train),
        folder=str(home / "training"),
        task=question.task,
        slots=tuple(slot for slot in question.slots if strategy != "imagery" or slot.role == "imagery"),
        classes=question.classes,
        strategy=strategy,
        training=replace(question.training, seed=seed),
        units=question.units,
        range=question.bounds,
    )
    return engine.ask("train", to_dict(job), home / "train.json")


def judge(engine: Engine, question: Question, strategy: Strategy, fold: Fold, model: str, home: Path) -> Row:
    """The judgement of a trained model on the polygons that were left out."""
    job = EvaluateJob(
        labels=fold.test.labels,
        folder=str(home / "evaluation"),
        task=question.task,
        model=model,
        sources=_seen(fold.test.sources, strategy),
        grid=fold.test.grid,
        units=question.units,
        simple_random=False,
    )
    return engine.ask("evaluate", to_dict(job), home / "evaluate.json")


def run_one(
    engine: Engine, question: Question, strategy: Strategy, fold: Fold, seed: int, folder: Path
) -> tuple[Row, list[Row]]:
    """Train and judge; a row for the table of runs, and rows for the table of counts."""
    home = folder / question.name / f"{strategy}-fold{fold.number}-seed{seed}"
    trained = train(engine, question, strategy, fold, seed, home)
    judged = judge(engine, question, strategy, fold, trained["products"]["model"], home)
    key = dict(zip(KEY, (question.name, strategy, fold.number, seed), strict=True))
    said = judged["report"]
    row = {
        **key,
        "training_pixels": sum(trained["report"]["labels"]["training"].values()),
        "judged_pixels": said.get("n"),
        **{name: _text(said.get(name)) for name in (*_FIGURES, *_OBJECTS)},
        "best_epoch": trained["report"]["best_epoch"],
        "training_seconds": trained["report"]["seconds"],
    }
    for name in _INTERVALS:
        low, high = said.get(f"{name}_interval") or (None, None)
        row |= {f"{name}_low": _text(low), f"{name}_high": _text(high)}
    if question.task == "field-boundaries":
        return row, []
    product = "regression" if question.regression else "classes"
    truth = None if question.labels else Path(fold.test.labels.path)
    counts = count_map(question, fold.number, Path(judged["products"][product]), truth)
    return row, [{**key, **count} for count in counts]


def _text(value: object) -> object:
    return "" if value is None else round(value, 4) if isinstance(value, float) else value


def read_table(path: Path) -> list[Row]:
    """The rows of a table; none where it is not there yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def key_of(row: Row) -> tuple[str, ...]:
    """What makes a run: data, strategy, fold and seed, as text."""
    return tuple(str(row[name]) for name in KEY)


def _append(path: Path, columns: tuple[str, ...], rows: list[Row]) -> None:
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def _finished() -> set[tuple[str, ...]]:
    """Runs in the table. Counts of a run that was stopped between the two tables are dropped."""
    done = {key_of(row) for row in read_table(RUNS)}
    counts = read_table(COUNTS)
    kept = [row for row in counts if key_of(row) in done]
    if len(kept) < len(counts):
        COUNTS.unlink()
        _append(COUNTS, COUNT_COLUMNS, kept)
    return done


def _wanted(questions: list[Question], seeds: list[int]) -> Iterator[tuple[Question, Strategy, Fold, int]]:
    """Seed by seed, so that a table that was stopped early has all folds and strategies of the first seeds."""
    for seed in seeds:
        for question in questions:
            for fold in question.folds:
                for strategy in question.strategies:
                    yield question, strategy, fold, seed


def main() -> None:
    """Make or go on with the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with the real layers")
    parser.add_argument("--only", choices=PLACES, action="append")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "experiments" / "real")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    choice = parser.parse_args()
    data, folder = choice.data.resolve(), choice.folder.resolve()
    questions = [question for name in choice.only or PLACES for question in PLACES[name](data, folder)]
    done = _finished()
    with Engine() as engine:
        for question, strategy, fold, seed in _wanted(questions, choice.seeds):
            key = (question.name, strategy, str(fold.number), str(seed))
            if key in done:
                continue
            row, counts = run_one(engine, question, strategy, fold, seed, folder)
            _append(COUNTS, COUNT_COLUMNS, counts)
            _append(RUNS, RUN_COLUMNS, [row])
            print(" ".join(key), {name: row[name] for name in _FIGURES if row[name] != ""}, flush=True)


if __name__ == "__main__":
    main()

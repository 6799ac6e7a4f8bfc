"""Figures of the real places with intervals, as Markdown, from docs/experiments/real-runs.csv and real-counts.csv.

    .venv-train/bin/python scripts/experiments/real_summary.py            # prints them
    .venv-train/bin/python scripts/experiments/real_summary.py --write    # into docs/experiments/real.md

Every polygon was left out once in each seed. Figures are of all these maps together; intervals (95 %) come from drawing
whole spatial blocks anew, both strategies on the same blocks, so that the interval of a gain is of paired differences.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts" / "experiments")]

from simulate import register_package  # noqa: E402

register_package()

from fusion_mapper.models.accuracy.bootstrap import Interval, bootstrap_by_group  # noqa: E402
from fusion_mapper.models.accuracy.confusion import accuracy, class_iou  # noqa: E402
from real import COUNTS, RUNS, TABLES, Row, read_table  # noqa: E402

#: Sums of a regression: pixels, true, true squared, error, error squared; then the same with each polygon once.
_SUMS = 10
_BEGIN, _END = "<!-- figures: real_summary.py --write -->", "<!-- end of figures -->"


def class_figures(counts: np.ndarray) -> dict[str, float]:
    """Accuracy, and mIoU of the classes that are there, of a K×K table with the truth in rows."""
    there = counts.sum(1) > 0
    return {"accuracy": accuracy(counts), "mIoU": float(np.nanmean(class_iou(counts)[there]))}


def value_figures(sums: np.ndarray) -> dict[str, float]:
    """RMSE, bias and R² by pixel, and RMSE and R² of polygon means."""
    n, true, square, error, wrong = sums[:5]
    of, true_mean, square_mean, _, wrong_mean = sums[5:]
    return {
        "RMSE": float(np.sqrt(wrong / n)),
        "bias": float(error / n),
        "R²": float(1 - wrong / (square - true**2 / n)),
        "RMSE of polygons": float(np.sqrt(wrong_mean / of)),
        "R² of polygons": float(1 - wrong_mean / (square_mean - true_mean**2 / of)),
    }


def by_block(rows: list[Row], strategies: list[str], names: list[str]) -> np.ndarray:
    """G×S×K×K pixels (classes), or G×S×10 sums (values, where `names` is empty), summed over the seeds."""
    blocks = {block: number for number, block in enumerate(dict.fromkeys(row["block"] for row in rows))}
    place = {name: number for number, name in enumerate(names)}
    shape = (len(names),) * 2 if names else (_SUMS,)
    out = np.zeros((len(blocks), len(strategies), *shape))
    for row in rows:
        at = blocks[row["block"]], strategies.index(row["strategy"])
        pixels = int(row["pixels"])
        if names:
            out[(*at, place[row["truth"]], place[row["found"]])] += pixels
            continue
        true, found = float(row["truth"]), float(row["found"])
        error = found - true
        whole = (pixels, pixels * true, pixels * true**2, pixels * error, float(row["squared"]))
        out[at] += (*whole, 1, true, true**2, error, error**2)
    return out


def _both(sums: np.ndarray, figures: partial[dict[str, float]], strategies: list[str]) -> dict[str, float]:
    """Figures of each strategy, and the gain of each over the first."""
    found = [figures(one) for one in sums]
    told = {
        f"{strategy} {name}": value
        for strategy, one in zip(strategies, found, strict=True)
        for name, value in one.items()
    }
    for strategy, one in zip(strategies[1:], found[1:], strict=True):
        told |= {f"{strategy} gain {name}": value - found[0][name] for name, value in one.items()}
    return told


def _cell(value: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _balanced(rows: list[Row], strategies: list[str]) -> list[Row]:
    """Rows of those folds and seeds that every strategy has."""
    have = defaultdict(set)
    for row in rows:
        have[row["fold"], row["seed"]].add(row["strategy"])
    return [row for row in rows if len(have[row["fold"], row["seed"]]) == len(strategies)]


def tell_pooled(data: str, rows: list[Row], runs: list[Row]) -> None:
    """All left-out polygons together: a row for each strategy and each gain."""
    strategies = list(dict.fromkeys(row["strategy"] for row in runs))
    rows, runs = _balanced(rows, strategies), _balanced(runs, strategies)
    regression = any(row["squared"] for row in rows)
    names = [] if regression else sorted({row[side] for row in rows for side in ("truth", "found")})
    groups = by_block(rows, strategies, names)
    figures = value_figures if regression else class_figures
    statistic = partial(_both, figures=figures, strategies=strategies)
    whole, intervals = statistic(groups.sum(0)), bootstrap_by_group(groups, statistic)
    columns = list(figures(groups.sum(0)[0]))
    seeds = sorted({row["seed"] for row in runs})
    print(f"\n### {data}: {len(runs)} trainings, seeds {', '.join(seeds)}, {len(groups)} blocks\n")
    print("| strategy | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for label in [*strategies, *(f"{strategy} gain" for strategy in strategies[1:])]:
        cells = [_cell(whole[f"{label} {name}"], intervals.get(f"{label} {name}")) for name in columns]
        print(f"| {label} | " + " | ".join(cells) + " |")
    _tell_pairs(runs, strategies, "r2" if regression else "miou")
    if names:
        _tell_classes(groups.sum(0), strategies, names)


def _tell_pairs(runs: list[Row], strategies: list[str], column: str) -> None:
    """How often a strategy beat the first one, fold by fold and seed by seed: what the training's own chance does."""
    value = {(row["strategy"], row["fold"], row["seed"]): float(row[column]) for row in runs}
    for strategy in strategies[1:]:
        gains = [value[(strategy, *key[1:])] - value[key] for key in value if key[0] == strategies[0]]
        better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
        name = {"r2": "R²", "miou": "mIoU"}[column]
        print(f"\n{strategy} against {strategies[0]}, {len(gains)} pairs of the same fold and seed: {better} better,")
        print(f"{worse} worse; {name} of the left-out fold {min(gains):+.3f} to {max(gains):+.3f}.")


def _tell_classes(sums: np.ndarray, strategies: list[str], names: list[str]) -> None:
    true = sums[0].sum(1)
    print(f"\nThe commonest class alone: accuracy {true.max() / true.sum():.3f}.\n")
    print("| IoU | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for strategy, counts in zip(strategies, sums, strict=True):
        print(f"| {strategy} | " + " | ".join(_iou(*pair) for pair in zip(class_iou(counts), true, strict=True)) + " |")


def _iou(value: float, pixels: float) -> str:
    return f"{value:.3f}" if pixels else "not judged"


def tell_runs(runs: list[Row]) -> None:
    """Mean and standard deviation over folds and seeds, as the engine's own evaluation gave them."""
    print("\n### Over folds × seeds: mean ± standard deviation of single runs\n")
    print("| data | strategy | runs | accuracy | mIoU | R² | RMSE | boundary F1 | object F1 |")
    print("|---" * 9 + "|")
    groups = defaultdict(list)
    for row in runs:
        groups[row["data"], row["strategy"]].append(row)
    for (data, strategy), rows in sorted(groups.items()):
        cells = [_spread(rows, name) for name in ("accuracy", "miou", "r2", "rmse", "boundary_f1", "object_f1")]
        print(f"| {data} | {strategy} | {len(rows)} | " + " | ".join(cells) + " |")


def _spread(rows: list[Row], name: str) -> str:
    values = np.array([float(row[name]) for row in rows if row[name]])
    if not values.size:
        return ""
    spread = f" ± {values.std(ddof=1):.3f}" if values.size > 1 else ""
    return f"{values.mean():.3f}{spread}"


def _tell_speed() -> None:
    rows = read_table(TABLES / "real-speed.csv")
    print("\n### From 200 labels to a map: GNU time\n")
    if not rows:
        return
    print("| " + " | ".join(rows[0]) + " |")
    print("|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join(row.values()) + " |")


def tell() -> None:
    """Print what the tables hold so far."""
    runs, counts = read_table(RUNS), read_table(COUNTS)
    for data in sorted({row["data"] for row in counts}):
        tell_pooled(data, [r for r in counts if r["data"] == data], [r for r in runs if r["data"] == data])
    tell_runs(runs)
    _tell_speed()


def main() -> None:
    """Print the figures, or put them between their marks in the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/experiments/real.md")
    if not parser.parse_args().write:
        tell()
        return
    page = TABLES / "real.md"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        tell()
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    page.write_text(f"{before}{_BEGIN}\n{said.getvalue()}\n{_END}{rest.partition(_END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()

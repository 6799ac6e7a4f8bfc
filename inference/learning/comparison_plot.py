"""The picture of a comparison: the score by the share of labels, a line and its spread for each strategy, by place."""

from __future__ import annotations

import io
from collections import defaultdict
from pathlib import Path

import numpy as np

from ...models.files import write_atomically
from .comparison_table import Row

#: Okabe and Ito's colours, which those see apart who see few, and a mark for print.
_LOOKS = {
    "imagery": ("#000000", "o"),
    "stack": ("#0072b2", "s"),
    "proc-stack": ("#009e73", "^"),
    "compress": ("#e69f00", "D"),
    "vit": ("#888888", "v"),
    "token-fuse": ("#cc79a7", "P"),
    "token-control": ("#56b4e9", "X"),
}
Series = dict[float, list[float]]


def draw(rows: list[Row], path: Path) -> None:
    """Write the plot as a PNG; rows without a score are left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = series_of(rows)
    figure = Figure(figsize=(5.2 * max(len(panels), 1), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    metric = next((row["metric"] for row in rows if row.get("metric")), "score")
    for axes, ((where, place), strategies) in zip(
        np.atleast_1d(figure.subplots(1, max(len(panels), 1), sharey=True)).ravel(), panels.items(), strict=False
    ):
        for strategy, scores in strategies.items():
            _line(axes, strategy, scores)
        axes.set_xscale("log")
        axes.set_title(place if where == "in place" else f"{place} (never seen)", fontsize=10)
        ticks = sorted({fraction for scores in strategies.values() for fraction in scores})
        axes.set_xticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("share of the labels (one rectangle)")
        axes.grid(alpha=0.3)
    first = figure.axes[0]
    first.set_ylabel(f"{metric} (mean and standard deviation over seeds)")
    first.legend(fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    write_atomically(path, picture.getvalue())


def series_of(rows: list[Row]) -> dict[tuple[str, str], dict[str, Series]]:
    """(where, place) → strategy → fraction → the seeds' scores."""
    panels: dict[tuple[str, str], dict[str, Series]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in rows:
        if row.get("score"):
            panels[row["where"], row["place"]][row["strategy"]][float(row["fraction"])].append(float(row["score"]))
    return panels


def _line(axes: object, strategy: str, scores: Series) -> None:
    color, mark = _LOOKS.get(strategy, ("#d55e00", "."))
    fractions = sorted(scores)
    means = np.array([np.mean(scores[fraction]) for fraction in fractions])
    spread = np.array([np.std(scores[fraction]) for fraction in fractions])
    axes.plot(fractions, means, color=color, marker=mark, markersize=5, label=strategy)  # type: ignore[attr-defined]
    axes.fill_between(fractions, means - spread, means + spread, color=color, alpha=0.15, lw=0)  # type: ignore[attr-defined]

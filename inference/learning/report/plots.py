"""Plots of an evaluation as PNG: confusion and areas of classes, map against labels of values."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..evaluation_figures import ClassJudgement, ValueJudgement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 144
#: Names of files are no formulas: matplotlib would set what stands between dollar signs.
_STYLE = {"text.parse_math": False, "font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": "#8a949e"}
#: With more classes the cells of a confusion matrix carry no numbers.
_MOST_NUMBERS = 12
_LONGEST = 22


def class_plot(judgement: ClassJudgement) -> bytes:
    """Confusion matrix as shares of each true class, beside mapped and error-adjusted areas."""
    with matplotlib.rc_context(_STYLE):
        size = len(judgement.legend.classes)
        height = min(max(3.4, 0.42 * size + 1.8), 14)
        figure = Figure(figsize=(10, height), layout="constrained")
        confusion, areas = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _confusion(confusion, judgement)
        _areas(areas, judgement)
        return _png(figure)


def value_plot(judgement: ValueJudgement, units: str) -> bytes:
    """Mapped values against those of the labels, and where they would be equal."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 4.8), layout="constrained")
        axes = figure.subplots()
        true, found = judgement.sample
        both = np.concatenate([true, found])
        low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
        low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
        bounds = (low, high, low, high)
        drawn = axes.hexbin(true, found, gridsize=45, extent=bounds, mincnt=1, bins="log", cmap="viridis")
        bar = figure.colorbar(drawn, ax=axes, label="pixels", shrink=0.8)
        bar.ax.yaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))
        axes.plot([low, high], [low, high], color="#1d2329", lw=1, ls="--", label="map = labels")
        unit = f" ({units})" if units else ""
        axes.set(xlabel=f"labels{unit}", ylabel=f"map{unit}", xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.legend(loc="upper left", framealpha=0.9, edgecolor="none")
        return _png(figure)


def _confusion(axes: Axes, judgement: ClassJudgement) -> None:
    counts, names = judgement.counts, _names(judgement)
    of_class = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(of_class, vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="map", ylabel="labels", title="Share of each class of the labels")
    axes.title.set_size(10)
    if len(names) > _MOST_NUMBERS:
        return
    for row, col in np.ndindex(*counts.shape):
        if counts[row, col]:
            color = "white" if of_class[row, col] > 0.6 else "#1d2329"
            axes.text(col, row, _share(of_class[row, col]), ha="center", va="center", color=color, fontsize=8)


def _areas(axes: Axes, judgement: ClassJudgement) -> None:
    names = _names(judgement)
    places = np.arange(len(names))
    axes.barh(places - 0.2, judgement.mapped_ha, 0.36, color="#c3cad1", label="mapped")
    if judgement.estimable:
        _adjusted(axes, judgement, places)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.ticklabel_format(axis="x", style="plain")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.6g}"))
    axes.set(xlabel="hectares", title="Areas")
    axes.title.set_size(10)
    axes.legend(frameon=False, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _adjusted(axes: Axes, judgement: ClassJudgement, places: np.ndarray) -> None:
    colors = [judgement.color(position) for position in range(len(places))]
    known = np.nan_to_num(judgement.estimates.areas)
    axes.barh(
        places + 0.2, known, 0.36, color=colors, edgecolor="#1d2329", linewidth=0.5, label="error-adjusted, with 95 %",
        xerr=_errors(judgement), error_kw={"lw": 1, "capsize": 2, "ecolor": "#1d2329"},
    )  # fmt: skip


def _errors(judgement: ClassJudgement) -> np.ndarray:
    """2×K: how far the areas' 95 % reach down and up, by drawing whole groups where there are enough of them."""
    areas, margins = judgement.estimates.areas, judgement.estimates.area_margins
    reach = np.stack([margins, margins])
    for position, area in enumerate(areas):
        interval = judgement.intervals.get(f"area_{position}")
        if interval is not None:
            reach[:, position] = max(area - interval.low, 0), max(interval.high - area, 0)
    return np.nan_to_num(reach)


def _names(judgement: ClassJudgement) -> list[str]:
    return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in judgement.legend.names]


def _share(value: float) -> str:
    return f"{100 * value:.0f}" if value >= 0.005 else "<1"


def _png(figure: Any) -> bytes:
    """The same picture, byte for byte, whenever it is drawn."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()

"""What the counts of an evaluation amount to: figures, intervals and areas, as values and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...models.accuracy.areas import AreaEstimates, estimate_areas
from ...models.accuracy.bootstrap import Interval, bootstrap_by_group
from ...models.accuracy.boundaries import Boundaries
from ...models.accuracy.confusion import (
    accuracy,
    class_f1,
    class_iou,
    kappa,
    mean_f1,
    mean_iou,
    producers_accuracy,
    users_accuracy,
)
from ...models.accuracy.objects import ObjectScores
from ...models.palette import class_color
from .evaluation_classes import Legend
from .evaluation_map import Mapped
from .evaluation_tally import ClassTally, ValueTally, scores_of_sums

_HECTARE = 10_000.0


@dataclass(frozen=True)
class ClassJudgement:
    """A class map against labels. Arrays follow the legend's order."""

    legend: Legend
    counts: np.ndarray
    """K×K labelled pixels, truth in rows."""
    by_group: np.ndarray
    """G×K×K, the same by reference feature or spatial block."""
    mapped_pixels: np.ndarray
    mapped_ha: np.ndarray

    @cached_property
    def estimates(self) -> AreaEstimates:
        """Of the whole map, in hectares."""
        return estimate_areas(self.counts, self.mapped_ha)

    @property
    def estimable(self) -> bool:
        """Whether areas can be told: what is mapped as a class that nobody labelled was only seen where it is wrong."""
        return not self.mapped_pixels[self.counts.sum(1) == 0].any()

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals by drawing whole groups; see `_drawn` for the names."""
        return bootstrap_by_group(self.by_group, self._drawn)

    @property
    def groups(self) -> int:
        return len(self.by_group)

    def color(self, position: int) -> str:
        return class_color(self.legend.classes[position], position)

    def figures(self) -> dict[str, Any]:
        figures = {
            "accuracy": accuracy(self.counts),
            "accuracy_interval": self.intervals.get("accuracy"),
            "miou": mean_iou(self.counts),
            "miou_interval": self.intervals.get("miou"),
            "f1": mean_f1(self.counts),
            "f1_interval": self.intervals.get("f1"),
            "kappa": kappa(self.counts),
            "n": int(self.counts.sum()),
            "accuracy_of_area": None,
            "accuracy_of_area_margin": None,
            "accuracy_of_area_interval": None,
            "classes": [self._class(position) for position in range(len(self.legend.classes))],
            "confusion": self.counts.tolist(),
        }
        if self.estimable:
            estimates = self.estimates
            figures["accuracy_of_area"] = estimates.overall
            figures["accuracy_of_area_margin"] = estimates.overall_margin
            figures["accuracy_of_area_interval"] = self.intervals.get("overall")
        return figures

    @cached_property
    def _tables(self) -> dict[str, np.ndarray]:
        estimates = self.estimates
        of_area = {
            "producers_of_area": estimates.producers,
            "producers_of_area_margin": estimates.producers_margins,
            "area_ha": estimates.areas,
            "area_margin_ha": estimates.area_margins,
        }
        if not self.estimable:
            of_area = {name: np.full(len(values), np.nan) for name, values in of_area.items()}
        return {
            "labelled_pixels": self.counts.sum(1),
            "mapped_pixels": self.mapped_pixels,
            "mapped_ha": self.mapped_ha,
            "iou": class_iou(self.counts),
            "f1": class_f1(self.counts),
            "users": users_accuracy(self.counts),
            "users_margin": estimates.users_margins,
            "producers": producers_accuracy(self.counts),
            **of_area,
        }

    def _class(self, position: int) -> dict[str, Any]:
        info = self.legend.classes[position]
        row: dict[str, Any] = {"value": info.value, "name": info.name, "color": self.color(position)}
        row |= {name: values[position].item() for name, values in self._tables.items()}
        for name, drawn in (("iou", "iou"), ("f1", "f1"), ("area", "area")):
            row[f"{name}_interval"] = self.intervals.get(f"{drawn}_{position}")
        if not self.estimable:
            row["area_interval"] = None
        return row

    def _drawn(self, counts: np.ndarray) -> dict[str, float]:
        """``accuracy, miou, f1, overall, iou_<position>, f1_<position>, area_<position>`` of one draw."""
        estimates = estimate_areas(counts, self.mapped_ha)
        figures = {"accuracy": accuracy(counts), "miou": mean_iou(counts), "f1": mean_f1(counts)}
        # A draw that lacks a stratum tells nothing of the whole map.
        whole = np.array_equal(estimates.judged, self.estimates.judged)
        figures["overall"] = estimates.overall if whole else math.nan
        for position, (iou, f1) in enumerate(zip(class_iou(counts), class_f1(counts), strict=True)):
            figures |= {f"iou_{position}": float(iou), f"f1_{position}": float(f1)}
            figures[f"area_{position}"] = float(estimates.areas[position]) if whole else math.nan
        return figures


@dataclass(frozen=True)
class ValueJudgement:
    """A map of values against labels."""

    scores: Mapping[str, float]
    by_group: np.ndarray
    """G×6 sums by reference feature or spatial block."""
    sample: np.ndarray
    """2×N true and mapped values of some pixels, for the plot."""

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals by drawing whole groups."""
        return bootstrap_by_group(self.by_group, scores_of_sums)

    @property
    def groups(self) -> int:
        return len(self.by_group)

    def figures(self) -> dict[str, Any]:
        return {**self.scores, **{f"{name}_interval": interval for name, interval in self.intervals.items()}}


@dataclass(frozen=True)
class FieldJudgement:
    """What is told of fields beside their classes."""

    boundaries: Boundaries
    tolerance: int
    objects: ObjectScores | None

    def figures(self) -> dict[str, Any]:
        edges = self.boundaries
        figures: dict[str, Any] = {
            "boundary_f1": edges.f1,
            "boundary_precision": edges.precision,
            "boundary_recall": edges.recall,
            "boundary_tolerance": self.tolerance,
            "boundary_pixels": edges.true,
        }
        if self.objects is not None:
            one = self.objects
            figures |= {
                "object_f1": one.f1,
                "object_precision": one.precision,
                "object_recall": one.recall,
                "object_mean_iou": one.mean_iou,
                "over_segmentation": one.over_segmentation,
                "under_segmentation": one.under_segmentation,
                "objects_true": one.true,
                "objects_mapped": one.found,
                "objects_matched": one.matched,
            }
        return figures


def judge_classes(legend: Legend, mapped: Mapping[int, Mapped], tally: ClassTally) -> ClassJudgement:
    """The judgement of what was counted; `mapped` is what each value of the map takes."""
    pixels, area = np.zeros(len(legend.classes), np.int64), np.zeros(len(legend.classes))
    for value, position in legend.of_value.items():
        takes = mapped.get(value, Mapped())
        pixels[position] += takes.pixels
        area[position] += takes.area
    return ClassJudgement(legend, tally.counts, tally.by_group, pixels, area / _HECTARE)


def judge_values(tally: ValueTally) -> ValueJudgement:
    """The judgement of what was counted."""
    return ValueJudgement(tally.moments.scores(), tally.by_group, tally.sample)


def plain(value: Any) -> Any:
    """JSON values: what is not a number becomes None, an interval a pair."""
    if isinstance(value, Interval):
        return [plain(value.low), plain(value.high)]
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value

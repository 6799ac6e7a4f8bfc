"""Map and labels, read side by side in windows, and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...models.trainplan import REGRESSIONS
from ..errors import RequestError
from ..events import Progress
from ..grid import Window
from ..learnjob import EvaluateJob
from ..sources import Context
from ..voice import Voice
from .evaluation_classes import Legend, field_legend, left_out_sentence, map_classes, match_classes
from .evaluation_fields import FoundFields, read_fields
from .evaluation_figures import ClassJudgement, FieldJudgement, ValueJudgement, judge_classes, judge_values
from .evaluation_map import JudgedMap, survey_values
from .evaluation_tally import ClassTally, ValueTally, windows_of
from .evaluation_truth import Reference


@dataclass(frozen=True)
class Judged:
    """What came out: classes or values, and what is told of fields besides."""

    main: ClassJudgement | ValueJudgement
    fields: FieldJudgement | None = None


@dataclass(frozen=True)
class Counting:
    """One map against one reference."""

    job: EvaluateJob
    judged: JudgedMap
    reference: Reference
    voice: Voice
    context: Context

    def judge(self) -> Judged:
        """Count and judge.

        Raises:
            RequestError: classes that do not go together, values that are no classes, or no labelled pixel on the map.
            Cancelled: the user stopped it.
        """
        return self._values() if self.job.task in REGRESSIONS else self._classes()

    @property
    def _has_fields(self) -> bool:
        return self.job.task == "field-boundaries"

    def _classes(self) -> Judged:
        judged, reference = self.judged, self.reference
        mapped = survey_values(judged, self._watched("reading the map"))
        of_map = map_classes(mapped, self.job.classes, judged.legend)
        if self._has_fields:
            legend = field_legend(of_map, reference.classes, judged.card, judged.title)
        else:
            by_value = reference.kind == "raster"
            legend = match_classes(of_map, reference.classes, mapped, by_value, judged.title, reference.title)
        if legend.left_out:
            self.context.warn(left_out_sentence(legend, judged.title))
        tally = ClassTally(len(legend.classes))
        fields = self._mapped_fields() if self._has_fields else None
        self._count(legend, tally, fields)
        self._require(int(tally.counts.sum()))
        told = None
        if self._has_fields:
            objects = fields.scores(reference.polygons()) if fields is not None else None
            told = FieldJudgement(tally.boundaries, self.job.tolerance, objects)
        return Judged(judge_classes(legend, mapped, tally), told)

    def _count(self, legend: Legend, tally: ClassTally, fields: FoundFields | None) -> None:
        for window in self._watched("judging", self.reference.extent):
            around = window.grown(self.job.tolerance) if self._has_fields else window
            indices, group = self.reference.read(around)
            truth, found = legend.known(indices), legend.mapped(*self.judged.classes(around))
            inner = window.within(around)
            tally.add(truth[inner], found[inner], group[inner])
            if self._has_fields:
                within = np.zeros(truth.shape, bool)
                within[inner] = True
                tally.add_boundaries(truth, found, within, self.job.tolerance)
            if fields is not None:
                fields.mark(window, truth[inner])

    def _values(self) -> Judged:
        tally = ValueTally()
        for window in self._watched("judging", self.reference.extent):
            truth, group = self.reference.read(window)
            values, valid = self.judged.values(window)
            tally.add(truth, np.where(valid, values.astype(float), np.nan), group)
        self._require(tally.moments.n)
        return Judged(judge_values(tally))

    def _mapped_fields(self) -> FoundFields | None:
        path = self.job.fields
        if path is None or self.reference.kind != "polygons":
            lacks = "the labels are no polygons" if path else "the map has no field polygons (job.fields)"
            self.context.warn(f"Fields are not judged one by one, because {lacks}.")
            return None
        return read_fields(path, self.judged.grid, self.reference.extent, self.context)

    def _require(self, pixels: int) -> None:
        if not pixels:
            raise RequestError(
                f"No labelled pixel of '{self.reference.title}' lies where {self.judged.title} has a value; check the "
                "extents of both and the map's nodata."
            )

    def _watched(self, stage: str, within: Window | None = None) -> Iterator[Window]:
        """The windows of the map, or those where labels may be; tells how far it is, and stops when asked to."""
        windows = list(windows_of(self.judged.grid, within))
        total, done = sum(window.height * window.width for window in windows), 0
        for window in windows:
            self.voice.checkpoint()
            yield window
            done += window.height * window.width
            self.voice.say(Progress(done, total, stage))

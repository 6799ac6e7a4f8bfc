"""Figures of mapped fields as objects: matched one to one, and how far fields are cut up or run together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

#: Two polygons are the same field from this intersection over union on.
SAME = 0.5


@dataclass(frozen=True)
class ObjectScores:
    """How true and mapped polygons go together.

    Attributes:
        true, found, matched: numbers of true and mapped polygons, and of pairs.
        mean_iou: mean intersection over union of the pairs; NaN without any.
        over_segmentation: mean over true polygons of the share that lies outside the mapped polygon that covers most
            of them: near 1 where fields are cut up or missed.
        under_segmentation: mean over true polygons that meet a mapped one of the share of that one that lies outside
            the true polygon: near 1 where fields run together. NaN where none meet.
    """

    true: int
    found: int
    matched: int
    mean_iou: float
    over_segmentation: float
    under_segmentation: float

    @property
    def precision(self) -> float:
        """Share of the mapped polygons that are a true one; NaN where nothing is mapped."""
        return self.matched / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true polygons that are mapped; NaN where there is none."""
        return self.matched / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there are no polygons at all."""
        return 2 * self.matched / (self.true + self.found) if self.true + self.found else float("nan")


def match_objects(
    truth: np.ndarray, found: np.ndarray, judged: np.ndarray | None = None, least_iou: float = SAME
) -> ObjectScores:
    """Match mapped polygons to true ones, one to one, best intersection over union first.

    Over- and under-segmentation are those of Persello and Bruzzone (IEEE Transactions on Geoscience and Remote Sensing
    48, 2010, 1232-1244).

    Args:
        truth: valid polygons (object array of shapely geometries) in a CRS in which areas can be compared.
        found: mapped polygons in the same CRS.
        judged: which of `found` count as mapped where the truth is known; the others count only when they are matched.
            None takes all.
        least_iou: intersection over union from which two polygons are the same.
    """
    judged = np.ones(len(found), bool) if judged is None else judged
    if not len(truth) or not len(found):
        over = 1.0 if len(truth) else float("nan")
        return ObjectScores(len(truth), int(judged.sum()), 0, float("nan"), over, float("nan"))
    at_truth, at_found, common = _meetings(truth, found)
    true_area, found_area = shapely.area(truth), shapely.area(found)
    iou = common / (true_area[at_truth] + found_area[at_found] - common)
    pairs = _pairs(at_truth, at_found, iou, least_iou)
    over, under = _segmentation(at_truth, at_found, common, true_area, found_area)
    counted = judged.copy()
    counted[at_found[pairs]] = True
    mean = float(iou[pairs].mean()) if pairs.size else float("nan")
    return ObjectScores(len(truth), int(counted.sum()), pairs.size, mean, over, under)


def _meetings(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of true and of mapped polygons that overlap, and the areas that they share."""
    at_truth, at_found = shapely.STRtree(found).query(truth, predicate="intersects")
    common = shapely.area(shapely.intersection(truth[at_truth], found[at_found]))
    real = common > 0
    return at_truth[real], at_found[real], common[real]


def _pairs(at_truth: np.ndarray, at_found: np.ndarray, iou: np.ndarray, least: float) -> np.ndarray:
    """Positions of the meetings that are pairs."""
    taken_truth: set[int] = set()
    taken_found: set[int] = set()
    pairs = []
    for position in np.argsort(-iou, kind="stable"):
        if iou[position] < least:
            break
        true, found = int(at_truth[position]), int(at_found[position])
        if true not in taken_truth and found not in taken_found:
            taken_truth.add(true)
            taken_found.add(found)
            pairs.append(position)
    return np.array(pairs, int)


def _segmentation(
    at_truth: np.ndarray, at_found: np.ndarray, common: np.ndarray, true_area: np.ndarray, found_area: np.ndarray
) -> tuple[float, float]:
    """Over- and under-segmentation, by the mapped polygon that covers most of each true one."""
    order = np.argsort(common, kind="stable")
    most = np.full(len(true_area), -1)
    most[at_truth[order]] = order
    met = most >= 0
    best = most[met]
    over = np.ones(len(true_area))
    over[met] = 1 - common[best] / true_area[met]
    under = 1 - common[best] / found_area[at_found[best]]
    return float(over.mean()), float(under.mean()) if under.size else float("nan")

"""What an evaluation's figures can and cannot say, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..evaluation_facts import Facts

#: With fewer groups an interval is rough.
_FEW = 30


def caveats(figures: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    """How the figures were made, and what their intervals hold for."""
    yield from _groups(facts, figures.get("accuracy_interval") or figures.get("r2_interval"))
    if not facts.simple_random:
        yield (
            "The labels were not drawn at random. All intervals here take them for a random sample, and are therefore "
            "too narrow: the map may be worse where nobody labelled."
        )
    if "classes" in figures:
        yield from _classes(figures, facts.drawn)
    else:
        yield "R² is over all labelled pixels at once: the share of the labels' variance that the map explains."
    if "boundary_f1" in figures:
        yield from _fields(figures)
    yield "Labels that the model was trained on flatter it. Judge with labels of a place or a time that it never saw."


def _groups(facts: Facts, interval: object) -> Iterator[str]:
    if not interval:
        yield (
            f"With {facts.grouped} no 95 % interval of accuracy can be told: pixels of one "
            f"{facts.drawn} are alike, and few were seen."
        )
        return
    if facts.blocks is not None:
        what = f"spatial blocks of {facts.blocks:,.4g} m"
    elif facts.kind == "points":
        what = "labelled points"
    else:
        what = "reference polygons"
    yield (
        f"Pixels that lie together are not independent, so the 95 % ranges come from drawing whole {what} with "
        f"replacement ({facts.grouped})."
    )
    if facts.groups < _FEW:
        yield f"{facts.grouped[:1].upper()}{facts.grouped[1:]} are few: the ranges themselves are rough."


def _classes(figures: Mapping[str, Any], drawn: str) -> Iterator[str]:
    yield (
        "User's accuracy: of what is mapped as a class, how much is it. Producer's accuracy: of what is a class, how "
        "much is mapped as it."
    )
    yield (
        "Error-adjusted areas follow the stratified estimator of Olofsson et al. (2014, Remote Sensing of Environment "
        "148, 42–57): each mapped class is a stratum, and its labelled pixels stand for it. Their ± takes every pixel "
        f"for an independent sample; “by {drawn}” draws whole {drawn}s instead."
    )
    unlabelled = [row["name"] for row in figures["classes"] if not row["labelled_pixels"]]
    if unlabelled:
        yield (
            f"No label is of {', '.join(unlabelled)}: what is mapped so was only seen where it is wrong. No area can "
            "be adjusted, and where it was seen so, the mean IoU and F1 count it as 0."
        )
    missing = [row["name"] for row in figures["classes"] if row["users_margin"] is None and row["mapped_ha"] > 0]
    if missing and not unlabelled:
        yield (
            f"What is mapped as {', '.join(missing)} has fewer than two labelled pixels; that area is in no estimate."
        )


def _fields(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "Boundaries are compared where labels are; a boundary counts as met within the tolerance."
    if "object_f1" in figures:
        yield (
            "A reference field and a mapped field match when they share at least half of what both cover. "
            "Over-segmentation is the mean share of a reference field outside the mapped field that covers most of it; "
            "under-segmentation the mean share of that mapped field outside the reference field (Persello and Bruzzone "
            "2010). Mapped fields whose middle lies where nothing is labelled are not judged."
        )

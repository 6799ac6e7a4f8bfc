"""The page and the tables of an evaluation."""

from __future__ import annotations

import csv
import io
import math
import re
from html import unescape

import numpy as np
import pytest
from fusion_mapper.inference.learning.evaluation_classes import Legend
from fusion_mapper.inference.learning.evaluation_facts import Facts
from fusion_mapper.inference.learning.evaluation_figures import ClassJudgement, plain
from fusion_mapper.inference.learning.evaluation_tables import area_table, class_table, confusion_table
from fusion_mapper.models.card import ClassInfo

pytest.importorskip("matplotlib", reason="the engine's environment is from before plots; run scripts/setup.sh engine")
NASTY = '<script>alert("x")</script> $a^2$'


def judgement(name: str = "water", groups: int = 10) -> ClassJudgement:
    legend = Legend((ClassInfo(1, name), ClassInfo(2, "=tree")), {1: 0, 2: 1}, np.array([0, 1]), ())
    one = np.array([[8, 2], [1, 9]])
    by_group = np.repeat(one[None], groups, 0)
    return ClassJudgement(legend, one * groups, by_group, np.array([500, 500]), np.array([5.0, 5.0]))


def facts(**changes: object) -> Facts:
    known = {
        "title": "Trial", "map": "map.tif", "labels": "labels.gpkg", "kind": "polygons", "groups": 10, "blocks": None,
        "simple_random": True,
    }  # fmt: skip
    return Facts(**{**known, **changes})


def page(judged: ClassJudgement, told: Facts) -> str:
    from fusion_mapper.inference.learning.report.page import evaluation_html
    from fusion_mapper.inference.learning.report.plots import class_plot

    return evaluation_html(plain(judged.figures()), told, class_plot(judged)).decode()


def test_names_from_files_are_escaped_and_the_page_reaches_nowhere() -> None:
    text = page(judgement(NASTY), facts(title=NASTY, map=NASTY, labels=NASTY, notice=NASTY, warnings=(NASTY,)))
    assert "<script" not in text
    assert NASTY in unescape(text)
    assert not re.search(r"(src|href)=[\"'](?!data:)", text)


def test_the_page_says_what_was_judged_and_that_pixels_are_not_independent() -> None:
    text = unescape(page(judgement(), facts(notice="trained on simulated landscapes")))
    assert "map.tif against labels.gpkg · 200 labelled pixels in 10 features" in text
    assert "Pixels that lie together are not independent" in text
    assert "Trained on simulated landscapes." in text
    assert "not drawn at random" not in text


def test_labels_that_were_not_drawn_at_random_are_told() -> None:
    assert "The labels were not drawn at random." in page(judgement(), facts(simple_random=False))


def test_few_features_give_no_range_and_the_page_says_why() -> None:
    text = unescape(page(judgement(groups=3), facts(groups=3)))
    assert "With 3 features no 95 % interval of accuracy can be told" in text


def test_the_same_figures_make_the_same_page() -> None:
    assert page(judgement(), facts()) == page(judgement(), facts())


def test_tables_hold_what_the_figures_say_and_no_formula() -> None:
    figures = plain(judgement().figures())
    classes = list(csv.DictReader(io.StringIO(class_table(figures).decode())))
    assert [row["class"] for row in classes] == ["water", "'=tree"]
    assert float(classes[0]["producers"]) == pytest.approx(0.8)
    assert confusion_table(figures).decode().splitlines()[1:] == ["water,80,20", "'=tree,10,90"]
    areas = list(csv.DictReader(io.StringIO(area_table(figures).decode())))
    # 80 of 90 pixels mapped as water are water, and 20 of 110 mapped as trees.
    assert float(areas[0]["area_ha"]) == pytest.approx(5 * 80 / 90 + 5 * 20 / 110, rel=1e-5)


def test_what_is_no_number_is_null_in_json() -> None:
    assert plain({"a": math.nan, "b": np.float64(1.5), "c": [np.int64(2), math.inf]}) == {
        "a": None,
        "b": 1.5,
        "c": [2, None],
    }


def test_a_mapped_class_that_nobody_labelled_lets_no_area_be_adjusted() -> None:
    """It was seen only where it is wrong, and would be given away whole to the other classes."""
    legend = Legend((ClassInfo(1, "water"), ClassInfo(2, "tree")), {1: 0, 2: 1}, np.array([0, -1]), ())
    one = np.array([[8, 2], [0, 0]])
    judged = ClassJudgement(legend, one * 10, np.repeat(one[None], 10, 0), np.array([5, 5]), np.array([5.0, 5.0]))
    figures = plain(judged.figures())
    assert [row["area_ha"] for row in figures["classes"]] == [None, None]
    assert [row["area_interval"] for row in figures["classes"]] == [None, None]
    assert figures["accuracy_of_area"] is None
    assert "No label is of tree" in page(judged, facts())

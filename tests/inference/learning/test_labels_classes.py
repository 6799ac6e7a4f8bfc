"""One list of classes for all places, from what stands in their labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.learning.labels import survey_classes
from fusion_mapper.inference.learnjob import Labels
from fusion_mapper.models.card import ClassInfo
from labelled import pixels
from osm_sources import write_layer

COVER = "semantic-segmentation"


def drawn(folder: Path, name: str, *kinds: object) -> Labels:
    shapes = [pixels(0, 3 * place, 2, 2) for place in range(len(kinds))]
    write_layer(folder / name, shapes, "EPSG:32633", kind=list(kinds))
    return Labels(name, field="kind")


def survey(labels: list[Labels], folder: Path, given: tuple[ClassInfo, ...] = ()) -> list[tuple[int, str]]:
    return [(info.value, info.name) for info in survey_classes(labels, COVER, given, folder)]


def test_names_get_values_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    assert survey([drawn(tmp_path, "a.gpkg", "water", "Bog", "forest")], tmp_path) == [
        (1, "Bog"),
        (2, "forest"),
        (3, "water"),
    ]


def test_whole_numbers_are_values_of_their_own(tmp_path: Path) -> None:
    assert survey([drawn(tmp_path, "a.gpkg", 41, 11, 11)], tmp_path) == [(11, "11"), (41, "41")]


def test_several_places_share_one_list(tmp_path: Path) -> None:
    places = [drawn(tmp_path, "a.gpkg", "water", "forest"), drawn(tmp_path, "b.gpkg", "bog", "water")]
    assert survey(places, tmp_path) == [(1, "bog"), (2, "forest"), (3, "water")]


def test_names_that_differ_in_case_alone_are_one_class(tmp_path: Path) -> None:
    places = [drawn(tmp_path, "a.gpkg", "water", "forest"), drawn(tmp_path, "b.gpkg", "Water", "FOREST")]
    assert len(survey(places, tmp_path)) == 2


def test_every_class_has_a_colour_of_its_own(shared_data: Path) -> None:
    labels = Labels("vri2023.gpkg", layer="main", field="LAND_COVER_CLASS_CD_1")
    found = survey_classes([labels], COVER, (), shared_data / "loon_lake")
    assert [info.name for info in found] == ["ES", "HE", "HG", "LA", "RZ", "SL", "ST", "TB", "TC", "TM", "UR"]
    assert len({info.color for info in found}) == 11


def test_classes_that_are_given_count(tmp_path: Path) -> None:
    given = (ClassInfo(9, "forest"), ClassInfo(4, "water"))
    assert survey([drawn(tmp_path, "a.gpkg", "water", "bog")], tmp_path, given) == [(9, "forest"), (4, "water")]


def test_null_and_what_stands_for_not_known_are_no_classes(tmp_path: Path) -> None:
    drawn(tmp_path, "a.gpkg", "water", "forest", "Unsure", None)
    assert len(survey([Labels("a.gpkg", field="kind", unlabelled=("unsure",))], tmp_path)) == 2


def test_a_regression_has_none(tmp_path: Path) -> None:
    assert survey_classes([Labels("absent.gpkg")], "pixel-regression", (), tmp_path) == ()


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ((None, None), "no class at all"),
        (tuple(range(300)), "300 different values; choose a field with classes"),
    ],
)
def test_no_class_and_too_many_are_refused(tmp_path: Path, kinds: tuple, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        survey([drawn(tmp_path, "a.gpkg", *kinds)], tmp_path)


def test_labels_of_one_class_can_judge_a_map(tmp_path: Path) -> None:
    assert survey([drawn(tmp_path, "a.gpkg", "water", "water")], tmp_path) == [(1, "water")]


def test_vectors_need_a_field(tmp_path: Path) -> None:
    drawn(tmp_path, "a.gpkg", "water")
    with pytest.raises(RequestError, match=r"need a field that holds the class; give labels\.field"):
        survey([Labels("a.gpkg")], tmp_path)

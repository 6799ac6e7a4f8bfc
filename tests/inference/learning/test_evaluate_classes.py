"""Which class of the labels is which value of the map."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.learning.evaluation_classes import (
    field_legend,
    left_out_sentence,
    map_classes,
    match_classes,
)
from fusion_mapper.models.card import ClassInfo


def classes(**named: int) -> tuple[ClassInfo, ...]:
    return tuple(ClassInfo(value, name.replace("_", " ")) for name, value in named.items())


def numbered(*values: int) -> tuple[ClassInfo, ...]:
    return tuple(ClassInfo(value, str(value)) for value in values)


def test_names_go_before_values_whatever_their_case() -> None:
    legend = match_classes(classes(Water=5, Tree=6), classes(tree=1, water=2), (5, 6), False, "map", "labels")
    assert legend.names == ["Water", "Tree"]
    assert legend.of_label.tolist() == [1, 0]


def test_numbers_of_the_labels_are_matched_to_the_values_of_the_map() -> None:
    legend = match_classes(classes(water=1, tree=2), numbered(2, 1), (1, 2), False, "map", "labels")
    assert legend.of_label.tolist() == [1, 0]


def test_a_place_in_the_alphabet_is_no_value() -> None:
    """Words of a field have no values of their own."""
    with pytest.raises(RequestError, match=r"share no class by name or value; name the map's values in 'classes'"):
        match_classes(numbered(1, 2), classes(forest=1, water=2), (1, 2), False, "map.tif", "labels")


def test_values_of_a_named_class_raster_are_its_own() -> None:
    legend = match_classes(numbered(1, 2), classes(forest=1, water=2), (1, 2), True, "map.tif", "labels")
    assert legend.of_label.tolist() == [0, 1]


def test_labels_of_a_class_that_the_map_lacks_are_left_out_and_told() -> None:
    legend = match_classes(classes(water=1, tree=2), classes(water=1, village=2), (1, 2), False, "map.tif", "labels")
    assert legend.known(np.array([0, 1, -1])).tolist() == [0, -1, -1]
    assert left_out_sentence(legend, "map.tif") == (
        "The labels' class 'village' is none of map.tif ('water', 'tree'); its labels are left out."
    )


def test_classes_that_neither_map_nor_labels_have_are_left_away() -> None:
    legend = match_classes(classes(water=1, tree=2, snow=3), classes(water=1), (1, 2), False, "map", "labels")
    assert legend.names == ["water", "tree"]


def test_a_class_of_the_labels_that_no_pixel_is_mapped_as_stays() -> None:
    """Or the map would go unpunished for missing it."""
    legend = match_classes(classes(water=1, tree=2), classes(water=1, tree=2), (1,), False, "map", "labels")
    assert legend.names == ["water", "tree"]


def test_values_without_a_name_are_called_by_their_number() -> None:
    assert [info.name for info in map_classes((1, 7), classes(water=1), ())] == ["water", "7"]


def test_map_values_become_positions() -> None:
    legend = match_classes(classes(water=10, tree=3), classes(water=1), (3, 10), False, "map", "labels")
    values, valid = np.array([10, 3, 4, 3]), np.array([True, True, True, False])
    assert legend.mapped(values, valid).tolist() == [0, 1, -1, -1]


def test_fields_are_found_by_name_and_everything_else_is_background() -> None:
    of_map = classes(forest=1, field=2, field_boundary=3, town=4)
    legend = field_legend(of_map, classes(background=0, field=1, boundary=2), None, "map")
    assert legend.of_value == {1: 0, 2: 1, 3: 2, 4: 0}
    assert legend.of_label.tolist() == [0, 1, 2]


def test_fields_without_names_are_the_values_1_and_2() -> None:
    legend = field_legend(numbered(0, 1, 2), numbered(1, 2), None, "map")
    assert legend.of_value == {0: 0, 1: 1, 2: 2}


def test_a_map_without_boundaries_is_no_map_of_fields() -> None:
    with pytest.raises(RequestError, match=r"map\.tif has no class for boundary"):
        field_legend(classes(background=0, field=1), numbered(1), None, "map.tif")

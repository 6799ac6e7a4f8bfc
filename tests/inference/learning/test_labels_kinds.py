"""Label fields of every kind that a GeoPackage has: Booleans, dates, codes and numbers, with and without NULL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely
from fusion_mapper.inference.learning.labels import survey_classes
from fusion_mapper.inference.learnjob import Labels
from labelled import known, pixels

PLACES = (pixels(2, 2, 4, 4), pixels(12, 2, 4, 4), pixels(22, 2, 4, 4))


def drawn(folder: Path, values: np.ndarray, nothing: int | None = None) -> Labels:
    """Three polygons with a field `kind`, of which one may be NULL."""
    masks = [np.arange(len(PLACES)) == (-1 if nothing is None else nothing)]
    pyogrio.raw.write(
        folder / "drawn.gpkg", shapely.to_wkb(np.array(PLACES)), [values], ["kind"], field_mask=masks,
        layer="drawn", driver="GPKG", geometry_type="Polygon", crs="EPSG:32633",
    )  # fmt: skip
    return Labels("drawn.gpkg", field="kind")


def found(folder: Path, labels: Labels) -> dict[str, tuple[int, int]]:
    """Value and labelled pixels by class name, as the labels themselves have them."""
    classes = survey_classes([labels], "semantic-segmentation", (), folder)
    truth = known(labels, folder, classes=classes)
    return {info.name: (info.value, truth.pixels[info.name]) for info in classes}


@pytest.mark.parametrize(("nothing", "pixels_of_true"), [(None, 32), (2, 16)])
def test_booleans_are_two_names_though_a_null_is_among_them(tmp_path: Path, nothing, pixels_of_true: int) -> None:
    labels = drawn(tmp_path, np.array([False, True, True]), nothing)
    assert found(tmp_path, labels) == {"False": (1, 16), "True": (2, pixels_of_true)}


def test_whole_numbers_are_values_though_a_null_made_them_floats(tmp_path: Path) -> None:
    assert found(tmp_path, drawn(tmp_path, np.array([3, 7, 9]), 2)) == {"3": (3, 16), "7": (7, 16)}


def test_numbers_that_no_class_raster_holds_are_names(tmp_path: Path) -> None:
    assert found(tmp_path, drawn(tmp_path, np.array([2**33, 7, 7]))) == {"7": (1, 32), "8589934592": (2, 16)}


def test_codes_with_leading_zeros_are_names_of_their_own(tmp_path: Path) -> None:
    classes = found(tmp_path, drawn(tmp_path, np.array(["01", "1", "2"], object)))
    assert {name: count for name, (_, count) in classes.items()} == {"01": 16, "1": 16, "2": 16}
    assert sorted(value for value, _ in classes.values()) == [1, 2, 3]


def test_dates_are_classes_too(tmp_path: Path) -> None:
    days = np.array(["2020-01-01", "2021-06-01", "2020-01-01"], "datetime64[D]")
    assert found(tmp_path, drawn(tmp_path, days)) == {"2020-01-01": (1, 32), "2021-06-01": (2, 16)}


def test_a_boolean_may_be_learned_as_a_number(tmp_path: Path) -> None:
    truth = known(drawn(tmp_path, np.array([False, True, True]), 2), tmp_path, "pixel-regression", ())
    assert truth.pixels == {"all": 32}
    assert np.unique(truth.values[np.isfinite(truth.values)]).tolist() == [0, 1]

"""The table of a comparison grows by whole rows and outlives being cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.learning.comparison_plot import draw, series_of
from fusion_mapper.inference.learning.comparison_table import Table


def row(seed: int, strategy: str = "stack", **more: str) -> dict[str, str]:
    facts = {"strategy": strategy, "fraction": "0.1", "seed": str(seed), "where": "in place", "place": "here"}
    return {**facts, "metric": "mIoU", "score": f"0.{seed}", **more}


def test_rows_stay_and_further_columns_join(tmp_path: Path) -> None:
    table = Table(tmp_path / "comparison.csv")
    table.add([row(1)])
    table.add([row(2, iou_water="0.5")])
    assert [one["seed"] for one in table.rows()] == ["1", "2"]
    assert [one["iou_water"] for one in table.rows()] == ["", "0.5"]
    assert table.holds({"seed": "2", "strategy": "stack"}, 1)
    assert not table.holds({"seed": "2", "strategy": "stack"}, 2)


def test_a_row_that_was_cut_off_is_none(tmp_path: Path) -> None:
    table = Table(tmp_path / "comparison.csv")
    table.add([row(1)])
    with table.path.open("a") as file:
        file.write("stack,0.1,2,in pl")
    assert len(table.rows()) == 1
    table.add([row(3)])
    assert [one["seed"] for one in table.rows()] == ["1", "3"]


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "comparison.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RequestError, match="no table of a comparison"):
        Table(path).add([row(1)])
    assert path.read_text() == "a,b\n1,2\n"


def test_the_plot_gathers_seeds_by_place_strategy_and_fraction(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the engine's matplotlib")
    rows = [row(1), row(3), row(2, "imagery"), {**row(5), "where": "unseen", "place": "there"}, {**row(6), "score": ""}]
    series = series_of(rows)
    assert series["in place", "here"]["stack"] == {0.1: [0.1, 0.3]}
    assert series["unseen", "there"]["stack"] == {0.1: [0.5]}
    draw(rows, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")

"""Where the area lies: no tile inside it is overlooked, and a lattice is laid for what has to be computed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from fusion_mapper.inference.area import AreaMask
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import Area, Compute
from fusion_mapper.inference.lattice import make_lattice
from fusion_mapper.inference.occupancy import occupancy
from fusion_mapper.models.card import Card, Channel, ClassInfo, Output, Slot

GRID = Grid("EPSG:32634", Affine(1, 0, 500_000, 0, -1, 6_000_000), 3_000, 2_200)
UNET = Card(
    "m",
    (Slot("imagery", "imagery", (Channel("red"),), "x"),),
    (Output("y", "semantic-segmentation", (ClassInfo(1, "water"),)),),
    receptive_radius=51,
    stride=8,
)


def area_of(folder: Path, *windows: Window) -> AreaMask:
    boxes = [GRID.window_bounds(window) for window in windows]
    features = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]},
        }
        for w, s, e, n in boxes
    ]
    name = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32634"}}
    path = folder / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": name, "features": features}))
    return AreaMask(Area(str(path)), folder, print)


@pytest.mark.parametrize("step", [64, 150, 410, 922, 5_000])
def test_squares_with_a_part_of_the_area_are_all_found_and_few_others(step: int, tmp_path: Path) -> None:
    area = area_of(tmp_path, Window(10, 20, 333, 500), Window(2_100, 2_990, 100, 10), Window(1_000, 1_500, 1, 1))
    found = occupancy(area, GRID).squares(step)
    mask = area.read(GRID, GRID.whole)
    corners = [(row, col) for row in range(0, GRID.height, step) for col in range(0, GRID.width, step)]
    truth = np.array([mask[r : r + step, c : c + step].any() for r, c in corners]).reshape(found.shape)
    assert found[truth].all(), "a square with a part of the area was overlooked"
    near = occupancy(area_of(tmp_path, Window(7, 17, 339, 506), Window(2_097, 2_987, 103, 13)), GRID).squares(step)
    assert not (found & ~truth & ~near).sum() > 4, "only squares beside the area may be counted too"


def test_a_lattice_is_laid_for_the_area_alone(tmp_path: Path) -> None:
    shape = GRID.height, GRID.width
    held = occupancy(area_of(tmp_path, Window(0, 0, 300, 300), Window(1_900, 2_700, 300, 300)), GRID)
    chosen = make_lattice(UNET, Compute(), shape, held.count)
    everywhere = make_lattice(UNET, Compute(), shape)

    def computed(size: int, step: int) -> int:
        return held.count(step) * size**2

    assert computed(chosen.size, chosen.step) < computed(everywhere.size, everywhere.step)

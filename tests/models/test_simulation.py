"""A simulated landscape is the same for the same seed, hangs together, and looks different elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from fusion_mapper.models.simulation.burn import burn
from fusion_mapper.models.simulation.cover import BOUNDARY, FIELD, IMPERVIOUS, RIVER, WATER
from fusion_mapper.models.simulation.frame import Frame
from fusion_mapper.models.simulation.hydrology import drain
from fusion_mapper.models.simulation.noise import fractal, stream
from fusion_mapper.models.simulation.scene import Landscape, simulate

SIZE = 768


@pytest.fixture(scope="module")
def town() -> Landscape:
    return simulate(SIZE, 1.5, region_index=3, seed=5)


@pytest.fixture(scope="module")
def country() -> Landscape:
    return simulate(SIZE, 10.0, region_index=3, seed=5)


def test_equal_seeds_give_equal_landscapes(country: Landscape) -> None:
    again = simulate(SIZE, 10.0, region_index=3, seed=5)
    assert np.array_equal(again.cover.classes, country.cover.classes)
    assert np.array_equal(again.satellite(1), country.satellite(1))
    assert all(shapely.equals_exact(a.geometry, b.geometry).all() for a, b in zip(again.osm, country.osm, strict=True))


def test_another_seed_gives_another_place(country: Landscape) -> None:
    other = simulate(SIZE, 10.0, region_index=3, seed=6)
    assert (other.cover.classes != country.cover.classes).mean() > 0.2


def test_regions_differ_in_colour_for_the_same_ground() -> None:
    meadows = []
    for region in (0, 2):
        scene = simulate(256, 10.0, region, seed=1)
        meadows.append(scene.satellite(0)[:, scene.cover.fields == FIELD].mean(axis=1))
    assert np.abs(meadows[0] / meadows[1] - 1).max() > 0.1


def test_all_five_classes_lie_in_the_scene(town: Landscape) -> None:
    share = np.bincount(town.cover.classes.ravel(), minlength=6) / town.cover.classes.size
    assert share[0] == 0
    assert (share[1:] > 0.005).all()


def test_aerial_picture_is_eight_bit_and_neither_black_nor_burnt_out(town: Landscape) -> None:
    picture = town.aerial()
    assert picture.dtype == np.uint8
    assert picture.shape == (4, SIZE, SIZE)
    assert 40 < np.median(picture) < 180
    assert (picture == 255).mean() < 0.02


def test_no_colour_alone_tells_impervious_from_barren_ground(town: Landscape) -> None:
    """A nearest-colour rule that knows every class's mean colour still confuses them; layers have to help."""
    picture = town.aerial()[:3].reshape(3, -1).T.astype(float)
    classes = town.cover.classes.ravel()
    pair = np.isin(classes, (2, 3))
    means = np.stack([picture[classes == c].mean(axis=0) for c in (2, 3)])
    nearest = np.argmin(((picture[pair, None] - means) ** 2).sum(axis=2), axis=1) + 2
    recall = [(nearest == c)[classes[pair] == c].mean() for c in (2, 3)]
    assert np.mean(recall) < 0.9


def test_fields_are_of_a_few_hectares_and_have_boundaries(country: Landscape) -> None:
    fields = country.cover.fields
    assert (fields == FIELD).mean() > 0.15
    hectares = np.bincount(country.parcels.number[country.parcels.farmed])[1:] * 0.01
    hectares = hectares[hectares > 0]
    assert 1 < np.median(hectares) < 8
    boundary = fields == BOUNDARY
    inside = fields == FIELD
    numbers = country.parcels.number
    touching = (numbers[:, 1:] != numbers[:, :-1]) & inside[:, 1:] & inside[:, :-1]
    assert boundary.any()
    assert not touching.any(), "two fields touch without a boundary between them"


def test_crop_calendars_differ_between_parcels(country: Landscape) -> None:
    """Some fields green up from the early to the late date while others are harvested."""

    def greenness(date: int) -> np.ndarray:
        red, _, _, nir = country.satellite(date).astype(float)
        return (nir - red) / (nir + red)

    change = (greenness(1) - greenness(0))[country.cover.fields == FIELD]
    assert (change > 0.2).mean() > 0.1
    assert (change < -0.2).mean() > 0.1


def test_roads_bridge_rivers_and_houses_stand_in_neither(town: Landscape) -> None:
    frame = town.frame
    carriageways = burn(frame, [r.line.buffer(r.width / 2) for r in town.roads if r.paved]) > 0
    assert (town.cover.classes[carriageways] == IMPERVIOUS).mean() > 0.95
    houses = burn(frame, town.buildings.outlines) > 0
    assert not (houses & carriageways).any()
    assert not (town.cover.classes[houses] == WATER).any()


def test_wide_roads_are_wider_than_paths(town: Landscape) -> None:
    widths = {road.highway: road.width for road in town.roads}
    assert widths["motorway"] > widths["residential"] > widths["path"]


def test_water_flows_downhill_to_the_edge() -> None:
    height = fractal(stream(1, "test"), (80, 90), 40)
    flow = drain(height)
    downhill = flow.receiver >= 0
    assert (flow.filled[downhill] > flow.filled[flow.receiver[downhill]]).all()
    assert flow.area[~downhill].sum() == height.size
    rows, columns = np.divmod(np.flatnonzero(~downhill), 90)
    assert ((rows == 0) | (rows == 79) | (columns == 0) | (columns == 89)).all()


def test_lakes_are_level(country: Landscape) -> None:
    lake = country.terrain.lake
    for level in np.unique(np.round(country.terrain.coarse[lake])):
        heights = country.terrain.coarse[lake & (np.round(country.terrain.coarse) == level)]
        assert np.ptp(heights) < 1.0
    assert (country.cover.material == RIVER).any()


def test_noise_has_the_wavelength_it_was_asked_for() -> None:
    """Half a wavelength apart values still agree; two wavelengths apart they do not."""
    field = fractal(stream(2, "noise"), (512, 512), wavelength=64, octaves=1)

    def agreement(lag: int) -> float:
        return float(np.corrcoef(field[:, :-lag].ravel(), field[:, lag:].ravel())[0, 1])

    assert agreement(8) > 0.9
    assert abs(agreement(128)) < 0.3


def test_coarse_and_scene_coordinates_are_inverse() -> None:
    frame = Frame(1000, 2.0)
    metres = np.array([0.0, 1.0, 777.0, 2000.0])
    assert np.allclose(frame.to_scene(frame.to_coarse(metres)), metres)

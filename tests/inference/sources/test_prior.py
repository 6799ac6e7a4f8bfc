"""PROC-STACK's prior by windows equals the same computed at once over whole arrays."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.inference.grid import Window
from fusion_mapper.inference.job import Source, VectorLayer
from fusion_mapper.inference.sources import open_source
from fusion_mapper.inference.sources.prior import estimate_cooccurrence
from fusion_mapper.models.card import Channel, PriorAddition, PriorRecipe, Slot
from osm_sources import Run, recipe, square_grid
from pyproj import Transformer
from scipy import ndimage

GRID = square_grid("EPSG:32734", 447_000, 6_236_000, 5.0, 500)
LABELS = ("water", "impervious", "barren", "tree", "grass")
MATRIX = ((0.9, 0.02, 0.03, 0.03, 0.02), (0.05, 0.5, 0.15, 0.1, 0.2), (0.01, 0.04, 0.15, 0.4, 0.4))
RECIPE = PriorRecipe((11, 24, 42), MATRIX, 60.0)
WITH_ROADS = PriorRecipe(
    (11, 24, 42),
    MATRIX,
    60.0,
    (
        PriorAddition(1, recipe("highway", dilate=3, soften=9)),
        PriorAddition(1, recipe("building", soften=9)),
        PriorAddition(0, recipe("waterway", all_touched=True, soften=5)),
    ),
)


def slot_of(prior):
    return Slot("prior", "prior", tuple(Channel(name) for name in LABELS), "x", prior=prior)


@pytest.fixture
def coarse(tmp_path):
    """A class raster of 30 m in another CRS: patches of three classes, one unlisted, and a corner of nodata."""
    rng = np.random.default_rng(5)
    blobs = ndimage.gaussian_filter(rng.normal(size=(140, 170)), 6)
    values = np.digitize(blobs, np.quantile(blobs, [0.3, 0.6, 0.95]))
    classes = np.array([11, 24, 42, 99], np.uint8)[values]
    classes[:95, :60] = 255
    profile = {"driver": "GTiff", "width": 170, "height": 140, "count": 1, "dtype": "uint8", "nodata": 255}
    transform = rasterio.transform.from_origin(20.42, -34.0, 0.0003, 0.0003)
    with rasterio.open(tmp_path / "nlcd.tif", "w", crs="EPSG:4326", transform=transform, **profile) as raster:
        raster.write(classes, 1)
        raster.write_colormap(1, {11: (0, 0, 255, 255), 24: (255, 0, 0, 255)})
    return tmp_path / "nlcd.tif"


def on_grid(path, window):
    """The class in which each pixel centre of a window lies, 255 beyond the raster."""
    lon, lat = Transformer.from_crs(GRID.crs, "EPSG:4326", always_xy=True).transform(*GRID.pixel_centres(window))
    with rasterio.open(path) as raster:
        classes = np.pad(raster.read(1), 1, constant_values=255)
        left, top = raster.bounds.left, raster.bounds.top
    row = np.floor((top - lat) / 0.0003).astype(int)
    col = np.floor((lon - left) / 0.0003).astype(int)
    return classes[np.clip(row, -1, 140) + 1, np.clip(col, -1, 170) + 1]


def straightforward(classes, sigma):
    """Step by step as the paper's code does it: one-hot, blur, multiply, normalise."""
    shares = np.zeros((5, *classes.shape))
    for value, row in zip((11, 24, 42), MATRIX, strict=True):
        onehot = (classes == value).astype(float)
        blurred = ndimage.gaussian_filter(onehot, sigma, truncate=4.0, mode="constant")
        shares += np.array(row)[:, None, None] * blurred
    return shares / np.maximum(shares.sum(axis=0), 1e-9)


def open_prior_of(run, prior, path, *layers, **spec):
    return open_source(slot_of(prior), Source(path=path.name, layers=layers, **spec), GRID, run.context)


def test_the_prior_equals_the_whole_array_computation(tmp_path, coarse):
    wide = GRID.whole.grown(60)
    sigma = (60 / GRID.gsd[1], 60 / GRID.gsd[0])
    expected = straightforward(on_grid(coarse, wide), sigma)[(slice(None), *GRID.whole.within(wide))]
    patch = open_prior_of(Run(tmp_path), RECIPE, coarse).read(GRID.whole)
    valid = on_grid(coarse, GRID.whole) != 255
    assert 0.5 < valid.mean() < 1
    np.testing.assert_array_equal(patch.valid, valid)
    np.testing.assert_allclose(patch.data[:, valid], expected[:, valid], atol=1e-5)
    np.testing.assert_allclose(patch.data.sum(axis=0), 1, atol=1e-6)


def test_openstreetmap_is_added_to_its_labels(shared_data, tmp_path, coarse):
    town = shared_data / "swellendam"
    layers = [VectorLayer(str(town / "training_data.gpkg"), name) for name in ("roads", "buildings")]
    layers.append(VectorLayer(str(town / "rivers.shp")))
    run = Run(tmp_path)
    source = open_prior_of(run, WITH_ROADS, coarse, *layers, unreadable="skip")
    plain = open_prior_of(run, RECIPE, coarse).read(GRID.whole).data
    with_osm = source.read(GRID.whole).data
    roads, homes, rivers = source._additions.read(GRID.whole)
    assert min(roads.max(), homes.max(), rivers.max()) > 0.3
    expected = plain.astype(float)
    expected[0] += rivers
    expected[1] += roads + homes
    np.testing.assert_allclose(with_osm, expected / expected.sum(axis=0), atol=1e-6)
    assert "© OpenStreetMap contributors (ODbL)" in source.attribution


@pytest.mark.parametrize("side", [77, 230])
def test_windows_agree_with_the_whole(shared_data, tmp_path, coarse, side):
    town = shared_data / "swellendam" / "training_data.gpkg"
    layers = [VectorLayer(str(town), name) for name in ("roads", "buildings")]
    source = open_prior_of(Run(tmp_path), WITH_ROADS, coarse, *layers)
    whole = source.read(GRID.whole)
    for row in range(0, 500, side):
        window = Window(row, 500 - row - side, side, side).clipped(500, 500)
        patch = source.read(window)
        here = window.within(GRID.whole)
        np.testing.assert_allclose(patch.data, whole.data[(slice(None), *here)], atol=1e-6)
        np.testing.assert_array_equal(patch.valid, whole.valid[here])


def test_where_nothing_is_known_every_label_is_equally_likely(tmp_path, coarse):
    unlisted = PriorRecipe((77,), ((0.5, 0.5, 0, 0, 0),), 60.0)
    run = Run(tmp_path)
    patch = open_prior_of(run, unlisted, coarse).read(Window(200, 200, 50, 50))
    np.testing.assert_allclose(patch.data, 0.2)
    assert any("does not list" in sentence for sentence in run.said)


def test_a_prior_without_its_layers_says_so_and_one_without_raster_is_refused(tmp_path, coarse):
    run = Run(tmp_path)
    open_prior_of(run, WITH_ROADS, coarse)
    assert any("names no layers" in sentence for sentence in run.said)
    with pytest.raises(SourceError):
        open_source(slot_of(RECIPE), Source(), GRID, run.context)


def test_the_fingerprint_knows_raster_and_vectors(shared_data, tmp_path, coarse):
    town = VectorLayer(str(shared_data / "swellendam" / "training_data.gpkg"), "roads")
    run = Run(tmp_path)
    with_osm = open_prior_of(run, WITH_ROADS, coarse, town)
    bare = open_prior_of(run, RECIPE, coarse)
    assert with_osm.fingerprint() != bare.fingerprint()
    assert open_prior_of(Run(tmp_path), WITH_ROADS, coarse, town).fingerprint() == with_osm.fingerprint()


def test_cooccurrence_is_counted_from_pixels_with_known_values():
    labels = np.array([1, 1, 2, 2, 2, 9, 1])
    coarse = np.array([11, 11, 11, 24, 24, 24, 77])
    matrix = estimate_cooccurrence(labels, coarse, (1, 2), (11, 24, 42))
    np.testing.assert_allclose(matrix, [[2 / 3, 1 / 3], [0, 1], [0.5, 0.5]])
    with pytest.raises(SourceError, match="one grid"):
        estimate_cooccurrence(labels, coarse[:3], (1,), (11,))

"""Rasters come out as valid, deterministic, self-describing Cloud Optimized GeoTIFFs, or not at all."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from classmaps import NAMES, cut, landscape, utm
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.sinks.rasters import missing_spec, raster_spec, stack_spec, write_cog
from fusion_mapper.models.card import ClassInfo, Output


def write_raster(path, grid, product, output, blocks, tags):
    write_cog(path, grid, raster_spec(product, output), blocks, tags)


def test_classes_come_back_with_colours_names_and_overviews(tmp_path, land_cover):
    classes = landscape(1300, 1100, 200)
    classes[:40, :60] = 255
    write_raster(tmp_path / "map.tif", utm(1300, 1100), "classes", land_cover, cut(classes, 512), {"MODEL": "tiny"})
    with rasterio.open(tmp_path / "map.tif") as file:
        assert np.array_equal(file.read(1), classes)
        assert (file.dtypes, file.nodata, file.descriptions) == (("uint8",), 255, ("Land cover",))
        assert file.tags()["MODEL"] == "tiny"
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2, 4]
        assert file.block_shapes == [(512, 512)]
        assert file.colormap(1)[0][:3] == (0x1F, 0x78, 0xB4), "water is blue"
        assert file.colormap(1)[255][3] == 0
        assert set(np.unique(file.read(1, out_shape=(325, 275)))) <= set(np.unique(classes)), "no class is averaged"
    names = ElementTree.parse(tmp_path / "map.tif.aux.xml").findall(".//Category")
    assert [name.text for name in names] == list(NAMES)


def test_image_data_follow_all_directories_as_a_cog_wants(tmp_path, land_cover):
    write_raster(tmp_path / "map.tif", utm(1300, 1100), "classes", land_cover, cut(landscape(1300, 1100, 50), 512), {})
    directories, tiles = directories_and_tiles((tmp_path / "map.tif").read_bytes())
    assert len(directories) == 3
    assert max(directories) < min(min(offsets) for offsets in tiles)
    assert min(tiles[0]) > max(tiles[1]) > max(tiles[2]), "overviews come first, the coarsest at the front"


def directories_and_tiles(data: bytes) -> tuple[list[int], list[tuple[int, ...]]]:
    """Offsets of a little-endian classic TIFF's directories, and of each one's tiles."""
    assert data[:4] == b"II*\0"
    directories, tiles = [], []
    (here,) = struct.unpack_from("<I", data, 4)
    while here:
        directories.append(here)
        (count,) = struct.unpack_from("<H", data, here)
        for entry in range(here + 2, here + 2 + 12 * count, 12):
            tag, _, length, value = struct.unpack_from("<HHII", data, entry)
            if tag == 324:
                tiles.append(struct.unpack_from(f"<{length}I", data, value) if length > 1 else (value,))
        (here,) = struct.unpack_from("<I", data, here + 2 + 12 * count)
    return directories, tiles


@pytest.mark.parametrize("side", [300, 1024])
def test_equal_pixels_make_equal_bytes_however_they_are_cut(tmp_path, land_cover, side):
    classes = landscape(1300, 1100, 200)
    for name, size in (("one", 512), ("other", side)):
        (tmp_path / name).mkdir()
        write_raster(
            tmp_path / name / "map.tif", utm(1300, 1100), "classes", land_cover, cut(classes, size), {"A": "b"}
        )
    for file in ("map.tif", "map.tif.aux.xml"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_a_thousand_classes_need_sixteen_bits(tmp_path):
    output = Output("species", "semantic-segmentation", classes=tuple(ClassInfo(i, f"c{i}") for i in range(1000)))
    values = np.arange(600 * 700, dtype=np.uint16).reshape(600, 700) % 1000
    values[0, 0] = 65535
    write_raster(tmp_path / "map.tif", utm(600, 700), "classes", output, cut(values, 256), {})
    with rasterio.open(tmp_path / "map.tif") as file:
        assert np.array_equal(file.read(1), values)
        assert (file.dtypes, file.nodata) == (("uint16",), 65535)


def test_probabilities_are_named_by_class(tmp_path, land_cover):
    values = np.random.default_rng(0).random((5, 600, 700), dtype=np.float32)
    write_raster(tmp_path / "p.tif", utm(600, 700), "probabilities", land_cover, cut(values, 256), {})
    with rasterio.open(tmp_path / "p.tif") as file:
        assert file.descriptions == NAMES
        assert np.array_equal(file.read(), values)
    assert not (tmp_path / "p.tif.aux.xml").exists()


def test_regression_keeps_values_that_bytes_would_wrap(tmp_path):
    output = Output("height", "pixel-regression", units="m", nodata=-1.0)
    values = np.full((520, 530), 0.37, np.float32)
    values[0, :3] = 300, -5, -1
    write_raster(tmp_path / "h.tif", utm(520, 530), "regression", output, cut(values, 256), {})
    with rasterio.open(tmp_path / "h.tif") as file:
        assert np.array_equal(file.read(1), values)
        assert (file.units, file.nodata) == (("m",), -1)
        assert file.read(1, masked=True).mask.sum() == 1


def test_pixels_that_no_block_covers_are_nodata(tmp_path):
    first_only = cut(np.ones((2, 600, 600), np.float32), 512)[:1]
    write_cog(tmp_path / "stack.tif", utm(600, 600), stack_spec(["imagery red", "dem slope"]), first_only, {})
    with rasterio.open(tmp_path / "stack.tif") as file:
        assert (file.dataset_mask() == 0).sum() == 600 * 600 - 512 * 512
        assert file.descriptions == ("imagery red", "dem slope")


def test_the_map_of_missing_layers_has_a_band_for_each_slot(tmp_path):
    values = np.zeros((2, 60, 70), np.uint8)
    values[1, :30] = 1
    write_cog(tmp_path / "missing.tif", utm(60, 70), missing_spec(["osm", "dem"]), cut(values, 64), {})
    with rasterio.open(tmp_path / "missing.tif") as file:
        assert file.descriptions == ("osm", "dem")
        assert np.array_equal(file.read(), values)


def test_notes_about_an_older_file_of_the_name_go(tmp_path, land_cover):
    classes = cut(landscape(60, 70, 5), 64)
    write_raster(tmp_path / "map.tif", utm(60, 70), "classes", land_cover, classes, {})
    certain = [(window, np.ones(values.shape, np.float32)) for window, values in classes]
    write_raster(tmp_path / "map.tif", utm(60, 70), "confidence", land_cover, certain, {})
    assert [file.name for file in tmp_path.iterdir()] == ["map.tif"]


def test_a_failing_run_leaves_the_older_product_alone(tmp_path, land_cover):
    def stopping():
        yield cut(landscape(600, 600, 5), 512)[0]
        raise KeyboardInterrupt

    (tmp_path / "map.tif").write_text("older")
    with pytest.raises(KeyboardInterrupt):
        write_raster(tmp_path / "map.tif", utm(600, 600), "classes", land_cover, stopping(), {})
    assert [file.name for file in tmp_path.iterdir()] == ["map.tif"]
    assert (tmp_path / "map.tif").read_text() == "older"


def test_what_a_killed_run_left_does_not_disturb(tmp_path, land_cover):
    remains = tmp_path / ".map.tif.partial"
    remains.mkdir()
    (remains / "draft.tif").write_bytes(b"II*\0half")
    write_raster(tmp_path / "map.tif", utm(60, 70), "classes", land_cover, cut(landscape(60, 70, 5), 64), {})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["map.tif", "map.tif.aux.xml"]


def test_a_folder_that_is_a_file_is_told_in_one_sentence(tmp_path, land_cover):
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(RequestError, match=r"map\.tif cannot be written: .*\.$"):
        write_raster(tmp_path / "out" / "map.tif", utm(60, 70), "classes", land_cover, [], {})


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, small_disk):
    noise = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    output = Output("height", "pixel-regression")
    with pytest.raises(RequestError, match="disk is full"):
        write_raster(small_disk / "h.tif", utm(1024, 1024), "regression", output, cut(noise, 512), {})
    assert list(small_disk.iterdir()) == []
    assert shutil.disk_usage(small_disk).free > 2**20, "what was written has been given back"


def test_a_class_may_have_the_value_255(tmp_path, land_cover):
    output = replace(land_cover, classes=(*land_cover.classes, ClassInfo(255, "snow")))
    values = np.array([[0, 255], [4, 65535]], np.uint16)
    write_raster(tmp_path / "map.tif", utm(2, 2), "classes", output, cut(values, 64), {})
    with rasterio.open(tmp_path / "map.tif") as file:
        assert np.array_equal(file.read(1), values)
        assert file.dataset_mask().tolist() == [[255, 255], [255, 0]]

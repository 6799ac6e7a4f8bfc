"""The algorithms under ``qgis_process``, which has no window and calls `initProcessing` only."""

from __future__ import annotations

import pytest
from qgis.core import QgsRasterLayer
from qgis_command import qgis_command

TOWN = "20.5220,20.5245,-34.0490,-34.0470 [EPSG:4326]"


@pytest.fixture(scope="module")
def qgis_process(repository_root, tmp_path_factory):
    """Calls qgis_process with the plugin enabled, in a profile of its own."""
    return qgis_command(repository_root, tmp_path_factory.mktemp("profile"))


def test_a_map_is_made(qgis_process, models, shared_data, tmp_path):
    folder = shared_data / "swellendam"
    path = tmp_path / "classes.tif"
    done = qgis_process(
        "run",
        "fusion_mapper:map",
        f"--MODEL={models / 'tiny-landcover.onnx'}",
        f"--IMAGERY={folder / '3420B_2010_328_RGB_LATLNG.tif'}",
        f"--OSM={folder / 'training_data.gpkg'}|layername=roads",
        f"--OSM={folder / 'rivers.shp'}",
        f"--DEM={folder / 'srtm_41_19.tif'}",
        f"--EXTENT={TOWN}",
        f"--CLASSES={path}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"CLASSES:\t{path}" in done.stdout
    assert QgsRasterLayer(str(path)).isValid()


def test_a_rejected_parameter_is_exit_code_one_and_a_sentence(qgis_process, models, shared_data, tmp_path):
    done = qgis_process(
        "run",
        "fusion_mapper:map",
        f"--MODEL={models / 'tiny-landcover.onnx'}",
        f"--DEM={shared_data / 'swellendam' / 'srtm_41_19.tif'}",
        f"--CLASSES={tmp_path / 'classes.tif'}",
    )
    assert done.returncode == 1
    assert "needs imagery for its slot 'imagery'; choose it under IMAGERY" in done.stdout + done.stderr

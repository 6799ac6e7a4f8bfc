"""``fusion_mapper:map`` from real layers to loaded, styled results, through the real engine."""

from __future__ import annotations

import pytest
from qgis import processing
from qgis.core import QgsProcessingException, QgsRasterLayer

TOWN = "20.4400,20.4420,-34.0235,-34.0220 [EPSG:4326]"


@pytest.fixture
def landcover(models, swellendam):
    """Parameters of a small land-cover run."""
    return {
        "MODEL": str(models / "tiny-landcover.onnx"),
        "IMAGERY": [swellendam["aerial"]],
        "OSM": [swellendam["roads"], swellendam["buildings"]],
        "DEM": swellendam["srtm"],
        "EXTENT": TOWN,
    }


def test_a_class_map_of_real_layers(provider, landcover, context, ears, tmp_path):
    path = tmp_path / "classes.tif"
    results = processing.run("fusion_mapper:map", {**landcover, "CLASSES": str(path)}, context=context, feedback=ears)
    assert results["CLASSES"] == str(path)
    layer = QgsRasterLayer(str(path))
    assert layer.isValid() and layer.crs().authid() == "EPSG:4326"
    print(ears.said, ears.warned)

"""A run's parameters survive as JSON, and no secret among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.toolbox.runs.kept_values import decode_parameters, encode_parameters, layers_in, moved
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsPointXY,
    QgsProcessingFeatureSourceDefinition,
    QgsProperty,
    QgsRectangle,
    QgsReferencedRectangle,
    QgsVectorLayer,
)


def through_json(parameters: dict) -> dict:
    return decode_parameters(json.loads(json.dumps(encode_parameters(parameters), allow_nan=False)))


def test_plain_values_stay_as_they_are(qgis_app):
    plain = {"MODEL": "/m.onnx", "IMAGERY": ["a", "b"], "DEM": None, "MINIMUM_AREA": 2.5, "TILE": 512, "KEEP": True}
    assert through_json(plain) == plain


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32733"])
def test_an_extent_keeps_its_numbers_and_its_crs(qgis_app, crs):
    box = QgsReferencedRectangle(QgsRectangle(20.51, -34.03, 20.52, 1 / 3), QgsCoordinateReferenceSystem(crs))
    kept = through_json({"EXTENT": box})["EXTENT"]
    assert (kept.xMinimum(), kept.yMinimum(), kept.xMaximum(), kept.yMaximum()) == (20.51, -34.03, 20.52, 1 / 3)
    assert kept.crs() == box.crs()


def test_a_crs_that_only_this_profile_numbers_is_kept_as_wkt(qgis_app):
    crs = QgsCoordinateReferenceSystem.fromProj("+proj=aea +lat_1=29 +lat_2=45 +lon_0=-96 +datum=WGS84 +units=m")
    crs.saveAsUserCrs("test")
    kept = encode_parameters({"CRS": crs})
    assert "USER:" not in json.dumps(kept)
    degrees = QgsCoordinateReferenceSystem("EPSG:4326")
    places = [
        QgsCoordinateTransform(degrees, one, QgsCoordinateTransformContext()).transform(QgsPointXY(-90, 40))
        for one in (crs, decode_parameters(kept)["CRS"])
    ]
    assert places[0].distance(places[1]) < 1e-6


def test_selected_features_of_a_layer_are_kept_as_such(qgis_app):
    kept = through_json({"AREA": QgsProcessingFeatureSourceDefinition("farms_1", True)})["AREA"]
    assert (kept.source.staticValue(), kept.selectedFeaturesOnly) == ("farms_1", True)


@pytest.mark.parametrize(
    "secret",
    [
        "dbname='gis' user='a' password='hunter2' table=\"x\"",
        "https://a:b@maps.example.org/wms",
        "url=https://maps.example.org/?token=abc",
        "authcfg=x1y2z3a",
    ],
)
def test_a_secret_is_refused(qgis_app, secret):
    for value in (secret, [secret], QgsProperty.fromValue(secret), QgsProcessingFeatureSourceDefinition(secret)):
        with pytest.raises(RequestError, match="AREA") as told:
            encode_parameters({"AREA": value})
        assert "hunter2" not in str(told.value)


def test_what_has_no_json_is_refused_by_name(qgis_app):
    with pytest.raises(RequestError, match="IMAGERY is a QgsVectorLayer"):
        encode_parameters({"IMAGERY": QgsVectorLayer("Point", "p", "memory")})


@pytest.mark.parametrize(
    "hostile",
    [
        {"qgis": "os.system", "x": 1},
        {"qgis": "QgsReferencedRectangle", "bounds": [1, 2], "crs": "EPSG:4326"},
        {"qgis": "QgsReferencedRectangle", "bounds": ["a", 2, 3, 4], "crs": None},
        {"qgis": "QgsReferencedRectangle", "bounds": [10**400, 2, 3, 4], "crs": "EPSG:4326"},
        {"qgis": ["QgsProperty"]},
        {},
    ],
)
def test_a_hostile_value_is_told_by_its_name(qgis_app, hostile):
    with pytest.raises(RequestError, match="EXTENT"):
        decode_parameters({"EXTENT": hostile})


def test_the_layers_of_a_run_are_found_by_their_ids(project, swellendam):
    aerial, roads, srtm, farms = (swellendam[name] for name in ("aerial", "roads", "srtm", "farms"))
    parameters = {
        "MODEL": "landcover",
        "IMAGERY": [aerial.id()],
        "OSM": [roads.id()],
        "DEM": None,
        "AREA": QgsProcessingFeatureSourceDefinition(farms.id(), True),
        "SLOTS": f"dem={srtm.id()}:1",
    }
    assert layers_in(parameters, project) == {
        aerial.id(): "3420B",
        roads.id(): "roads",
        farms.id(): "farms",
        srtm.id(): "srtm",
    }


def test_moved_products_keep_their_names(tmp_path):
    old = {"CLASSES": str(tmp_path / "a" / "classes.tif"), "POLYGONS": "TEMPORARY_OUTPUT", "MODEL": "/m.onnx"}
    new = moved({**old, "FOLDER": str(tmp_path / "a")}, tmp_path / "b")
    assert new == {**old, "CLASSES": str(Path(tmp_path / "b" / "classes.tif")), "FOLDER": str(tmp_path / "b")}

"""QGIS layers of every kind of provider as the engine's sources."""

from __future__ import annotations

import shutil

import pytest
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.layers.attribution import set_attribution
from fusion_mapper.toolbox.layers.sources import carries_secret, describe
from fusion_mapper.toolbox.models import choose_model
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsLayerMetadata,
    QgsPointXY,
    QgsRasterLayer,
    QgsRasterRange,
    QgsVectorLayer,
)


def memory_points(*points: tuple[float, float], crs: str = "EPSG:4326") -> QgsVectorLayer:
    layer = QgsVectorLayer(f"Point?crs={crs}&field=highway:string", "points", "memory")
    for x, y in points:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(x, y)))
        feature.setAttributes(["stop"])
        layer.dataProvider().addFeature(feature)
    return layer


def test_a_raster_file_is_given_as_it_is(swellendam):
    aerial = describe(swellendam["aerial"])
    assert aerial.path == swellendam["aerial"].source()
    assert aerial.staging is None
    assert [band.color for band in aerial.bands] == ["red", "green", "blue", "alpha"]
    assert [band.number for band in aerial.colour_bands] == [1, 2, 3]
    assert aerial.size == (1098, 3039)


def test_band_names_are_the_files_own(shared_data, qgis_app):
    layer = QgsRasterLayer(str(shared_data / "amazon_s2" / "sen2.tif"), "sen2")
    names = [band.name for band in describe(layer).bands]
    assert names == ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"]


def test_a_nodata_value_that_the_user_set_goes_along(swellendam):
    layer = swellendam["srtm"].clone()
    layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(0, 0)])
    assert describe(layer).nodata == 0.0
    assert describe(swellendam["srtm"]).nodata is None


def test_switching_off_the_files_nodata_goes_along(shared_data, qgis_app):
    layer = QgsRasterLayer(str(shared_data / "loon_lake" / "landsat.tif"), "landsat")
    assert layer.dataProvider().sourceHasNoDataValue(1)
    assert not describe(layer).ignore_mask
    layer.dataProvider().setUseSourceNoDataValue(1, False)
    assert describe(layer).ignore_mask


def test_a_vector_file_with_layer_name_and_filter(swellendam):
    roads = swellendam["roads"]
    roads.setSubsetString("\"highway\" = 'residential'")
    layer = describe(roads).as_layer()
    assert layer.path.endswith("training_data.gpkg")
    assert (layer.layer, layer.where) == ("roads", "\"highway\" = 'residential'")


def test_a_layer_chosen_by_number_is_given_by_name(shared_data, qgis_app):
    path = shared_data / "swellendam" / "training_data.gpkg"
    by_number = QgsVectorLayer(f"{path}|layerid=1", "x", "ogr")
    assert describe(by_number).layer == "restaurants"


def test_a_zipped_file_is_given_as_it_is(shared_data, tmp_path, qgis_app):
    folder = tmp_path / "rivers"
    folder.mkdir()
    for part in (shared_data / "swellendam").glob("rivers.*"):
        shutil.copy(part, folder)
    archive = shutil.make_archive(str(tmp_path / "rivers"), "zip", folder)
    layer = QgsVectorLayer(f"/vsizip/{archive}/rivers.shp", "rivers", "ogr")
    assert layer.isValid()
    assert describe(layer).path == f"/vsizip/{archive}/rivers.shp"


def test_what_only_qgis_knows_has_to_be_staged(swellendam, farms_to_edit):
    memory = memory_points((20.44, -34.02))
    virtual = QgsVectorLayer("?query=select * from roads limit 3", "virtual", "virtual")
    assert virtual.isValid()
    edited = farms_to_edit.clone()
    assert edited.startEditing()
    edited.deleteFeature(next(edited.getFeatures()).id())
    moved = swellendam["rivers"].clone()
    moved.setCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    for layer in (memory, virtual, edited, moved):
        assert describe(layer).path is None
        assert describe(layer).staging is not None


def test_a_layer_that_is_not_staged_never_becomes_a_job(qgis_app):
    with pytest.raises(SourceError, match="has to be staged"):
        describe(memory_points((0, 0))).as_layer()


def test_a_broken_layer_is_refused_by_name(qgis_app):
    with pytest.raises(SourceError, match="'gone'"):
        describe(QgsRasterLayer("/nowhere/gone.tif", "gone"))


def test_a_layer_without_a_crs_is_refused_by_name(swellendam):
    for name in ("aerial", "roads"):
        layer = swellendam[name].clone()
        layer.setCrs(QgsCoordinateReferenceSystem())
        with pytest.raises(SourceError, match=f"'{layer.name()}' has no CRS"):
            describe(layer)


def test_a_table_without_geometries_is_refused_by_name(qgis_app):
    with pytest.raises(SourceError, match="'shops' is a table"):
        describe(QgsVectorLayer("NoGeometry?field=shop:string", "shops", "memory"))


def test_a_path_from_the_current_folder_is_one_from_any_folder(shared_data, qgis_app, tmp_path, monkeypatch):
    """The engine runs in another folder than QGIS and its scripts."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(shared_data / "swellendam" / "srtm_41_19.tif", "höhe.tif")
    shutil.copy(shared_data / "swellendam" / "training_data.gpkg", "osm ж.gpkg")
    shutil.copy(STARTERS / "landcover-rgb-1m.onnx", "modell.onnx")
    elevation = QgsRasterLayer("höhe.tif", "dem")
    assert describe(elevation).path == str(tmp_path / "höhe.tif")
    elevation.setCrs(QgsCoordinateReferenceSystem("EPSG:32734"))
    assert describe(elevation).staging.uri == str(tmp_path / "höhe.tif")
    assert describe(QgsVectorLayer("osm ж.gpkg|layername=roads")).path == str(tmp_path / "osm ж.gpkg")
    assert choose_model("modell.onnx").path == tmp_path / "modell.onnx"


def test_a_map_service_is_drawn_as_red_green_and_blue(qgis_app):
    layer = QgsRasterLayer("type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png", "tiles", "wms")
    tiles = describe(layer)
    assert tiles.staging.kind == "render"
    assert [band.color for band in tiles.colour_bands] == ["red", "green", "blue"]


def test_a_crs_that_the_user_set_is_stamped_on(swellendam):
    layer = swellendam["srtm"].clone()
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32734"))
    assert describe(layer).staging.kind == "stamp"


@pytest.mark.parametrize(
    "source",
    [
        "dbname='osm' host=db user='me' password='secret' table=\"roads\"",
        "/vsicurl/https://me:secret@example.org/a.tif",
        "/vsicurl/https://example.org/a.tif?token=abc",
        "https://example.org/a.tif?X-Amz-Signature=abc",
        "service='db' authcfg=ab12cd3",
    ],
)
def test_passwords_and_keys_are_noticed(source):
    assert carries_secret(source)


def test_ordinary_paths_carry_no_secret():
    assert not carries_secret("/data/user/key/monkey.tif")
    assert not carries_secret("C:/Users/me/token.gpkg")


def test_a_secret_in_a_raster_source_is_kept_from_the_path(shared_data, qgis_app, tmp_path):
    path = tmp_path / "a.tif?token=abc"
    shutil.copy(shared_data / "amazon_s2" / "srtm_sen2.tif", path)
    raster = describe(QgsRasterLayer(str(path), "dem"))
    assert raster.path is None
    assert raster.staging.kind == "copy"


def test_rights_and_licences_are_the_attribution(swellendam):
    layer = swellendam["roads"]
    metadata = QgsLayerMetadata()
    metadata.setRights(["© OpenStreetMap contributors"])
    metadata.setLicenses(["ODbL 1.0"])
    layer.setMetadata(metadata)
    set_attribution(layer, "© OpenStreetMap contributors")
    assert describe(layer).attribution == ("© OpenStreetMap contributors", "ODbL 1.0")


def test_a_source_that_is_too_long_for_a_path_is_no_file(qgis_app):
    points = ",".join(f"[{index / 10}, 1]" for index in range(200))
    layer = QgsVectorLayer(f'{{"type": "LineString", "coordinates": [{points}]}}', "inline", "ogr")
    assert layer.isValid()
    assert describe(layer).path is None

"""A CRS as text and back."""

from __future__ import annotations

import pytest
from fusion_mapper.toolbox.layers.crs import crs_of, crs_text
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem


@pytest.mark.parametrize("code", ["EPSG:4326", "EPSG:32733", "OGC:CRS84"])
def test_a_code_that_everybody_knows_stays_one(qgis_app, code):
    crs = QgsCoordinateReferenceSystem(code)
    assert crs_text(crs) == code
    assert crs_of(code) == crs


@pytest.fixture
def local(qgis_app):
    """A CRS that the user has defined in this profile."""
    # A profile that no window was ever opened in has no place for one.
    assert QgsApplication.createDatabase()
    crs = QgsCoordinateReferenceSystem.fromProj("+proj=laea +lat_0=-34 +lon_0=20.5 +datum=WGS84 +units=m")
    number = crs.saveAsUserCrs("local")
    yield QgsCoordinateReferenceSystem(f"USER:{number}")
    QgsApplication.coordinateReferenceSystemRegistry().removeUserCrs(number)


def test_a_code_that_this_profile_alone_knows_becomes_wkt(local):
    assert local.authid().startswith("USER:")
    assert "USER" not in crs_text(local)
    assert crs_of(crs_text(local)).toProj() == local.toProj()


def test_no_crs_is_no_text(qgis_app):
    assert crs_text(QgsCoordinateReferenceSystem()) == ""
    assert not crs_of("").isValid()

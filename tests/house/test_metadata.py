"""metadata.txt and the icon: what the plugin site and QGIS's plugin manager read."""

from __future__ import annotations

import configparser
import xml.etree.ElementTree as ElementTree

import pytest

REQUIRED = [
    "name", "qgisMinimumVersion", "description", "version", "author", "email", "about", "tracker", "repository",
    "homepage", "icon", "category",
]  # fmt: skip


@pytest.fixture(scope="module")
def metadata(repository_root):
    # The parser of QGIS and of the plugin site, interpolation and all: a bare % raises in `dict`.
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read(repository_root / "metadata.txt", encoding="utf-8")
    return dict(parser["general"])


@pytest.mark.parametrize("field", REQUIRED)
def test_a_required_field_is_filled(metadata, field):
    assert metadata[field].strip()


def test_a_bare_percent_sign_would_be_noticed(repository_root, tmp_path):
    text = (repository_root / "metadata.txt").read_text(encoding="utf-8")
    parser = configparser.ConfigParser()
    parser.read_string(text.replace("description=", "description=100 % of the "))
    with pytest.raises(configparser.InterpolationError):
        dict(parser["general"])


def test_versions_are_what_qgis_compares(metadata):
    assert metadata["qgisMinimumVersion"] == "3.22"
    assert metadata["qgisMaximumVersion"] == "4.99"
    assert all(part.isdigit() for part in metadata["version"].split("."))
    assert "supportsQt6" not in metadata


def test_qgis_process_is_told_of_the_provider(metadata):
    assert metadata["hasProcessingProvider"] == "yes"


def test_about_names_the_external_dependencies(metadata):
    for package in ("rasterio", "onnxruntime", "openvino", "stac-model"):
        assert package in metadata["about"]


def test_the_icon_is_a_square_drawing(metadata, repository_root):
    icon = ElementTree.parse(repository_root / metadata["icon"]).getroot()
    _left, _top, width, height = map(float, icon.get("viewBox").split())
    assert width == height > 0


def test_the_licence_is_the_gpl(repository_root):
    licence = (repository_root / "LICENSE").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in licence
    assert "Version 2, June 1991" in licence

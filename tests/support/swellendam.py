"""The real layers of Swellendam as a test loads them into QGIS: source, name, provider."""

from __future__ import annotations

from pathlib import Path

#: About 850 m × 1050 m of the aerial image, with houses and roads: west, south, east, north in degrees.
CLIP = [20.5170, -34.0425, 20.5262, -34.0330]


def four_layers(shared_data: Path) -> list[list[str]]:
    """Elevation, imagery, and two layers of OpenStreetMap; all of them sound."""
    folder = shared_data / "swellendam"
    return [
        [f"{folder}/srtm_41_19.tif", "srtm_41_19", "gdal"],
        [f"{folder}/3420B_2010_328_RGB_LATLNG.tif", "3420B_2010_328_RGB", "gdal"],
        [f"{folder}/training_data.gpkg|layername=buildings", "buildings", "ogr"],
        [f"{folder}/training_data.gpkg|layername=roads", "roads", "ogr"],
    ]


def damaged_rivers(shared_data: Path) -> list[str]:
    """A shapefile that is damaged."""
    return [str(shared_data / "swellendam" / "rivers.shp"), "rivers", "ogr"]

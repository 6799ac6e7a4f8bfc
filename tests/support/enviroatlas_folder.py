"""A small EnviroAtlas in the real one's layout: folders, file names, types, bands and index as torchgeo 0.8 reads them.

The landscapes are made up: what can be learned in them says nothing about the real data set.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform_geom
from scipy import ndimage

#: City → UTM zone of its tiles.
CRS = {
    "pittsburgh_pa-2010_1m": "EPSG:26917",
    "durham_nc-2012_1m": "EPSG:26917",
    "austin_tx-2012_1m": "EPSG:26914",
    "phoenix_az-2010_1m": "EPSG:26912",
}
#: Split → names of its tiles. torchgeo takes a data set for whole when austin's 3009726_sw is there.
TILES = {
    "pittsburgh_pa-2010_1m-train": ("4007925_se", "4007926_sw", "4007933_nw"),
    "pittsburgh_pa-2010_1m-test": ("4008031_se",),
    "austin_tx-2012_1m-test": ("3009726_sw", "3009750_se"),
    "durham_nc-2012_1m-test": ("3507801_ne",),
    "phoenix_az-2010_1m-test": ("3311117_sw",),
}
_EMPTY = ("pittsburgh_pa-2010_1m-val", *(f"{city}-val5" for city in CRS))
#: Column of the index → how its file's name ends.
ENDS = {
    "naip": "a_naip",
    "nlcd": "b_nlcd",
    "roads": "c_roads",
    "water": "d_water",
    "waterways": "d1_waterways",
    "waterbodies": "d2_waterbodies",
    "buildings": "e_buildings",
    "lc": "h_highres_labels",
    "prior": "prior_from_cooccurrences_101_31",
    "prior_no_osm_no_buildings": "prior_from_cooccurrences_101_31_no_osm_no_buildings",
}
#: Label values of water, impervious, barren, tree and grass, and the NLCD class that mostly lies over each.
LABELS = np.array([10, 20, 30, 40, 70], np.uint8)
_NLCD = np.array([1, 5, 7, 8, 12], np.uint8)
#: Mean red, green, blue and near infrared of the five classes.
_COLOURS = np.array(
    [[50, 70, 90, 20], [150, 150, 150, 110], [190, 160, 120, 150], [60, 90, 60, 150], [110, 140, 80, 190]]
)


def write_enviroatlas(root: Path, side: int = 128) -> Path:
    """Write the data set under `root`, with tiles of `side` pixels; returns `root`."""
    home = root / "enviroatlas_lotp"
    features = []
    for split in (*TILES, *_EMPTY):
        (home / f"{split}_tiles-debuffered").mkdir(parents=True)
    for number, (split, names) in enumerate(TILES.items()):
        for place, name in enumerate(names):
            features.append(_write_tile(home, split, name, side, seed=10 * number + place, place=place))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    index = {"type": "FeatureCollection", "crs": crs, "features": features}
    (home / "spatial_index.geojson").write_text(json.dumps(index))
    return root


def _write_tile(home: Path, split: str, name: str, side: int, seed: int, place: int) -> dict:
    """Write a tile's layers; returns its feature in the index, whose outlines are in EPSG:3857."""
    rng = np.random.default_rng(seed)
    crs = CRS[split.rpartition("-")[0]]
    west, north = 580_000 + 5000 * place, 4_480_000.0
    profile = {"driver": "GTiff", "dtype": "uint8", "height": side, "width": side, "crs": crs}
    profile["transform"] = from_origin(west, north, 1, 1)
    files = {}
    for column, values in _layers(side, rng).items():
        files[column] = f"{split}_tiles-debuffered/{name}_{ENDS[column]}.tif"
        with rasterio.open(home / files[column], "w", count=len(values), **profile) as file:
            file.write(values)
    corners = [(west, north), (west + side, north), (west + side, north - side), (west, north - side), (west, north)]
    # The real index names no prior: torchgeo makes that name.
    properties = {"split": split, **{k: v for k, v in files.items() if not k.startswith("prior")}}
    outline = transform_geom(crs, "EPSG:3857", {"type": "Polygon", "coordinates": [corners]})
    return {"type": "Feature", "properties": properties, "geometry": outline}


def _layers(side: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Bands × H × W uint8 by column: a landscape of patches, and layers that go with it."""
    fields = ndimage.gaussian_filter(rng.standard_normal((5, side, side)), (0, 8, 8))
    cover = fields.argmax(0)
    noise = rng.normal(0, 12, (side, side, 4))
    labels = LABELS[cover]
    # A few pixels of every kind that is not judged.
    labels[:2, :12] = np.repeat([0, 52, 80, 82, 91, 92], 2)
    coarse = ndimage.zoom(cover[15::30, 15::30], 30, order=0, mode="nearest", grid_mode=True)
    coarse = np.pad(coarse, ((0, max(side - len(coarse), 0)), (0, max(side - coarse.shape[1], 0))), mode="edge")
    shares = ndimage.gaussian_filter(np.eye(5)[cover], (6, 6, 0)).transpose(2, 0, 1)
    water, built = cover == 0, cover == 1
    layers = {
        "naip": np.clip(_COLOURS[cover] + noise, 1, 255).transpose(2, 0, 1),
        "nlcd": _NLCD[coarse[:side, :side]][None],
        "roads": (built & (np.arange(side) % 9 < 3))[None],
        "waterways": (water & (np.arange(side) % 11 < 2))[None],
        "waterbodies": ndimage.binary_erosion(water)[None],
        "buildings": (built & (np.arange(side)[:, None] % 7 < 4))[None],
        "lc": labels[None],
        "prior": 255 * shares / shares.sum(0),
    }
    layers["water"] = layers["waterways"] | layers["waterbodies"]
    layers["prior_no_osm_no_buildings"] = layers["prior"]
    return {name: values.astype(np.uint8) for name, values in layers.items()}

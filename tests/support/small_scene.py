"""A small place with all kinds of layers, and a model with all kinds of heads, so that one job makes every product."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import numpy as np
import onnx
import pytest
import rasterio
from fusion_mapper.models.card import Card, Channel, ClassInfo, OsmRecipe, Output, Scaling, Slot, TagRule, Tiling
from fusion_mapper.models.embed import embed_card
from onnx import TensorProto, helper, numpy_helper
from rasterio.transform import from_origin

Job = dict[str, Any]
WIDTH, HEIGHT = 320, 256
WEST, NORTH = 500000, 6200000
#: Everything that the job's model can make; ``stack`` and ``missing`` need no head.
PRODUCTS = {
    "classes": "classes.tif",
    "probabilities": "probabilities.tif",
    "confidence": "confidence.tif",
    "entropy": "entropy.tif",
    "regression": "regression.tif",
    "polygons": "polygons.gpkg",
    "fields": "fields.gpkg",
    "summary": "summary.csv",
    "stack": "stack.tif",
    "missing": "missing.tif",
}
LAND = tuple(ClassInfo(value, name) for value, name in enumerate(["water", "built", "field", "tree"], 1))
PARCELS = tuple(ClassInfo(value, name) for value, name in enumerate(["other", "field", "boundary"]))


def thorough(*values: Any) -> Any:
    """A case of a parametrised test that only a full run takes."""
    return pytest.param(*values, marks=pytest.mark.thorough)


def write_scene(folder: Path) -> Job:
    """Write the layers and the model to `folder`; the job that makes every product of them, with relative paths."""
    write_imagery(folder / "ortho.tif")
    heights = smooth(np.random.default_rng(2), 1)[0] * 50 + 400
    write_raster(folder / "dem.tif", heights[np.newaxis, :, : WIDTH // 2].astype(np.float32), nodata=-9999)
    write_roads(folder / "roads.geojson")
    write_model(folder / "model.onnx")
    return {
        "schema": 1,
        "model": "model.onnx",
        "sources": {
            "imagery": {"path": "ortho.tif"},
            "dem": {"path": "dem.tif"},
            "osm": {"layers": [{"path": "roads.geojson"}]},
        },
        "outputs": {"folder": "out", "products": dict.fromkeys(PRODUCTS)},
        "compute": {"tile": 64, "block": 64, "workers": 2, "device": "onnxruntime-cpu"},
        "pictures": "watch",
    }


def smooth(rng: np.random.Generator, bands: int) -> np.ndarray:
    """Noise in patches of 16 pixels, from 0 to 1."""
    coarse = rng.random((bands, HEIGHT // 16, WIDTH // 16))
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


def write_imagery(path: Path, seed: int = 1, **options: Any) -> None:
    """Three bands of bytes in patches, with a nodata corner."""
    values = (smooth(np.random.default_rng(seed), 3) * 250 + 1).astype(np.uint8)
    values[:, -20:, :30] = 0
    write_raster(path, values, nodata=0, **options)


def write_raster(path: Path, values: np.ndarray, **options: Any) -> None:
    bands, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=bands, dtype=values.dtype,
        crs="EPSG:32634", transform=from_origin(WEST, NORTH, 1, 1), **options,
    ) as file:  # fmt: skip
        file.write(values)


def write_roads(path: Path, shift: float = 0) -> None:
    """Three roads in a format without a spatial index, which the engine converts first."""
    lines = [[[WEST + shift, NORTH - y], [WEST + WIDTH, NORTH - y - 40]] for y in (30, 100, 170)]
    features = [
        {"type": "Feature", "properties": {"highway": "primary"}, "geometry": {"type": "LineString", "coordinates": at}}
        for at in lines
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32634"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))


def write_model(path: Path, seed: int = 0, fill: Optional[float] = None) -> None:
    """A convolution, and three heads of one more each: land cover, a value, and field boundaries.

    `fill` is the weight of everything in the first head, in place of noise.
    """
    rng = np.random.default_rng(seed)
    heads = {"land": len(LAND), "height": 1, "parcels": len(PARCELS)}
    weights = {"w": rng.normal(0, 0.3, (8, 5, 3, 3))}
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"], pads=[1] * 4), helper.make_node("Relu", ["a"], ["b"])]
    for name, channels in heads.items():
        weights[f"w_{name}"] = rng.normal(0, 1, (channels, 8, 1, 1))
        nodes.append(helper.make_node("Conv", ["b", f"w_{name}"], [name]))
    if fill is not None:
        weights["w_land"][:] = fill
    graph = helper.make_graph(
        nodes,
        "heads",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 5, "height", "width"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "height", "width"])
            for name, channels in heads.items()
        ],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    bare = path.with_suffix(".bare")
    bare.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    )
    onnx.checker.check_model(str(bare))
    embed_card(bare, scene_card(), path)
    bare.unlink()


def scene_card() -> Card:
    colours = tuple(Channel(name, Scaling(128.0, 64.0)) for name in ("red", "green", "blue"))
    elevation = Channel("elevation", Scaling(400.0, 50.0), derivative="elevation")
    roads = Channel("roads", osm=OsmRecipe((TagRule("highway", width=6.0),)))
    slots = (
        Slot("imagery", "imagery", colours, "x"),
        Slot("dem", "dem", (elevation,), "x", 3, missing="fill"),
        Slot("osm", "osm", (roads,), "x", 4, missing="fill"),
    )
    outputs = (
        Output("land", "semantic-segmentation", LAND, activation="softmax"),
        Output("height", "pixel-regression", units="m", range=(-20.0, 20.0)),
        Output("parcels", "field-boundaries", PARCELS, activation="softmax", field=1, boundary=2),
    )
    return Card("heads", slots, outputs, gsd=1.0, tiling=Tiling(64), receptive_radius=1, stride=1)


def save_job(place: Path, job: Job, **changes: Any) -> Path:
    file = place / "job.json"
    file.write_text(json.dumps({**job, **changes}))
    return file


def products_in(folder: Path) -> dict[str, bytes]:
    """The bytes of every product in a run's folder; `run.json` tells of times, and the plan is none."""
    files = [path for path in folder.iterdir() if (path.is_file() and path.suffix != ".json") or path.stem == "summary"]
    return {path.name: path.read_bytes() for path in files if path.name != "engine.log"}


def leftovers(folder: Path) -> list[str]:
    """What no run may leave behind: anything half-written."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.part*"))

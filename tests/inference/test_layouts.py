"""Every shape of input and output that a card can tell: the run's pixels are those of the plain computation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import rasterio
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Card, Channel, ClassInfo, LocationRecipe, Output, Slot, Tiling
from fusion_mapper.models.embed import embed_card
from onnx import TensorProto, helper, numpy_helper
from rasterio.transform import from_origin

HEIGHT, WIDTH = 150, 131
Dims = list[Any]


@pytest.fixture
def pixels() -> np.ndarray:
    """3×150×131 float32 with smooth and rough parts."""
    rng = np.random.default_rng(5)
    return (rng.normal(0, 1, (3, HEIGHT, WIDTH)) + np.linspace(0, 3, WIDTH)).astype(np.float32)


def write_raster(path: Path, pixels: np.ndarray, size: float = 10.0) -> str:
    with rasterio.open(
        path, "w", driver="GTiff", width=pixels.shape[2], height=pixels.shape[1], count=len(pixels), dtype="float32",
        crs="EPSG:32634", transform=from_origin(500000, 6200000, size, size),
    ) as file:  # fmt: skip
        file.write(pixels)
    return str(path)


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Dims],
    output: tuple[str, Dims, int],
    card: dict[str, Any],
    constants: dict[str, np.ndarray] | None = None,
) -> str:
    """An ONNX file with a card; `output` is name, dims and element type."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()],
        [helper.make_tensor_value_info(output[0], output[2], output[1])],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    bare = path.with_suffix(".bare")
    onnx.save(model, bare)
    embed_card(bare, Card("test", **card), path)
    return str(path)


def run(model: str, sources: dict[str, Any], folder: Path, product: str, **compute: Any) -> np.ndarray:
    job = {
        "schema": 1,
        "model": model,
        "sources": sources,
        "outputs": {"folder": str(folder / "out"), "products": {product: None}},
        "compute": {"block": 70, **compute},
    }
    result = run_job(job_from_dict(job), folder, Voice(lambda _: None, lambda: False))
    with rasterio.open(result.products[product]) as file:
        return np.asarray(file.read(1))


def imagery(channels: int = 1, **more: Any) -> Slot:
    return Slot("imagery", "imagery", tuple(Channel(f"b{i}") for i in range(channels)), "x", **more)


VALUE = Output("y", "pixel-regression")
FLOAT = TensorProto.FLOAT
OPEN: Dims = ["n", 1, "h", "w"]


def test_an_output_smaller_than_its_input_lies_where_it_was_computed(tmp_path: Path, pixels: np.ndarray) -> None:
    """Unpadded convolutions cut 14 pixels off each side of a fixed tile of 64."""
    nodes = [helper.make_node("Slice", ["x", "from", "to", "axes"], ["y"])]
    constants = {
        "from": np.array([14, 14], np.int64), "to": np.array([50, 50], np.int64), "axes": np.array([2, 3], np.int64),
    }  # fmt: skip
    card = {
        "slots": (imagery(),),
        "outputs": (Output("y", "pixel-regression", margin=14),),
        "tiling": Tiling(64, fixed=True),
        "receptive_radius": 14,
    }
    model = save(tmp_path / "m.onnx", nodes, {"x": ["n", 1, 64, 64]}, ("y", ["n", 1, 36, 36], FLOAT), card, constants)
    found = run(model, {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])}}, tmp_path, "regression")
    np.testing.assert_array_equal(found, pixels[0])


def test_an_output_without_channel_axis_and_a_fixed_batch(tmp_path: Path, pixels: np.ndarray) -> None:
    nodes = [helper.make_node("Squeeze", ["x", "axis"], ["y"])]
    card = {
        "slots": (imagery(),),
        "outputs": (VALUE,),
        "tiling": Tiling(32, fixed=True, batch=3),
        "receptive_radius": 0,
    }
    model = save(
        tmp_path / "m.onnx", nodes, {"x": [3, 1, 32, 32]}, ("y", [3, 32, 32], FLOAT), card,
        {"axis": np.array([1], np.int64)},
    )  # fmt: skip
    found = run(model, {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])}}, tmp_path, "regression")
    np.testing.assert_array_equal(found, pixels[0])


def test_a_coarser_output_fills_its_pixels(tmp_path: Path, pixels: np.ndarray) -> None:
    nodes = [helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])]
    card = {
        "slots": (imagery(),),
        "outputs": (Output("y", "pixel-regression", stride=2),),
        "tiling": Tiling(32),
        "receptive_radius": 1,
        "stride": 2,
    }
    model = save(tmp_path / "m.onnx", nodes, {"x": OPEN}, ("y", ["n", 1, "a", "b"], FLOAT), card)
    found = run(model, {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])}}, tmp_path, "regression")
    means = pixels[0, :, : WIDTH - 1].reshape(HEIGHT // 2, 2, (WIDTH - 1) // 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(found[:, : WIDTH - 1], means.repeat(2, 0).repeat(2, 1), atol=1e-5)


def test_a_coarser_input_of_its_own_is_laid_on_the_same_ground(tmp_path: Path, pixels: np.ndarray) -> None:
    nodes = [
        helper.make_node("Resize", ["z", "", "scales"], ["up"], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric"),
        helper.make_node("Add", ["x", "up"], ["y"]),
    ]  # fmt: skip
    coarse = Slot("coarse", "raster", (Channel("c"),), "z", grid_ratio=4, resampling="nearest")
    card = {
        "slots": (imagery(), coarse),
        "outputs": (VALUE,),
        "tiling": Tiling(32),
        "receptive_radius": 3,
        "stride": 4,
    }
    model = save(
        tmp_path / "m.onnx", nodes, {"x": OPEN, "z": ["n", 1, "hz", "wz"]}, ("y", ["n", 1, "a", "b"], FLOAT), card,
        {"scales": np.array([1, 1, 4, 4], np.float32)},
    )  # fmt: skip
    second = np.arange(38 * 33, dtype=np.float32).reshape(1, 38, 33)
    sources = {
        "imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])},
        "coarse": {"path": write_raster(tmp_path / "b.tif", second, 40.0)},
    }
    found = run(model, sources, tmp_path, "regression")
    np.testing.assert_allclose(found, pixels[0] + second[0].repeat(4, 0).repeat(4, 1)[:HEIGHT, :WIDTH], rtol=1e-6)


def test_a_stack_of_a_coarser_slot_covers_a_grid_that_is_no_multiple_of_it(tmp_path: Path, pixels: np.ndarray) -> None:
    """The grid is 150×131 pixels, the slot's pixels span 4, and no model runs."""
    second = np.arange(38 * 33, dtype=np.float32).reshape(1, 38, 33)
    coarse = {"name": "coarse", "role": "raster", "input": "z", "channels": [{"name": "c"}], "grid_ratio": 4}
    job = {
        "schema": 1,
        "slots": [
            {"name": "imagery", "role": "imagery", "input": "x", "channels": [{"name": "b"}]},
            {**coarse, "resampling": "nearest"},
        ],
        "sources": {
            "imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])},
            "coarse": {"path": write_raster(tmp_path / "b.tif", second, 40.0)},
        },
        "outputs": {"folder": str(tmp_path / "out"), "products": {"stack": None}},
    }
    result = run_job(job_from_dict(job), tmp_path, Voice(lambda _: None, lambda: False))
    with rasterio.open(result.products["stack"]) as file:
        found = file.read()
    np.testing.assert_array_equal(found[0], pixels[0])
    np.testing.assert_array_equal(found[1], second[0].repeat(4, 0).repeat(4, 1)[:HEIGHT, :WIDTH])


def test_two_dates_share_an_input_with_a_time_axis(tmp_path: Path, pixels: np.ndarray) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "weights"], ["weighed"]),
        helper.make_node("ReduceSum", ["weighed", "axis"], ["y"], keepdims=0),
    ]
    slots = tuple(
        Slot(name, "imagery", (Channel("b"),), "x", layout="NCTHW", time=t) for t, name in enumerate(["spring", "fall"])
    )
    card = {"slots": slots, "outputs": (VALUE,), "tiling": Tiling(32), "receptive_radius": 0}
    model = save(
        tmp_path / "m.onnx", nodes, {"x": ["n", 1, 2, "h", "w"]}, ("y", OPEN, FLOAT), card,
        {"weights": np.array([1, 10], np.float32).reshape(1, 1, 2, 1, 1), "axis": np.array([2], np.int64)},
    )  # fmt: skip
    sources = {
        "spring": {"path": write_raster(tmp_path / "a.tif", pixels), "bands": [1]},
        "fall": {"path": write_raster(tmp_path / "b.tif", pixels), "bands": [3]},
    }
    np.testing.assert_allclose(run(model, sources, tmp_path, "regression"), pixels[0] + 10 * pixels[2], rtol=1e-5)


def test_a_location_vector_is_evaluated_at_centres_that_the_blocks_do_not_move(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["place", "axes"], ["spread"]),
        helper.make_node("Mul", ["x", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "spread"], ["both"]),
        helper.make_node("ReduceSum", ["both", "one"], ["y"], keepdims=1),
    ]
    channels = (Channel("lon"), Channel("lat"))
    where = Slot("where", "location", channels, "place", layout="vector", location=LocationRecipe())
    card = {
        "slots": (imagery(2), where),
        "outputs": (Output("y", "pixel-regression"),),
        "tiling": Tiling(32),
        "receptive_radius": 0,
    }
    model = save(
        tmp_path / "m.onnx", nodes, {"x": ["n", 2, "h", "w"], "place": ["n", 2]}, ("y", OPEN, FLOAT), card,
        {"axes": np.array([2, 3], np.int64), "zero": np.zeros(1, np.float32), "one": np.array([1], np.int64)},
    )  # fmt: skip
    sources = {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:2])}}
    small = run(model, sources, tmp_path / "small", "regression", block=32)
    large = run(model, sources, tmp_path / "large", "regression", block=160)
    np.testing.assert_array_equal(small, large)
    assert small[16, 16] == pytest.approx(21.0 + 55.94, abs=0.02)


def test_a_scene_answer_holds_for_its_whole_tile(tmp_path: Path, pixels: np.ndarray) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["y"]),
    ]
    card = {
        "slots": (imagery(),),
        "outputs": (Output("y", "pixel-regression", grid="tile"),),
        "tiling": Tiling(32, overlap=0),
    }
    model = save(tmp_path / "m.onnx", nodes, {"x": OPEN}, ("y", ["n", 1], FLOAT), card)
    found = run(model, {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])}}, tmp_path, "regression")
    np.testing.assert_allclose(found[32:64, 32:64], pixels[0, 32:64, 32:64].mean(), rtol=1e-4)


def test_a_graph_that_answers_labels_is_mapped_to_the_classes_values(tmp_path: Path, pixels: np.ndarray) -> None:
    nodes = [helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)]
    classes = (ClassInfo(10, "a"), ClassInfo(20, "b"), ClassInfo(30, "c"))
    card = {
        "slots": (imagery(3),),
        "outputs": (Output("y", "semantic-segmentation", classes, activation="labels"),),
        "tiling": Tiling(32),
        "receptive_radius": 0,
    }
    model = save(tmp_path / "m.onnx", nodes, {"x": ["n", 3, "h", "w"]}, ("y", ["n", "h", "w"], TensorProto.INT64), card)
    found = run(model, {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels)}}, tmp_path, "classes")
    np.testing.assert_array_equal(found, np.array([10, 20, 30])[pixels.argmax(axis=0)])


def test_nan_from_the_model_is_nodata_and_counted(tmp_path: Path, pixels: np.ndarray) -> None:
    nodes = [helper.make_node("Sqrt", ["x"], ["y"])]
    card = {"slots": (imagery(),), "outputs": (VALUE,), "tiling": Tiling(32), "receptive_radius": 0}
    model = save(tmp_path / "m.onnx", nodes, {"x": OPEN}, ("y", OPEN, FLOAT), card)
    job = {
        "schema": 1,
        "model": model,
        "sources": {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])}},
        "outputs": {"folder": str(tmp_path / "out"), "products": {"regression": None}},
    }
    events: list[Any] = []
    result = run_job(job_from_dict(job), tmp_path, Voice(events.append, lambda: False))
    with rasterio.open(result.products["regression"]) as file:
        found, nodata = file.read(1), file.nodata
    np.testing.assert_allclose(found[pixels[0] >= 0], np.sqrt(pixels[0][pixels[0] >= 0]), rtol=1e-5)
    assert (found[pixels[0] < 0] == nodata).all()
    assert any(f"{(pixels[0] < 0).sum():,} pixels" in warning for warning in result.report["warnings"])


@pytest.mark.parametrize(
    ("radius", "overlap", "span", "told"),
    [
        (None, 16, None, "differ there by 0."),
        (None, 16, (-10.0, 10.0), "differ there by 0."),
        (None, 16, (-1e4, 1e4), ""),
        (None, 0, None, "do not overlap"),
        (8, 16, None, ""),
    ],
)
def test_how_far_blended_tiles_disagree_is_told_where_it_matters(
    tmp_path: Path,
    pixels: np.ndarray,
    radius: int | None,
    overlap: int,
    span: tuple[float, float] | None,
    told: str,
) -> None:
    """A model that subtracts its tile's mean answers each tile otherwise."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    output = replace(VALUE, range=span)
    card = {"slots": (imagery(),), "outputs": (output,), "tiling": Tiling(64), "receptive_radius": radius}
    model = save(tmp_path / "m.onnx", nodes, {"x": OPEN}, ("y", OPEN, FLOAT), card)
    job = {
        "schema": 1,
        "model": model,
        "sources": {"imagery": {"path": write_raster(tmp_path / "a.tif", pixels[:1])}},
        "outputs": {"folder": str(tmp_path / "out"), "products": {"regression": None}},
        "compute": {"overlap": overlap},
    }
    warnings = run_job(job_from_dict(job), tmp_path, Voice(lambda _: None, lambda: False)).report["warnings"]
    assert any(told in warning for warning in warnings) if told else warnings == []

"""Pictures of finished blocks: their colours, their place, and that they change nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.errors import Cancelled
from fusion_mapper.inference.events import Block, Event, Progress, from_line, to_line
from fusion_mapper.inference.executor import in_order
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.lattice import BlockLayout
from fusion_mapper.inference.pictures import SIDE, _look, png, thinned
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.sinks.encode import Encoder
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import ClassInfo, Output
from fusion_mapper.models.palette import class_color, ramp_colors
from layers import write
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from tiny_models import CLASSES, imagery_slot, save_pooled

FIELDS = (ClassInfo(0, "background"), ClassInfo(1, "field", "#ddcc77"), ClassInfo(2, "boundary"))


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    """Noise of 150×192 pixels in 16 blocks, the left 40 columns without data."""
    pixels = np.random.default_rng(1).integers(1, 255, (3, 150, 192)).astype(np.uint8)
    pixels[:, :, :40] = 0
    write(tmp_path / "ortho.tif", pixels, crs="EPSG:32634", transform=from_origin(500000, 6200000, 1, 1), nodata=0)
    save_pooled(tmp_path / "model.onnx", (imagery_slot(),))
    return {
        "schema": 1,
        "model": "model.onnx",
        "sources": {"imagery": {"path": "ortho.tif"}},
        "outputs": {"folder": "out", "products": {"classes": None}},
        "compute": {"tile": 64, "block": 64, "workers": 2},
        "pictures": "preview",
    }


def run(job: dict[str, Any], folder: Path, cancelled: Callable[[], bool] = lambda: False) -> list[Event]:
    said: list[Event] = []
    run_job(job_from_dict(job), folder, Voice(said.append, cancelled))
    return said


def blocks(said: list[Event]) -> list[Block]:
    return sorted((event for event in said if isinstance(event, Block)), key=lambda block: block.index)


def colors(picture: bytes | str) -> np.ndarray:
    """h×w×4, as whoever opens the picture sees it."""
    with (
        MemoryFile(Path(picture).read_bytes() if isinstance(picture, str) else picture) as memory,
        memory.open() as file,
    ):
        table = np.array([file.colormap(1)[index] for index in range(256)], np.uint8)
        return table[file.read(1)]


def test_every_block_is_told_with_a_picture_of_its_classes(job: dict[str, Any], tmp_path: Path) -> None:
    told = blocks(run(job, tmp_path))
    with rasterio.open(tmp_path / "out" / "classes.tif") as file:
        classes, transform = file.read(1), file.transform
    expected = {info.value: class_color(info, place) for place, info in enumerate(CLASSES)}
    assert [block.index for block in told] == list(range(16))
    for block in told:
        assert block.product == "classes"
        assert to_line(from_line(to_line(block))) == to_line(block)
        left, top = (round(value) for value in ~transform @ (block.bounds[0], block.bounds[3]))
        right, bottom = (round(value) for value in ~transform @ (block.bounds[2], block.bounds[1]))
        picture = colors(block.picture)
        assert picture.shape[:2] == (bottom - top, right - left)
        for row, col in np.ndindex(picture.shape[:2]):
            value = int(classes[top + row, left + col])
            red, green, blue, alpha = (int(part) for part in picture[row, col])
            assert alpha == (0 if value == 255 else 255)
            assert value == 255 or f"#{red:02x}{green:02x}{blue:02x}" == expected[value]


@pytest.mark.parametrize("pictures", ["watch", "preview"])
def test_pictures_change_no_product_and_no_plan(job: dict[str, Any], tmp_path: Path, pictures: str) -> None:
    plain = {key: value for key, value in job.items() if key != "pictures"}
    assert not blocks(run({**plain, "outputs": {**job["outputs"], "folder": "plain"}}, tmp_path))
    run({**job, "pictures": pictures}, tmp_path)
    for name in ("classes.tif", "plan.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    # Those of a preview stay for whoever shows them.
    assert bool(list((tmp_path / "out" / "blocks").glob("*.png"))) == (pictures == "preview")


@pytest.mark.parametrize("first", [None, "watch"])
def test_a_resumed_run_shows_what_was_kept(job: dict[str, Any], tmp_path: Path, first: str | None) -> None:
    kept = tmp_path / "out" / "blocks"
    with pytest.raises(Cancelled):
        run({**job, "pictures": first}, tmp_path, lambda: len(list(kept.glob("*.npz"))) >= 3)
    said = run(job, tmp_path)
    assert next(event for event in said if isinstance(event, Progress)).done > 0
    assert [block.index for block in blocks(said)] == list(range(16))
    assert all(Path(block.picture).exists() for block in blocks(said))


def test_a_run_that_is_given_up_for_another_leaves_no_picture(job: dict[str, Any], tmp_path: Path) -> None:
    run(job, tmp_path)
    run({**job, "compute": {**job["compute"], "block": 192}}, tmp_path)
    assert [file.name for file in (tmp_path / "out" / "blocks").glob("*.png")] == ["00000000.png"]


def test_the_centre_comes_first_where_it_is_asked_for() -> None:
    layout = BlockLayout(500, 300, 100)
    assert in_order(list(range(15)), layout, False) == list(range(15))
    first, *_, last = in_order(list(range(15)), layout, True)
    assert (first, last) == (7, 14)
    assert in_order([0, 14, 6], layout, True)[0] == 6


@pytest.mark.parametrize("shape", [(512, 512), (513, 100), (3000, 1700), (1, 2000)])
def test_a_picture_is_small_and_covers_the_whole_block(shape: tuple[int, int]) -> None:
    rows, cols = np.indices(shape)
    small = thinned(rows * 10_000 + cols, SIDE)
    assert max(small.shape) <= SIDE
    step = -(-max(shape) // SIDE)
    for axis, length in ((0, shape[0]), (1, shape[1])):
        taken = (small // 10_000)[:, 0] if axis == 0 else (small % 10_000)[0]
        middles = (np.arange(len(taken)) + 0.5) * length / len(taken)
        assert np.abs(taken - middles).max() <= 1
        assert taken[0] < step
        assert taken[-1] >= length - step


def regression(limits: tuple[float, float] | None) -> Output:
    return Output("height", "pixel-regression", range=limits, ramp="magma", nodata=-1.0)


@pytest.mark.parametrize("limits", [(0.0, 10.0), None])
def test_values_are_drawn_by_their_ramp(limits: tuple[float, float] | None) -> None:
    look = _look(0, regression(limits), frozenset({"regression"}))
    values = np.array([[-1, 0, 5, 10, np.nan]], np.float32)
    picture = colors(png(look.indices(values), look.palette))[0]
    assert (look.array, look.product) == ("0.regression", "regression")
    assert list(picture[:, 3]) == [0, 255, 255, 255, 0]
    ramp = ramp_colors("magma", 255)
    assert [tuple(map(int, color[:3])) for color in picture[1:4]] == [ramp[0], ramp[127], ramp[254]]


def test_a_block_without_values_is_clear() -> None:
    look = _look(0, regression(None), frozenset({"regression"}))
    assert not look.indices(np.full((3, 3), -1, np.float32)).any()
    assert look.indices(np.array([[2, 4]], np.float32)).tolist() == [[1, 255]]


def test_fields_are_drawn_where_they_are() -> None:
    output = Output("f", "field-boundaries", FIELDS, field=1, boundary=2)
    scores = np.zeros((3, 2, 2), np.float32)
    scores[:, 0, 0], scores[:, 0, 1], scores[:, 1, 0] = (0, 0.9, 0.1), (0.8, 0.1, 0.1), (0, 0.2, 0.8)
    valid = np.array([[True, True], [True, False]])
    options = job_from_dict({"schema": 1, "model": "m", "sources": {}, "outputs": {"folder": "o"}}).outputs
    encoder = Encoder(output, frozenset({"fields"}), options)
    arrays = encoder.blank(valid.shape)
    encoder.encode(scores, valid, arrays)
    look = _look(0, output, frozenset({"fields"}))
    picture = colors(png(look.indices(arrays["interior"]), look.palette))
    assert look.product == "fields"
    assert picture[0, 0].tolist() == [0xDD, 0xCC, 0x77, 255]
    assert picture[..., 3].tolist() == [[255, 0], [0, 0]]


def test_more_classes_than_a_palette_holds_are_still_told_from_nodata() -> None:
    output = Output("y", "semantic-segmentation", tuple(ClassInfo(value, f"c{value}") for value in range(300)))
    look = _look(0, output, frozenset({"classes"}))
    indices = look.indices(np.array([[0, 254, 255, 299, 65535]], np.uint16))
    assert indices[0, -1] == 0
    assert indices[0, :-1].all()


def test_a_stack_has_no_picture(job: dict[str, Any], tmp_path: Path) -> None:
    assert not blocks(run({**job, "outputs": {"folder": "out", "products": {"stack": None}}}, tmp_path))

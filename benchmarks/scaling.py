"""The constants of docs/scaling.md: what a block costs, and everything that grows with their number. No GPU is used.

    .venv-engine/bin/python benchmarks/scaling.py block|store|folder|dispatch|cog|polygons|open [SIZE]

The landscape is simulated, at 10 m, and mirrored where more of it is needed; the model is the field model that ships
with the plugin. Each word prints lines of a name, a value and a unit; without a word all are measured, at small sizes.
Work is counted in seconds of one core, so that other work on the machine does little to it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from simulate import register_package  # noqa: E402

register_package()

from fusion_mapper.inference.blocks import compute_block  # noqa: E402
from fusion_mapper.inference.blockstore import BlockStore  # noqa: E402
from fusion_mapper.inference.cluster.package import Package  # noqa: E402
from fusion_mapper.inference.exhaustion import Batch  # noqa: E402
from fusion_mapper.inference.grid import Grid, Window  # noqa: E402
from fusion_mapper.inference.job import Outputs, job_from_dict  # noqa: E402
from fusion_mapper.inference.kept import Kept  # noqa: E402
from fusion_mapper.inference.lattice import BlockLayout  # noqa: E402
from fusion_mapper.inference.prepare import prepare  # noqa: E402
from fusion_mapper.inference.sinks.mosaic import Mosaic  # noqa: E402
from fusion_mapper.inference.sinks.polygons import write_polygons  # noqa: E402
from fusion_mapper.inference.sinks.rasters import raster_spec, write_cog  # noqa: E402
from fusion_mapper.inference.sources import Context  # noqa: E402
from fusion_mapper.models.card import ClassInfo, Output  # noqa: E402

SCENE = 1536
#: Side of the blocks that are assembled, near what the engine chooses for the field model.
SIDE = 1024
LAND_COVER = Output("y", "semantic-segmentation", tuple(ClassInfo(value, f"class {value}") for value in range(1, 6)))
ROUNDS = 3


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=MEASURES)
    parser.add_argument("size", nargs="?", type=int, help="pixels along a side, files or blocks")
    choice = parser.parse_args()
    for what in [choice.what] if choice.what else MEASURES:
        measure, size = MEASURES[what]
        with tempfile.TemporaryDirectory(prefix="fusion_mapper_scaling_") as folder:
            measure(Path(folder), choice.size or size)


def tell(name: str, value: float, unit: str) -> None:
    """Print one constant."""
    print(f"{name:<42} {value:>12.4g} {unit}", flush=True)


def fastest(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of the fastest of some rounds, by default those of this process on all cores together."""
    times = []
    for _ in range(ROUNDS):
        began = clock()
        work()
        times.append(clock() - began)
    return min(times)


def measure_block(folder: Path, size: int) -> None:
    """Reading, computing and keeping one block of the field model with every layer."""
    _simulate(folder, size)
    job = {
        "schema": 1,
        "model": str(ROOT / "resources/models/fields-10m.onnx"),
        "sources": {
            "early": {"path": "imagery_early.tif"},
            "late": {"path": "imagery_late.tif"},
            "osm": {"layers": _osm(folder / "osm.gpkg")},
            "dem": {"path": "dem.tif"},
        },
        "outputs": {"folder": "out", "products": {"classes": None, "fields": None}},
    }
    prepared = prepare(job_from_dict(job), folder, lambda _: None)
    opened = Kept().opened(prepared.model, prepared.job.compute, prepared.lattice.size)
    sources = prepared.open_sources(Context(folder, prepared.folder, lambda _: None))
    window = prepared.layout.window(0)
    pixels = window.height * window.width
    made = compute_block(prepared, 0, sources, opened.session, Batch(opened.batch), lambda _: None)
    seconds = fastest(lambda: compute_block(prepared, 0, sources, opened.session, Batch(opened.batch), lambda _: None))
    tell("side of a block", window.width, "pixels")
    tell("a block: read, run, merge, encode", seconds * 1e6 / pixels, "core s/Mpixel")
    store = BlockStore(folder / "kept", prepared.layout)
    (folder / "kept" / "blocks").mkdir(parents=True)
    tell("a block: keep", fastest(lambda: store.write(0, made)) * 1e6 / pixels, "core s/Mpixel")
    tell("a block's file", (folder / "kept" / "blocks" / "00000000.npz").stat().st_size / pixels, "bytes/pixel")


def _osm(file: Path) -> list[dict[str, str]]:
    import pyogrio

    return [{"path": file.name, "layer": name} for name, _ in pyogrio.list_layers(file)]


def measure_store(folder: Path, count: int) -> None:
    """What a resumed run and the assembler do with each block file: look whether it is whole, read one array."""
    store = _kept_blocks(folder, count)
    tell("is a block whole (resume)", fastest(store.missing) / count * 1e3, "core ms/block")
    tell("read an array of a block", fastest(lambda: list(store.read("0.classes"))) / count * 1e3, "core ms/block")
    tell("sum of a small array", fastest(lambda: store.total("counts")) / count * 1e3, "core ms/block")


def _kept_blocks(folder: Path, count: int) -> BlockStore:
    from fusion_mapper.inference.blocks import BlockResult

    store = BlockStore(folder, BlockLayout(SIDE, SIDE * count, SIDE))
    (folder / "blocks").mkdir()
    values = np.resize(_truth(folder), (SIDE, SIDE))
    for index in range(count):
        store.write(index, BlockResult({"0.classes": values, "0.certainty": values}, 0, np.array([1])))
    return store


def measure_folder(folder: Path, count: int) -> None:
    """So many block files in one folder: to write, to look up and to list them."""
    blocks = folder / "blocks"
    blocks.mkdir()
    began = time.perf_counter()
    for index in range(count):
        path = blocks / f"{index:08d}.npz"
        part = path.with_suffix(".part")
        part.write_bytes(b"x")
        os.replace(part, path)
    tell(f"write and rename, {count:,} files", (time.perf_counter() - began) / count * 1e6, "µs/file")
    paths = [blocks / f"{index:08d}.npz" for index in range(count)]
    tell("look up", fastest(lambda: [path.stat() for path in paths]) / count * 1e6, "µs/file")
    tell("list", fastest(lambda: list(os.scandir(blocks))) / count * 1e6, "µs/file")


def measure_dispatch(folder: Path, count: int) -> None:
    """Blocks a second that one run hands out to two workers, which answer at once that they do not know it."""
    from fusion_mapper.inference.cluster import bootstrap
    from fusion_mapper.inference.cluster.sending import ask

    async def hand_out() -> float:
        from distributed import Client

        async with Client(scheduler_file=str(folder / "scheduler.json"), asynchronous=True) as client:
            await client.wait_for_workers(2)
            hands = list(await client.nthreads())
            waiting = iter(range(count))

            async def draw(address: str) -> None:
                for index in waiting:
                    await ask(client, address, bootstrap.compute, "", "", index)

            for address in hands:
                await ask(client, address, bootstrap.compute, "", "", 0)
            began = time.perf_counter()
            await asyncio.gather(*(draw(address) for address in hands for _ in range(8)))
            return count / (time.perf_counter() - began)

    with _cluster(folder):
        tell("blocks handed out and answered for", asyncio.run(hand_out()), "blocks/s")


def measure_open(folder: Path, _size: int) -> None:
    """What a worker costs before its first block: the upload, and starting the engine."""
    tell("upload", len(Package().content) / 1e3, "kB/worker")
    code = "import fusion_mapper.inference.cluster.worker, openvino"
    start = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); import simulate; simulate.register_package(); "
    seconds = fastest(lambda: subprocess.run([sys.executable, "-c", start + code], check=True), time.perf_counter)
    tell("start the engine in a process", seconds, "s")


@contextmanager
def _cluster(folder: Path) -> Iterator[None]:
    """A scheduler and two workers of one thread."""
    dask = [sys.executable, "-m", "dask"]
    common = ["--scheduler-file", str(folder / "scheduler.json"), "--no-dashboard"]
    commands = [
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *common],
        [*dask, "worker", "--nworkers", "2", "--nthreads", "1", *common],
    ]
    processes = [subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) for command in commands]
    try:
        yield
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def measure_cog(folder: Path, size: int) -> None:
    """A class map as a Cloud Optimized GeoTIFF, from blocks in memory."""
    mosaic = _mosaic(folder, size)
    began = time.process_time()
    write_cog(folder / "map.tif", mosaic.grid, raster_spec("classes", LAND_COVER), mosaic.blocks("classes"), {})
    pixels = size**2
    tell(f"GeoTIFF of {size:,} × {size:,} classes", (time.process_time() - began) * 1e6 / pixels, "core s/Mpixel")
    tell("its file", (folder / "map.tif").stat().st_size / pixels, "bytes/pixel")
    _tell_memory()


def measure_polygons(folder: Path, size: int) -> None:
    """The same map as polygons."""
    mosaic = _mosaic(folder, size)
    began = time.process_time()
    counts = write_polygons(folder / "map.gpkg", LAND_COVER, mosaic, Outputs(""), {})
    pixels = size**2
    tell(f"polygons of {size:,} × {size:,} classes", (time.process_time() - began) * 1e6 / pixels, "core s/Mpixel")
    tell("polygons", counts.written * 1e6 / pixels, "1/Mpixel")
    tell("pieces held at cells' borders", counts.crossing * 1e6 / pixels, "1/Mpixel")
    tell("their file", (folder / "map.gpkg").stat().st_size / pixels, "bytes/pixel")
    _tell_memory()


def _tell_memory() -> None:
    tell("largest resident set", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB")


def _simulate(folder: Path, size: int) -> None:
    """In a process of its own, whose memory is not counted."""
    command = [sys.executable, str(ROOT / "scripts/simulate.py"), str(folder), "--size", str(size), "--gsd", "10"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _truth(folder: Path) -> np.ndarray:
    _simulate(folder / "scene", SCENE)
    with rasterio.open(folder / "scene" / "truth_classes.tif") as file:
        return file.read(1)


def _mosaic(folder: Path, size: int) -> Mosaic:
    """A landscape of `size` × `size` pixels in blocks that are made when they are asked for."""
    truth = _truth(folder)
    with rasterio.open(folder / "scene" / "truth_classes.tif") as file:
        grid = Grid(file.crs.to_string(), file.transform, size, size)
    layout = BlockLayout(size, size, SIDE)
    windows = [layout.window(index) for index in range(layout.count)]

    def load(index: int, name: str) -> np.ndarray:
        window: Window = windows[index]
        rows = _mirrored(np.arange(window.row, window.row + window.height), len(truth))
        cols = _mirrored(np.arange(window.col, window.col + window.width), truth.shape[1])
        values = truth[np.ix_(rows, cols)]
        return values if name == "classes" else np.full_like(values, 200)

    return Mosaic(grid, windows, load)


def _mirrored(position: np.ndarray, length: int) -> np.ndarray:
    position = position % (2 * length)
    return np.where(position < length, position, 2 * length - 1 - position)


MEASURES: dict[str, tuple[Callable[[Path, int], None], int]] = {
    "block": (measure_block, SCENE),
    "store": (measure_store, 32),
    "folder": (measure_folder, 10_000),
    "dispatch": (measure_dispatch, 2_000),
    "open": (measure_open, 0),
    "cog": (measure_cog, 4096),
    "polygons": (measure_polygons, 4096),
}

if __name__ == "__main__":
    main()

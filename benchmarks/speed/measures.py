"""What is measured: each function runs the engine and what it is held against, and answers ratios or rates."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers import SIDE, repeated
from running import ROOT, Run, engine, median, process
from wide import OSM_LAYERS, wide_dem, wide_osm

HERE = Path(__file__).parent
MEGA = 1e6
#: Height and width in pixels of a country: Slovenia at 10 m.
COUNTRY = 12_688, 16_000


@dataclass(frozen=True)
class Measure:
    """One figure, and what it is to be."""

    what: str
    value: float
    limit: str
    met: bool
    detail: str = ""


@dataclass(frozen=True)
class Bench:
    """Where the layers and models are, and how often each run is made."""

    folder: Path
    rounds: int = 3
    deepness: tuple[str, str] | None = None
    """A checkout of the Deepness plugin, and a Python that runs it."""

    def job(self, model: str, raster: str = "bench.tif", **compute: Any) -> dict[str, Any]:
        """A job on imagery alone."""
        sources = {"imagery": {"path": str(self.folder / raster)}}
        return {"model": str(self.folder / model), "sources": sources, "compute": compute}

    def fused(self, model: str, imagery: str, **compute: Any) -> dict[str, Any]:
        """A job on imagery of the scene, or of its mirrored copies, OpenStreetMap and elevation."""
        folder, under = self.folder, Path(imagery).stem
        osm, dem = folder / f"{under}.osm.gpkg", folder / f"{under}.dem.tif"
        wide_osm(folder / "osm.gpkg", folder / imagery, osm)
        wide_dem(folder / "dem.tif", folder / imagery, dem)
        job = self.job(model, imagery, **compute)
        layers = [{"path": str(osm), "layer": name} for name in OSM_LAYERS]
        job["sources"] |= {"osm": {"layers": layers}, "dem": {"path": str(dem)}}
        return job

    def run(self, job: dict[str, Any]) -> Run:
        """The run of middle duration."""
        return median(self.rounds, lambda: engine(job))


def bare(bench: Bench) -> Iterator[Measure]:
    """1: a whole run, from start to the written map, by a bare session on as many tiles of the same size."""
    for device, backend, most in (("onnxruntime-cpu", "onnxruntime", 1.10), ("openvino", "openvino", 1.15)):
        job = bench.job("unet-rgb.onnx", device=device)
        lattice = _plan(job)["lattice"]
        tiles = (-(-SIDE // lattice["step"])) ** 2
        command = [sys.executable, str(HERE / "bare.py"), job["model"], str(bench.folder / "bench.tif")]
        command += ["--backend", backend, "--tiles", str(tiles), "--side", str(lattice["size"])]
        # In turn, so that both meet the same machine.
        pairs = [(engine(job).seconds, process(command).result["seconds"]) for _ in range(bench.rounds)]
        ratio = sorted(ours / theirs for ours, theirs in pairs)[len(pairs) // 2]
        ours, theirs = (sorted(side)[len(pairs) // 2] for side in zip(*pairs, strict=True))
        detail = f"{ours:.2f} s by {theirs:.2f} s for {tiles} tiles of {lattice['size']}"
        yield Measure(f"1 whole run / bare session, {backend} f32", ratio, f"≤ {most}", ratio <= most, detail)


def peer(bench: Bench) -> Iterator[Measure]:
    """2: classes and polygons of the raster, by the Deepness plugin with the same model (tile 512, overlap 64)."""
    if bench.deepness is None:
        print("2 Deepness: give its checkout and a Python for it (--deepness CHECKOUT PYTHON)", flush=True)
        return
    checkout, python = bench.deepness
    fixed = bench.folder / "unet-rgb.fixed.onnx"
    _fix_shapes(bench.folder / "unet-rgb.onnx", fixed, 512)
    command = [python, str(ROOT / "benchmarks" / "in_qgis" / "deepness.py"), checkout, str(fixed)]
    command += [str(bench.folder / "bench.tif"), "--tile", "512", "--overlap", "64"]
    for device, most in (("openvino", 1 / 2.5), ("auto", 1 / 6)):
        job = bench.job("unet-rgb.onnx", device=device)
        job["outputs"] = {"products": {"classes": None, "polygons": None}}
        precision = _plan(job)["session"]["precision"]  # a run, so that the trial of backends is made and remembered
        pairs = [(engine(job), process(command)) for _ in range(bench.rounds)]
        ratio = sorted(ours.seconds / theirs.result["seconds"] for ours, theirs in pairs)[len(pairs) // 2]
        ours, theirs = pairs[-1]
        detail = f"{ours.seconds:.1f} s and {ours.peak / 2**20:.0f} MiB by {theirs.result['seconds']:.1f} s and "
        detail += f"{theirs.peak / 2**20:.0f} MiB"
        what = f"2 classes and polygons in {precision} / Deepness"
        yield Measure(what, ratio, f"≤ {most:.3g}", ratio <= most, detail)


def data_path(bench: Bench) -> Iterator[Measure]:
    """3: pixels a second through a 1×1 convolution, everything included."""
    repeated(bench.folder / "bench.tif", bench.folder / "large.tif", 4 * SIDE, 4 * SIDE)
    pixels = (4 * SIDE) ** 2
    run = bench.run(bench.job("pointwise-rgb.onnx", "large.tif"))
    rate = pixels / run.seconds / MEGA
    yield Measure("3 data path, 3 bands of uint8, Mpixel/s", rate, "≥ 25", rate >= 25, f"{run.seconds:.1f} s")
    repeated(bench.folder / "fused.tif", bench.folder / "country.tif", *COUNTRY)
    run = bench.run(bench.fused("pointwise-fused.onnx", "country.tif"))
    rate = math.prod(COUNTRY) / run.seconds / MEGA
    yield Measure("3 imagery + OSM + reprojected slope, Mpixel/s", rate, "≥ 8", rate >= 8, f"{run.seconds:.1f} s")


def growth(bench: Bench) -> Iterator[Measure]:
    """4: what a pixel takes, and the peak of memory, at a hundred times the area."""
    small, large = bench.job("pointwise-rgb.onnx"), bench.job("pointwise-rgb.onnx", "huge.tif")
    repeated(bench.folder / "bench.tif", bench.folder / "huge.tif", 10 * SIDE, 10 * SIDE)
    few, many = bench.run(small), engine(large)
    ratio = many.seconds / 100 / few.seconds
    yield Measure("4 time a Mpixel, 1.7 Gpixel / 17 Mpixel", ratio, "≤ 1.05", ratio <= 1.05, f"{many.seconds:.1f} s")
    ratio = many.peak / few.peak
    detail = f"{few.peak / 2**20:.0f} and {many.peak / 2**20:.0f} MiB"
    yield Measure("4 peak memory, 1.7 Gpixel / 17 Mpixel", ratio, "≤ 1.1", ratio <= 1.1, detail)
    yield Measure("4 peak memory, GB", many.peak / 1e9, "< 1.5", many.peak < 1.5e9)


def extract(bench: Bench) -> Iterator[Measure]:
    """5: a window's OSM out of an extract of a country's size, by the same window out of a small one."""
    country = bench.folder / "country.gpkg"
    if not country.exists():
        _spread(bench.folder / "osm.gpkg", country)
    times = []
    for extract in (bench.folder / "osm.gpkg", country):
        layers = [{"path": str(extract), "layer": "buildings"}]
        job = bench.fused("pointwise-fused.onnx", "fused.tif")
        job["sources"]["osm"]["layers"] = layers
        times.append(bench.run(job).seconds)
    ratio = times[1] / times[0]
    size = f"{country.stat().st_size / MEGA:.0f} MB by {(bench.folder / 'osm.gpkg').stat().st_size / MEGA:.1f} MB"
    yield Measure("5 run with a country's extract / with a small one", ratio, "≤ 1.1", ratio <= 1.1, size)


def polygons(bench: Bench) -> Iterator[Measure]:
    """6: classes to simplified polygons without seams, by gdal_polygonize alone (4-connected, not simplified)."""
    keep = bench.folder / "map"
    if not (keep / "out" / "classes.tif").exists():
        engine(bench.job("unet-rgb.onnx"), keep)
    classes = keep / "out" / "classes.tif"
    ours = [sys.executable, str(HERE / "polygons.py"), str(classes), str(bench.folder / "unet-rgb.onnx")]
    theirs = ["/usr/bin/python3", shutil.which("gdal_polygonize.py") or "gdal_polygonize.py", "-q", str(classes)]
    pairs = []
    for _ in range(bench.rounds):
        for target in (keep / "ours.gpkg", keep / "theirs.gpkg"):
            target.unlink(missing_ok=True)
        made = process([*ours, str(keep / "ours.gpkg")])
        pairs.append((made.result["seconds"], process([*theirs, str(keep / "theirs.gpkg")]).seconds))
    ratio = sorted(one / other for one, other in pairs)[len(pairs) // 2]
    number = made.result["polygons"]
    detail = f"{number:,} polygons, {number / (SIDE**2 / MEGA):.0f} a Mpixel; peak {made.peak / 2**20:.0f} MiB"
    yield Measure("6 polygons / gdal_polygonize", ratio, "< 1.5", ratio < 1.5, detail)


def masked(bench: Bench) -> Iterator[Measure]:
    """7: one hundredth of the area, in two far corners, by the whole."""
    area = bench.folder / "area.geojson"
    area.write_text(json.dumps(_corners(bench.folder / "bench.tif", 0.01)))
    # The same backend and precision in both, which a trial might choose otherwise for the smaller map.
    job = bench.job("unet-rgb.onnx", "large.tif", device="openvino")
    repeated(bench.folder / "bench.tif", bench.folder / "large.tif", 4 * SIDE, 4 * SIDE)
    whole = engine(job).seconds
    part = bench.run({**job, "grid": {"area": {"path": str(area)}}}).seconds
    share = part / whole
    yield Measure(
        "7 time for 1 % of the area / for all", share, "≤ 0.03", share <= 0.03, f"{part:.1f} by {whole:.1f} s"
    )


def country(bench: Bench) -> Iterator[Measure]:
    """8: a country: 203 Mpixel of four bands of uint16, OSM and a reprojected slope, classes and polygons out."""
    repeated(bench.folder / "fused.tif", bench.folder / "country.tif", *COUNTRY)
    mpixel = math.prod(COUNTRY) / MEGA
    job = bench.fused("unet-fused.onnx", "country.tif")
    job["outputs"] = {"products": {"classes": None, "polygons": None}}
    with tempfile.TemporaryDirectory() as place:
        run = engine(job, Path(place))
        classes, output = Path(place) / "out" / "classes.tif", Path(place) / "alone.gpkg"
        alone = process([sys.executable, str(HERE / "polygons.py"), str(classes), job["model"], str(output)]).result
        precision = json.loads((classes.parent / "plan.json").read_text())["session"]["precision"]
    detail = f"{mpixel:.0f} Mpixel in {precision}, peak {run.peak / 2**20:.0f} MiB"
    yield Measure("8 a country, seconds", run.seconds, "≤ 60 (with AMX)", run.seconds <= 60, detail)
    # The same without a network to speak of, which leaves reading, preparing, encoding and keeping.
    path = engine(bench.fused("pointwise-fused.onnx", "country.tif")).stages["mapping"]
    spans = {**run.stages, "network": run.stages["mapping"] - path, "mapping": path}
    shares = ", ".join(f"{name} {span / run.seconds:.0%}" for name, span in spans.items())
    print(f"8 shares of that time: {shares}; mapping without the network", flush=True)
    density = alone["polygons"] / mpixel
    told = f"{alone['polygons']:,} polygons, {density:.0f} a Mpixel"
    yield Measure("8 polygons alone, seconds", alone["seconds"], "told", density <= 1000, told)


MEASURES: dict[str, Callable[[Bench], Iterator[Measure]]] = {
    "1": bare,
    "2": peer,
    "3": data_path,
    "4": growth,
    "5": extract,
    "6": polygons,
    "7": masked,
    "8": country,
}


def _fix_shapes(model: Path, target: Path, side: int) -> None:
    """The model for one tile of that side, as Deepness wants it, which does not read our card."""
    import onnx

    proto = onnx.load(model)
    for value in (*proto.graph.input, *proto.graph.output):
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, (1, dims[1].dim_value, side, side), strict=True):
            dim.dim_value = size
    del proto.metadata_props[:]
    onnx.save(proto, target)


def _plan(job: dict[str, Any]) -> dict[str, Any]:
    """The plan of a run of that job, which is made for it."""
    with tempfile.TemporaryDirectory() as folder:
        engine(job, Path(folder))
        return json.loads((Path(folder) / "out" / "plan.json").read_text())


def _spread(source: Path, target: Path, copies: int = 400) -> None:
    """A GeoPackage with the buildings of `source` and as many again, `copies` times, elsewhere in the country."""
    part = target.with_name("country.part.gpkg")
    part.unlink(missing_ok=True)
    began = time.monotonic()
    moved = " UNION ALL ".join(
        f"SELECT building, ST_Translate(geom, {0.05 * (n % 20 - 10)}, {0.05 * (n // 20 + 1)}, 0) AS geom FROM buildings"
        for n in range(copies)
    )
    sql = f"SELECT building, geom FROM buildings UNION ALL {moved}"
    subprocess.run(
        ["ogr2ogr", "-q", str(part), str(source), "-nln", "buildings", "-dialect", "SQLITE", "-sql", sql], check=True
    )
    with sqlite3.connect(part) as base:
        (count,) = base.execute("SELECT count(*) FROM buildings").fetchone()
    print(f"country.gpkg: {count:,} buildings, made in {time.monotonic() - began:.0f} s", flush=True)
    part.rename(target)


def _corners(raster: Path, share: float) -> dict[str, Any]:
    """A layer of two squares in opposite corners of the large raster, with `share` of its area."""
    import rasterio

    with rasterio.open(raster) as file:
        t, crs = file.transform, file.crs
    extent = 4 * SIDE * t.a
    side = extent * (share / 2) ** 0.5
    left, top = t.c, t.f
    boxes = [
        (left, top - side, left + side, top),
        (left + extent - side, top - extent, left + extent, top - extent + side),
    ]
    features = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]},
        }
        for w, s, e, n in boxes
    ]
    name = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs.to_epsg()}"}}
    return {"type": "FeatureCollection", "crs": name, "features": features}

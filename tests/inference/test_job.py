"""The job contract: what is well-formed is read, what is not is refused with the field's name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.events import Failed, Progress, Result, Started, Warn, from_line, to_line
from fusion_mapper.inference.job import job_from_dict, read_job, resolve
from fusion_mapper.models.fields import decode, encode
from hypothesis import given
from hypothesis import strategies as st

#: The job of the design, word for word.
DESIGN: dict[str, Any] = {
    "schema": 1,
    "model": "landcover.onnx",
    "sources": {
        "imagery": {"path": "ortho.tif", "bands": [1, 2, 3]},
        "osm": {"layers": [{"path": "osm.gpkg", "layer": "roads"}, {"path": "osm.gpkg", "layer": "buildings"}]},
        "dem": {"path": "srtm.tif"},
    },
    "grid": {"reference": "imagery", "resolution": None, "crs": None, "extent": None, "area": None},
    "outputs": {
        "folder": "out",
        "products": {"classes": None, "confidence": None, "polygons": "parcels.gpkg", "summary": None},
    },
    "compute": {
        "device": "auto",
        "precision": "auto",
        "tile": None,
        "overlap": None,
        "batch": None,
        "workers": None,
        "memory": None,
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    job = json.loads(json.dumps(DESIGN))
    *parents, last = path.split(".")
    place = job
    for parent in parents:
        place = place[parent]
    place[last] = value
    return job


def test_the_designs_job_is_read_and_written_back() -> None:
    job = job_from_dict(DESIGN)
    assert job.sources["imagery"].bands == (1, 2, 3)
    assert job.outputs.products["polygons"] == "parcels.gpkg"
    assert job_from_dict(json.loads(json.dumps(job.to_dict()))) == job


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("schema", 2, r"job\.schema is 2"),
        ("outputs.products", {"clases": None}, "names 'clases'"),
        ("compute.tile", 0, r"job\.compute\.tile must be at least 1"),
        ("compute.device", "gpu0", r"job\.compute\.device must be one of"),
        ("compute.tile", "512", r"job\.compute\.tile must be a whole number"),
        ("compute.tile", True, r"job\.compute\.tile must be a whole number"),
        ("sources.imagery.bands", [0], "counted from 1"),
        ("sources.imagery.dn_scale", 0, "dn_scale must not be 0"),
        ("sources.imagery.mosaic", ["a.tif"], "path and mosaic"),
        ("sources.imagery.colour", "red", "unknown field 'colour'"),
        ("grid.extent", [1, 2, 3], r"job\.grid\.extent must have 4 values"),
        ("grid.resolution", float("inf"), r"job\.grid\.resolution must be a finite number"),
        ("model", None, "needs a 'model'"),
        ("model", "a\0b.onnx", r"job\.model holds a character"),
        ("outputs.folder", "a\ud800", r"job\.outputs\.folder holds a character"),
        ("sources", {"ima\0gery": {"path": "a.tif"}}, r"A name in job\.sources holds a character"),
        ("outputs.threshold", 50, r"job\.outputs\.threshold is a probability"),
        ("outputs.minimum_area", -1, r"job\.outputs\.minimum_area must not be negative"),
        ("outputs.simplify", -1, r"job\.outputs\.simplify must not be negative"),
        ("compute.tile", 10**9, r"job\.compute\.tile must be .* at most 16,384"),
        ("compute.workers", 10**6, r"job\.compute\.workers must be .* at most 256"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: object, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        job_from_dict(changed(path, value))


def test_a_missing_field_is_named() -> None:
    job = json.loads(json.dumps(DESIGN))
    del job["outputs"]["folder"]
    with pytest.raises(RequestError, match=r"job\.outputs lacks the field 'folder'"):
        job_from_dict(job)


def test_relative_paths_resolve_against_the_job_file(tmp_path: Path) -> None:
    file = tmp_path / "runs" / "job.json"
    file.parent.mkdir()
    file.write_text(json.dumps(DESIGN))
    _, base = read_job(file)
    assert resolve("ortho.tif", base) == str(tmp_path / "runs" / "ortho.tif")
    assert resolve("/vsicurl/https://example.org/a.tif", base) == "/vsicurl/https://example.org/a.tif"


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "[" * 100_000, '"job"', "null"])
def test_a_file_that_is_no_job_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "job.json"
    file.write_text(text)
    with pytest.raises(RequestError):
        read_job(file)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(DESIGN), encoding="utf-8-sig")
    assert read_job(file)[0] == job_from_dict(DESIGN)


@pytest.mark.skipif(os.name == "nt", reason="a device file is a POSIX thing")
def test_an_endless_job_file_is_refused() -> None:
    with pytest.raises(RequestError, match="larger than"):
        read_job(Path("/dev/zero"))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


@given(
    st.sampled_from([*(f"compute.{k}" for k in DESIGN["compute"]), "sources.osm", "grid", "outputs", "model"]),
    json_values,
)
def test_whatever_stands_in_a_field_the_answer_is_a_job_or_a_sentence(path: str, value: object) -> None:
    try:
        job = job_from_dict(changed(path, value))
    except RequestError as problem:
        assert "\n" not in str(problem)
    else:
        assert decode(type(job), encode(job), "job") == job


@pytest.mark.parametrize(
    "event",
    [
        Started("0.1", backend="openvino", device="CPU", precision="f32"),
        Progress(5, 10, "mapping", 2.5, 2.0),
        Warn("Zwölf Flächen fehlen."),
        Result({"classes": "out/classes.tif"}, {"pixels": 4}),
        Failed("The file x.tif cannot be read.", 2),
    ],
)
def test_events_survive_the_pipe(event: object) -> None:
    line = to_line(event)  # type: ignore[arg-type]
    assert "\n" not in line
    assert from_line(line) == event


@pytest.mark.parametrize("line", ["hello", "{}", '{"schema": 1, "event": "sung"}', '{"schema": 9, "event": "warning"}'])
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(RequestError):
        from_line(line)

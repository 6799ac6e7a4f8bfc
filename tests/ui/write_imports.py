"""Writes models of every convention, and hostile ones; run by the engine's Python: ``write_imports.py FOLDER``."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
# As tests/conftest.py does it, which needs pytest; an engine's own environment has none.
_SPEC = importlib.util.spec_from_file_location(
    "fusion_mapper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
)
sys.modules["fusion_mapper"] = importlib.util.module_from_spec(_SPEC)
sys.path.insert(0, str(ROOT / "tests" / "support"))

from fusion_mapper.models.mlm import card_to_item  # noqa: E402
from onnx_graphs import save_classifier, save_graph, two_class_card  # noqa: E402


def mlm(folder: Path) -> None:
    """A STAC MLM item as another tool writes it, without our block."""
    save_classifier(folder / "mlm.onnx")
    item = card_to_item(two_class_card(license="MIT", gsd=0.3))
    del item["properties"]["fusion:card"]
    (folder / "mlm.json").write_text(json.dumps(item), encoding="utf-8")


def geoai(folder: Path) -> None:
    """A sidecar that tells a channel too many and a tile size that the graph does not take."""
    save_classifier(folder / "geoai.onnx", size=64, ending=None)
    sidecar = {
        "model_name": "somebody/houses",
        "task": "semantic-segmentation",
        "input_height": 512,
        "input_channels": 4,
        "output_names": ["y"],
        "id2label": {"0": "ground", "1": "house"},
    }
    (folder / "geoai.onnx.json").write_text(json.dumps(sidecar), encoding="utf-8")


def dates(folder: Path) -> None:
    """Two dates of two bands in one input."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2], keepdims=0),
        helper.make_node("Softmax", ["m"], ["y"], axis=1),
    ]
    save_graph(folder / "dates.onnx", nodes, {"x": ["n", 2, 2, 64, 64]}, {"y": ["n", 2, 64, 64]})


def free(folder: Path) -> None:
    """A graph that does not say how many channels it takes."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        helper.make_node("Sigmoid", ["m"], ["y"]),
    ]
    save_graph(folder / "free.onnx", nodes, {"x": ["n", "c", "h", "w"]}, {"y": ["n", 1, "h", "w"]})


def escaping(folder: Path) -> None:
    """Weights in a file outside the model's folder."""
    path = save_classifier(folder / "escaping.onnx")
    model = onnx.load(path)
    weight = model.graph.initializer[0]
    weight.CopyFrom(numpy_helper.from_array(np.zeros((2, 3, 1, 1), np.float32), "w"))
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../../etc/passwd")
    path.write_bytes(model.SerializeToString())


def foreign(folder: Path) -> None:
    """An operator that would need a library to be loaded."""
    nodes = [helper.make_node("Detonate", ["x"], ["y"], domain="evil.ops")]
    save_graph(folder / "foreign.onnx", nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 3, 8, 8]}, domains=["evil.ops"])


def heavy(folder: Path) -> None:
    """More than any ONNX file can hold, without taking room on the disk."""
    with (folder / "heavy.onnx").open("wb") as stream:
        stream.truncate(2**31)


if __name__ == "__main__":
    for write in (mlm, geoai, dates, free, escaping, foreign, heavy):
        write(Path(sys.argv[1]))

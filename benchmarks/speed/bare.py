"""A bare session on the tiles that a run computes: what no engine can be faster than. One process, one JSON line.

    python benchmarks/speed/bare.py MODEL RASTER --backend onnxruntime|openvino --precision f32|bf16 --tiles N --side S

The raster's pixels are in memory and scaled before the clock starts; loading and compiling the model are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio

#: Different tiles that are shown in turn.
SHOWN = 16


def main() -> None:
    """Time so many tiles and print the seconds they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("raster", type=Path)
    parser.add_argument("--backend", choices=("onnxruntime", "openvino"), required=True)
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--tiles", type=int, required=True)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--scale", type=float, default=255.0)
    choice = parser.parse_args()
    tiles = _tiles(choice.raster, choice.side, choice.scale)
    opener = {"onnxruntime": _onnx_runtime, "openvino": _open_vino}[choice.backend]
    answer = opener(choice.model, choice.precision, tiles[0].shape)
    answer(tiles[0])
    began = time.perf_counter()
    for number in range(choice.tiles):
        answer(tiles[number % len(tiles)])
    print(json.dumps({"event": "result", "seconds": time.perf_counter() - began}))


def _tiles(raster: Path, side: int, scale: float) -> list[np.ndarray]:
    with rasterio.open(raster) as file:
        image = file.read()
    rows, cols = image.shape[1] // side, image.shape[2] // side
    places = [(row * side, col * side) for row in range(rows) for col in range(cols)]
    chosen = places[:: max(len(places) // SHOWN, 1)][:SHOWN]
    return [image[None, :, r : r + side, c : c + side].astype(np.float32) / np.float32(scale) for r, c in chosen]


def _onnx_runtime(model: Path, precision: str, shape: tuple[int, ...]) -> Callable[[np.ndarray], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    return lambda tile: session.run(None, {"input": tile})


def _open_vino(model: Path, precision: str, shape: tuple[int, ...]) -> Callable[[np.ndarray], object]:
    import openvino
    import openvino.properties.hint as hints

    core = openvino.Core()
    network = core.read_model(str(model))
    network.reshape(list(shape))
    kind = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}[precision]
    config = {hints.inference_precision: kind, hints.performance_mode: hints.PerformanceMode.LATENCY}
    request = core.compile_model(network, "CPU", config).create_infer_request()
    return lambda tile: request.infer([tile], share_inputs=True)


if __name__ == "__main__":
    main()

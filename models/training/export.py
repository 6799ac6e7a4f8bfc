"""From a trained network to an ONNX file that gives the same answers."""

from __future__ import annotations

import copy
import math
import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..architectures.place import Place
from ..errors import RequestError

TOLERANCE = 1e-4
"""Largest difference allowed between the network's and the ONNX file's answers; of answers above 1, their share of the
largest, since single precision does not know them better (torch differs from itself in double precision by as much)."""

#: Batch, height and width of the tiles that are compared, in strides; the batch alone where the tile is fixed.
_SIZES = ((1, 8, 8), (2, 6, 11), (3, 5, 4))


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode, every batch normalisation in a sequence folded into the convolution before it."""
    folded = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)
    for block in folded.modules():
        if isinstance(block, nn.Sequential):
            for place in range(len(block) - 1):
                if isinstance(block[place], nn.Conv2d) and isinstance(block[place + 1], nn.BatchNorm2d):
                    block[place] = fuse_conv_bn_eval(block[place], block[place + 1])
                    block[place + 1] = nn.Identity()
    return folded


def export_onnx(network: nn.Module, channels: int, path: Path, opset: int = 17) -> float:
    """Write a network of `models.architectures` as ONNX.

    The graph has the input ``input`` (N×C×H×W), the input ``location`` where the network takes one, and the output
    ``output``. The batch is free, and so are height and width unless the network is fixed to a tile. The location is
    N×2 degrees, with the basis inside the graph, or N×L² basis values, as the network's `place` says.

    Args:
        network: has `stride`; may have `fixed` and `takes_location`, as `FusionNetwork` and what wraps one do.
        channels: of the stack.
        path: of the file.
        opset: version of ONNX's operators.

    Returns:
        The largest difference between network and file, in raw answers, over tiles of several sizes and batches.

    Raises:
        RequestError: the network cannot be written as ONNX, or the file's answers differ by more than `TOLERANCE`.
    """
    folded = fold_batch_norm(network).cpu()
    place = _exposed_place(folded)
    part = path.with_name(f"{path.stem}.part.onnx")
    try:
        _write(folded, _tile(folded, channels, place, _SIZES[1]), part, opset)
        _strip(part)
        difference, scale = _largest_difference(folded, channels, place, part)
        if not difference <= TOLERANCE * max(scale, 1.0):
            raise RequestError(
                f"The ONNX file's answers, of up to {scale:.2g}, differ from the network's by {difference:.2g}; "
                "take another network.encoder or network.architecture."
            )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return difference


def _exposed_place(network: nn.Module) -> Place | None:
    """The network's location embedding, which takes from here on what the graph's input will be given."""
    place = next((module for module in network.modules() if isinstance(module, Place)), None)
    if place is not None:
        place.given = place.slot
    return place


def _write(network: nn.Module, example: tuple[Tensor, ...], path: Path, opset: int) -> None:
    names = ["input", "location"][: len(example)]
    with torch.no_grad():
        answer = network(*example)
    free = {0: "batch"} if getattr(network, "fixed", None) else {0: "batch", 2: "height", 3: "width"}
    axes = {"input": free, "location": {0: "batch"}, "output": free if answer.ndim == 4 else {0: "batch"}}
    try:
        with warnings.catch_warnings():
            # The tracer warns of every size it meets; whether sizes are free is checked on the file.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                example,
                str(path),
                dynamo=False,  # gives one plain node a layer; the newer exporter's graphs are three times as long
                opset_version=opset,
                input_names=names,
                output_names=["output"],
                dynamic_axes={name: axes[name] for name in (*names, "output")},
            )
    except Exception as problem:  # an operator that ONNX lacks has an error of its own in every version of torch
        raise RequestError(
            f"The network cannot be written as ONNX ({str(problem).strip().splitlines()[0][:200].rstrip('.')}); "
            "take another network.encoder or network.architecture."
        ) from problem


def _strip(path: Path) -> None:
    """Take out what the exporter notes of this machine, and check the graph."""
    proto = onnx.load(path)
    proto.doc_string = ""
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def _tile(network: nn.Module, channels: int, place: Place | None, size: tuple[int, int, int]) -> tuple[Tensor, ...]:
    """Random inputs for the network: a stack, and locations where it takes them."""
    batch, height, width = size
    fixed, stride = getattr(network, "fixed", None), network.stride
    rows, cols = (fixed, fixed) if fixed else (height * stride, width * stride)
    rng = np.random.default_rng(batch)
    stack = torch.from_numpy(rng.normal(0, 1, (batch, channels, rows, cols)).astype(np.float32))
    if place is None:
        return (stack,)
    lonlat = np.stack([rng.uniform(-180, 180, batch), rng.uniform(-90, 90, batch)], axis=1)
    return stack, torch.from_numpy(place.feed(lonlat))


def _largest_difference(network: nn.Module, channels: int, place: Place | None, path: Path) -> tuple[float, float]:
    """Largest difference between the two, and the largest answer."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    difference = scale = 0.0
    for size in _SIZES:
        tile = _tile(network, channels, place, size)
        found = _answer(session, dict(zip(names, (value.numpy() for value in tile), strict=True)))
        with torch.no_grad():
            expected = network(*tile).numpy()
        if found.shape != expected.shape or not np.isfinite(found).all():
            return math.nan, math.nan
        difference = max(difference, float(np.abs(found - expected).max()))
        scale = max(scale, float(np.abs(expected).max()))
    return difference, scale


def _answer(session: onnxruntime.InferenceSession, feed: dict[str, np.ndarray]) -> np.ndarray:
    try:
        return session.run(None, feed)[0]
    except Exception as problem:  # ONNX Runtime's errors have no class in common
        raise RequestError(
            f"The ONNX file does not run on a stack of {feed['input'].shape}; "
            "take another network.encoder or network.architecture."
        ) from problem

"""From a trained network to an ONNX file that gives the same answers."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

TOLERANCE = 1e-4
"""Largest difference allowed between the network's and the ONNX file's answers."""


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode, every batch normalisation folded into the convolution before it."""
    folded = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)
    for block in folded.modules():
        if isinstance(block, nn.Sequential):
            for place in range(len(block) - 1):
                if isinstance(block[place], nn.Conv2d) and isinstance(block[place + 1], nn.BatchNorm2d):
                    block[place] = fuse_conv_bn_eval(block[place], block[place + 1])
                    block[place + 1] = nn.Identity()
    return folded


def export_onnx(model: nn.Module, channels: int, stride: int, path: Path, opset: int = 17) -> float:
    """Write ``model`` with one input ``input`` and one output ``output``; batch, height and width are free.

    Returns:
        The largest difference between network and file over tiles of several sizes.

    Raises:
        RuntimeError: the file's answers differ from the network's by more than `TOLERANCE`.
    """
    folded = fold_batch_norm(model)
    part = path.with_name(f"{path.stem}.part.onnx")
    example = torch.zeros(2, channels, 8 * stride, 8 * stride)
    axes = {0: "batch", 2: "height", 3: "width"}
    torch.onnx.export(
        folded,
        (example,),
        str(part),
        dynamo=False,  # gives one plain node a layer; the newer exporter's graphs are three times as long
        opset_version=opset,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": axes, "output": axes},
    )
    _strip(part)
    difference = _largest_difference(folded, channels, stride, part)
    if difference > TOLERANCE:
        raise RuntimeError(f"The ONNX file differs from the network by {difference:.2g}.")
    os.replace(part, path)
    return difference


def _strip(path: Path) -> None:
    """Take out what the exporter notes of this machine, and check the graph."""
    proto = onnx.load(path)
    proto.doc_string = ""
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def _largest_difference(model: nn.Module, channels: int, stride: int, path: Path) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for batch, height, width in ((1, 8 * stride, 8 * stride), (2, 12 * stride, 20 * stride)):
        x = rng.normal(0, 1, (batch, channels, height, width)).astype(np.float32)
        with torch.no_grad():
            expected = model(torch.from_numpy(x)).numpy()
        worst = max(worst, float(np.abs(session.run(None, {"input": x})[0] - expected).max()))
    return worst

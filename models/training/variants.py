"""Variants of a model in lower precision, and what they lose."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from ..errors import RequestError
from ..trainplan import Precision
from .halving import PLACE, halve

#: Operators that int8 is for; everything between them stays as it is.
_QUANTISED = ["Conv", "MatMul", "Gemm"]
#: A value counts as kept within this share of the spread of all values.
_NEAR = 0.01

Feed = dict[str, np.ndarray]


@dataclass(frozen=True)
class Agreement:
    """How far a variant answers as its model.

    Attributes:
        classes: share of pixels (of chips, in a model that answers whole chips) that get the same class. Where there is
            one value a pixel and no class, the share of values that keep within 1 % of the spread of the model's.
        largest: largest difference between two raw answers.
    """

    classes: float
    largest: float


def make_variant(path: Path, kind: Precision, target: Path, calibration: Iterable[Feed]) -> None:
    """Write a model in lower precision; its inputs and outputs stay float32.

    ``fp16`` stores weights and computes in half precision, except for the location embedding. ``int8`` quantises
    convolutions and matrix products (weights by channel, activations by the ranges met in calibration), with
    quantise-dequantise pairs that every runtime reads.

    Args:
        path: ONNX file in float32.
        kind: which precision.
        target: the variant's file.
        calibration: inputs as the model meets them, by name; only int8 looks at them.

    Raises:
        RequestError: there is nothing to calibrate with, or the model cannot be converted or run afterwards.
    """
    with tempfile.TemporaryDirectory(prefix=".variant-", dir=target.parent) as scratch:
        made = Path(scratch, "made.onnx")
        try:
            if kind == "fp16":
                onnx.save(halve(onnx.load(path)), made)
            else:
                _quantise(path, made, calibration, Path(scratch))
            onnx.checker.check_model(str(made), full_check=True)
            _session(made)
        except RequestError:
            raise
        except Exception as problem:  # the converters and ONNX Runtime raise errors of many classes
            reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200].rstrip(".")
            raise RequestError(f"{path.name} has no {kind} variant: {reason}; leave it out of 'variants'.") from problem
        os.replace(made, target)


def agreement(path: Path, variant: Path, batches: Iterable[Feed]) -> Agreement:
    """Compare a variant with its model.

    Args:
        path: the model.
        variant: its variant, with equal inputs and outputs.
        batches: inputs by name.

    Raises:
        RequestError: there are no inputs to compare on.
    """
    one, other = _session(path), _session(variant)
    count = same = 0
    largest = 0.0
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for feed in batches:
        expected, found = (session.run(None, feed)[0].astype(np.float32) for session in (one, other))
        largest = max(largest, float(np.abs(found - expected).max()))
        if expected.shape[1] == 1:
            pairs.append((expected.ravel(), found.ravel()))
            continue
        kept = expected.argmax(1) == found.argmax(1)
        count, same = count + kept.size, same + int(kept.sum())
    if pairs:
        expected, found = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        count, same = expected.size, int((np.abs(found - expected) <= _NEAR * np.ptp(expected)).sum())
    if not count:
        raise RequestError("There is nothing to compare a variant of lower precision on; give validation labels.")
    return Agreement(same / count, largest)


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class _Reader(CalibrationDataReader):
    """Hands the calibration's inputs to the quantiser."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:
        """The next inputs, or None at the end."""
        return next(self._feeds, None)


def _quantise(path: Path, target: Path, calibration: Iterable[Feed], scratch: Path) -> None:
    prepared = scratch / "prepared.onnx"
    # Symbolic shapes are not needed for these operators, and fail on free sizes.
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    model = onnx.load(prepared)
    left = [node.name for node in model.graph.node if PLACE in node.name]
    # The last layer has few weights and tells classes apart; in float32 it costs next to nothing.
    left.append([node.name for node in model.graph.node if node.op_type in _QUANTISED][-1])
    feeds = iter(calibration)
    first = next(feeds, None)
    if first is None:
        raise RequestError("There is nothing to calibrate int8 with; give training labels, or leave int8 out.")
    quantize_static(
        prepared,
        target,
        _Reader(itertools.chain([first], feeds)),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=_QUANTISED,
        per_channel=True,
        # Seven bits of weight: processors without VNNI saturate at eight, and would map otherwise than this one.
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=left,
        calibrate_method=CalibrationMethod.MinMax,
    )

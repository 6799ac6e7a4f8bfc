"""From one head's scores to what the products hold: the pure, per-block part of every sink."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...models.card import Output
from ..activation import highest, probabilities, softmax_of_highest
from ..errors import CardError
from ..job import Outputs
from .values import FLOAT_NODATA, class_dtype, class_nodata, class_values, value_nodata

#: Steps into which certainties are cut where they are summed by polygon: whole numbers add up alike in any order.
CERTAINTY_STEPS = 10_000
#: Block arrays that a product is assembled from.
ARRAYS: dict[str, tuple[str, ...]] = {
    "classes": ("classes",),
    "probabilities": ("probabilities",),
    "confidence": ("confidence",),
    "entropy": ("entropy",),
    "polygons": ("classes", "certainty"),
    "fields": ("interior",),
    "summary": ("classes",),
}
#: The same for a regression head.
REGRESSION_ARRAYS: dict[str, tuple[str, ...]] = {"regression": ("regression",), "summary": ("regression",)}
#: Rows worked on at a time: few enough to be cheap in memory, enough that threads seldom wait for the interpreter.
_STRIP = 128


def products_of(output: Output) -> frozenset[str]:
    """The products that one head can give."""
    if output.task == "pixel-regression":
        return frozenset(REGRESSION_ARRAYS)
    return frozenset(ARRAYS) - (frozenset() if output.task == "field-boundaries" else {"fields"})


class Encoder:
    """Turns one head's scores into the arrays that its wanted products are assembled from.

    By name:
    ``classes``, h×w class values, nodata where not valid or less certain than ``outputs.threshold``;
    ``confidence``, h×w float32, the highest probability;
    ``entropy``, h×w float32, Shannon entropy of the probabilities divided by log C (0 certain, 1 even);
    ``probabilities``, C×h×w float32;
    ``regression``, h×w float32, scaled and clipped as the card says;
    ``certainty``, h×w uint16, the highest probability in `CERTAINTY_STEPS`;
    ``interior``, h×w uint16, 0 outside fields, else 1 + P(field) in `CERTAINTY_STEPS`.

    Args:
        output: the head's card.
        wanted: product names; those that the head cannot give are passed over.
        outputs: the job's thresholds.
    """

    def __init__(self, output: Output, wanted: frozenset[str], outputs: Outputs) -> None:
        known = REGRESSION_ARRAYS if output.task == "pixel-regression" else ARRAYS
        self.output = output
        self._outputs = outputs
        self._names = sorted({name for product in wanted & products_of(output) for name in known[product]})
        cut = outputs.threshold is not None or output.threshold is not None
        self._needs_best = cut or not {"confidence", "certainty"}.isdisjoint(self._names)
        two = output.threshold is not None and len(output.classes) == 2
        self._needs_all = two or not {"probabilities", "entropy", "interior"}.isdisjoint(self._names)

    def blank(self, shape: tuple[int, int]) -> dict[str, np.ndarray]:
        """The arrays of a block of h×w pixels, all nodata."""
        return {name: _blank(name, self.output, shape) for name in self._names}

    def encode(self, scores: np.ndarray, valid: np.ndarray, arrays: dict[str, np.ndarray], raw: bool = False) -> int:
        """Fill the arrays; pixels that are not valid are left as they are.

        Args:
            scores: C×h×w: probabilities by class (one channel: the second class's), or one channel of values in
                regression; the network's own answers where they are `raw`.
            valid: h×w bool, False where a required layer has no data.
            arrays: as `blank` makes them, or parts of them.
            raw: the head's activation is still to be applied.

        Returns:
            The number of valid pixels at which the model answered NaN or infinity; they become nodata.

        Raises:
            CardError: where the scores have another number of channels than the card.
        """
        scores = scores.astype(np.float32, copy=False)
        faulty = 0
        for top in range(0, valid.shape[0], _STRIP):
            rows = slice(top, top + _STRIP)
            strip = {name: array[..., rows, :] for name, array in arrays.items()}
            faulty += self._encode_strip(scores[:, rows], valid[rows], strip, raw)
        return faulty

    def _encode_strip(self, scores: np.ndarray, valid: np.ndarray, arrays: dict[str, np.ndarray], raw: bool) -> int:
        output = self.output
        # A softmax keeps the order of the channels, so the whole of it is often not needed.
        short = raw and output.activation == "softmax" and not self._needs_all
        if raw and not short:
            scores = probabilities(output, scores)
        _check_channels(output, scores)
        with np.errstate(over="ignore", invalid="ignore"):
            usable = valid & np.isfinite(scores.sum(axis=0))
        whole = bool(usable.all())
        if output.task == "pixel-regression":
            if "regression" in arrays:
                np.copyto(arrays["regression"], _regression(output, scores[0], usable))
        else:
            if not whole:
                scores = np.where(usable, scores, np.float32(0))
            scores = _by_class(output, scores)
            position, best = highest(scores)
            if short and self._needs_best:
                best = softmax_of_highest(scores, best)
            where = True if whole else usable
            for name, array in arrays.items():
                np.copyto(array, _ENCODERS[name](output, self._outputs, scores, position, best), where=where)
        return 0 if whole else int(np.count_nonzero(valid) - np.count_nonzero(usable))


def _check_channels(output: Output, scores: np.ndarray) -> None:
    expected = {1, 2} if len(output.classes) == 2 else {len(output.classes)}
    if output.task == "pixel-regression":
        expected = {1}
    if len(scores) not in expected:
        raise CardError(
            f"The output '{output.name}' answers {len(scores)} channels, but its card describes "
            f"{max(len(output.classes), 1)}; correct the card."
        )


def _blank(name: str, output: Output, shape: tuple[int, ...]) -> np.ndarray:
    if name == "probabilities":
        shape = (len(output.classes), *shape)
    kinds = {"certainty": np.uint16, "interior": np.uint16}
    kind = class_dtype(output) if name == "classes" else kinds.get(name, np.float32)
    return np.full(shape, _nodata(name, output), kind)


def _by_class(output: Output, scores: np.ndarray) -> np.ndarray:
    """A probability for every class, whatever the head answers."""
    count = len(output.classes)
    if len(scores) == 1 and count == 2:
        return np.concatenate([1 - scores, scores])
    return scores


def _classes(
    output: Output, outputs: Outputs, scores: np.ndarray, position: np.ndarray, best: np.ndarray
) -> np.ndarray:
    if output.threshold is not None and len(scores) == 2:
        position = scores[1] >= output.threshold
    elif output.threshold is not None:
        position = position * (best >= output.threshold)
    classes = _values_at(class_values(output), position)
    if outputs.threshold is not None:
        classes[best < outputs.threshold] = class_nodata(output)
    return classes


def _values_at(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    """The class values at these positions; where they follow one another an addition finds them much faster."""
    if np.array_equal(values, np.arange(len(values)) + values[0]):
        return np.add(position, values[0], dtype=values.dtype, casting="unsafe")
    return values[position.astype(np.intp, copy=False)]


def _entropy(
    output: Output, outputs: Outputs, scores: np.ndarray, position: np.ndarray, best: np.ndarray
) -> np.ndarray:
    """Of probabilities made to add up to one, since independent (sigmoid) channels do not."""
    tiny = np.float32(1e-12)
    share = np.clip(scores, tiny, None)
    share /= share.sum(axis=0)
    return -(share * np.log(share)).sum(axis=0) / np.float32(np.log(max(len(share), 2)))


def _interior(
    output: Output, outputs: Outputs, scores: np.ndarray, position: np.ndarray, best: np.ndarray
) -> np.ndarray:
    values = [info.value for info in output.classes]
    field, boundary = scores[values.index(output.field)], scores[values.index(output.boundary)]
    inside = (field >= outputs.field_threshold) & (boundary < outputs.boundary_threshold)
    return np.where(inside, _steps(field) + np.uint16(1), np.uint16(0))


def _steps(probability: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(probability, 0, 1) * np.float32(CERTAINTY_STEPS)).astype(np.uint16)


def _regression(output: Output, values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    nodata = np.float32(value_nodata(output))
    with np.errstate(over="ignore", invalid="ignore"):
        mapped = values * np.float32(output.scaling.scale) + np.float32(output.scaling.offset)
    if output.range is not None:
        mapped = np.clip(mapped, *np.float32(output.range))
    # A true value that happens to be the nodata value moves to its neighbour, lest it be read as missing.
    mapped[mapped == nodata] = np.nextafter(nodata, np.float32(np.inf))
    return np.where(usable & np.isfinite(mapped), mapped, nodata)


def _nodata(name: str, output: Output) -> float:
    if name == "classes":
        return class_nodata(output)
    if name == "regression":
        return value_nodata(output)
    return {"certainty": 0, "interior": 0}.get(name, FLOAT_NODATA)


_ENCODERS: dict[str, Callable[..., np.ndarray]] = {
    "classes": _classes,
    "probabilities": lambda output, outputs, scores, position, best: scores,
    "confidence": lambda output, outputs, scores, position, best: best,
    "entropy": _entropy,
    "certainty": lambda output, outputs, scores, position, best: _steps(best),
    "interior": _interior,
}

"""From one head's scores to what the products hold: the pure, per-block part of every sink."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...models.card import Output
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
#: Rows worked on at a time: few enough that a strip of a block stays in the processor's cache.
_STRIP = 64


def products_of(output: Output) -> frozenset[str]:
    """The products that one head can give."""
    if output.task == "pixel-regression":
        return frozenset(REGRESSION_ARRAYS)
    return frozenset(ARRAYS) - (frozenset() if output.task == "field-boundaries" else {"fields"})


def encode_block(
    output: Output, scores: np.ndarray, valid: np.ndarray, wanted: frozenset[str], outputs: Outputs
) -> dict[str, np.ndarray]:
    """Turn a head's scores into the arrays that its wanted products are assembled from.

    Args:
        output: the head's card.
        scores: C×h×w float32: probabilities by class (one channel: the second class's), or one channel of values in
            regression.
        valid: h×w bool, False where a required layer has no data.
        wanted: product names; those that the head cannot give are passed over.
        outputs: the job's thresholds.

    Returns:
        By name:
        ``classes``, h×w class values, nodata where not valid or less certain than ``outputs.threshold``;
        ``confidence``, h×w float32, the highest probability;
        ``entropy``, h×w float32, Shannon entropy of the probabilities divided by log C (0 certain, 1 even);
        ``probabilities``, C×h×w float32;
        ``regression``, h×w float32, scaled and clipped as the card says;
        ``certainty``, h×w uint16, the highest probability in `CERTAINTY_STEPS`;
        ``interior``, h×w uint16, 0 outside fields, else 1 + P(field) in `CERTAINTY_STEPS`;
        ``faulty``, one int64: valid pixels at which the model answered NaN or infinity, nodata in every product.

    Raises:
        CardError: where the scores have another number of channels than the card.
    """
    known = REGRESSION_ARRAYS if output.task == "pixel-regression" else ARRAYS
    names = sorted({name for product in wanted & products_of(output) for name in known[product]})
    scores = np.ascontiguousarray(scores, dtype=np.float32)
    _check_channels(output, scores)
    arrays = {name: _blank(name, output, valid.shape) for name in names}
    faulty = 0
    for top in range(0, valid.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        faulty += _encode_strip(
            output, scores[:, rows], valid[rows], outputs, {n: a[..., rows, :] for n, a in arrays.items()}
        )
    arrays["faulty"] = np.array(faulty, np.int64)
    return arrays


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
        return np.empty((len(output.classes), *shape), np.float32)
    kinds = {"classes": np.uint16, "certainty": np.uint16, "interior": np.uint16}
    kind = class_dtype(output) if name == "classes" else kinds.get(name, np.float32)
    return np.empty(shape, kind)


def _encode_strip(
    output: Output, scores: np.ndarray, valid: np.ndarray, outputs: Outputs, arrays: dict[str, np.ndarray]
) -> int:
    """Fill the strips `arrays`; answers the number of valid pixels whose scores are not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        usable = valid & np.isfinite(scores.sum(axis=0))
    if output.task == "pixel-regression":
        if "regression" in arrays:
            arrays["regression"][:] = _regression(output, scores[0], usable)
    else:
        if not usable.all():
            scores = np.where(usable, scores, np.float32(0))
        scores = _by_class(output, scores)
        position, best = _highest(scores)
        for name, array in arrays.items():
            array[:] = _ENCODERS[name](output, outputs, scores, position, best)
            np.copyto(array, array.dtype.type(_nodata(name, output)), where=~usable)
    return int(np.count_nonzero(valid) - np.count_nonzero(usable))


def _by_class(output: Output, scores: np.ndarray) -> np.ndarray:
    """A probability for every class, whatever the head answers."""
    count = len(output.classes)
    if len(scores) == 1 and count == 2:
        return np.concatenate([1 - scores, scores])
    return scores


def _highest(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position and value of the highest channel, the first of equals; faster than ``argmax`` over axis 0."""
    best = scores[0].copy()
    position = np.zeros(best.shape, np.uint8 if len(scores) <= 256 else np.uint16)
    for channel in range(1, len(scores)):
        better = scores[channel] > best
        np.maximum(best, scores[channel], out=best)
        # A later channel's number is the higher one, so the maximum replaces where it is better, without branches.
        np.maximum(position, better.view(np.uint8) * position.dtype.type(channel), out=position)
    return position, best


def _classes(
    output: Output, outputs: Outputs, scores: np.ndarray, position: np.ndarray, best: np.ndarray
) -> np.ndarray:
    if output.threshold is not None and len(scores) == 2:
        position = scores[1] >= output.threshold
    elif output.threshold is not None:
        position = position * (best >= output.threshold)
    classes = class_values(output)[position.astype(np.intp, copy=False)]
    if outputs.threshold is not None:
        classes[best < outputs.threshold] = class_nodata(output)
    return classes


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
    return {"classes": class_nodata(output), "certainty": 0, "interior": 0}.get(name, FLOAT_NODATA)


_ENCODERS: dict[str, Callable[..., np.ndarray]] = {
    "classes": _classes,
    "probabilities": lambda output, outputs, scores, position, best: scores,
    "confidence": lambda output, outputs, scores, position, best: best,
    "entropy": _entropy,
    "certainty": lambda output, outputs, scores, position, best: _steps(best),
    "interior": _interior,
}

"""Random fields with a chosen wavelength, cheap at 4096 x 4096 and the same for the same seed."""

from __future__ import annotations

import zlib

import numpy as np
from scipy import sparse


def stream(seed: int, subject: str) -> np.random.Generator:
    """A generator of its own for one subject, so that a change in one leaves the others as they were."""
    return np.random.default_rng([seed, zlib.crc32(subject.encode())])


def spline_matrix(positions: np.ndarray, count: int) -> sparse.csr_matrix:
    """Cubic B-spline weights that evaluate ``count`` knots at ``positions`` (in knots, 1 to count - 3).

    A B-spline never overshoots its knots, so heights and shares stay in their range.
    """
    base = np.clip(np.floor(positions).astype(np.int64), 1, count - 3)
    t = np.clip(positions - base, 0.0, 1.0)
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    columns = np.stack([base - 1, base, base + 1, base + 2])
    rows = np.broadcast_to(np.arange(len(positions)), columns.shape)
    entries = (weights.ravel().astype(np.float32), (rows.ravel(), columns.ravel()))
    return sparse.csr_matrix(entries, shape=(len(positions), count))


def evaluate(knots: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The spline surface over ``knots`` at every crossing of ``rows`` and ``columns`` (in knots), float32."""
    across = spline_matrix(columns, knots.shape[1]) @ np.ascontiguousarray(knots.T, dtype=np.float32)
    return spline_matrix(rows, knots.shape[0]) @ np.ascontiguousarray(across.T)


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    wavelength: float,
    octaves: int = 4,
    persistence: float = 0.5,
) -> np.ndarray:
    """Fractal noise of zero mean and unit standard deviation, float32.

    ``wavelength`` is the longest, in pixels; every further octave halves it, down to 2 pixels, and has
    ``persistence`` times the amplitude of the one before.
    """
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        length = wavelength / 2**octave
        if length < 2 and octave:
            break
        total += persistence**octave * _octave(rng, shape, max(length, 2.0))
    total -= total.mean()
    return total / max(float(total.std()), 1e-6)


def _octave(rng: np.random.Generator, shape: tuple[int, int], wavelength: float) -> np.ndarray:
    step = wavelength / 2
    counts = [int(np.ceil(n / step)) + 5 for n in shape]
    shifts = rng.random(2)
    knots = rng.standard_normal(counts).astype(np.float32)
    rows, columns = (1 + shift + np.arange(n) / step for n, shift in zip(shape, shifts, strict=True))
    return evaluate(knots, rows, columns)


def uniform(field: np.ndarray) -> np.ndarray:
    """Standard-normal noise as values between 0 and 1 of equal frequency (logistic approximation)."""
    return 1 / (1 + np.exp(-1.702 * field, dtype=np.float32))

"""Where the axis of a plot begins and ends, and where it has its ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Distances between ticks that people read easily, times a power of ten.
_STEPS = (1.0, 2.0, 5.0, 10.0)
#: A span of numbers that are all the same, as a share of their size.
_THIN = 0.05


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, both of them ticks."""

    low: float
    high: float
    step: float

    def ticks(self) -> list[float]:
        """The ticks, from the lowest on."""
        count = round((self.high - self.low) / self.step)
        return [self.low + number * self.step for number in range(count + 1)]

    def share(self, value: float) -> float:
        """How far up the axis the value lies, 0 to 1; what lies beyond an end is drawn at it."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def text(self, tick: float) -> str:
        """The tick with as many digits as tell it from its neighbours."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{tick + 0.0:.{digits}f}" if abs(tick) > self.step / 1000 else f"{0:.{digits}f}"


def axis_for(values: Sequence[float], most: int = 6, least: float = -math.inf) -> Axis:
    """An axis with at most `most` ticks that holds all finite values; none below `least` widen it."""
    finite = [max(value, least) for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if high - low < abs(high) * 1e-6 or high == low:
        margin = abs(high) * _THIN or 0.5
        low, high = low - margin, high + margin
    step = _step((high - low) / max(most - 2, 1))
    return Axis(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)


def whole_ticks(last: int, most: int) -> list[int]:
    """Whole numbers from 1 to `last` to write below a plot: at most `most` besides the first."""
    step = max(1, round(_step(last / max(most, 1))))
    return sorted({1, *range(step, last + 1, step)}) if step > 1 else list(range(1, last + 1))


def _step(rough: float) -> float:
    """The least easy distance that is not smaller."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))

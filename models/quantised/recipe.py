"""All that decides a quantised model besides the model itself, and how it follows from what was seen on tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto

from .flow import flow_into
from .layers import chosen_layers, is_convolution
from .rounding import LEVELS, step_sizes, zero_level

#: A tensor by its name, and whether it is looked at as a whole or by channel.
Look = tuple[str, bool]
#: Digits of the numbers in a recipe, which a plan and a memory hold as text.
_DIGITS = 5


@dataclass(frozen=True)
class Steps:
    """How a tensor is rounded."""

    zero: int
    """The level, 0 to 255, that stands for zero."""
    sizes: tuple[float, ...]
    """What a step is worth, by channel; one for all where channels are not kept apart."""


@dataclass(frozen=True)
class Recipe:
    """The same recipe gives the same model."""

    layers: tuple[str, ...]
    """The quantised layers, each by the name of what it answers."""
    steps: dict[str, Steps] = field(default_factory=dict)
    """How each tensor is rounded from which values flow into convolutions."""
    means: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """What goes into a convolution in the mean, by tensor and channel: what its weights lose by rounding is made up for
    by that."""
    whole: dict[str, Steps] = field(default_factory=dict)
    """How what goes into all other layers is rounded, in steps of one size."""

    def require_sound(self) -> None:
        """Raise ValueError where a number can be none of a recipe, in the 32 bits in which it is used."""
        if not self.layers:
            raise ValueError("The recipe names no layers.")
        for name, steps in (*self.steps.items(), *self.whole.items()):
            sizes = _in_32_bits(steps.sizes)
            if not (0 <= steps.zero < LEVELS and sizes.size and (np.isfinite(sizes) & (sizes > 0)).all()):
                raise ValueError(f"The recipe has no steps for '{name}'.")
        for name, means in self.means.items():
            if not np.isfinite(_in_32_bits(means)).all():
                raise ValueError(f"The recipe has no means for '{name}'.")


@dataclass(frozen=True)
class Seen:
    """What was seen of a tensor, by channel (C each)."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray


def recipe_for(model: ModelProto, layers: tuple[str, ...], seen: Mapping[Look, Seen]) -> Recipe:
    """The recipe by which these layers are quantised, where `seen` tells of every watched tensor.

    Raises:
        ValueError: a layer is not in the model.
    """
    nodes = chosen_layers(model, layers)
    flow = flow_into(model, nodes)
    steps = [entry for group in flow.origins for entry in _alike({name: seen[name, False] for name in group}).items()]
    whole = {name: _alike({name: seen[name, True]})[name] for name in flow.whole}
    entrances = dict.fromkeys(node.input[0] for node in nodes if is_convolution(node))
    return Recipe(layers, dict(steps), {name: _told(seen[name, False].mean) for name in entrances}, whole)


def _alike(group: Mapping[str, Seen]) -> dict[str, Steps]:
    """Steps with one zero."""
    ends = {name: (np.minimum(seen.low, 0), np.maximum(seen.high, 0)) for name, seen in group.items()}
    lowest, highest = min(low.min() for low, _ in ends.values()), max(high.max() for _, high in ends.values())
    zero = zero_level(float(lowest), float(highest))
    return {name: Steps(zero, _told(step_sizes(low, high, zero))) for name, (low, high) in ends.items()}


def _in_32_bits(values: tuple[float, ...]) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)


def _told(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)

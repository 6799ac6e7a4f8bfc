"""How far a network looks: the receptive radius and the stride that go into the card."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .fcn import FCN
from .unet import UNet

#: Lengths in pixels of the strips on which a radius is measured, and the share of a strip that it may be at most.
_LENGTHS, _SHARE = (768, 1536, 3072), 0.45
#: Positions on the stride's lattice that are measured at once; they bound the memory.
_AT_ONCE = 8
#: Largest relative difference between answers that ought to be the same, in float32.
_SAME = 1e-4


def receptive_field(model: nn.Module) -> tuple[int, int]:
    """Receptive radius and stride of a network, in pixels.

    An output pixel depends on no input pixel further away than the radius along either axis. The radius holds
    for every position of the pixel on the stride's lattice, the worst of which is reported.

    Raises:
        TypeError: for networks whose field is not known to be finite.
    """
    if isinstance(model, FCN):
        return model.depth, 1
    if isinstance(model, UNet):
        reaches = [_decoded(model, pixel, pixel, 0) for pixel in range(model.stride)]
        radius = max(max(pixel - low, high - pixel) for pixel, (low, high) in enumerate(reaches))
        return radius, model.stride
    raise TypeError(f"The receptive field of {type(model).__name__} is not known to be finite.")


def _encoded(model: UNet, low: int, high: int, level: int) -> tuple[int, int]:
    """Input pixels behind the pixels ``low`` to ``high`` that the encoder answers at a level."""
    low, high = low - model.down[level].convs, high + model.down[level].convs
    return (low, high) if level == 0 else _encoded(model, 2 * low, 2 * high + 1, level - 1)


def _decoded(model: UNet, low: int, high: int, level: int) -> tuple[int, int]:
    """Input pixels behind the pixels ``low`` to ``high`` that the decoder answers at a level."""
    if level == len(model.up):
        return _encoded(model, low, high, level)
    low, high = low - model.up[level].convs, high + model.up[level].convs
    beside = _encoded(model, low, high, level)
    below = _decoded(model, low // 2, high // 2, level + 1)
    return min(beside[0], below[0]), max(beside[1], below[1])


@torch.no_grad()
def measured_radius(network: nn.Module, stride: int, width: int | None = None) -> int | None:
    """Receptive radius in pixels of a network of one channel and one output; None where it is not finite.

    A row of NaN reaches every output that draws on it, whatever the weights are, so the rows of a strip that become NaN
    tell the radius, for each position on the stride's lattice, along both axes. Since a clipping function may swallow
    a NaN, the radius is then held against numbers: what lies beyond it must not count, and a shift by the stride must
    shift the answer and nothing else.

    Args:
        network: takes N×1×H×W, H and W multiples of the stride.
        stride: coarsest stride of the network in pixels.
        width: of the strips, in pixels; None takes the stride. A network that takes strips of one pixel is measured in
            a thirtieth of the time.

    Raises:
        RuntimeError: the network does not take strips of that width.
    """
    network = copy.deepcopy(network).eval()
    radius = 0
    for upright in (True, False):
        strip = _Strip(network, stride, upright, width or stride)
        reach = strip.reach()
        if reach is None:
            return None
        radius = max(radius, reach)
    holds = all(_Strip(network, stride, upright, width or stride).holds(radius) for upright in (True, False))
    return radius if holds else None


class _Strip:
    """A network on narrow strips along one axis."""

    def __init__(self, network: nn.Module, stride: int, upright: bool, width: int) -> None:
        self.network, self.stride, self.upright, self.width = network, stride, upright, width

    def answer(self, rows: Tensor) -> Tensor:
        """The answers N×length to N strips of length × width, one value a row, NaN where any of the row is."""
        strips = rows.unsqueeze(1)
        answers = self.network(strips if self.upright else strips.mT)[:, 0]
        return answers.sum(2 if self.upright else 1)

    def reach(self) -> int | None:
        """The furthest row that an output draws on."""
        for length in _LENGTHS:
            length -= length % self.stride
            first = self._reached(length, [0])
            if first <= _SHARE * length - self.stride:
                return max(first, self._reached(length, list(range(1, self.stride))))
        return None

    def _reached(self, length: int, phases: list[int]) -> int:
        middle = length // 2 - length // 2 % self.stride
        furthest = 0
        for start in range(0, len(phases), _AT_ONCE):
            spots = [middle + phase for phase in phases[start : start + _AT_ONCE]]
            rows = torch.ones(len(spots), length, self.width)
            for number, spot in enumerate(spots):
                rows[number, spot] = torch.nan
            for spot, touched in zip(spots, self.answer(rows).isnan(), strict=True):
                distances = touched.nonzero()[:, 0] - spot
                furthest = max(furthest, int(distances.abs().max()) if len(distances) else 0)
        return furthest

    def holds(self, radius: int) -> bool:
        """Whether nothing beyond the radius counts, and a shift by the stride shifts the answer."""
        stride = self.stride
        edge = -(-radius // stride) * stride
        length = 2 * edge + 4 * stride
        generator = torch.Generator().manual_seed(0)
        one, other = (torch.rand(length, self.width, generator=generator) for _ in range(2))
        inner = slice(edge, length - edge)
        mixed = other.clone()
        mixed[edge + stride - radius : edge + 2 * stride + radius] = one[edge + stride - radius :][
            : stride + 2 * radius
        ]
        answers = self.answer(torch.stack([one, mixed, one.roll(stride, 0)]))
        cell = slice(edge + stride, edge + 2 * stride)
        moved = slice(inner.start + stride, inner.stop)
        still = slice(inner.start, inner.stop - stride)
        return _alike(answers[0, cell], answers[1, cell]) and _alike(answers[0, still], answers[2, moved])


def _alike(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _SAME * max(float(one.abs().max()), 1e-6))

"""How far a network looks: the receptive radius and the stride that go into the card."""

from __future__ import annotations

from torch import nn

from .fcn import FCN
from .unet import UNet


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

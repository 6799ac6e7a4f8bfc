"""Learned compression: the baseline that stacking is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .fcn import FCN


class Squeezed(nn.Module):
    """A network behind a small FCN that squeezes what is no imagery (learned compression of arXiv 2507.13385).

    The FCN's channels stand behind the imagery's in the network's input, and both are trained end to end. The paper
    tells its five layers and not their width, which is 32 here.

    Args:
        channels: channels of the stack.
        extra: indices of those that are squeezed.
        squeeze: channels that are left of them.
        network: takes the imagery's channels and the squeezed ones.
    """

    def __init__(self, channels: int, extra: tuple[int, ...], squeeze: int, network: nn.Module) -> None:
        super().__init__()
        rest = [index for index in range(channels) if index not in extra]
        self.register_buffer("extra", torch.tensor(sorted(extra)), persistent=False)
        self.register_buffer("imagery", torch.tensor(rest, dtype=torch.long), persistent=False)
        self.squeeze = FCN(len(extra), squeeze, width=32)
        self.network = network

    @property
    def reach(self) -> int:
        """Pixels that the FCN adds to the network's receptive radius."""
        return self.squeeze.depth

    def forward(self, stack: Tensor) -> Tensor:
        """The network's answer."""
        squeezed = self.squeeze(stack.index_select(1, self.extra))
        return self.network(torch.cat([stack.index_select(1, self.imagery), squeezed], dim=1))

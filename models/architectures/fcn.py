"""The plain convolutional network of the land-cover experiments on geographic layers."""

from __future__ import annotations

from torch import Tensor, nn


class FCN(nn.Module):
    """Five 3×3 convolutions of 64 channels with LeakyReLU and a 1×1 convolution (arXiv 2507.13385).

    Input: N×C×H×W float32. Output: N×K×H×W, raw scores. Receptive radius 5, stride 1.

    Args:
        in_channels: channels of the fused stack.
        out_channels: classes.
        width: channels of the hidden layers.
        depth: number of 3×3 convolutions.
    """

    stride = 1

    def __init__(self, in_channels: int, out_channels: int, width: int = 64, depth: int = 5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(depth):
            layers.append(nn.Conv2d(in_channels if number == 0 else width, width, 3, padding=1))
            layers.append(nn.LeakyReLU(0.01, inplace=True))
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, out_channels, 1))
        self.depth = depth

    def forward(self, stack: Tensor) -> Tensor:
        """Scores of every pixel."""
        return self.layers(stack)

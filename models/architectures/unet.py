"""A small U-Net with a finite receptive field."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvBlock(nn.Sequential):
    """``convs`` times 3×3 convolution, batch normalisation and ReLU.

    Batch normalisation uses fixed statistics once trained and is folded away at export. Group or instance
    normalisation would look at the whole tile, and the tiling would show.
    """

    def __init__(self, inputs: int, outputs: int, convs: int) -> None:
        layers: list[nn.Module] = []
        for number in range(convs):
            layers.append(nn.Conv2d(inputs if number == 0 else outputs, outputs, 3, padding=1))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        super().__init__(*layers)
        self.convs = convs


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer and Brox 2015, arXiv 1505.04597) with few channels.

    Max pooling on the way down, nearest-neighbour upsampling on the way up, so that shifting the input by
    multiples of ``stride`` shifts the output and nothing else.

    Input: N×C×H×W float32, H and W multiples of ``stride``. Output: N×K×H×W, raw scores.

    Args:
        in_channels: channels of the fused stack.
        out_channels: classes, or 1 for a regression.
        widths: channels at every level, from full resolution down; one level more halves the resolution again.
        squash: True puts a sigmoid on the scores (regressions between 0 and 1).
        up_convs: convolutions at every level on the way up.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: tuple[int, ...] = (16, 32, 48, 64),
        squash: bool = False,
        up_convs: int = 1,
    ) -> None:
        super().__init__()
        self.stride = 2 ** (len(widths) - 1)
        inputs = (in_channels, *widths[:-1])
        self.down = nn.ModuleList(ConvBlock(a, b, 2) for a, b in zip(inputs, widths, strict=True))
        pairs = zip(widths[1:], widths[:-1], strict=True)
        self.up = nn.ModuleList(ConvBlock(below + beside, beside, up_convs) for below, beside in pairs)
        self.head = nn.Conv2d(widths[0], out_channels, 1)
        self.squash = squash

    def forward(self, stack: Tensor) -> Tensor:
        """Scores of every pixel."""
        features = [self.down[0](stack)]
        for block in self.down[1:]:
            features.append(block(functional.max_pool2d(features[-1], 2)))
        above = features.pop()
        for block in reversed(self.up):
            above = functional.interpolate(above, scale_factor=2.0, mode="nearest")
            above = block(torch.cat([features.pop(), above], dim=1))
        scores = self.head(above)
        return torch.sigmoid(scores) if self.squash else scores

"""U-Net, FPN and DeepLabV3+ on any encoder of segmentation-models-pytorch and timm, without a download."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn

from ..errors import RequestError
from .receptive import measured_radius
from .weights import load_weights

_KINDS = {"unet": smp.Unet, "fpn": smp.FPN, "deeplabv3plus": smp.DeepLabV3Plus}
#: Tile of the trial that shows whether an encoder takes tiles of any size, in strides.
_TRIAL = (3, 2)


class ChipEncoder(nn.Module):
    """An encoder that answers once for a chip, as ResNet-50 does in the paper's tree-cover task.

    Input: N×C×H×W. Output: N×K: the deepest features, averaged over the chip, through one linear layer.
    """

    def __init__(self, encoder: nn.Module, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.out_channels[-1], outputs)

    def forward(self, stack: Tensor) -> Tensor:
        """Scores of the chip."""
        return self.head(self.encoder(stack)[-1].mean((2, 3)))


def make_backbone(kind: str, encoder: str, channels: int, outputs: int, weights: Path | None, chip: bool) -> nn.Module:
    """A network of that kind; see `Blueprint`.

    Raises:
        RequestError: there is no such encoder, it does not go with the kind, or the weights do not fit.
    """
    _check_name(encoder)
    try:
        network = _KINDS[kind](encoder, encoder_weights=None, in_channels=channels, classes=outputs)
        if chip:
            network = ChipEncoder(network.encoder, outputs)
        _try(network, channels)
    except Exception as problem:  # the libraries raise what they like for encoders that do not go together
        raise RequestError(
            f"network.encoder '{encoder}' does not go with {kind} on {channels} channels of any tile size "
            f"({_first_line(problem)}); take another one, such as resnet18 or efficientnet-b0."
        ) from problem
    if weights is not None:
        load_weights(network.encoder, weights, f"the encoder {encoder}")
    return network


def backbone_stride(network: nn.Module) -> int:
    """What height and width must be multiples of."""
    return int(network.encoder.output_stride)


@lru_cache(maxsize=16)
def backbone_radius(kind: str, encoder: str) -> int | None:
    """Receptive radius in pixels of a network that `make_backbone` makes; None where it is not finite.

    FPN looks at the whole tile by its group normalisation, DeepLabV3+ by its pooling. The channels do not count, so
    the radius is measured on a network of one.
    """
    if kind != "unet":
        return None
    with torch.random.fork_rng(devices=[]):
        network = make_backbone(kind, encoder, 1, 1, None, chip=False)
    stride = backbone_stride(network)
    try:
        return measured_radius(network, stride, width=1)
    except RuntimeError:  # some encoders pool a strip of one pixel down to nothing
        return measured_radius(network, stride)


def _check_name(encoder: str) -> None:
    known = smp.encoders.get_encoder_names()
    if encoder in known or (encoder.startswith("tu-") and timm.is_model(encoder[3:])):
        return
    alike = [name for name in known if name[:4] == encoder[:4]][:3]
    listed = ", ".join(alike or ["resnet18", "resnet34", "efficientnet-b0", "mobilenet_v2"])
    raise RequestError(
        f"network.encoder '{encoder}' is none of segmentation-models-pytorch's; some that are: {listed}, "
        "or tu- before a name of timm's."
    )


@torch.no_grad()
def _try(network: nn.Module, channels: int) -> None:
    height, width = (count * backbone_stride(network) for count in _TRIAL)
    network.eval()(torch.zeros(1, channels, height, width))
    network.train()


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:160].rstrip(".")

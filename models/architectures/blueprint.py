"""What a network is to be, before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..trainplan import Architecture

#: How layers beside the imagery enter the network (arXiv 2507.13385). ``none``: as channels, or not at all.
#: ``compress``: squeezed by a small network first. ``token``: as a location token of a transformer. ``control``: a
#: learnable token that knows no place.
Fusion = Literal["none", "compress", "token", "control"]


@dataclass(frozen=True)
class Blueprint:
    """A network for `build`.

    Attributes:
        architecture: the network's kind.
        channels: channels of the stacked input.
        outputs: classes, or 1 for a regression.
        extra: indices of the stack's channels that are no imagery; ``compress`` squeezes them.
        fusion: how what is no imagery enters.
        encoder: of ``unet``, ``fpn`` and ``deeplabv3plus``, as segmentation-models-pytorch names it.
        weights: state dict file of the encoder (or of the transformer) to start from; None starts at random.
        squeeze: channels that ``compress`` leaves of the extra ones.
        location: basis of the location token.
        degree: number L of Legendre polynomials of that basis.
        location_weights: SatCLIP checkpoint of the token's embedding; None takes a frozen random SIREN.
        location_slot: True exports the basis as an input of its own, False inside the graph.
        patch: side in pixels of a transformer's patches.
        size: side in pixels of the tile to which a transformer is fixed.
        squash: True puts a sigmoid on the scores (regressions between 0 and 1).
        chip: True answers once for the whole chip.
    """

    architecture: Architecture
    channels: int
    outputs: int
    extra: tuple[int, ...] = ()
    fusion: Fusion = "none"
    encoder: str = "resnet18"
    weights: Path | None = None
    squeeze: int = 3
    location: Literal["lonlat", "spherical_harmonics"] = "spherical_harmonics"
    degree: int = 10
    location_weights: Path | None = None
    location_slot: bool = False
    patch: int = 8
    size: int = 96
    squash: bool = False
    chip: bool = False

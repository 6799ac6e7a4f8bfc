"""How a model is trained: the strategy of fusion, the network, and how long, how fast and on what parts.

A contract module: standard library only, Python 3.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

#: How the layers meet in the network (arXiv 2507.13385). ``imagery``: imagery alone. ``stack``: extra layers are
#: channels beside the bands. ``proc-stack``: a hand-made prior is stacked. ``compress``: extra channels squeezed by a
#: small network. ``token-fuse``: a location token in a vision transformer. ``token-control``: the same with a learnable
#: token that knows no place. ``vit``: that transformer without a token.
Strategy = Literal["imagery", "stack", "proc-stack", "compress", "vit", "token-fuse", "token-control"]
Architecture = Literal["unet-small", "fcn", "unet", "fpn", "deeplabv3plus", "vit"]
LearnTask = Literal["semantic-segmentation", "field-boundaries", "pixel-regression", "chip-regression", "scene-labels"]
Precision = Literal["fp16", "int8"]
#: Strategies that a vision transformer learns, whatever network was chosen.
TRANSFORMERS: tuple[Strategy, ...] = ("vit", "token-fuse", "token-control")
#: Tasks whose labels are values, and that have no classes.
REGRESSIONS: tuple[LearnTask, ...] = ("pixel-regression", "chip-regression")


@dataclass(frozen=True)
class Network:
    """The network to train."""

    architecture: Architecture = "unet-small"
    encoder: str = "resnet18"
    """Encoder of ``unet``, ``fpn`` and ``deeplabv3plus``, as segmentation-models-pytorch names it."""
    weights: Optional[str] = None
    """Encoder weights: a state dict file (read with weights_only) to start from; None starts from random weights."""
    squeeze: int = 3
    """Channels to which ``compress`` squeezes the extra layers."""
    location: Literal["lonlat", "spherical_harmonics"] = "spherical_harmonics"
    """Basis of the location token."""
    degree: int = 10
    """Number L of Legendre polynomials of that basis."""
    location_weights: Optional[str] = None
    """A SatCLIP checkpoint for the token's embedding; None takes a frozen random SIREN."""
    patch: int = 8
    """Side in pixels of a transformer's patches."""
    location_slot: bool = False
    """True exports the location basis as an input of its own (a location slot), False inside the graph."""


@dataclass(frozen=True)
class Training:
    """How long, how fast and on what parts."""

    epochs: int = 40
    steps: int = 25
    """Batches in an epoch."""
    batch: int = 8
    chip: int = 96
    """Side of a training chip in pixels."""
    rate: float = 3e-3
    """Highest learning rate of the cycle."""
    decay: float = 1e-3
    """Weight decay."""
    patience: int = 12
    """Epochs without a better validation score after which training ends; 0 never ends early."""
    seed: int = 1
    validation: float = 0.25
    """Share of the labelled area that is kept for validation, in spatial blocks."""
    block: Optional[int] = None
    """Side in pixels of those blocks; None chooses one by the labels."""
    fraction: float = 1.0
    """Share of the training area (a rectangle of it) whose labels are used; comparisons vary it."""
    dropout: float = 0.2
    """Probability that a chip goes without an optional layer (modality dropout)."""
    vary: bool = True
    """Turn, mirror and brighten chips; slopes' directions turn along."""
    objective: Literal["classes", "distance"] = "classes"
    """Field boundaries: three classes, or also the distance to the boundary as a second target."""
    threads: int = 0
    """Threads of torch; 0 takes the machine's cores. Part of what makes a training repeatable."""

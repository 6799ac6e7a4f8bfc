"""A location as a vector that a network can use: a basis, then a frozen SIREN (SatCLIP, Klemmer et al. 2023)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from .harmonics import SphericalHarmonics

#: Values of the embedding, and of the SIREN's hidden layers, in all published SatCLIP checkpoints.
WIDTH = 256
#: Frequency of SatCLIP's first layer; the others have 1.
_FIRST = 30.0


class Degrees(nn.Module):
    """Longitude and latitude between -1 and 1. Input: N×2 in degrees. Output: N×2."""

    def forward(self, lonlat: Tensor) -> Tensor:
        """The scaled degrees."""
        return torch.cat([lonlat[:, 0:1] / 180.0, lonlat[:, 1:2] / 90.0], dim=1)


class Siren(nn.Module):
    """Sinusoidal network (Sitzmann et al. 2020, arXiv 2006.09661) with SatCLIP's frequencies: N×inputs to N×outputs.

    Args:
        inputs: values of the basis.
        width: values of a hidden layer.
        outputs: values of the embedding.
        depth: hidden layers.
    """

    def __init__(self, inputs: int, width: int = WIDTH, outputs: int = WIDTH, depth: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs if i == 0 else width, width) for i in range(depth))
        self.last_layer = nn.Linear(width, outputs)
        for number, layer in enumerate((*self.layers, self.last_layer)):
            bound = 1.0 / layer.in_features if number == 0 else math.sqrt(6.0 / layer.in_features)
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.uniform_(layer.bias, -bound, bound)

    def forward(self, values: Tensor) -> Tensor:
        """The embedding."""
        for number, layer in enumerate(self.layers):
            values = torch.sin((_FIRST if number == 0 else 1.0) * layer(values))
        return self.last_layer(values)


class Place(nn.Module):
    """A frozen location embedding: N×2 degrees, or N×L² basis values where they are `given`, to N×256.

    Args:
        siren: answers the basis values; frozen here.
        degree: number L of Legendre polynomials of its basis; None takes longitude and latitude.
        slot: the exported model's input is the basis, not the place.
    """

    def __init__(self, siren: Siren, degree: int | None, slot: bool = False) -> None:
        super().__init__()
        self.basis = Degrees() if degree is None else SphericalHarmonics(degree)
        self.siren = siren.requires_grad_(False)
        self.slot = slot and degree is not None
        self.given = False

    @property
    def width(self) -> int:
        """Values of the embedding."""
        return self.siren.last_layer.out_features

    @property
    def values(self) -> int:
        """Values of one location in the exported model's input."""
        return self.siren.layers[0].in_features if self.slot else 2

    def forward(self, location: Tensor) -> Tensor:
        """The embedding of N places."""
        location = location.to(self.siren.last_layer.weight.dtype)
        return self.siren(location if self.given else self.basis(location))

    @torch.no_grad()
    def feed(self, lonlat: np.ndarray) -> np.ndarray:
        """What the exported model's input ``location`` takes for N×2 degrees, float32 N×`values`."""
        degrees = torch.as_tensor(np.ascontiguousarray(lonlat, np.float32))
        if not self.slot:
            return degrees.numpy()
        return self.basis(degrees.to(self.siren.last_layer.weight.device)).cpu().numpy()

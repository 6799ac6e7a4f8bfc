"""The spherical-harmonic basis of a location, in operations that an ONNX graph has, true in single precision."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

#: Longitudes are split into multiples of 1/16° and a rest: a multiple m ≤ 2¹² of the first part is exact in float32.
_PARTS = 16.0
_RADIANS = math.pi / 180.0


class SphericalHarmonics(nn.Module):
    """SatCLIP's basis; equals `inference.sources.location.spherical_harmonics`, its factor of π at m = 0 included.

    Written for single precision, in which the usual recurrence on x = cos θ loses 10⁻⁴ near the poles at L = 40:

    - P(l, m) is sinᵐ θ times a Gegenbauer polynomial C(n) of degree n = l - m. From the nearer pole, with
      t = 1 - |cos θ| = 2 sin² (θ/2), differences D(n) = C(n) - C(n-1) follow
      D(n+1) = (l+m)/(n+1) D(n) - (2l+1)/(n+1) t C(n), as Reinsch's form of Clenshaw's sum does for Legendre series
      (Oliver 1977, J. Inst. Maths Applics 20:379-391). The other pole differs by the sign (-1)ⁿ.
    - Multiples of the longitude are reduced to a turn before they become radians.

    Input: N×2 longitudes and latitudes in degrees. Output: N×L² in the order l = 0 … L-1, m = -l … l.

    Args:
        degree: number L of Legendre polynomials.
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = degree
        orders = torch.arange(degree, dtype=torch.float32)
        self.register_buffer("orders", orders, persistent=False)
        self.register_buffer("norm", torch.from_numpy(_norm(degree)), persistent=False)
        entries, negative = _order(degree)
        self.register_buffer("entries", torch.from_numpy(entries), persistent=False)
        self.register_buffer("negative", torch.from_numpy(negative), persistent=False)

    def forward(self, lonlat: Tensor) -> Tensor:
        """The basis at N places."""
        longitude, latitude = lonlat[:, 0:1], lonlat[:, 1:2]
        legendre = self._legendre(latitude)
        angle = self._multiples(longitude)
        # φ = λ + 180°, so that cos mφ = (-1)ᵐ cos mλ; the signs stand in the norm.
        cosine = (legendre * torch.cos(angle).unsqueeze(1)).flatten(1)[:, self.entries]
        sine = (legendre * torch.sin(angle).unsqueeze(1)).flatten(1)[:, self.entries]
        return torch.where(self.negative, sine, cosine)

    def _legendre(self, latitude: Tensor) -> Tensor:
        """Normalised Legendre functions N×L×L by n and m; entries with n + m ≥ L are not part of the basis."""
        north = _RADIANS * latitude.abs()
        from_pole = _RADIANS * (90.0 - latitude.abs())
        polar = latitude.abs() > 45.0
        t = torch.where(polar, 2.0 * torch.sin(from_pole / 2.0) ** 2, 1.0 - torch.sin(north))
        m = self.orders
        value = torch.ones_like(latitude) * torch.ones_like(m)
        step = value
        values = [value]
        for n in range(self.degree - 1):
            l = m + float(n)  # noqa: E741 - l is the degree's letter in every text on spherical harmonics
            step = (l + m) / (n + 1.0) * step - (2.0 * l + 1.0) / (n + 1.0) * t * value
            value = value + step
            values.append(value)
        sectoral = torch.pow(torch.where(polar, torch.sin(from_pole), torch.cos(north)), m)
        # θ = latitude + 90°: the northern hemisphere is the one of negative cosines.
        side = torch.where(latitude > 0.0, -1.0, 1.0).unsqueeze(2)
        parity = torch.pow(side, m.unsqueeze(1))
        return torch.stack(values, 1) * parity * (self.norm * sectoral.unsqueeze(1))

    def _multiples(self, longitude: Tensor) -> Tensor:
        """m times the longitude in radians, between -π and π, N×L."""
        coarse = torch.round(longitude * _PARTS) / _PARTS
        turned = self.orders * coarse
        turned = turned - 360.0 * torch.round(turned / 360.0)
        return _RADIANS * (turned + self.orders * (longitude - coarse))


def _norm(degree: int) -> np.ndarray:
    """Factors L×L by n and m that make sinᵐ θ C(n) orthonormal, with the sign that `forward` asks for."""
    norm = np.zeros((degree, degree))
    for m in range(degree):
        # √((2l+1)/(4π) (l-m)!/(l+m)!) (2m-1)!!, by logarithms since the factorials outgrow float64.
        odd = math.lgamma(2 * m + 1) - m * math.log(2.0) - math.lgamma(m + 1)
        for n in range(degree - m):
            l = m + n  # noqa: E741
            logarithm = 0.5 * (math.log((2 * l + 1) / (4 * math.pi)) + math.lgamma(n + 1) - math.lgamma(l + m + 1))
            norm[n, m] = math.exp(logarithm + odd) * (math.pi if m == 0 else math.sqrt(2.0) * (-1) ** m)
    return norm.astype(np.float32)


def _order(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """For each value of the basis its entry in the flattened table by n and absolute m, and whether m is negative."""
    orders = [(row, m) for row in range(degree) for m in range(-row, row + 1)]
    entries = [(row - abs(m)) * degree + abs(m) for row, m in orders]
    return np.array(entries, np.int64), np.array([m < 0 for _, m in orders])

"""SatCLIP's published location encoders, by the layout of their checkpoints (github.com/microsoft/satclip, MIT)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import RequestError
from .place import Siren
from .weights import read_checkpoint

#: The location encoder's network within a Lightning checkpoint's state dict, which holds the image encoder too.
_NETWORK = re.compile(r"^(?:model\.)?(?:location\.)?nnet\.(?P<name>(?:layers\.\d+|last_layer)\.(?:weight|bias))$")
#: What the encoder must have been trained with, where the checkpoint tells it.
_EXPECTED = {"le_type": "sphericalharmonics", "pe_type": "siren", "harmonics_calculation": "analytic"}


def load_satclip(path: Path, degree: int) -> Siren:
    """The SIREN of a SatCLIP checkpoint, in float32.

    The layout: ``state_dict`` with ``model.location.nnet.layers.N.{weight,bias}`` and ``….last_layer.{weight,bias}``,
    and ``hyper_parameters`` with ``legendre_polys``, ``num_hidden_layers``, ``capacity`` and ``embed_dim``. The first
    layer has SatCLIP's frequency of 30, the others of 1; neither stands in the file.

    Args:
        path: the checkpoint; nothing in it but tensors and plain values is read.
        degree: number L of Legendre polynomials that the user named.

    Raises:
        RequestError: it cannot be opened so, is no such checkpoint, or was made for another basis.
    """
    data = read_checkpoint(path)
    state, facts = data.get("state_dict", data), data.get("hyper_parameters", {})
    if not isinstance(state, dict) or not isinstance(facts, dict):
        raise _not_satclip(path)
    layers = {found["name"]: value for name, value in state.items() if (found := _NETWORK.match(str(name)))}
    hidden = sum(name.startswith("layers.") and name.endswith(".weight") for name in layers)
    if not hidden or "layers.0.weight" not in layers or "last_layer.weight" not in layers:
        raise _not_satclip(path)
    for key, expected in _EXPECTED.items():
        if facts.get(key, expected) != expected:
            raise RequestError(f"{path} was trained with {key} '{facts[key]}'; only '{expected}' can be read.")
    first, last = layers["layers.0.weight"], layers["last_layer.weight"]
    _check_degree(path, first, facts, degree)
    siren = Siren(first.shape[1], first.shape[0], last.shape[0], hidden)
    try:
        siren.load_state_dict({name: value.float() for name, value in layers.items()})
    except (RuntimeError, AttributeError) as problem:
        raise RequestError(f"{path} is a SatCLIP checkpoint whose layers do not fit one another.") from problem
    return siren


def _check_degree(path: Path, first: Tensor, facts: dict[str, Any], degree: int) -> None:
    values = first.shape[1] if first.ndim == 2 else 0
    found = round(values**0.5)
    told = facts.get("legendre_polys", found)
    if not values or found**2 != values or told != found:
        raise RequestError(f"{path} takes {values} values of a location, which fits no basis of L = {told}.")
    if found != degree:
        raise RequestError(f"{path} was trained with L = {found}, not {degree}; set network.degree to {found}.")


def _not_satclip(path: Path) -> RequestError:
    return RequestError(
        f"{path} is no SatCLIP checkpoint: it has no location encoder (model.location.nnet) made of a SIREN."
    )

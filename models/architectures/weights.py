"""Weights from a file the user names: read as tensors and nothing else, and fitted to a network's channels."""

from __future__ import annotations

import pickle  # nosec B403  # for the name of an error that torch raises; nothing is unpickled
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import RequestError

#: What trainers put before an encoder's own names.
_PREFIXES = ("module.", "encoder.", "backbone.", "model.encoder.", "model.")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a file of torch or safetensors holds, nothing in it unpickled but tensors and plain values.

    Raises:
        RequestError: it is missing, no such file, or holds more than tensors and plain values.
    """
    try:
        data = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except OSError as problem:
        raise RequestError(f"The weights {path} cannot be read: {problem.strerror or problem}.") from problem
    except pickle.UnpicklingError as problem:
        raise RequestError(
            f"{path} holds more than tensors and plain values, or is no weights file, and is not opened; "
            "save its state dict alone with torch.save, or as safetensors."
        ) from problem
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as problem:
        raise RequestError(f"{path} is no weights file that torch or safetensors can read.") from problem
    if not isinstance(data, dict):
        raise RequestError(f"{path} holds a {type(data).__name__}, not a state dict.")
    return data


def load_weights(network: nn.Module, path: Path, what: str, sized: tuple[str, ...] = ()) -> None:
    """Put a file's state dict into a network; what the file has beyond it (a classifier) is left out.

    A convolution that takes three channels in the file, and others in the network, repeats its weights over them,
    scaled so that the sum stays the same, as segmentation-models-pytorch and timm do.

    Args:
        network: gets the weights.
        path: of torch or safetensors.
        what: the network in words.
        sized: beginnings of the names that depend on a tile's size; of another size they stay as they are.

    Raises:
        RequestError: the file cannot be read, or lacks some of the network's weights, or has them in other shapes.
    """
    state = _tensors(read_checkpoint(path))
    wanted = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    found = max(_namings(state), key=lambda names: len(wanted.keys() & names.keys()))
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise RequestError(
            f"{path} does not fit {what}: it lacks {len(lacking)} of {len(wanted)} tensors, for example '{lacking[0]}'."
        )
    fitted = {name: _to_channels(found[name], value) for name, value in wanted.items()}
    wrong = [name for name, value in wanted.items() if fitted[name].shape != value.shape]
    for name in [name for name in wrong if name.startswith(sized)] if sized else ():
        wrong.remove(name)
        del fitted[name]
    if wrong:
        shapes = f"{tuple(found[wrong[0]].shape)}, not {tuple(wanted[wrong[0]].shape)}"
        raise RequestError(f"{path} does not fit {what}: its '{wrong[0]}' has the shape {shapes}.")
    nn.Module.load_state_dict(network, fitted, strict=False)


def _tensors(data: Mapping[str, Any]) -> dict[str, Tensor]:
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(data.get(key), dict):
            data = data[key]
    return {name: value for name, value in data.items() if isinstance(value, Tensor)}


def _namings(state: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The state dict under the names that encoders of smp and timm may give it."""
    bare = [state]
    for prefix in _PREFIXES:
        cut = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if cut:
            bare.append(cut)
    for names in bare:
        yield names
        yield {f"model.{name}": value for name, value in names.items()}
        # timm joins the first two parts of a name where it takes a network apart into stages.
        yield {f"model.{name.replace('.', '_', 1)}": value for name, value in names.items()}


def _to_channels(weight: Tensor, wanted: Tensor) -> Tensor:
    """The weight of a first convolution for as many channels as the network's own has."""
    if weight.ndim != 4 or weight.shape[1] != 3 or weight.shape[0] != wanted.shape[0]:
        return weight
    count = wanted.shape[1] if wanted.ndim == 4 else 3
    if count == 3:
        return weight
    return weight[:, [i % 3 for i in range(count)]] * (3.0 / count)

"""A network's answers over scenes, window by window, only where somebody knows the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .scenes import Scene, is_labelled

#: Side of a window in pixels where the network takes any size.
SIDE = 256
#: Context around a window, at most: what lies further away hardly counts and costs time.
_MARGIN = 64


@dataclass(frozen=True)
class Window:
    """A square of a scene: the scene's number and the upper left pixel."""

    scene: int
    row: int
    col: int


@dataclass(frozen=True)
class Looking:
    """How a network is shown a scene: windows of `side` pixels with `margin` pixels of context around them."""

    side: int
    margin: int

    @classmethod
    def of(cls, network: nn.Module) -> Looking:
        """For a network of `models.architectures`: its fixed tile without context, or windows with context."""
        if network.fixed is not None:
            return cls(network.fixed, 0)
        stride = network.stride
        margin = -(-min(_MARGIN, network.radius or _MARGIN) // stride) * stride
        return cls(-(-SIDE // stride) * stride, margin)


def windows_with_truth(truths: list[np.ndarray], side: int, most: int | None, seed: int = 0) -> list[Window]:
    """The windows of all scenes that hold a label; of more than `most`, a repeatable choice."""
    found = [
        Window(number, row, col)
        for number, truth in enumerate(truths)
        for row in range(0, truth.shape[0], side)
        for col in range(0, truth.shape[1], side)
        if is_labelled(truth[row : row + side, col : col + side]).any()
    ]
    if most is None or len(found) <= most:
        return found
    chosen = np.random.default_rng(seed).choice(len(found), most, replace=False)
    return [found[i] for i in sorted(chosen)]


@torch.no_grad()
def answers(
    network: nn.Module, inputs: list[np.ndarray], scenes: list[Scene], windows: list[Window], looking: Looking
) -> Iterator[tuple[Window, np.ndarray]]:
    """For each window the scores K×h×w (K alone for a network that answers whole chips), cut at the scene's edge."""
    network.eval()
    device = next(network.parameters()).device
    for window in windows:
        square = square_of(inputs[window.scene], window, looking)
        lonlat = scenes[window.scene].middle(window.row, window.col, looking.side)
        place = torch.from_numpy(lonlat).to(device) if network.takes_location else None
        scores = network(torch.from_numpy(square[None]).to(device), place)[0].float().cpu().numpy()
        if scores.ndim == 3:
            height, width = inputs[window.scene].shape[1:]
            inner = slice(looking.margin, looking.margin + looking.side)
            scores = scores[:, inner, inner][:, : height - window.row, : width - window.col]
        yield window, scores


def square_of(values: np.ndarray, window: Window, looking: Looking) -> np.ndarray:
    """The window with its context, mirrored beyond the scene, C×S×S."""
    _, height, width = values.shape
    reach = np.arange(-looking.margin, looking.side + looking.margin)
    rows, cols = _mirrored(window.row + reach, height), _mirrored(window.col + reach, width)
    return np.ascontiguousarray(values[:, rows][:, :, cols])


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices reflected at both ends as often as need be, the edge pixel not repeated."""
    if length == 1:
        return np.zeros_like(index)
    period = 2 * (length - 1)
    index = np.abs(index) % period
    return np.where(index < length, index, period - index)

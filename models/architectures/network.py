"""What every network for fusion looks like from outside."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .place import Place


class FusionNetwork(nn.Module):
    """A network and what is known of it.

    Input: N×C×H×W float32 and, where `takes_location`, N×2 longitudes and latitudes in degrees (WGS 84). Output:
    N×K×H×W raw scores, or N×K from a network that answers whole chips.

    Args:
        body: answers the stack, or the stack and the location where it has a `place`, with N×K×H×W or N×K.
        stride: height and width must be multiples of it; shifts by it shift the answer.
        radius: receptive radius in pixels; None when unbounded or not known.
        fixed: side of the only tile that the network takes, in pixels; None takes any multiple of the stride.
        chip: True averages a map of scores over the chip.
        squash: True puts a sigmoid on the scores.
    """

    def __init__(
        self,
        body: nn.Module,
        stride: int,
        radius: int | None,
        fixed: int | None = None,
        chip: bool = False,
        squash: bool = False,
    ) -> None:
        super().__init__()
        self.body = body
        self.stride, self.radius, self.fixed = stride, radius, fixed
        self.takes_location = self.place is not None
        self.chip, self.squash = chip, squash

    def forward(self, stack: Tensor, location: Tensor | None = None) -> Tensor:
        """Scores of every pixel, or of the chip.

        Raises:
            ValueError: a network that takes a location was given none.
        """
        if self.takes_location and location is None:
            raise ValueError("This network needs the location of its tile beside the stack.")
        scores = self.body(stack, location) if self.takes_location else self.body(stack)
        if self.chip and scores.ndim == 4:
            scores = scores.mean((2, 3))
        return torch.sigmoid(scores) if self.squash else scores

    @property
    def place(self) -> Place | None:
        """The location embedding, if there is one."""
        return getattr(self.body, "place", None)

    def location_feed(self, lonlat: np.ndarray) -> np.ndarray:
        """What the exported model's input ``location`` is given for N×2 degrees: float32 of N×2, or of N×L² values.

        Raises:
            ValueError: the network takes no location.
        """
        if self.place is None:
            raise ValueError("This network takes no location.")
        return self.place.feed(lonlat)

"""The seeded training loop: AdamW, one cycle of the learning rate, the best epoch kept, every epoch saved.

Every epoch draws from generators seeded by the training's seed and the epoch's number, and the learning rate is a
function of the step alone. So a training that was stopped and goes on ends in the same model as one that was not.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..errors import RequestError
from ..trainplan import Training
from . import checkpoint
from .checkpoint import State
from .losses import Objective, rounded
from .sampling import Sampler

#: Share of the steps in which the learning rate rises; it then falls to `_LAST` of its height.
_RISE, _LAST = 0.15, 0.01
#: Longest gradient that counts; a longer one is cut to it.
_CLIP = 5.0


@dataclass(frozen=True)
class EpochDone:
    """What is told of an epoch; `remaining` in seconds, None until an epoch was timed that did not warm up."""

    index: int
    total: int
    loss: float
    score: float
    metric: str
    best: bool
    remaining: float | None


@dataclass(frozen=True)
class Listener:
    """Who hears of a training and may stop it."""

    tell: Callable[[EpochDone], None] = lambda _epoch: None
    warn: Callable[[str], None] = lambda _sentence: None
    check: Callable[[], None] = lambda: None
    """Called after every batch; raises to break off, whereupon the last epoch's checkpoint stays."""
    enough: Callable[[], bool] = lambda: False
    """Asked after every batch; True ends the training and keeps the best epoch."""


@dataclass(frozen=True)
class Fitted:
    """A trained network in evaluation mode: that of the best epoch, and the history of all."""

    network: nn.Module
    best_epoch: int
    history: list[dict[str, float]]


def prepare(training: Training) -> None:
    """Seed torch before a network is made, and make it repeatable."""
    torch.manual_seed(training.seed)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    if training.threads:
        torch.set_num_threads(training.threads)


def fit(
    network: nn.Module,
    sampler: Sampler,
    objective: Objective,
    score: Callable[[nn.Module], float],
    training: Training,
    listener: Listener | None = None,
    folder: Path | None = None,
    fingerprint: str = "",
) -> Fitted:
    """Train a network in place.

    Args:
        network: of `models.architectures`; made after `prepare`.
        sampler: draws the training chips.
        objective: gives the loss.
        score: judges the network on the validation part after each epoch; more is better, NaN counts as nothing.
        training: how long and how fast.
        listener: hears of epochs.
        folder: where every epoch is saved, and what is gone on from; None saves nothing.
        fingerprint: recognises layers, labels and settings; a checkpoint of another one is not gone on from.

    Raises:
        RequestError: the loss became NaN before a single epoch could be judged, or an epoch cannot be saved.
    """
    run = _Run(network, sampler, objective, score, training, listener or Listener(), folder, fingerprint)
    run.resume()
    while run.goes_on():
        run.epoch()
    return run.finish()


class _Run:
    def __init__(
        self,
        network: nn.Module,
        sampler: Sampler,
        objective: Objective,
        score: Callable[[nn.Module], float],
        training: Training,
        listener: Listener,
        folder: Path | None,
        fingerprint: str,
    ) -> None:
        self.network, self.sampler, self.objective, self.score = network, sampler, objective, score
        self.training, self.listener, self.folder, self.fingerprint = training, listener, folder, fingerprint
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network.to(self.device, memory_format=torch.channels_last)
        learned = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(learned, lr=training.rate, weight_decay=training.decay)
        self.state = State()
        self.over = False
        self.seconds: list[float] = []

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one of this training."""
        if self.folder is None:
            return
        state, told = checkpoint.load(self.folder, self.fingerprint)
        if told:
            self.listener.warn(told)
        if state is not None:
            self.network.load_state_dict(state.network)
            self.optimizer.load_state_dict(state.optimizer)
            self.state = state

    def goes_on(self) -> bool:
        state, patience = self.state, self.training.patience
        waited = state.epoch - state.best_epoch
        return not self.over and state.epoch < self.training.epochs and not (patience and waited >= patience)

    def epoch(self) -> None:
        """One epoch; a NaN loss or the user's word ends the training."""
        began, index = time.monotonic(), self.state.epoch + 1
        rng = np.random.default_rng([self.training.seed, index])
        torch.manual_seed(self.training.seed * 100_003 + index)
        self.network.train()
        losses = []
        for step in range(self.training.steps):
            losses.append(self._step((index - 1) * self.training.steps + step, rng))
            if not math.isfinite(losses[-1]):
                self._diverged(index)
                return
            self.listener.check()
            if self.listener.enough():
                self.over = True
                if self.state.best:
                    return
                break  # nothing was judged yet: this short epoch is
        self._judge(index, float(np.mean(losses)), began)

    def _step(self, number: int, rng: np.random.Generator) -> float:
        batch = self.sampler.draw(self.training.batch, rng)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.rate * _cycle(number / (self.training.epochs * self.training.steps))
        x = torch.from_numpy(batch.x).to(self.device, memory_format=torch.channels_last)
        place = torch.from_numpy(batch.lonlat).to(self.device) if self.network.takes_location else None
        self.optimizer.zero_grad(set_to_none=True)
        value = self.objective.loss(self.network(x, place).float(), batch.truth)
        loss = value.item()
        if math.isfinite(loss):
            value.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
            self.optimizer.step()
        return loss

    def _diverged(self, index: int) -> None:
        sentence = (
            f"The loss became NaN in epoch {index}; set training.rate lower than {self.training.rate:g}, or look for "
            "values in the layers that the nodata does not cover."
        )
        if not self.state.best:
            raise RequestError(sentence)
        self.over = True
        self.listener.warn(f"{sentence} The best epoch before it ({self.state.best_epoch}) is kept.")

    def _judge(self, index: int, loss: float, began: float) -> None:
        self.network.eval()
        score = self.score(self.network)
        state = self.state
        # Without anything to judge by, the last epoch is the best.
        best = score > state.best_score or not math.isfinite(score)
        if best:
            state.best = _copied(self.network.state_dict())
            state.best_epoch = index
            state.best_score = score if math.isfinite(score) else state.best_score
        state.epoch = index
        state.history.append({"epoch": index, "loss": loss, **rounded({"score": score})})
        if self.folder is not None:
            state.network, state.optimizer = self.network.state_dict(), self.optimizer.state_dict()
            checkpoint.save(state, self.folder, self.fingerprint)
        self.seconds.append(time.monotonic() - began)
        timed = self.seconds[1:]
        left = (self.training.epochs - index) * float(np.median(timed)) if timed else None
        self.listener.tell(EpochDone(index, self.training.epochs, loss, score, self.objective.metric, best, left))

    def finish(self) -> Fitted:
        state = self.state
        self.network.load_state_dict(state.best)
        self.network.to("cpu").eval()
        return Fitted(self.network, state.best_epoch, state.history)


def _cycle(done: float) -> float:
    """Share of the highest learning rate after a share `done` of all steps (one cycle: Smith and Topin 2017)."""
    if done < _RISE:
        return 0.04 + 0.96 * done / _RISE
    return _LAST + (1 - _LAST) * 0.5 * (1 + math.cos(math.pi * (done - _RISE) / (1 - _RISE)))


def _copied(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return copy.deepcopy({name: value.detach().cpu() for name, value in state.items()})

"""A seeded training loop: AdamW, one cycle of the learning rate, weighted classes or a Huber loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .chips import Batches

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        steps: number of batches.
        batch: chips in a batch.
        rate: highest learning rate of the cycle.
        decay: weight decay.
        seed: seed of weights, chips and augmentation; the same seed gives the same model on the same machine.
        threads: threads of torch.
        bfloat16: True multiplies in bfloat16, twice as fast on processors that have it (AMX).
    """

    steps: int = 800
    batch: int = 12
    rate: float = 4e-3
    decay: float = 1e-3
    seed: int = 0
    threads: int = 1
    bfloat16: bool = False


def prepare(schedule: Schedule) -> np.random.Generator:
    """Seed torch before a network is made, make it repeatable, and answer the generator for chips."""
    torch.manual_seed(schedule.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(schedule.threads)
    return np.random.default_rng(schedule.seed)


def train(
    model: nn.Module,
    batches: Batches,
    loss: Loss,
    schedule: Schedule,
    rng: np.random.Generator,
    tell: Callable[[int, float], None],
) -> None:
    """Train in place; ``tell`` hears the step and the mean loss every 50 steps."""
    model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=schedule.rate, total_steps=schedule.steps, pct_start=0.2
    )
    recent = []
    for step in range(1, schedule.steps + 1):
        x, y = (torch.from_numpy(part) for part in batches.draw(schedule.batch, rng))
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=schedule.bfloat16):
            scores = model(x.contiguous(memory_format=torch.channels_last))
        value = loss(scores.float(), y)
        value.backward()
        optimizer.step()
        cycle.step()
        recent.append(value.item())
        if step % 50 == 0:
            tell(step, float(np.mean(recent)))
            recent.clear()
    model.eval()


def class_loss(truths: list[np.ndarray], classes: int) -> Loss:
    """Cross-entropy with weights by the square root of each class's rarity; negative truth is left out."""
    counts = sum(np.bincount(t[t >= 0].ravel(), minlength=classes) for t in truths).astype(float)
    weights = np.sqrt(counts.sum() / np.maximum(counts, 1))
    weight = torch.tensor(weights / weights.mean(), dtype=torch.float32)

    def loss(scores: Tensor, truth: Tensor) -> Tensor:
        return functional.cross_entropy(scores, truth.long(), weight=weight, ignore_index=-1)

    return loss


def share_loss(scores: Tensor, truth: Tensor) -> Tensor:
    """Huber loss of shares between 0 and 1 (N×1×H×W against N×H×W)."""
    return functional.huber_loss(scores[:, 0], truth, delta=0.1) * 10


@torch.no_grad()
def predict(model: nn.Module, inputs: np.ndarray, stride: int, tile: int = 1024, margin: int = 64) -> np.ndarray:
    """Scores of a whole scene (C×H×W to K×H×W), by tiles with a margin wider than the receptive radius."""
    _, height, width = inputs.shape
    margin = -(-margin // stride) * stride
    rows, cols = (-(-n // tile) * tile for n in (height, width))
    beyond = ((0, 0), (margin, margin + rows - height), (margin, margin + cols - width))
    padded = np.pad(inputs, beyond, mode="reflect" if min(height, width) > margin + tile else "edge")
    answers = []
    for row in range(0, rows, tile):
        strip = []
        for col in range(0, cols, tile):
            square = padded[:, row : row + tile + 2 * margin, col : col + tile + 2 * margin]
            scores = model(torch.from_numpy(square[None].copy()))[0].numpy()
            strip.append(scores[:, margin:-margin, margin:-margin])
        answers.append(np.concatenate(strip, axis=2))
    return np.concatenate(answers, axis=1)[:, :height, :width]

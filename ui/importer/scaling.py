"""The usual ways from a layer's values to what a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ...models.card import Channel, Scaling
from ..shared.wording import tr

_WHITE = 255.0
#: Mean and standard deviation of ImageNet's red, green and blue, of values from 0 to 1 (as torchvision documents them).
_IMAGENET = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
IMAGENET, OWN = "imagenet", "own"


@dataclass(frozen=True)
class Preset:
    """One way of scaling."""

    name: str
    title: str
    scaling: Optional[Scaling] = None
    """The same for every channel; None where it differs by channel, or is the user's own."""


def presets() -> tuple[Preset, ...]:
    """All of them, in the order in which they are offered."""
    return (
        Preset("bytes", tr("Bytes: 0 to 255 become 0 to 1"), Scaling(scale=_WHITE)),
        Preset("reflectance", tr("Reflectance × 10,000: becomes 0 to 1"), Scaling(scale=10000.0)),
        Preset(IMAGENET, tr("Bytes by ImageNet's mean and deviation (red, green, blue)")),
        Preset("none", tr("None: the values as they are"), Scaling()),
        Preset(OWN, tr("Own: (value − offset) ÷ scale, a row each")),
    )


def apply(name: str, channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels scaled that way; clipping that the card asks for stays."""
    rules = _rules(name, len(channels))
    if rules is None:
        return tuple(channels)
    return tuple(
        replace(channel, scaling=replace(channel.scaling, offset=rule.offset, scale=rule.scale))
        for channel, rule in zip(channels, rules)
    )


def recognise(channels: Sequence[Channel]) -> str:
    """The name of the preset that the channels follow; `OWN` where they follow none."""
    plain = [(channel.scaling.offset, channel.scaling.scale) for channel in channels]
    for preset in presets():
        rules = _rules(preset.name, len(channels))
        if rules is not None and plain == [(rule.offset, rule.scale) for rule in rules]:
            return preset.name
    return OWN


def _rules(name: str, count: int) -> Optional[list[Scaling]]:
    if name == IMAGENET:
        if count != len(_IMAGENET):
            return None
        return [Scaling(round(mean * _WHITE, 9), round(spread * _WHITE, 9)) for mean, spread in _IMAGENET]
    scaling = next((preset.scaling for preset in presets() if preset.name == name), None)
    return None if scaling is None else [scaling] * count

"""From a blueprint to a network. Every network is made here, so that training and export know one kind of thing."""

from __future__ import annotations

from torch import nn

from ..errors import RequestError
from .blueprint import Blueprint
from .fcn import FCN
from .network import FusionNetwork
from .receptive import receptive_field
from .squeeze import Squeezed
from .unet import UNet


def build(blueprint: Blueprint) -> FusionNetwork:
    """The network, with weights from torch's generator (and from the files that the blueprint names).

    Raises:
        RequestError: a field that does not go with the others, no such encoder, or weights that do not fit.
    """
    _check(blueprint)
    if blueprint.architecture == "vit":
        from .vit import make_vit

        body = make_vit(blueprint)
        return FusionNetwork(body, blueprint.patch, None, blueprint.size, blueprint.chip, blueprint.squash)
    squeezed = blueprint.fusion == "compress"
    channels = blueprint.channels
    if squeezed:
        channels += blueprint.squeeze - len(blueprint.extra)
    network, stride, radius = _convolutional(blueprint, channels)
    if squeezed:
        network = Squeezed(blueprint.channels, blueprint.extra, blueprint.squeeze, network)
        radius = None if radius is None else radius + network.reach
    if blueprint.chip:
        radius = None
    return FusionNetwork(network, stride, radius, None, blueprint.chip, blueprint.squash)


def _convolutional(blueprint: Blueprint, channels: int) -> tuple[nn.Module, int, int | None]:
    """The network on so many channels, its stride and its receptive radius."""
    kind = blueprint.architecture
    if kind in ("unet-small", "fcn"):
        if blueprint.weights is not None:
            raise RequestError(f"network.weights are those of an encoder, which {kind} does not have; leave them out.")
        network = UNet(channels, blueprint.outputs) if kind == "unet-small" else FCN(channels, blueprint.outputs)
        radius, stride = receptive_field(network)
        return network, stride, radius
    # segmentation-models-pytorch and timm take seconds to load, which small networks need not wait for.
    from .backbones import backbone_radius, backbone_stride, make_backbone

    network = make_backbone(
        kind, blueprint.encoder, channels, blueprint.outputs, blueprint.weights, chip=blueprint.chip
    )
    radius = None if blueprint.chip else backbone_radius(kind, blueprint.encoder)
    return network, backbone_stride(network), radius


def _check(blueprint: Blueprint) -> None:
    transformer = blueprint.architecture == "vit"
    if blueprint.channels < 1 or blueprint.outputs < 1:
        raise RequestError("A network needs at least one channel and one output.")
    if blueprint.fusion in ("token", "control") and not transformer:
        raise RequestError(f"A location token goes with vit, not with {blueprint.architecture}.")
    if blueprint.fusion != "compress":
        return
    if transformer:
        raise RequestError("Learned compression goes with a convolutional network, not with vit.")
    if not blueprint.extra or not all(0 <= index < blueprint.channels for index in blueprint.extra):
        raise RequestError("Learned compression needs layers beside the imagery, and there are none in the stack.")
    if len(set(blueprint.extra)) == blueprint.channels:
        raise RequestError("Learned compression needs imagery beside the layers that it squeezes.")
    if blueprint.squeeze < 1:
        raise RequestError(f"network.squeeze must be at least 1, not {blueprint.squeeze}.")

"""A blueprint gives the network that it names, and its radius holds."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

from fusion_mapper.models.architectures.blueprint import Blueprint  # noqa: E402  - torch has to be known to be there
from fusion_mapper.models.architectures.build import build  # noqa: E402
from fusion_mapper.models.architectures.fcn import FCN  # noqa: E402
from fusion_mapper.models.architectures.receptive import measured_radius, receptive_field  # noqa: E402
from fusion_mapper.models.architectures.unet import UNet  # noqa: E402
from fusion_mapper.models.errors import RequestError  # noqa: E402
from torch import nn  # noqa: E402

EXTRA = (3, 4, 5, 6)


def built(architecture: str, **more) -> nn.Module:
    torch.manual_seed(0)
    return build(Blueprint(architecture, **{"channels": 7, "outputs": 5, **more})).eval()


@torch.no_grad()
def answer(network: nn.Module, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return network(torch.randn(*shape, generator=generator))


@pytest.mark.parametrize(
    ("architecture", "stride", "radius"),
    [("unet-small", 8, 44), ("fcn", 1, 5), ("fpn", 32, None), ("deeplabv3plus", 16, None)],
)
def test_each_architecture_answers_every_pixel(architecture: str, stride: int, radius: int | None) -> None:
    network = built(architecture)
    assert (network.stride, network.radius, network.fixed, network.takes_location) == (stride, radius, None, False)
    assert answer(network, 2, 7, 64, 96).shape == (2, 5, 64, 96)


def test_the_starters_network_is_unchanged() -> None:
    torch.manual_seed(0)
    plain = UNet(7, 5).eval()
    assert torch.equal(answer(plain, 1, 7, 32, 32), answer(built("unet-small"), 1, 7, 32, 32))


@pytest.mark.parametrize("model", [UNet(1, 1), UNet(1, 1, widths=(4, 8)), FCN(1, 1, width=8)])
def test_the_measured_radius_is_the_analytic_one(model: nn.Module) -> None:
    radius, stride = receptive_field(model)
    assert measured_radius(model, stride) == radius


class Swallowing(nn.Module):
    """Looks at the whole tile, in a way that hides NaN."""

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        return stack * torch.nan_to_num(stack.mean((2, 3), keepdim=True), nan=1.0)


class Placed(nn.Module):
    """Knows where in its tile a pixel lies."""

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        return stack + torch.arange(stack.shape[2]).view(1, 1, -1, 1)


@pytest.mark.parametrize("model", [Swallowing(), Placed()])
def test_no_radius_is_claimed_where_numbers_speak_against_it(model: nn.Module) -> None:
    assert measured_radius(model, 4) is None


def test_beyond_its_radius_a_unet_of_smp_sees_nothing_and_shifts_with_the_stride() -> None:
    network = built("unet", channels=2, outputs=1)
    radius, stride = network.radius, network.stride
    assert radius is not None
    edge = -(-radius // stride) * stride
    x = torch.randn(1, 2, 3 * stride + 2 * edge, 2 * stride, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        whole, shifted = network(x), network(x[:, :, stride:])
        x[:, :, : edge - radius] = 9.0
        x[:, :, edge + stride + radius :] = -9.0
        other = network(x)
    near = {"atol": 1e-5, "rtol": 1e-4}
    cell = slice(edge, edge + stride)
    torch.testing.assert_close(other[:, :, cell], whole[:, :, cell], **near)
    inner, moved = slice(edge, edge + 2 * stride), slice(edge + stride, edge + 3 * stride)
    torch.testing.assert_close(shifted[:, :, inner], whole[:, :, moved], **near)


def test_an_encoder_that_looks_at_the_whole_tile_has_no_radius() -> None:
    assert built("unet", encoder="tu-mobilenetv3_small_050").radius is None


def test_compression_squeezes_the_extra_channels_alone() -> None:
    network = built("fcn", fusion="compress", extra=EXTRA, squeeze=2)
    assert network.radius == 5 + 5
    assert network.body.squeeze.layers[0].in_channels == len(EXTRA)
    assert network.body.network.layers[0].in_channels == 3 + 2
    x = torch.zeros(1, 7, 24, 24)
    other = x.clone()
    other[:, 2] = 1.0
    with torch.no_grad():
        squeezed = [network.body.squeeze(v.index_select(1, network.body.extra)) for v in (x, other)]
        assert torch.equal(*squeezed)
        assert not torch.equal(network(x), network(other))


def test_compression_is_trained_end_to_end() -> None:
    network = built("unet-small", fusion="compress", extra=EXTRA)
    network(torch.randn(2, 7, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("architecture", ["unet-small", "fcn", "unet", "fpn", "deeplabv3plus"])
def test_a_chip_gets_one_answer_between_0_and_1(architecture: str) -> None:
    network = built(architecture, outputs=1, chip=True, squash=True)
    scores = answer(network, 3, 7, 64, 64)
    assert scores.shape == (3, 1)
    assert ((scores > 0) & (scores < 1)).all()
    assert network.radius is None


def test_measuring_a_radius_does_not_disturb_the_seed() -> None:
    first = built("unet", encoder="resnet18").state_dict()
    again = built("unet", encoder="resnet18").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@pytest.mark.parametrize("encoder", ["resnet17", "tu-nothing", "tu-hf-hub:timm/resnet18.a1_in1k"])
def test_an_unknown_encoder_is_refused_with_some_that_exist(encoder: str) -> None:
    with pytest.raises(RequestError, match="resnet18"):
        built("unet", encoder=encoder)


def test_an_encoder_for_tiles_of_one_size_is_refused() -> None:
    with pytest.raises(RequestError, match="does not go with unet on 7 channels"):
        built("unet", encoder="tu-swin_tiny_patch4_window7_224")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"architecture": "unet-small", "fusion": "token"}, "goes with vit"),
        ({"architecture": "vit", "fusion": "compress", "extra": EXTRA}, "convolutional"),
        ({"architecture": "fcn", "fusion": "compress"}, "layers beside the imagery"),
        ({"architecture": "fcn", "fusion": "compress", "extra": tuple(range(7))}, "imagery beside"),
        ({"architecture": "fcn", "fusion": "compress", "extra": EXTRA, "squeeze": 0}, "squeeze must be"),
        ({"architecture": "fcn", "weights": Path("some.pt")}, "does not have"),
        ({"architecture": "vit", "size": 100}, "does not divide"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        built(**fields)

"""Weights from a file: read as tensors alone, fitted to the channels, refused in one sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

import segmentation_models_pytorch as smp  # noqa: E402  - torch has to be known to be there
import torchvision  # noqa: E402
from fusion_mapper.models.architectures.blueprint import Blueprint  # noqa: E402
from fusion_mapper.models.architectures.build import build  # noqa: E402
from fusion_mapper.models.errors import RequestError  # noqa: E402
from safetensors.torch import save_file  # noqa: E402


def built(path: Path, channels: int = 7, **more) -> torch.nn.Module:
    return build(Blueprint("fpn", channels, 2, weights=path, **more)).body.encoder


@pytest.fixture(scope="module")
def classifier() -> torch.nn.Module:
    """A whole ResNet-18, with the classifier that an encoder lacks."""
    torch.manual_seed(5)
    return torchvision.models.resnet18(weights=None)


def test_a_classifiers_weights_become_the_encoders(tmp_path: Path, classifier: torch.nn.Module) -> None:
    torch.save(classifier.state_dict(), tmp_path / "r18.pt")
    encoder = built(tmp_path / "r18.pt", 3)
    assert torch.equal(encoder.conv1.weight, classifier.conv1.weight)
    assert torch.equal(encoder.layer4[1].bn2.weight, classifier.layer4[1].bn2.weight)


def test_the_first_convolution_is_spread_over_the_channels_as_smp_does(
    tmp_path: Path, classifier: torch.nn.Module
) -> None:
    save_file(classifier.state_dict(), tmp_path / "r18.safetensors")
    encoder = built(tmp_path / "r18.safetensors", 7)
    reference = smp.encoders.get_encoder("resnet18", weights=None)
    reference.load_state_dict(classifier.state_dict())
    reference.set_in_channels(7, pretrained=True)
    torch.testing.assert_close(encoder.conv1.weight, reference.conv1.weight)


def test_a_checkpoint_of_a_whole_segmentation_network_gives_its_encoder(tmp_path: Path) -> None:
    network = smp.Unet("resnet18", encoder_weights=None)
    torch.save({"epoch": 3, "state_dict": network.state_dict()}, tmp_path / "unet.ckpt")
    assert torch.equal(built(tmp_path / "unet.ckpt", 3).conv1.weight, network.encoder.conv1.weight)


def test_timms_names_fit_timms_encoders(tmp_path: Path, classifier: torch.nn.Module) -> None:
    torch.save(classifier.state_dict(), tmp_path / "r18.pt")
    encoder = built(tmp_path / "r18.pt", 3, encoder="tu-resnet18")
    assert torch.equal(encoder.model.conv1.weight, classifier.conv1.weight)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet34(weights=None).layer1.state_dict(), tmp_path / "part.pt")
    with pytest.raises(RequestError, match=r"part\.pt does not fit the encoder resnet18: it lacks"):
        built(tmp_path / "part.pt")


def test_weights_of_another_shape_are_refused(tmp_path: Path, classifier: torch.nn.Module) -> None:
    state = {**classifier.state_dict(), "layer1.0.conv1.weight": torch.zeros(8, 64, 3, 3)}
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(RequestError, match=r"'layer1\.0\.conv1\.weight' has the shape \(8, 64, 3, 3\)"):
        built(tmp_path / "odd.pt")


def test_a_file_that_needs_unpickling_is_not_opened(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1), "note": Fraction(1, 2)}, tmp_path / "pickled.pt")
    with pytest.raises(RequestError, match="more than tensors and plain values"):
        built(tmp_path / "pickled.pt")


@pytest.mark.parametrize(
    ("name", "content"), [("text.pt", b"no weights"), ("text.safetensors", b"no weights"), ("empty.pt", b"")]
)
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match=name):
        built(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"gone\.pt cannot be read"):
        built(tmp_path / "gone.pt")

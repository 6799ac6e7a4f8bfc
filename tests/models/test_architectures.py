"""Networks look exactly as far as they say, and training's bookkeeping is right."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

from fusion_mapper.models.architectures.fcn import FCN  # noqa: E402  - torch has to be known to be there
from fusion_mapper.models.architectures.receptive import receptive_field  # noqa: E402
from fusion_mapper.models.architectures.unet import UNet  # noqa: E402
from fusion_mapper.models.training import chips, loop  # noqa: E402
from fusion_mapper.models.training.export import export_onnx  # noqa: E402


def _reach(model: torch.nn.Module, size: int = 160) -> int:
    """The furthest input pixel that any output pixel of one stride cell draws on, by the gradient.

    Positive weights and inputs keep contributions from cancelling, and every ReLU open; equal inputs share the
    gradient of a maximum unevenly, so the inputs are random and several draws are joined.
    """
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.abs() + 0.01)
    furthest = 0
    for draw in range(3):
        torch.manual_seed(draw)
        x = (torch.rand(1, model_channels(model), size, size, dtype=torch.double) + 0.5).requires_grad_(True)
        scores = model(x)[0].sum(0)
        for phase in range(model.stride):
            spot = size // 2 + phase
            (gradient,) = torch.autograd.grad(scores[spot, spot], x, retain_graph=True)
            touched = gradient.abs().sum((0, 1)).nonzero() - spot
            furthest = max(furthest, int(touched.abs().max()))
    return furthest


def model_channels(model: torch.nn.Module) -> int:
    return next(model.parameters()).shape[1]


@pytest.mark.parametrize("model", [UNet(3, 2), UNet(2, 2, widths=(4, 8)), FCN(3, 2, width=8)])
def test_receptive_radius_is_what_the_gradient_shows(model: torch.nn.Module) -> None:
    radius, stride = receptive_field(model)
    assert stride == model.stride
    assert _reach(model) == radius


def test_shifting_by_the_stride_shifts_the_answer() -> None:
    torch.manual_seed(0)
    model = UNet(2, 3, widths=(4, 8, 8)).eval()
    radius, stride = receptive_field(model)
    x = torch.rand(1, 2, 160, 160)
    with torch.no_grad():
        whole, shifted = model(x), model(x[:, :, stride:, stride:])
        crooked = model(x[:, :, stride + 1 : -stride + 1, stride + 1 : -stride + 1])
    inner = slice(radius, 160 - stride - radius)
    there = slice(radius + stride, 160 - radius)
    assert torch.allclose(shifted[..., inner, inner], whole[..., there, there], atol=1e-6)
    part = whole[..., stride + 1 :, stride + 1 :][..., radius:64, radius:64]
    assert not torch.allclose(crooked[..., radius:64, radius:64], part, atol=1e-4)


def test_unknown_networks_claim_no_receptive_field() -> None:
    with pytest.raises(TypeError, match="not known"):
        receptive_field(torch.nn.Linear(2, 2))


def test_exported_network_answers_alike_at_any_size(tmp_path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(1)
    model = UNet(3, 2, widths=(4, 8))
    model.train()(torch.randn(4, 3, 16, 16))
    assert export_onnx(model, 3, tmp_path / "net.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(1, 3, 34, 50)).astype(np.float32)
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(x)).numpy()
    assert np.allclose(session.run(None, {"input": x})[0], expected, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def _trained(seed: int) -> torch.nn.Module:
    """A network that learned where the second channel is larger than the first."""
    values = np.random.default_rng(7).normal(size=(2, 64, 64)).astype(np.float32)
    truth = (values[1] > values[0]).astype(np.int8)
    schedule = loop.Schedule(steps=60, batch=4, rate=1e-2, seed=seed)
    rng = loop.prepare(schedule)
    lattice = [chips.Chip(0, row, col) for row in (0, 16, 32) for col in (0, 16, 32)]
    batches = chips.Batches([values], [truth], lattice, 32, {}, {}, [], chips.Variation())
    model = UNet(2, 2, widths=(4, 8))
    loop.train(model, batches, loop.class_loss([truth], 2), schedule, rng, lambda step, loss: None)
    scores = loop.predict(model, values, model.stride, tile=32, margin=16)
    assert (scores.argmax(0) == truth).mean() > 0.9, "the network has not learned"
    return model


def test_the_same_seed_trains_the_same_model() -> None:
    first, again, other = (_trained(seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_prediction_by_tiles_equals_one_pass() -> None:
    torch.manual_seed(2)
    model = UNet(2, 2, widths=(4, 8)).eval()
    values = np.random.default_rng(0).normal(size=(2, 96, 96)).astype(np.float32)
    by_tiles = loop.predict(model, values, model.stride, tile=32, margin=16)
    with torch.no_grad():
        padded = np.pad(values, ((0, 0), (16, 16), (16, 16)), mode="reflect")
        once = model(torch.from_numpy(padded[None]))[0].numpy()[:, 16:-16, 16:-16]
    assert np.allclose(by_tiles, once, atol=1e-5)

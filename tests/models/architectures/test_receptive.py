"""Networks look exactly as far as they say, and answer alike whole, in windows and as ONNX."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

from fusion_mapper.models.architectures.blueprint import Blueprint  # noqa: E402  - torch has to be known to be there
from fusion_mapper.models.architectures.build import build  # noqa: E402
from fusion_mapper.models.architectures.fcn import FCN  # noqa: E402
from fusion_mapper.models.architectures.receptive import receptive_field  # noqa: E402
from fusion_mapper.models.architectures.unet import UNet  # noqa: E402
from fusion_mapper.models.training.export import export_onnx  # noqa: E402
from fusion_mapper.models.training.scenes import Scene  # noqa: E402
from fusion_mapper.models.training.windows import Looking, answers, windows_with_truth  # noqa: E402


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


def test_windows_with_context_answer_as_one_pass_does() -> None:
    torch.manual_seed(2)
    network = build(Blueprint("unet-small", 2, 3)).eval()
    values = np.random.default_rng(0).normal(size=(2, 304, 280)).astype(np.float32)
    scene = Scene("here", values, np.ones(values.shape, bool), np.zeros(values.shape[1:], np.int16))
    looking = Looking.of(network)
    windows = windows_with_truth([scene.truth], looking.side, None)
    found = np.zeros((3, 304, 280), np.float32)
    for window, scores in answers(network, [values], [scene], windows, looking):
        found[:, window.row : window.row + scores.shape[1], window.col : window.col + scores.shape[2]] = scores
    margin = looking.margin
    with torch.no_grad():
        padded = np.pad(values, ((0, 0), (margin, margin), (margin, margin)), mode="reflect")
        once = network(torch.from_numpy(padded[None]))[0].numpy()[:, margin:-margin, margin:-margin]
    assert len(windows) > 1
    np.testing.assert_allclose(found, once, rtol=0, atol=1e-5)

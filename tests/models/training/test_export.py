"""Exported networks answer as torch does, in full and in lower precision, and the engine runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

import onnx  # noqa: E402  - torch has to be known to be there
import onnxruntime  # noqa: E402
import rasterio  # noqa: E402
from fusion_mapper.inference.job import job_from_dict  # noqa: E402
from fusion_mapper.inference.run import run_job  # noqa: E402
from fusion_mapper.inference.voice import Voice  # noqa: E402
from fusion_mapper.models.architectures.blueprint import Blueprint  # noqa: E402
from fusion_mapper.models.architectures.build import build  # noqa: E402
from fusion_mapper.models.architectures.network import FusionNetwork  # noqa: E402
from fusion_mapper.models.card import Card, Channel, ClassInfo, LocationRecipe, Output, Slot, Tiling  # noqa: E402
from fusion_mapper.models.embed import embed_card  # noqa: E402
from fusion_mapper.models.errors import RequestError  # noqa: E402
from fusion_mapper.models.training.export import export_onnx  # noqa: E402
from fusion_mapper.models.training.variants import agreement, make_variant  # noqa: E402
from torch import nn  # noqa: E402

CHANNELS, SIZE = 4, 32
CLASSES = tuple(ClassInfo(value, name) for value, name in enumerate(["forest", "water", "other"], start=1))


def trained(architecture: str, steps: int = 6, **more) -> FusionNetwork:
    """A network that learned a little which of the first channels is the largest, so that its statistics moved."""
    torch.manual_seed(0)
    network = build(Blueprint(architecture, CHANNELS, len(CLASSES), **{"size": SIZE, **more}))
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 1e-3)
    for _ in range(steps):
        x, place = torch.randn(4, CHANNELS, 64, 64), torch.rand(4, 2) * 50
        x = x[..., : network.fixed, : network.fixed] if network.fixed else x
        scores = network(x, place)
        truth = x[:, : len(CLASSES)].argmax(1)
        loss = nn.functional.cross_entropy(scores, truth[:, 0, 0] if scores.ndim == 2 else truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def feeds(network: FusionNetwork, count: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        feed = {"input": rng.normal(size=(2, CHANNELS, SIZE, SIZE)).astype(np.float32)}
        if network.takes_location:
            feed["location"] = network.location_feed(rng.uniform(-80, 80, (2, 2)))
        yield feed


def dims(item: onnxruntime.NodeArg) -> list[object]:
    return list(item.shape)


@pytest.mark.parametrize(
    "fields",
    [
        {"architecture": "fcn", "chip": True, "squash": True},
        {"architecture": "unet-small", "fusion": "compress", "extra": (2, 3)},
        {"architecture": "unet", "encoder": "tu-mobilenetv3_small_050"},
        {"architecture": "fpn", "encoder": "mobilenet_v2"},
        {"architecture": "deeplabv3plus", "encoder": "mobilenet_v2"},
        {"architecture": "vit"},
        {"architecture": "vit", "fusion": "control", "chip": True},
    ],
    ids=lambda fields: f"{fields['architecture']}-{fields.get('fusion', 'none')}",
)
def test_the_file_answers_as_the_network_does(tmp_path: Path, fields: dict[str, object]) -> None:
    network = trained(**fields, steps=1)
    export_onnx(network, CHANNELS, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    size = (SIZE, SIZE) if network.fixed else (96, 160)
    x = np.random.default_rng(5).normal(size=(5, CHANNELS, *size)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    scale = max(float(np.abs(expected).max()), 1.0)
    np.testing.assert_allclose(session.run(None, {"input": x})[0], expected, rtol=0, atol=1e-4 * scale)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("slot", [False, True])
@pytest.mark.parametrize("degree", [10, 40])
def test_a_location_enters_as_degrees_or_as_its_basis(tmp_path: Path, degree: int, slot: bool) -> None:
    network = trained("vit", 1, fusion="token", degree=degree, location_slot=slot)
    assert export_onnx(network, CHANNELS, tmp_path / "net.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    stack, location = session.get_inputs()
    assert dims(stack) == ["batch", CHANNELS, SIZE, SIZE]
    assert (location.name, dims(location)) == ("location", ["batch", degree**2 if slot else 2])
    lonlat = np.array([[18.4, -34.0], [-56.4, -1.5], [179.9, 89.9]])
    x = np.random.default_rng(5).normal(size=(3, CHANNELS, SIZE, SIZE)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x), torch.from_numpy(lonlat)).numpy()
    found = session.run(None, {"input": x, "location": network.location_feed(lonlat)})[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_equal_networks_give_equal_bytes_that_name_no_file_of_this_machine(tmp_path: Path) -> None:
    network = trained("vit", 1, fusion="token")
    for name in ("a.onnx", "b.onnx"):
        export_onnx(network, CHANNELS, tmp_path / name)
    content = (tmp_path / "a.onnx").read_bytes()
    assert content == (tmp_path / "b.onnx").read_bytes()
    assert b"site-packages" not in content


def test_exporting_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    network = trained("vit", 1, fusion="token", location_slot=True)
    x, place = torch.zeros(1, CHANNELS, SIZE, SIZE), torch.tensor([[10.0, 50.0]])
    with torch.no_grad():
        before = network(x, place)
        export_onnx(network, CHANNELS, tmp_path / "net.onnx")
        assert torch.equal(network(x, place), before)


class Sized(nn.Module):
    """Its answer depends on the size that it was traced with, as no graph of free size may."""

    stride = 8

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        return stack * float(stack.shape[2])


def test_a_network_whose_graph_holds_for_one_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="differ from the network's"):
        export_onnx(Sized(), CHANNELS, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


class Unknown(nn.Module):
    """Uses an operator that ONNX does not have."""

    stride = 8

    def forward(self, stack: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(stack)


def test_a_network_that_onnx_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be written as ONNX"):
        export_onnx(Unknown(), CHANNELS, tmp_path / "net.onnx")


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> tuple[FusionNetwork, Path]:
    network, path = trained("unet-small", 20), tmp_path_factory.mktemp("unet") / "net.onnx"
    export_onnx(network, CHANNELS, path)
    return network, path


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> tuple[FusionNetwork, Path]:
    network, path = trained("vit", fusion="token"), tmp_path_factory.mktemp("vit") / "net.onnx"
    export_onnx(network, CHANNELS, path)
    return network, path


@pytest.mark.parametrize(("kind", "least", "share"), [("fp16", 0.99, 0.6), ("int8", 0.95, 0.45)])
def test_a_variant_is_smaller_and_nearly_agrees(
    tmp_path: Path, unet: tuple[FusionNetwork, Path], kind: str, least: float, share: float
) -> None:
    network, path = unet
    make_variant(path, kind, tmp_path / "v.onnx", feeds(network, 6, 1))
    found = agreement(path, tmp_path / "v.onnx", feeds(network, 6, 2))
    assert least < found.classes <= 1
    assert found.largest > 0
    assert (tmp_path / "v.onnx").stat().st_size < share * path.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["v.onnx"]


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_a_variants_inputs_and_outputs_stay_in_full_precision(
    tmp_path: Path, fused: tuple[FusionNetwork, Path], kind: str
) -> None:
    network, path = fused
    make_variant(path, kind, tmp_path / "v.onnx", feeds(network, 3, 1))
    one, other = (
        onnxruntime.InferenceSession(p, providers=["CPUExecutionProvider"]) for p in (path, tmp_path / "v.onnx")
    )
    for ask in ("get_inputs", "get_outputs"):
        assert [(i.name, i.type, i.shape) for i in getattr(one, ask)()] == [
            (i.name, i.type, i.shape) for i in getattr(other, ask)()
        ]


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_a_variant_embeds_a_location_as_exactly_as_its_model(
    tmp_path: Path, fused: tuple[FusionNetwork, Path], kind: str
) -> None:
    """Half a kilometre is below half precision's 0.06° at 100° of longitude, and yet tells."""
    network, path = fused
    make_variant(path, kind, tmp_path / "v.onnx", feeds(network, 3, 1))
    lonlat = np.array([[100.0, 10.0], [100.005, 10.0]], np.float32)
    embedded = []
    for file in (path, tmp_path / "v.onnx"):
        model = onnx.load(file)
        (last,) = [node for node in model.graph.node if node.name == "/body/place/siren/last_layer/Gemm"]
        model.graph.output.append(onnx.helper.make_tensor_value_info(last.output[0], onnx.TensorProto.FLOAT, None))
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        x = np.zeros((2, CHANNELS, SIZE, SIZE), np.float32)
        embedded.append(session.run([last.output[0]], {"input": x, "location": lonlat})[0])
    np.testing.assert_allclose(embedded[1], embedded[0], rtol=0, atol=1e-6)
    assert not np.array_equal(embedded[0][0], embedded[0][1])


def test_agreement_counts_classes_and_the_largest_difference(tmp_path: Path) -> None:
    """A model of two channels, and one whose first channel is 1 larger."""
    paths = []
    for name, shift in (("a.onnx", 0.0), ("b.onnx", 1.0)):
        nodes = [onnx.helper.make_node("Add", ["input", "shift"], ["output"])]
        info = [
            onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", 2, "h", "w"])
            for n in ("input", "output")
        ]
        values = onnx.numpy_helper.from_array(np.array([shift, 0], np.float32).reshape(1, 2, 1, 1), "shift")
        graph = onnx.helper.make_graph(nodes, "g", info[:1], info[1:], [values])
        onnx.save(
            onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9),
            tmp_path / name,
        )
        paths.append(tmp_path / name)
    x = np.array([[0.0, 3.0], [0.5, 0.9], [0.0, 2.0], [4.0, 0.0]], np.float32).T.reshape(1, 2, 2, 2)
    found = agreement(*paths, [{"input": x}])
    assert (found.classes, found.largest) == (0.75, 1.0)


def test_int8_without_anything_to_calibrate_with_is_refused(tmp_path: Path, unet: tuple[FusionNetwork, Path]) -> None:
    with pytest.raises(RequestError, match="nothing to calibrate"):
        make_variant(unet[1], "int8", tmp_path / "v.onnx", [])
    assert not list(tmp_path.iterdir())


def test_agreement_without_anything_to_compare_on_is_refused(unet: tuple[FusionNetwork, Path]) -> None:
    with pytest.raises(RequestError, match="nothing to compare"):
        agreement(unet[1], unet[1], [])


def location_slot(slot: bool, degree: int) -> Slot:
    recipe = LocationRecipe("spherical_harmonics", degree) if slot else LocationRecipe()
    count = degree**2 if slot else 2
    channels = tuple(Channel(f"value {number}") for number in range(count))
    return Slot("location", "location", channels, "location", layout="vector", location=recipe)


def mapped(folder: Path, scene: Path, slot: bool, kind: str | None = None) -> np.ndarray:
    """Probabilities that the engine maps with a TOKEN-FUSE model over the Amazon scene, classes × H × W."""
    degree = 10
    network = trained("vit", 6, fusion="token", degree=degree, location_slot=slot)
    folder.mkdir()
    export_onnx(network, CHANNELS, folder / "bare.onnx")
    if kind is not None:
        make_variant(folder / "bare.onnx", kind, folder / "bare.onnx", feeds(network, 3, 1))
    imagery = Slot("imagery", "imagery", tuple(Channel(f"b{number}") for number in range(CHANNELS)), "input")
    card = Card(
        "token-fuse",
        (imagery, location_slot(slot, degree)),
        (Output("output", "semantic-segmentation", CLASSES, activation="softmax"),),
        tiling=Tiling(SIZE, fixed=True, overlap=8),
    )
    embed_card(folder / "bare.onnx", card, folder / "model.onnx")
    job = {
        "schema": 1,
        "model": "model.onnx",
        "sources": {"imagery": {"path": str(scene), "bands": [2, 3, 4, 8]}},
        "outputs": {"folder": "out", "products": {"probabilities": None}},
        "compute": {"device": "cpu"},
    }
    result = run_job(job_from_dict(job), folder, Voice(lambda _: None, lambda: False))
    with rasterio.open(result.products["probabilities"]) as file:
        return file.read()


@pytest.fixture(scope="module")
def in_the_graph(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return mapped(tmp_path_factory.mktemp("graph") / "run", shared_data / "amazon_s2" / "sen2.tif", slot=False)


def test_the_engine_maps_alike_with_the_basis_in_the_graph_and_as_a_slot(
    tmp_path: Path, shared_data: Path, in_the_graph: np.ndarray
) -> None:
    as_slot = mapped(tmp_path / "slot", shared_data / "amazon_s2" / "sen2.tif", slot=True)
    assert in_the_graph.shape == (len(CLASSES), 237, 247)
    assert np.ptp(in_the_graph) > 0.01
    np.testing.assert_allclose(as_slot, in_the_graph, rtol=0, atol=1e-4)


def test_the_engine_runs_a_variant_in_half_precision(
    tmp_path: Path, shared_data: Path, in_the_graph: np.ndarray
) -> None:
    halved = mapped(tmp_path / "half", shared_data / "amazon_s2" / "sen2.tif", slot=False, kind="fp16")
    np.testing.assert_allclose(halved, in_the_graph, rtol=0, atol=0.01)

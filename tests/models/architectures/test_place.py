"""A location's embedding: the basis in single precision, and SatCLIP's network by its real layout."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

from fusion_mapper.inference.sources.location import spherical_harmonics  # noqa: E402  - torch has to be there
from fusion_mapper.models.architectures.harmonics import SphericalHarmonics  # noqa: E402
from fusion_mapper.models.architectures.place import Place, Siren  # noqa: E402
from fusion_mapper.models.architectures.satclip import load_satclip  # noqa: E402
from fusion_mapper.models.errors import RequestError  # noqa: E402
from scipy.special import sph_harm_y  # noqa: E402


def places() -> np.ndarray:
    """Longitudes and latitudes in degrees, many of them near the poles and the equator, N×2 float32."""
    rng = np.random.default_rng(3)
    close = 10 ** rng.uniform(-6, 1, 500)
    lat = np.concatenate([rng.uniform(-90, 90, 1500), 90 - close, close - 90, rng.uniform(-3, 3, 500)])
    lon = rng.uniform(-180, 180, len(lat))
    edges = [(0, 90), (0, -90), (-180, 0), (180, 0), (0, 0), (45, 45)]
    return np.concatenate([np.stack([lon, lat], 1), np.array(edges, float)]).astype(np.float32)


@pytest.mark.parametrize("degree", [1, 2, 10, 40])
def test_the_basis_in_single_precision_is_the_engines(degree: int) -> None:
    lonlat = places()
    found = SphericalHarmonics(degree)(torch.from_numpy(lonlat)).numpy()
    expected = spherical_harmonics(degree, *lonlat.T.astype(float)).T
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("degree", [10, 40])
def test_the_basis_is_scipys_but_for_satclips_factor(degree: int) -> None:
    """Orthonormal, without the Condon-Shortley phase, and π times larger at m = 0."""
    lonlat = places()[::7]
    phi, theta = np.radians(lonlat.T.astype(float) + np.array([[180.0], [90.0]]))
    found = SphericalHarmonics(degree)(torch.from_numpy(lonlat)).numpy()
    for l in range(degree):  # noqa: E741
        for m in range(-l, l + 1):
            value = sph_harm_y(l, abs(m), theta, phi)
            part = value.imag if m < 0 else value.real
            scale = math.pi if m == 0 else math.sqrt(2) * (-1) ** m
            np.testing.assert_allclose(found[:, l * l + l + m], scale * part, rtol=0, atol=2e-5)


def checkpoint(path: Path, degree: int = 10, facts: dict[str, object] | None = None, **more) -> dict[str, torch.Tensor]:
    """A file laid out as SatCLIP's, float64 weights beside an image encoder's; answers the location's layers."""
    generator = torch.Generator().manual_seed(degree)
    sizes = {"layers.0": (256, degree**2), "layers.1": (256, 256), "last_layer": (256, 256)}
    layers = {}
    for name, (outputs, inputs) in sizes.items():
        layers[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator, dtype=torch.double) / inputs
        layers[f"{name}.bias"] = torch.randn(outputs, generator=generator, dtype=torch.double) / inputs
    state = {f"model.location.nnet.{name}": value for name, value in layers.items()}
    state |= {"model.visual.conv1.weight": torch.zeros(4, 13, 3, 3), "model.logit_scale": torch.ones(())}
    told = {
        "embed_dim": 256, "le_type": "sphericalharmonics", "pe_type": "siren", "legendre_polys": degree,
        "harmonics_calculation": "analytic", "num_hidden_layers": 2, "capacity": 256,
    }  # fmt: skip
    hyper = {**told, **(facts or {})}
    torch.save({"epoch": 499, "state_dict": state, "hyper_parameters": hyper, "callbacks": {}, **more}, path)
    return layers


@pytest.mark.parametrize("degree", [10, 40])
def test_satclips_layers_give_satclips_embedding(tmp_path: Path, degree: int) -> None:
    layers = {name: value.numpy() for name, value in checkpoint(tmp_path / "s.ckpt", degree).items()}
    place = Place(load_satclip(tmp_path / "s.ckpt", degree), degree)
    lonlat = places()[:50]
    with torch.no_grad():
        found = place(torch.from_numpy(lonlat)).numpy()
    values = spherical_harmonics(degree, *lonlat.T.astype(float)).T
    values = np.sin(30 * (values @ layers["layers.0.weight"].T + layers["layers.0.bias"]))
    values = np.sin(values @ layers["layers.1.weight"].T + layers["layers.1.bias"])
    expected = values @ layers["last_layer.weight"].T + layers["last_layer.bias"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_the_embedding_is_frozen() -> None:
    assert not any(parameter.requires_grad for parameter in Place(Siren(100), 10).parameters())


def test_a_location_slot_is_fed_the_basis_and_others_degrees() -> None:
    lonlat = places()[:4].astype(float)
    np.testing.assert_array_equal(Place(Siren(4), 2).feed(lonlat), lonlat.astype(np.float32))
    found = Place(Siren(4), 2, slot=True).feed(lonlat)
    np.testing.assert_allclose(found, spherical_harmonics(2, *lonlat.T).T, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(Place(Siren(2), None, slot=True).feed(lonlat), lonlat.astype(np.float32))


def test_another_degree_is_refused_with_the_one_to_take(tmp_path: Path) -> None:
    checkpoint(tmp_path / "s.ckpt", 40)
    with pytest.raises(RequestError, match=r"set network\.degree to 40"):
        load_satclip(tmp_path / "s.ckpt", 10)


@pytest.mark.parametrize("facts", [{"le_type": "grid"}, {"pe_type": "fcnet"}, {"harmonics_calculation": "closed-form"}])
def test_an_encoder_of_another_kind_is_refused(tmp_path: Path, facts: dict[str, object]) -> None:
    checkpoint(tmp_path / "s.ckpt", facts=facts)
    with pytest.raises(RequestError, match="was trained with"):
        load_satclip(tmp_path / "s.ckpt", 10)


def test_a_checkpoint_that_needs_unpickling_is_not_opened(tmp_path: Path) -> None:
    checkpoint(tmp_path / "s.ckpt", share=Fraction(1, 2))
    with pytest.raises(RequestError, match="more than tensors and plain values"):
        load_satclip(tmp_path / "s.ckpt", 10)


@pytest.mark.parametrize(
    "data", [{"state_dict": {"model.visual.conv1.weight": torch.zeros(1)}}, {"state_dict": 3}, [1]]
)
def test_what_is_no_satclip_checkpoint_is_refused(tmp_path: Path, data: object) -> None:
    torch.save(data, tmp_path / "s.ckpt")
    with pytest.raises(RequestError, match=r"s\.ckpt"):
        load_satclip(tmp_path / "s.ckpt", 10)


@pytest.mark.parametrize(
    ("name", "shape"), [("layers.0.weight", (256, 99)), ("layers.1.weight", (256, 100)), ("layers.0.weight", (256,))]
)
def test_layers_that_do_not_fit_are_refused(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    checkpoint(tmp_path / "s.ckpt")
    data = torch.load(tmp_path / "s.ckpt", weights_only=True)
    data["state_dict"][f"model.location.nnet.{name}"] = torch.zeros(shape)
    torch.save(data, tmp_path / "s.ckpt")
    with pytest.raises(RequestError, match="fit"):
        load_satclip(tmp_path / "s.ckpt", 10)

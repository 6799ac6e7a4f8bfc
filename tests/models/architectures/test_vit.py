"""The transformer with its location token, and its controls."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

from fusion_mapper.models.architectures.blueprint import Blueprint  # noqa: E402  - torch has to be known to be there
from fusion_mapper.models.architectures.build import build  # noqa: E402
from fusion_mapper.models.architectures.vit import DEPTH, HEADS, WIDTH  # noqa: E402
from fusion_mapper.models.errors import RequestError  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402

SIZE = 32
HERE, THERE = torch.tensor([[18.4, -34.0]]), torch.tensor([[-56.4, -1.5]])


def built(fusion: str = "token", **more) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(Blueprint("vit", 4, 3, fusion=fusion, **{"size": SIZE, **more})).eval()


def stack(batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def test_the_tile_is_fixed_and_no_radius_claimed() -> None:
    network = built("none")
    assert (network.fixed, network.radius, network.stride, network.takes_location) == (SIZE, None, 8, False)
    assert network(stack(2)).shape == (2, 3, SIZE, SIZE)


@pytest.mark.parametrize("patch", [4, 8, 16, 32])
def test_any_patch_that_divides_the_tile_is_decoded_to_pixels(patch: int) -> None:
    assert built("none", patch=patch)(stack()).shape == (1, 3, SIZE, SIZE)


def test_a_patch_that_is_no_power_of_two_is_decoded_to_pixels() -> None:
    network = built("none", patch=12, size=48)
    assert network(torch.zeros(1, 4, 48, 48)).shape == (1, 3, 48, 48)


@pytest.mark.parametrize("chip", [False, True])
def test_the_location_changes_the_answer(chip: bool) -> None:
    network = built(chip=chip)
    with torch.no_grad():
        assert not torch.allclose(network(stack(), HERE), network(stack(), THERE), atol=1e-5)


def test_the_location_is_one_token_behind_the_patches() -> None:
    lengths = {}
    for fusion in ("none", "token", "control"):
        network = built(fusion)
        network.body.trunk.blocks[0].register_forward_pre_hook(
            lambda _module, given, fusion=fusion: lengths.__setitem__(fusion, given[0].shape[1])
        )
        network(stack(), HERE)
    patches = (SIZE // 8) ** 2
    assert lengths == {"none": patches + 1, "token": patches + 2, "control": patches + 2}


def test_the_embedding_is_frozen_and_its_projection_learns() -> None:
    network = built()
    network.train()(stack(2), torch.cat([HERE, THERE])).sum().backward()
    place = dict(network.body.place.named_parameters())
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in place.values())
    assert network.body.project.weight.grad.abs().sum() > 0


def test_the_control_knows_no_place_and_learns_its_token() -> None:
    network = built("control")
    assert not network.takes_location
    network(stack()).sum().backward()
    assert network.body.learned.grad.abs().sum() > 0


def test_a_location_that_is_not_given_is_missed() -> None:
    with pytest.raises(ValueError, match="location"):
        built()(stack())


def test_scene_labels_come_from_the_class_token() -> None:
    assert built("none", chip=True)(stack(2)).shape == (2, 3)


def test_a_transformers_weights_are_taken_over_with_their_first_blocks(tmp_path: Path) -> None:
    deeper = VisionTransformer(224, 8, 3, embed_dim=WIDTH, depth=DEPTH + 2, num_heads=HEADS)
    torch.save(deeper.state_dict(), tmp_path / "vit.pt")
    trunk = built(weights=tmp_path / "vit.pt").body.trunk
    assert torch.equal(trunk.blocks[5].mlp.fc1.weight, deeper.blocks[5].mlp.fc1.weight)
    assert torch.allclose(trunk.patch_embed.proj.weight[:, 3], deeper.patch_embed.proj.weight[:, 0] * 3 / 4)
    assert trunk.pos_embed.shape[1] == (SIZE // 8) ** 2 + 1


def test_weights_of_a_wider_transformer_are_refused(tmp_path: Path) -> None:
    wider = VisionTransformer(SIZE, 8, 3, embed_dim=WIDTH * 2, depth=DEPTH, num_heads=6)
    torch.save(wider.state_dict(), tmp_path / "vit.pt")
    with pytest.raises(RequestError, match="does not fit the transformer"):
        built(weights=tmp_path / "vit.pt")


def test_satclips_weights_need_its_basis(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="spherical harmonics"):
        built(location="lonlat", location_weights=tmp_path / "s.ckpt")

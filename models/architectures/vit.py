"""A small vision transformer for tiles of one size, with a location token beside its patches (TOKEN-FUSE)."""

from __future__ import annotations

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from ..errors import RequestError
from .blueprint import Blueprint
from .place import Place, Siren
from .satclip import load_satclip
from .unet import ConvBlock
from .weights import load_weights

#: ViT-Ti's width and heads (Touvron et al. 2021, arXiv 2012.12877) at half its depth, which two cores train in minutes.
WIDTH, DEPTH, HEADS = 192, 6, 3
#: Channels of the decoder, and of what it sees at full resolution.
_DECODED, _DETAIL = 32, 16


class FusionViT(nn.Module):
    """A vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) of timm whose tokens may gain one more.

    TOKEN-FUSE (arXiv 2507.13385): the frozen location embedding, projected to the tokens' width, stands as one token
    behind the patches', with a position of its own, so that the position embedding is one longer. Its control is a
    learnable token in that place.

    Input: N×C×S×S, S fixed, and N×2 degrees where there is a `place`. Output: N×K×S×S, or N×K from the class token.

    Args:
        blueprint: sizes, channels and outputs.
        place: the location embedding of TOKEN-FUSE.
    """

    def __init__(self, blueprint: Blueprint, place: Place | None) -> None:
        super().__init__()
        self.trunk = VisionTransformer(
            blueprint.size,
            blueprint.patch,
            blueprint.channels,
            num_classes=0,
            global_pool="",
            embed_dim=WIDTH,
            depth=DEPTH,
            num_heads=HEADS,
        )
        self.place = place
        self.project = None if place is None else nn.Linear(place.width, WIDTH)
        self.learned = nn.Parameter(torch.zeros(1, 1, WIDTH)) if blueprint.fusion == "control" else None
        if blueprint.fusion in ("token", "control"):
            self.last_position = nn.Parameter(torch.zeros(1, 1, WIDTH))
            for token in (self.last_position, *([self.learned] if self.learned is not None else [])):
                nn.init.trunc_normal_(token, std=0.02)
        if blueprint.chip:
            self.head: nn.Module = nn.Linear(WIDTH, blueprint.outputs)
        else:
            self.head = TokenDecoder(blueprint.channels, blueprint.outputs, blueprint.size, blueprint.patch)
        self.chip = blueprint.chip

    def forward(self, stack: Tensor, location: Tensor | None = None) -> Tensor:
        """Scores of every pixel, or of the chip."""
        tokens = self.trunk.patch_embed(stack)
        tokens = torch.cat([self.trunk.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        tokens = tokens + self.trunk.pos_embed
        count = tokens.shape[1]
        extra = self._extra(location, tokens)
        if extra is not None:
            tokens = torch.cat([tokens, extra + self.last_position], dim=1)
        tokens = self.trunk.norm(self.trunk.blocks(tokens))
        return self.head(tokens[:, 0]) if self.chip else self.head(stack, tokens[:, 1:count])

    def _extra(self, location: Tensor | None, tokens: Tensor) -> Tensor | None:
        if self.place is not None and self.project is not None:
            return self.project(self.place(location)).unsqueeze(1)
        return None if self.learned is None else self.learned.expand(tokens.shape[0], -1, -1)


class TokenDecoder(nn.Module):
    """From patch tokens to pixels: the tokens' grid is doubled until it has the tile's pixels.

    After each nearest-neighbour enlargement follows one 3×3 convolution (the progressive decoder of SETR, Zheng et al.
    2021, arXiv 2012.15840, with few channels). What two convolutions see at full resolution joins before the last
    layer, since tokens know no edge within their patch.

    Args:
        channels: channels of the stack.
        outputs: channels of the answer.
        size: side of the tile in pixels.
        patch: side of a patch in pixels.
    """

    def __init__(self, channels: int, outputs: int, size: int, patch: int) -> None:
        super().__init__()
        self.grid = size // patch
        self.first = nn.Conv2d(WIDTH, _DECODED, 1)
        self.factors = _factors(patch)
        self.steps = nn.ModuleList(ConvBlock(_DECODED, _DECODED, 1) for _ in self.factors)
        self.detail = ConvBlock(channels, _DETAIL, 2)
        self.last = nn.Conv2d(_DECODED + _DETAIL, outputs, 1)

    def forward(self, stack: Tensor, tokens: Tensor) -> Tensor:
        """Scores N×K×S×S of the stack N×C×S×S and its patch tokens N×(S/patch)²×width."""
        values = self.first(tokens.transpose(1, 2).unflatten(2, (self.grid, self.grid)))
        for factor, step in zip(self.factors, self.steps, strict=True):
            values = step(functional.interpolate(values, scale_factor=float(factor), mode="nearest"))
        return self.last(torch.cat([values, self.detail(stack)], dim=1))


def make_vit(blueprint: Blueprint) -> FusionViT:
    """The transformer of a blueprint.

    Raises:
        RequestError: the tile is no multiple of the patch, or weights do not fit.
    """
    size, patch = blueprint.size, blueprint.patch
    if patch < 1 or size < patch or size % patch:
        raise RequestError(
            f"network.patch is {patch} pixels, which does not divide the tile's {size} pixels (training.chip); "
            "make one fit the other."
        )
    network = FusionViT(blueprint, _place(blueprint) if blueprint.fusion == "token" else None)
    if blueprint.weights is not None:
        what = f"the transformer (width {WIDTH}, {HEADS} heads)"
        load_weights(network.trunk, blueprint.weights, what, ("pos_embed", "patch_embed."))
    return network


def _place(blueprint: Blueprint) -> Place:
    if blueprint.location == "lonlat":
        if blueprint.location_weights is not None:
            raise RequestError(
                "network.location_weights are SatCLIP's, which take spherical harmonics; set network.location to that."
            )
        return Place(Siren(2), None, blueprint.location_slot)
    if not 1 <= blueprint.degree <= 64:
        raise RequestError(f"network.degree must lie between 1 and 64, not {blueprint.degree}.")
    if blueprint.location_weights is None:
        return Place(Siren(blueprint.degree**2), blueprint.degree, blueprint.location_slot)
    return Place(load_satclip(blueprint.location_weights, blueprint.degree), blueprint.degree, blueprint.location_slot)


def _factors(patch: int) -> list[int]:
    """Enlargements by two, and one by what is left."""
    factors = []
    while patch % 2 == 0:
        factors.append(2)
        patch //= 2
    return [*factors, patch] if patch > 1 else factors

"""The reference models of the speed benchmarks: a trained U-Net, the same on a fused stack, and a 1×1 convolution.

Run in the training environment (``make setup-train``); ``scripts/bench.sh speed`` does so where they are missing::

    .venv-train/bin/python benchmarks/speed/reference.py build/benchmarks

A random network answers one class everywhere, and everything after it would be measured on nothing. So the U-Net (four
levels, 16 to 128 filters, 5 classes; as Deepness was measured with) is trained here on a simulated landscape.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
import torch
from torch import Tensor, nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from simulate import register_package  # noqa: E402

register_package()

from fusion_mapper.inference.inputs import scale  # noqa: E402
from fusion_mapper.models.architectures.receptive import receptive_field  # noqa: E402
from fusion_mapper.models.architectures.unet import UNet  # noqa: E402
from fusion_mapper.models.card import Card, Channel, Output, Scaling, Slot, Tiling  # noqa: E402
from fusion_mapper.models.embed import embed_card  # noqa: E402
from fusion_mapper.models.fields import encode  # noqa: E402
from fusion_mapper.models.training.export import export_onnx  # noqa: E402
from fusion_mapper.models.training.recipes import dem_slot, osm_slot  # noqa: E402
from fusion_mapper.models.training.starters import LAND_COVER  # noqa: E402

SEED = 1
STEPS, BATCH, CHIP = 700, 8, 128
#: Weight of how much neighbouring pixels differ, which keeps the map from being strewn with single pixels.
SMOOTHNESS = 2.5
TILE = 512
#: Side of the corner from which the fused model is trained.
CORNER = 2048
OSM_LAYERS = ("roads", "buildings", "waterways", "water", "landuse")
NOTICE = "trained on a simulated landscape, for benchmarks alone"
CLASSES = len(LAND_COVER)


def reference_unet(channels: int) -> UNet:
    """Two 3×3 convolutions at each level on either side: 0.49 M parameters on three bands."""
    return UNet(channels, CLASSES, (16, 32, 64, 128), up_convs=2)


class Pointwise(nn.Module):
    """A 1×1 convolution: next to no arithmetic, so that what is measured is the way of the data."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stride = 1
        self.head = nn.Conv2d(channels, classes, 1)

    def forward(self, stack: Tensor) -> Tensor:
        """Scores of every pixel."""
        return self.head(stack)


def train(network: nn.Module, stack: np.ndarray, truth: np.ndarray) -> nn.Module:
    """Train on random chips of one scene (C×H×W uint8 or uint16, classes 1 to 5); the same seed, the same weights."""
    rng = np.random.default_rng(SEED)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=STEPS)
    # Rare classes are not to vanish.
    counts = np.bincount(truth.ravel(), minlength=CLASSES + 1)[1:]
    weights = torch.tensor((counts.max() / counts) ** 0.25, dtype=torch.float32)
    network.train()
    for step in range(STEPS):
        corners = rng.integers(0, np.array(truth.shape) - CHIP, (BATCH, 2))
        chips = np.stack([stack[:, r : r + CHIP, c : c + CHIP] for r, c in corners])
        labels = np.stack([truth[r : r + CHIP, c : c + CHIP] for r, c in corners]).astype(np.int64) - 1
        scores = network(torch.from_numpy(chips))
        loss = functional.cross_entropy(scores, torch.from_numpy(labels), weights, ignore_index=-1)
        loss = loss + SMOOTHNESS * total_variation(scores.softmax(dim=1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    return network.eval()


def total_variation(shares: Tensor) -> Tensor:
    """Mean difference of each pixel's probabilities (N×C×H×W) from those of its right and lower neighbours."""
    return shares.diff(dim=2).abs().sum(dim=1).mean() + shares.diff(dim=3).abs().sum(dim=1).mean()


def card_of(name: str, title: str, slots: tuple[Slot, ...], network: nn.Module) -> Card:
    """The card of a reference model."""
    radius, stride = receptive_field(network) if isinstance(network, UNet) else (0, 1)
    return Card(
        name=name,
        title=title,
        slots=slots,
        outputs=(Output("output", "semantic-segmentation", classes=LAND_COVER, activation="softmax"),),
        notice=NOTICE,
        gsd=0.4,
        receptive_radius=radius,
        stride=stride,
        tiling=Tiling(size=TILE),
    )


def imagery_slot(bands: tuple[str, ...], scale: float) -> Slot:
    """Imagery whose full range becomes 0 to 1."""
    return Slot("imagery", "imagery", tuple(Channel(b, scaling=Scaling(scale=scale)) for b in bands), "input")


def fused_slots() -> tuple[Slot, ...]:
    """Four bands, OpenStreetMap and terrain on one input."""
    imagery = imagery_slot(("red", "green", "blue", "nir"), 10_000.0)
    osm = osm_slot(4, coarse=False, woods=True)
    slope = dem_slot(4 + osm.width, 30.0)
    return imagery, osm, replace(slope, channels=slope.channels[:1])


def write(network: nn.Module, card: Card, folder: Path) -> None:
    """The network as ONNX with its card inside."""
    path = folder / f"{card.name}.onnx"
    bare = folder / f"{card.name}.bare.onnx"
    export_onnx(network, sum(slot.width for slot in card.slots), bare)
    embed_card(bare, card, path)
    bare.unlink()
    print(path.name, f"{path.stat().st_size / 1e6:.2f} MB", flush=True)


def fused_job(folder: Path) -> dict[str, object]:
    """A job that lays the fused layers of a corner of the scene on one grid."""
    with rasterio.open(folder / "fused.tif") as file:
        left, top = file.transform.c, file.transform.f
        extent = CORNER * file.transform.a
    return {
        "schema": 1,
        "slots": [encode(slot) for slot in fused_slots()],
        "sources": fused_sources(folder, "fused.tif"),
        "grid": {"extent": [left, top - extent, left + extent, top]},
        "outputs": {"folder": str(folder / "stacking"), "products": {"stack": str(folder / "stack.tif")}},
    }


def fused_sources(folder: Path, imagery: str) -> dict[str, object]:
    """The layers of the fused slots."""
    layers = [{"path": str(folder / "osm.gpkg"), "layer": name} for name in OSM_LAYERS]
    return {
        "imagery": {"path": str(folder / imagery)},
        "osm": {"layers": layers},
        "dem": {"path": str(folder / "dem.tif")},
    }


def fused_stack(folder: Path) -> np.ndarray:
    """The fused layers as the model is given them, C×H×W float32."""
    if not (folder / "stack.tif").exists():
        path = folder / "stack.json"
        path.write_text(json.dumps(fused_job(folder)))
        subprocess.run([sys.executable, str(ROOT / "inference"), "run", str(path)], check=True)
    with rasterio.open(folder / "stack.tif") as file:
        values = np.nan_to_num(file.read())
    first = 0
    for slot in fused_slots():
        share = values[first : first + slot.width]
        scale(slot, share.copy(), share)
        first += slot.width
    return values


def main() -> None:
    """Train and write every reference model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the layers that layers.py makes")
    folder = parser.parse_args().folder.resolve()
    with rasterio.open(folder / "bench.tif") as file, rasterio.open(folder / "truth_classes.tif") as labels:
        rgb, truth = file.read(out_dtype=np.float32) / np.float32(255), labels.read(1)
    alone, fused = (imagery_slot(("red", "green", "blue"), 255.0),), fused_slots()
    channels = sum(slot.width for slot in fused)
    for name, slots, width, stack in (
        ("rgb", alone, 3, lambda: rgb),
        ("fused", fused, channels, lambda: fused_stack(folder)),
    ):
        torch.manual_seed(SEED)
        pointwise = Pointwise(width, CLASSES)
        write(pointwise, card_of(f"pointwise-{name}", "1×1 convolution", slots, pointwise), folder)
        if not (folder / f"unet-{name}.onnx").exists():
            values = stack()
            network = train(reference_unet(width), values, truth[: values.shape[1], : values.shape[2]])
            write(network, card_of(f"unet-{name}", "Reference U-Net", slots, network), folder)


if __name__ == "__main__":
    main()

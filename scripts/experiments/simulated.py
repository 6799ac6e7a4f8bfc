"""Fusion strategies by the number of labels, on simulated landscapes with a regional shift, and the null control.

    .venv-train/bin/python scripts/experiments/simulated.py                 # everything; goes on where it stopped
    .venv-train/bin/python scripts/experiments/simulated.py --only strategies --seeds 1 2

Everything here is simulated. The simulator's version and the hash of its source stand in every row of the tables, which
lie in docs/experiments/ and grow by every finished training.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from simulate import register_package  # noqa: E402

register_package()

from fusion_mapper.models.simulation.coarse import write_coarse  # noqa: E402
from fusion_mapper.models.simulation.version import VERSION, source_hash  # noqa: E402
from fusion_mapper.models.simulation.write import write_scene  # noqa: E402

TABLES = ROOT / "docs" / "experiments"
#: Region, side in pixels of 1 m and seed of each place. The regions are the simulator's first three, not chosen ones.
TRAIN = {"region 0": (0, 1024, 1)}
UNSEEN = {"region 1": (1, 768, 1), "region 2": (2, 768, 1)}
FRACTIONS = [1.0, 0.35, 0.1, 0.05, 0.02]
SEEDS = [1, 2, 3, 4, 5]
#: Every training has the same number of steps, whatever its labels: 200 batches of 8 chips of 64 pixels.
TRAINING = {"epochs": 5, "steps": 40, "batch": 8, "chip": 64, "patience": 0, "dropout": 0.1, "threads": 1}
NETWORK = {"patch": 8, "degree": 10}
CLASSES = [
    {"value": value, "name": name, "color": color}
    for value, name, color in (
        (1, "water", "#3c6edc"),
        (2, "impervious", "#c83c3c"),
        (3, "barren", "#dcbe82"),
        (4, "tree", "#146428"),
        (5, "grass", "#8cc85a"),
    )
]
#: Table → what is compared in it.
PARTS = {
    "strategies": {"strategies": ["imagery", "stack", "proc-stack", "compress"]},
    "transformers": {"strategies": ["vit", "token-fuse", "token-control"]},
    "null": {"strategies": ["stack"], "shuffled": True},
}


def place(folder: Path, name: str, region: int, size: int, seed: int) -> dict[str, object]:
    """A place of a job; its layers are simulated where they are missing."""
    home = folder / f"region{region}-{size}-seed{seed}-{source_hash()}"
    coarse = home / "coarse.tif"
    if not coarse.exists():
        scene = write_scene(home, size, 1.0, region, seed)
        write_coarse(scene.classes, coarse, seed)
    layers = [{"path": str(home / "osm.gpkg"), "layer": layer} for layer in _OSM]
    sources = {
        "imagery": {"path": str(home / "imagery.tif"), "bands": [1, 2, 3, 4]},
        "osm": {"layers": layers},
        "dem": {"path": str(home / "dem.tif")},
        "prior": {"path": str(coarse), "layers": layers},
    }
    return {"name": name, "sources": sources, "labels": {"path": str(home / "truth_classes.tif")}}


_OSM = ("roads", "buildings", "waterways", "water", "landuse")


def job(part: str, folder: Path, seeds: list[int]) -> dict[str, object]:
    """The comparison of one table."""
    return {
        "schema": 1,
        "train": [place(folder, name, *facts) for name, facts in TRAIN.items()],
        "test": [place(folder, name, *facts) for name, facts in UNSEEN.items()],
        "folder": str(folder / part),
        "classes": CLASSES,
        "fractions": FRACTIONS,
        "seeds": seeds,
        "network": NETWORK,
        "training": TRAINING,
        "gsd": 1.0,
        "facts": {"data": "simulated", "simulator": VERSION, "simulator_hash": source_hash()},
        **PARTS[part],
    }


def run(part: str, folder: Path, seeds: list[int]) -> None:
    """Go on with one table, and bring it into the documentation as it grows."""
    path = folder / f"{part}.json"
    path.write_text(json.dumps(job(part, folder, seeds), indent=1))
    kept = TABLES / f"simulated-{part}.csv"
    table = folder / part / "comparison.csv"
    if kept.exists() and not table.exists():
        table.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, table)
    for count in range(1, len(seeds) + 1):
        path.write_text(json.dumps(job(part, folder, seeds[:count]), indent=1))
        subprocess.run([sys.executable, str(ROOT / "inference"), "compare", str(path)], check=True)
        TABLES.mkdir(parents=True, exist_ok=True)
        shutil.copy(table, kept)
        shutil.copy(folder / part / "comparison.png", TABLES / f"simulated-{part}.png")


def main() -> None:
    """Make or go on with the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "experiments" / "simulated")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    choice = parser.parse_args()
    choice.folder.mkdir(parents=True, exist_ok=True)
    for part in choice.only or PARTS:
        run(part, choice.folder, choice.seeds)


if __name__ == "__main__":
    main()

"""Write one simulated scene: ``python scripts/simulate.py FOLDER --size 4096 --gsd 1 --region 0``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def register_package() -> None:
    """Make the checkout importable as ``fusion_mapper``, whatever its folder is called."""
    if "fusion_mapper" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "fusion_mapper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["fusion_mapper"] = package
    spec.loader.exec_module(package)


def main() -> None:
    """Simulate and name the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=4096, help="pixels along a side")
    parser.add_argument("--gsd", type=float, default=1.0, help="metres: 1 for land cover, 10 for fields, trees")
    parser.add_argument("--region", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    choice = parser.parse_args()
    register_package()
    from fusion_mapper.models.simulation.write import write_scene

    scene = write_scene(choice.folder, choice.size, choice.gsd, choice.region, choice.seed)
    for path in sorted(scene.folder.iterdir()):
        print(path)


if __name__ == "__main__":
    main()

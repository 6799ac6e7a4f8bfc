"""How fast the engine is, as ratios measured in one run: by a bare session, by its own data path, by other tools.

    scripts/bench.sh speed [--only 1 3 6] [--rounds 3] [--folder build/benchmarks]

The layers are simulated and the models trained the first time, which takes some minutes. Every figure is the median of
its rounds; each run of the engine is a process of its own, with its imports, the model's compilation and the writing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks" / "speed"))

from layers import make_layers  # noqa: E402
from measures import MEASURES, Bench  # noqa: E402


def main() -> int:
    """Measure and print; 1 where a limit is not kept, 2 where there is nothing to measure with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(MEASURES), default=sorted(MEASURES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--deepness", nargs=2, metavar=("CHECKOUT", "PYTHON"), help="see in_qgis/deepness.py")
    choice = parser.parse_args()
    folder = choice.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    make_layers(folder)
    if not (folder / "unet-fused.onnx").exists() and not _train(folder):
        print("speed: the reference models are trained in the environment of `make setup-train`, which is not there.")
        return 2
    bench = Bench(folder, choice.rounds, choice.deepness and tuple(choice.deepness))
    kept = True
    for name in choice.only:
        for measure in MEASURES[name](bench):
            kept &= measure.met
            verdict = "kept" if measure.met else "NOT KEPT"
            print(f"{measure.what}: {measure.value:.3g} ({measure.limit}: {verdict}) {measure.detail}", flush=True)
    return 0 if kept else 1


def _train(folder: Path) -> bool:
    trainer = ROOT / ".venv-train" / "bin" / "python"
    if not trainer.exists():
        return False
    subprocess.run([str(trainer), str(ROOT / "benchmarks" / "speed" / "reference.py"), str(folder)], check=True)
    return True


if __name__ == "__main__":
    sys.exit(main())

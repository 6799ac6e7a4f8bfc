"""Train the starter models on simulated landscapes and export them with their cards to resources/models.

Run in the training environment (``make setup-train``)::

    .venv-train/bin/python scripts/train_starters.py                  # all four
    .venv-train/bin/python scripts/train_starters.py --only fields-10m
    .venv-train/bin/python scripts/train_starters.py --only landcover-rgb-1m --compare

``--compare`` also trains the same network on imagery alone and prints its figures beside the fused model's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from simulate import ROOT, register_package

register_package()

import numpy as np  # noqa: E402  - the package has to be registered before its modules are imported
from fusion_mapper.models.architectures.receptive import receptive_field  # noqa: E402
from fusion_mapper.models.architectures.unet import UNet  # noqa: E402
from fusion_mapper.models.embed import embed_card  # noqa: E402
from fusion_mapper.models.install import write_sidecar  # noqa: E402
from fusion_mapper.models.training import chips, loop, metrics  # noqa: E402
from fusion_mapper.models.training.export import export_onnx  # noqa: E402
from fusion_mapper.models.training.starters import STARTERS, Starter, finished_card  # noqa: E402
from starter_stacks import make_scene, read_stack  # noqa: E402

TRAINING_REGIONS = tuple(range(10))
UNSEEN_REGIONS = (10, 11, 12)
CHIP = 128
SCENE_SIZES = {1.0: 1536, 10.0: 1024}


class Trial:
    """One starter on its scenes: stacks of the training and the unseen regions, read once."""

    def __init__(self, starter: Starter, folder: Path, seed: int) -> None:
        self.starter = starter
        gsd = starter.card.gsd
        size = SCENE_SIZES[gsd]

        def stacks(regions: tuple[int, ...]) -> list[chips.Stack]:
            return [read_stack(starter, make_scene(folder, size, gsd, region, seed)) for region in regions]

        self.training, self.unseen = stacks(TRAINING_REGIONS), stacks(UNSEEN_REGIONS)
        as_is = [channel.osm is not None for channel in starter.channels]
        self.normalisation = chips.measure(self.training, as_is)

    def train(self, schedule: loop.Schedule, slots: list[str]) -> tuple[UNet, dict[str, object]]:
        """A trained network that sees the named slots only, and its figures."""
        starter, rng = self.starter, loop.prepare(schedule)
        hidden = [place for name, place in starter.groups.items() if name not in slots]
        inputs = [self._input(stack, hidden) for stack in self.training]
        truths = [stack.truth for stack in self.training]
        train, validation = chips.split(self.training, CHIP, 0.25, rng)
        imagery = [starter.groups[slot.name] for slot in starter.card.slots if slot.role == "imagery"]
        batches = chips.Batches(
            inputs, truths, train, CHIP, starter.groups, dict(starter.leave_out), imagery, starter.variation
        )
        outputs = 1 if starter.regression else len(starter.card.outputs[0].classes)
        model = UNet(len(starter.channels), outputs, squash=starter.regression)
        loss = loop.share_loss if starter.regression else loop.class_loss(truths, outputs)
        loop.train(model, batches, loss, schedule, rng, _tell)
        figures = {"seen_regions": self._on_chips(model, inputs, truths, validation)}
        figures["unseen_regions"] = self._on_scenes(model, hidden)
        if slots == list(starter.groups):
            aside = [starter.groups[name] for name in ("osm", "dem")]
            figures["unseen_regions_without_osm_and_dem"] = self._on_scenes(model, aside)
        return model, figures

    def _input(self, stack: chips.Stack, hidden: list[slice]) -> np.ndarray:
        values = self.normalisation.apply(stack)
        for place in hidden:
            values[place] = 0.0
        return values

    def _on_chips(self, model: UNet, inputs: list, truths: list, validation: list[chips.Chip]) -> dict[str, float]:
        """Figures over the validation chips, each with its own context only."""
        found, true = [], []
        for x, y in chips.whole_chips(inputs, truths, validation, CHIP, 16):
            found += [self._decide(loop.predict(model, one, model.stride, tile=CHIP)) for one in x]
            true += list(y)
        return self._figures(true, found)

    def _on_scenes(self, model: UNet, hidden: list[slice]) -> dict[str, float]:
        scores = [loop.predict(model, self._input(stack, hidden), model.stride) for stack in self.unseen]
        return self._figures([stack.truth for stack in self.unseen], [self._decide(s) for s in scores])

    def _decide(self, scores: np.ndarray) -> np.ndarray:
        return scores[0] if self.starter.regression else scores.argmax(0)

    def _figures(self, true: list[np.ndarray], found: list[np.ndarray]) -> dict[str, float]:
        if self.starter.regression:
            joined = [np.concatenate([part.ravel() for part in parts]) * 100 for parts in (true, found)]
            return _rounded(metrics.regression_scores(*joined))
        info = self.starter.card.outputs[0].classes
        counts = sum(metrics.confusion(t, f, len(info)) for t, f in zip(true, found, strict=True))
        figures = {"accuracy": metrics.accuracy(counts), "miou": metrics.mean_iou(counts)}
        figures |= {f"iou_{i.name}": v for i, v in zip(info, metrics.class_iou(counts), strict=True)}
        if self.starter.card.outputs[0].task == "field-boundaries":
            scores = [metrics.boundary_f1(t == 2, f == 2) for t, f in zip(true, found, strict=True)]
            figures["boundary_f1_within_1_px"] = float(np.mean(scores))
        return _rounded(figures)


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in figures.items() if np.isfinite(value)}


def _tell(step: int, loss: float) -> None:
    print(f"  step {step}: loss {loss:.3f}", flush=True)


def _facts(starter: Starter, schedule: loop.Schedule, figures: dict[str, object]) -> dict[str, object]:
    size, gsd = SCENE_SIZES[starter.card.gsd], starter.card.gsd
    return {
        "data": f"simulated landscapes, {len(TRAINING_REGIONS)} scenes of {size} x {size} px at {gsd:g} m",
        "regions": list(TRAINING_REGIONS),
        "unseen_regions": list(UNSEEN_REGIONS),
        "seed": schedule.seed,
        "steps": schedule.steps,
        "batch": schedule.batch,
        "arithmetic": "bfloat16" if schedule.bfloat16 else "float32",
        "chip": CHIP,
        "left_out": dict(starter.leave_out),
        "variation": asdict(starter.variation),
        "normalisation": "z-score of imagery and terrain over the training scenes; OSM channels as they are",
        "validation": figures,
    }


def export(starter: Starter, trial: Trial, model: UNet, facts: dict[str, object], folder: Path) -> Path:
    """Write the model with its card; answers the path."""
    radius, stride = receptive_field(model)
    card = finished_card(starter, trial.normalisation, radius, stride, facts)
    path = folder / f"{starter.card.name}.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch) / path.name
        difference = export_onnx(model, len(starter.channels), stride, bare)
        embed_card(bare, card, path)
    write_sidecar(path, card)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, ONNX against torch {difference:.1e}")
    return path


def main() -> None:
    """Train what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(STARTERS), action="append")
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "models")
    parser.add_argument("--scenes", type=Path, default=ROOT / "build" / "training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help="in place of each starter's own number")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true", help="faster where the processor has AMX")
    parser.add_argument("--compare", action="store_true", help="also train on imagery alone, for the figures")
    choice = parser.parse_args()
    choice.out.mkdir(parents=True, exist_ok=True)
    for name in choice.only or STARTERS:
        starter = STARTERS[name]
        schedule = loop.Schedule(
            steps=choice.steps or starter.steps,
            seed=choice.seed,
            threads=choice.threads,
            bfloat16=choice.bfloat16,
        )
        print(f"{name}: reading scenes", flush=True)
        trial = Trial(starter, choice.scenes, choice.seed)
        model, figures = trial.train(schedule, list(starter.groups))
        print(json.dumps(figures, indent=1), flush=True)
        export(starter, trial, model, _facts(starter, schedule, figures), choice.out)
        if choice.compare:
            imagery = [slot.name for slot in starter.card.slots if slot.role == "imagery"]
            print(f"{name} on imagery alone: {json.dumps(trial.train(schedule, imagery)[1], indent=1)}")


if __name__ == "__main__":
    main()

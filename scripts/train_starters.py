"""Train the starter models on simulated landscapes with the engine's own `train`, and put them into resources/models.

Run in the training environment (``make setup-train``)::

    .venv-train/bin/python scripts/train_starters.py                  # all four
    .venv-train/bin/python scripts/train_starters.py --only fields-10m

Each is a job of the command line like any other (``python inference train JOB``): ten simulated regions as places, the
truth as labels. Regions that no training saw judge it afterwards (``python inference evaluate JOB``), with all layers
and with imagery alone; their figures go into the card. A training that was stopped goes on when it is started again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from simulate import ROOT, register_package

register_package()

from fusion_mapper.models.card import Card, Slot, read_sidecar  # noqa: E402  - the package has to be registered first
from fusion_mapper.models.embed import embed_card  # noqa: E402
from fusion_mapper.models.fields import encode  # noqa: E402
from fusion_mapper.models.install import write_sidecar  # noqa: E402
from fusion_mapper.models.simulation.version import VERSION, source_hash  # noqa: E402
from fusion_mapper.models.simulation.write import Scene, write_scene  # noqa: E402
from fusion_mapper.models.training.starters import STARTERS, Starter  # noqa: E402

TRAINING_REGIONS = tuple(range(10))
UNSEEN_REGIONS = (10, 11, 12)
SCENE_SIZES = {1.0: 1536, 10.0: 1024}
OSM_LAYERS = ("roads", "buildings", "waterways", "water", "landuse")
#: Batches of 12 chips of 128 pixels, in epochs of so many.
STEPS_AN_EPOCH = 40


def make_scene(folder: Path, gsd: float, region: int, seed: int) -> Scene:
    """The layers of a simulated scene, in a folder of their own."""
    size = SCENE_SIZES[gsd]
    return write_scene(folder / f"{gsd:g}m-region{region}-seed{seed}-{source_hash()}", size, gsd, region, seed)


def place(starter: Starter, scene: Scene, region: int) -> dict[str, object]:
    """A place of a job: every slot's layers, and the truth as labels."""
    sources = {slot.name: _source(starter, slot, scene) for slot in starter.card.slots}
    return {"name": f"region {region}", "sources": sources, "labels": {"path": str(getattr(scene, starter.truth))}}


def _source(starter: Starter, slot: Slot, scene: Scene) -> dict[str, object]:
    if slot.role == "osm":
        return {"layers": [{"path": str(scene.osm), "layer": name} for name in OSM_LAYERS]}
    if slot.role == "dem":
        return {"path": str(scene.dem)}
    attribute, bands = starter.layers[slot.name]
    return {"path": str(getattr(scene, attribute)), "bands": list(bands)}


def train(starter: Starter, scenes: Path, folder: Path, choice: argparse.Namespace) -> Path:
    """The trained model's file."""
    card, output = starter.card, starter.card.outputs[0]
    gsd = float(card.gsd or 1)
    places = [place(starter, make_scene(scenes, gsd, region, choice.seed), region) for region in TRAINING_REGIONS]
    job = {
        "schema": 1,
        "name": card.name,
        "title": card.title,
        "places": places,
        "folder": str(folder / card.name),
        "task": output.task,
        "slots": [encode(slot) for slot in card.slots],
        "classes": [encode(info) for info in output.classes],
        "gsd": gsd,
        "units": output.units,
        "range": list(output.range) if output.range else None,
        "license": card.license,
        "notice": card.notice,
        "training": {
            "epochs": max((choice.steps or starter.steps) // STEPS_AN_EPOCH, 1),
            "steps": STEPS_AN_EPOCH,
            "batch": 12,
            "chip": 128,
            "rate": 4e-3,
            "patience": 0,
            "seed": choice.seed,
            "dropout": 0.2,
            "threads": choice.threads,
        },
    }
    return Path(_ask("train", job, folder / f"{card.name}.train.json")["products"]["model"])


def unseen(starter: Starter, model: Path, scenes: Path, folder: Path, seed: int) -> dict[str, dict[str, float]]:
    """Figures in each region that no training saw, with all layers and with imagery alone."""
    figures: dict[str, dict[str, float]] = {}
    for region in UNSEEN_REGIONS:
        there = place(starter, make_scene(scenes, float(starter.card.gsd or 1), region, seed), region)
        layers = dict(there["sources"])
        for text, sources in (("", layers), (", imagery alone", _imagery(starter, layers))):
            said = f"region {region}{text}"
            job = {
                "schema": 1,
                "model": str(model),
                "sources": sources,
                "labels": there["labels"],
                "task": starter.card.outputs[0].task,
                "classes": [encode(info) for info in starter.card.outputs[0].classes],
                "folder": str(folder / f"{starter.card.name}, {said}"),
            }
            report = _ask("evaluate", job, folder / f"{starter.card.name}.evaluate.json")["report"]
            figures[said] = {name: round(v, 3) for name, v in report.items() if isinstance(v, float)}
            print(said, figures[said], flush=True)
    return figures


def _imagery(starter: Starter, sources: dict[str, object]) -> dict[str, object]:
    return {slot.name: sources[slot.name] for slot in starter.card.slots if slot.missing == "required"}


def _ask(command: str, job: dict[str, object], path: Path) -> dict[str, dict]:
    """The engine's result; its progress is shown, its sentence ends the script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(job, indent=1))
    call = [sys.executable, str(ROOT / "inference"), command, str(path)]
    result: dict[str, dict] = {}
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as engine:
        for line in engine.stdout:
            event = json.loads(line)
            if event["event"] == "result":
                result = event
            elif event["event"] in ("epoch", "warning"):
                print({name: v for name, v in event.items() if name != "schema"}, flush=True)
    if engine.returncode:
        raise SystemExit(engine.returncode)
    return result


def finish(starter: Starter, model: Path, figures: dict[str, dict[str, float]], target: Path) -> Path:
    """The model with the starter's description and the unseen regions' figures in its card."""
    trained = read_sidecar(model.with_suffix(".json"))
    facts = {
        **trained.training,
        "data": f"simulated landscapes (simulator {VERSION}, {source_hash()})",
        "unseen": figures,
    }
    card: Card = replace(
        trained,
        description=starter.card.description,
        tiling=replace(trained.tiling, size=starter.card.tiling.size),
        outputs=(replace(trained.outputs[0], title=starter.card.outputs[0].title, ramp=starter.card.outputs[0].ramp),),
        training=facts,
    )
    path = target / model.name
    embed_card(model, card, path)
    write_sidecar(path, card)
    return path


def main() -> None:
    """Train what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(STARTERS), action="append")
    parser.add_argument("--out", type=Path, default=ROOT / "resources" / "models")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help="in place of each starter's own number")
    parser.add_argument("--threads", type=int, default=1)
    choice = parser.parse_args()
    scenes = choice.folder / "scenes"
    for name in choice.only or STARTERS:
        starter = STARTERS[name]
        model = train(starter, scenes, choice.folder, choice)
        figures = unseen(starter, model, scenes, choice.folder, choice.seed)
        choice.out.mkdir(parents=True, exist_ok=True)
        path = finish(starter, model, figures, choice.out)
        shutil.rmtree(choice.folder / name / "blocks", ignore_errors=True)
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()

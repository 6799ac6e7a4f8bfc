"""From 200 labels to a map of Loon Lake: wall time and peak memory, measured by GNU time as a user would.

    .venv-train/bin/python scripts/experiments/real_speed.py ../shared/data

40 points of each land cover class are drawn inside the forest inventory's polygons, trained on with the settings that a
user gets who changes nothing (`--short`: fewer steps and smaller chips), and the whole scene is mapped. A row for each
command, with the machine's load before it, is added to docs/experiments/real-speed.csv. Wants GNU time (the package
time of Debian and Ubuntu).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import shapely

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts" / "experiments")]

from simulate import register_package  # noqa: E402

register_package()

from fusion_mapper.inference.job import Job, Outputs  # noqa: E402
from fusion_mapper.inference.learnjob import Labels, LearnJob, Place, Training, to_dict  # noqa: E402
from real_folds import write_labels  # noqa: E402
from real_places import COVER_CLASSES, inventory, loon_sources  # noqa: E402

TABLE = ROOT / "docs" / "experiments" / "real-speed.csv"
COLUMNS = ("command", "cores", "load_before", "wall_s", "processor_s", "peak_MiB", "settings")
EACH, INSIDE, RADIUS = 40, 45.0, 40.0
"""Points of a class; least distance from a polygon's edge and radius of a point's disc, both in metres."""


def draw_points(data: Path, path: Path, seed: int = 1) -> None:
    """200 points with their class: 40 of each, at random over the ground that a class takes."""
    crs, shapes, values = inventory(data)
    cores = shapely.buffer(shapes, -INSIDE)
    random = np.random.default_rng(seed)
    points, names = [], []
    for info in COVER_CLASSES:
        ground = shapely.union_all(cores[values["cover"] == info.name])
        west, south, east, north = ground.bounds
        found: list[shapely.Point] = []
        while len(found) < EACH:
            tried = shapely.points(random.uniform((west, south), (east, north), (4096, 2)))
            found += tried[shapely.contains(ground, tried)].tolist()
        points += found[:EACH]
        names += [info.name] * EACH
    nothing = np.zeros(len(points), int)
    write_labels(path, np.array(points), crs, {"cover": np.array(names)}, nothing, nothing)


#: By name, as the table tells them.
SETTINGS = {
    "as they come: up to 40 epochs of 25 steps, chips of 96": Training(),
    "short: up to 16 epochs of 20 steps, chips of 64": Training(epochs=16, steps=20, chip=64, patience=6),
}


def jobs(data: Path, folder: Path, settings: Training) -> dict[str, dict[str, Any]]:
    """The training and the run, by the engine's command."""
    labels = folder / "points.gpkg"
    draw_points(data, labels)
    sources, slots = loon_sources(data)
    place = Place("loon lake", sources, Labels(str(labels), "labels", field="cover", width=RADIUS))
    training = LearnJob(
        "loon-cover", (place,), str(folder / "training"), slots=slots, classes=COVER_CLASSES, training=settings
    )
    model = str(folder / "training" / "loon-cover.onnx")
    products = dict.fromkeys(("classes", "confidence", "summary"))
    return {
        "train": to_dict(training),
        "run": Job(sources=sources, outputs=Outputs(str(folder / "map"), products), model=model).to_dict(),
    }


def measure(command: str, job: Path, settings: str) -> dict[str, Any]:
    """Run a command of the engine under GNU time; the row of the table.

    Raises:
        SystemExit: the command failed; what it said stands above.
    """
    load = os.getloadavg()[0]
    timed = ["/usr/bin/time", "-v", sys.executable, str(ROOT / "inference"), command, str(job)]
    done = subprocess.run(timed, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    told = dict(re.findall(r"^\t(.+?): (\S+)$", done.stderr, re.MULTILINE))
    seconds = 0.0
    for part in told["Elapsed (wall clock) time (h:mm:ss or m:ss)"].split(":"):
        seconds = 60 * seconds + float(part)
    return {
        "command": command,
        "cores": os.cpu_count(),
        "load_before": round(load, 1),
        "wall_s": round(seconds, 1),
        "processor_s": round(float(told["User time (seconds)"]) + float(told["System time (seconds)"]), 1),
        "peak_MiB": round(int(told["Maximum resident set size (kbytes)"]) / 1024),
        "settings": settings,
    }


def main() -> None:
    """Draw the labels, train, map, and add the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder with the real layers")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "experiments" / "real" / "speed")
    parser.add_argument("--short", action="store_true", help="fewer steps and smaller chips")
    choice = parser.parse_args()
    folder = choice.folder.resolve()
    named, settings = list(SETTINGS.items())[choice.short]
    folder.mkdir(parents=True, exist_ok=True)
    new = not TABLE.exists()
    for command, job in jobs(choice.data.resolve(), folder, settings).items():
        path = folder / f"{command}.json"
        path.write_text(json.dumps(job, indent=1))
        row = measure(command, path, named)
        with TABLE.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
        new = False
        print(row, flush=True)


if __name__ == "__main__":
    main()

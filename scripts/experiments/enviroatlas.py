"""EnviroAtlas by the paper's protocol, beside the published figures: trained in Pittsburgh, judged in other cities.

    python scripts/experiments/enviroatlas.py ROOT                    # everything; goes on where it stopped
    python scripts/experiments/enviroatlas.py ROOT --side 3000        # more of each tile; 0 takes whole ones
    python scripts/experiments/enviroatlas.py ROOT --test austin_tx-2012_1m --seeds 1 2 --fractions 1 0.1

ROOT is the folder with EnviroAtlas (Zenodo 5778193: ROOT/enviroatlas_lotp/spatial_index.geojson), which this script
does not download. It wants the training environment with scripts/requirements-experiments.txt.
docs/experiments/enviroatlas.md says how its figures differ from the published ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts" / "experiments")]

from simulate import register_package  # noqa: E402

register_package()

from enviroatlas_sheets import Sheet, find_tiles, lay_sheet  # noqa: E402
from fusion_mapper.inference.errors import RequestError  # noqa: E402
from fusion_mapper.inference.events import WRONG  # noqa: E402
from fusion_mapper.inference.job import GridSpec, Source  # noqa: E402
from fusion_mapper.inference.learning.comparison_table import Row, Table  # noqa: E402
from fusion_mapper.inference.learnjob import (  # noqa: E402
    CompareJob,
    Labels,
    Network,
    Place,
    Strategy,
    Training,
    learnjob_from_dict,
    to_dict,
)
from fusion_mapper.models.card import Channel, ClassInfo, Slot  # noqa: E402

CITIES = ("pittsburgh_pa-2010_1m", "durham_nc-2012_1m", "austin_tx-2012_1m", "phoenix_az-2010_1m")
#: The five classes that are kept (torchgeo's indices 1, 2, 3, 4 and 6), by the value in h_highres_labels.
CLASSES = (
    ClassInfo(10, "water", "#3c6edc"),
    ClassInfo(20, "impervious", "#c83c3c"),
    ClassInfo(30, "barren", "#dcbe82"),
    ClassInfo(40, "tree", "#146428"),
    ClassInfo(70, "grass", "#8cc85a"),
)
#: Unclassified, shrubs, agriculture, orchards, woody and emergent wetlands: not judged, as in the published evaluation.
UNLABELLED = ("0", "52", "80", "82", "91", "92")
OSM = ("roads", "waterways", "waterbodies", "buildings")

#: Accuracy and mIoU in per cent, trained on all of Pittsburgh: printed by evaluate_models_enviroatlas.ipynb of
#: estherrolf/implicit-posterior (Rolf et al. 2022, arXiv 2202.14000), one training each.
PUBLISHED = {
    "NAIP only, 4 channels": ((89.3, 69.3), (74.2, 35.9), (71.9, 36.8), (6.7, 13.4)),
    "NAIP + prior, 9 channels": ((89.5, 70.5), (78.9, 47.9), (77.2, 50.5), (62.8, 24.2)),
}


@dataclass(frozen=True)
class Comparison:
    """Strategies that see the same slots.

    Attributes:
        beside: the published figures that each strategy is held against.
    """

    name: str
    slots: tuple[Slot, ...]
    strategies: tuple[Strategy, ...]
    beside: dict[str, str]


def _raster(name: str, channels: Sequence[str]) -> Slot:
    named = tuple(Channel(channel) for channel in channels)
    return Slot(name, "raster", named, "input", resampling="nearest", missing="fill")


_IMAGERY = Slot("imagery", "imagery", tuple(Channel(band) for band in ("red", "green", "blue", "nir")), "input")
COMPARISONS = (
    Comparison(
        "layers",
        (_IMAGERY, *(_raster(layer, [layer]) for layer in OSM)),
        ("imagery", "stack", "proc-stack"),
        {"imagery": "NAIP only, 4 channels", "proc-stack": "NAIP + prior, 9 channels"},
    ),
    Comparison(
        "shipped-prior",
        (_IMAGERY, _raster("shipped", [f"prior {info.name}" for info in CLASSES])),
        ("stack",),
        {"stack": "NAIP + prior, 9 channels"},
    ),
)


def place_of(sheet: Sheet) -> Place:
    """A city's split as a place of a job: imagery, OpenStreetMap as rasters, NLCD and the labels."""
    files = {layer: str(path.absolute()) for layer, path in sheet.files.items()}
    osm = {layer: Source(path=files[layer], attribution=("© OpenStreetMap contributors, ODbL",)) for layer in OSM[:3]}
    sources = {
        "imagery": Source(path=files["naip"], bands=(1, 2, 3, 4)),
        **osm,
        "buildings": Source(path=files["buildings"]),
        "shipped": Source(path=files["prior"]),
        "prior": Source(path=files["nlcd"], nodata=0),
    }
    labels = Labels(files["lc"], unlabelled=UNLABELLED)
    return Place(sheet.split, sources, labels, GridSpec(reference="imagery", native=True))


def job_of(comparison: Comparison, train: Sheet, test: Sequence[Sheet], choice: argparse.Namespace) -> CompareJob:
    """The job of one comparison."""
    return CompareJob(
        train=(place_of(train),),
        folder=str((choice.folder / comparison.name).absolute()),
        test=tuple(place_of(sheet) for sheet in test),
        slots=comparison.slots,
        classes=CLASSES,
        strategies=comparison.strategies,
        fractions=tuple(choice.fractions),
        seeds=tuple(choice.seeds),
        network=Network(architecture="fcn"),
        training=Training(
            epochs=choice.epochs,
            steps=choice.steps,
            batch=choice.batch,
            chip=choice.chip,
            rate=1e-3,
            patience=0,
            dropout=0.0,
        ),
        facts={"data": "EnviroAtlas, Zenodo 5778193", "inputs": comparison.name, "side": str(choice.side or "whole")},
    )


def run(comparison: Comparison, job: CompareJob, folder: Path) -> list[Row]:
    """Go on with one comparison; returns its rows."""
    path = folder / f"{comparison.name}.json"
    path.write_text(json.dumps(to_dict(job), indent=1), encoding="utf-8")
    # The engine's events are progress here; standard output is the table's.
    words = [sys.executable, str(ROOT / "inference"), "compare", str(path)]
    subprocess.run(words, check=True, stdout=sys.stderr)
    from fusion_mapper.inference.learning.compare import TABLE, settings_hash

    # As the engine read it: what counts is what stands in the file.
    settings = settings_hash(learnjob_from_dict(CompareJob, json.loads(path.read_text(encoding="utf-8"))))
    seeds, fractions = {str(seed) for seed in job.seeds}, {f"{fraction:g}" for fraction in job.fractions}
    return [
        row
        for row in Table(Path(job.folder) / TABLE).rows()
        if row["settings"] == settings and row["seed"] in seeds and row["fraction"] in fractions
    ]


def table(comparison: Comparison, rows: Sequence[Row], job: CompareJob) -> list[str]:
    """Lines of a Markdown table: each strategy's accuracy / mIoU in each place, and under it the published figures."""
    places = [place.name for place in job.test]
    lines = []
    for strategy in job.strategies:
        for fraction in job.fractions:
            kept = [r for r in rows if r["strategy"] == strategy and r["fraction"] == f"{fraction:g}"]
            cells = [_cell([r for r in kept if r["where"] == "in place"])]
            cells += [_cell([r for r in kept if r["where"] == "unseen" and r["place"] == name]) for name in places]
            lines.append(_line(f"{strategy} ({comparison.name}), {fraction:.0%} of the labels", cells))
            name = comparison.beside.get(strategy)
            if name and fraction == 1 and job.train[0].name.startswith(CITIES[0]):
                lines.append(_line(f"*published: {name}*", ["", *(_published(name, place) for place in places)]))
    return lines


def _published(name: str, place: str) -> str:
    city = place.removesuffix("-test")
    accuracy, miou = PUBLISHED[name][CITIES.index(city)]
    return f"*{accuracy:.1f} / {miou:.1f}*"


def _cell(rows: Sequence[Row]) -> str:
    """Mean of the seeds, and their range in brackets where there are several."""
    parts = []
    for figure in ("accuracy", "miou"):
        values = [100 * float(row[figure]) for row in rows if row.get(figure)]
        if not values:
            return "not judged"
        spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
        parts.append(f"{sum(values) / len(values):.1f}{spread}")
    return " / ".join(parts)


def _line(head: str, cells: Sequence[str]) -> str:
    return f"| {head} | {' | '.join(cells)} |"


def report(job: CompareJob, lines: Sequence[str], side: int | None) -> str:
    """What is printed at the end: the table, whose figures are whose, and what makes them differ."""
    places = [place.name for place in job.test]
    taken = f"the central {side} × {side} pixels of each tile" if side else "whole tiles"
    head = [_line("accuracy / mIoU in %", ["validation blocks", *places]), _line("---", ["---"] * (len(places) + 1))]
    notes = [
        f"Trained on {job.train[0].name}, {taken}; seeds {', '.join(map(str, job.seeds))}; FCN of 5 × 64 channels.",
        "Published: evaluate_models_enviroatlas.ipynb of estherrolf/implicit-posterior (arXiv 2202.14000): whole "
        "tiles, one training each, 128 channels.",
        "The prior that comes with the data set was counted in each city's own labels, which leak into it; "
        "proc-stack counts in the training labels alone, and adds no OpenStreetMap.",
    ]
    return "\n".join([*head, *lines, "", *notes])


def gigabytes(sheets: Sequence[Sheet]) -> float:
    """Memory for the layers of a comparison, roughly: the engine keeps read, chosen and scaled values, float32."""
    channels = max(sum(slot.width for slot in comparison.slots) for comparison in COMPARISONS)
    return sum(height * width for height, width in (sheet.size for sheet in sheets)) * channels * 4 * 3 / 1e9


def main(words: Sequence[str] | None = None) -> int:
    """Run both comparisons; 0 when done, 2 with one sentence when something is missing."""
    choice = _choice(words)
    try:
        lines, job = _compare(choice)
    except RequestError as problem:
        print(problem, file=sys.stderr)
        return WRONG
    except subprocess.CalledProcessError as problem:
        return problem.returncode  # the engine has said why
    print(report(job, lines, choice.side))
    return 0


def _compare(choice: argparse.Namespace) -> tuple[list[str], CompareJob]:
    splits = [f"{choice.train}-train", *(f"{city}-test" for city in choice.test)]
    sheets = [
        lay_sheet(split, find_tiles(choice.root, split), choice.folder / "sheets", choice.side) for split in splits
    ]
    for sheet in sheets:
        print(f"{sheet.split}: {sheet.tiles} tiles on {sheet.size[0]} × {sheet.size[1]} pixels", file=sys.stderr)
    print(f"The layers need about {gigabytes(sheets):.1f} GB of memory; a smaller --side needs less.", file=sys.stderr)
    lines = []
    for comparison in COMPARISONS:
        job = job_of(comparison, sheets[0], sheets[1:], choice)
        lines += table(comparison, run(comparison, job, choice.folder), job)
    return lines, job


def _choice(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="the folder that holds enviroatlas_lotp")
    parser.add_argument("--train", choices=CITIES[:1], default=CITIES[0], help="the one city with a training split")
    parser.add_argument("--test", choices=CITIES, nargs="+", default=list(CITIES))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "experiments" / "enviroatlas")
    parser.add_argument(
        "--side", type=int, default=1024, help="pixels along each tile's central square; 0: whole tiles"
    )
    parser.add_argument("--fractions", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--chip", type=int, default=128)
    choice = parser.parse_args(words)
    if choice.side < 0:
        parser.error("--side must not be negative.")
    choice.side = choice.side or None
    choice.folder.mkdir(parents=True, exist_ok=True)
    return choice


if __name__ == "__main__":
    sys.exit(main())

"""The sample scene: a small simulated landscape to make a first map of, where there are no layers yet."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from ..models.files import write_atomically
from ..models.simulation.write import write_scene
from .errors import RequestError
from .events import Progress, Result
from .version import ENGINE_VERSION
from .voice import Voice

#: Pixels along a side, ground sampling distance in metres, region and seed. The starter models were not trained in this
#: region; it has a town, a village, a lake, fields and woods.
RECIPE = {"size": 1024, "gsd": 1.0, "region": 10, "seed": 8}
#: Layer → file. The truth is what the landscape really is: to compare a map with.
FILES = {"imagery": "imagery.tif", "osm": "osm.gpkg", "dem": "dem.tif", "truth": "truth_classes.tif"}
#: Written last, and so only beside a whole scene.
RECORD = "sample.json"


def write_sample(folder: Path, voice: Voice) -> Result:
    """The scene's layers in `folder`; a scene that lies there already is taken as it is.

    Returns:
        The paths by the names of `FILES`, and in the report whether the scene was `reused`, and its recipe.

    Raises:
        RequestError: when the folder cannot be written.
        Cancelled: when the user stopped it; nothing is left behind.
    """
    products = {name: str(folder.absolute() / file) for name, file in FILES.items()}
    reused = _is_whole(folder)
    if not reused:
        voice.say(Progress(0, 1, "simulating"))
        try:
            _write(folder, voice)
        except OSError as problem:
            raise RequestError(
                f"The sample scene cannot be written into {folder}: {problem.strerror or problem}."
            ) from problem
        voice.say(Progress(1, 1, "simulating"))
    return Result(products, {"simulated": True, "reused": reused, **RECIPE})


def _write(folder: Path, voice: Voice) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as part:
        write_scene(Path(part), **RECIPE)
        voice.checkpoint()
        (folder / RECORD).unlink(missing_ok=True)
        for file in FILES.values():
            os.replace(Path(part) / file, folder / file)
    write_atomically(folder / RECORD, json.dumps(_record(), indent=1).encode())


def _is_whole(folder: Path) -> bool:
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return False
    return record == _record() and all((folder / file).is_file() for file in FILES.values())


def _record() -> dict[str, object]:
    return {"about": "A simulated landscape; no real place.", "engine": ENGINE_VERSION, **RECIPE}

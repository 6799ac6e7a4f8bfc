"""What the engine can be asked for: one function a command, the same for the command line and for a warm engine.

A request is plain JSON; a command answers with a `Result` or raises what `errors.py` holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RequestError
from .events import Result
from .job import MAX_BYTES
from .voice import Voice

if TYPE_CHECKING:
    from ..models.library import Installed
    from .job import Job
    from .kept import Kept
    from .learnjob import Kind as LearnKind

Request = Mapping[str, Any]
Command = Callable[[Request, Voice], Result]

# Each command imports what it needs: `doctor` must answer in an environment where rasterio does not load.


def find_command(name: object, kept: Kept | None = None) -> Command:
    """The command of this name; `kept` holds models and sessions for those that use them.

    Raises:
        RequestError: when there is none.
    """
    if isinstance(name, str) and name in KEEPING:
        return partial(KEEPING[name], kept=kept)
    if not isinstance(name, str) or name not in COMMANDS:
        known = ", ".join((*KEEPING, *COMMANDS))
        raise RequestError(f"The engine knows no command {str(name)[:60]!r}; its commands are {known}.")
    return COMMANDS[name]


def run(request: Request, voice: Voice, kept: Kept | None = None, scheduler: str | None = None) -> Result:
    """``job`` (a path, or the job itself with its ``base`` folder) → products; `scheduler` is a Dask address."""
    from .run import run_job
    from .sources.raster_env import configure

    configure()
    if not scheduler:
        return run_job(*_job(request), voice, kept)
    from .cluster.connection import require_scheduler
    from .cluster.execute import run_blocks_on

    require_scheduler(scheduler, voice)
    return run_job(*_job(request), voice, kept, partial(run_blocks_on, scheduler))


def check(request: Request, voice: Voice, kept: Kept | None = None) -> Result:
    """``job`` → the grid, the cost and a verdict on each slot, in the report; ``time`` also measures the seconds."""
    from .check import check_job
    from .sources.raster_env import configure

    configure()
    return check_job(*_job(request), voice, kept, bool(request.get("time")))


def inspect(request: Request, voice: Voice) -> Result:
    """``model`` (a path) → what the file is, in the report; with a ``card``, what the graph says against that card."""
    from ..models.load import describe, load_model
    from ..models.review import review

    model = _path(request, "model")
    card = _card(request)
    return Result(report=describe(load_model(model)) if card is None else review(model, card))


def install(request: Request, voice: Voice) -> Result:
    """``model``, ``library`` (paths), perhaps a ``card`` → the model in the library; ``replace`` one of its name."""
    from ..models.card import card_from_dict
    from ..models.install import install_model
    from ..models.load import load_model, require_complete

    model, data = _path(request, "model"), _card(request)
    card = load_model(model).card if data is None else card_from_dict(data)
    require_complete(card)
    return _model_result(install_model(model, _path(request, "library"), card, bool(request.get("replace"))))


def export(request: Request, voice: Voice) -> Result:
    """``model``, ``folder`` (paths) → a copy with its card inside and a STAC MLM item beside it."""
    from ..models.export import export_model

    return _model_result(export_model(_path(request, "model"), _path(request, "folder")))


def sample(request: Request, voice: Voice) -> Result:
    """``folder`` → a simulated scene in it, or the one that lies there."""
    from .sample import write_sample

    return write_sample(_path(request, "folder"), voice)


def doctor(request: Request, voice: Voice) -> Result:
    """Nothing → versions, and the devices that really run, in the report."""
    from .doctor import examine

    return Result(report=examine())


def train(request: Request, voice: Voice) -> Result:
    """``job`` (a path, or the job itself with its ``base`` folder) → a trained model; needs torch."""
    from .learning.train import train_model
    from .learnjob import LearnJob
    from .sources.raster_env import configure

    configure()
    return train_model(*_learnjob(LearnJob, request), voice)


def evaluate(request: Request, voice: Voice) -> Result:
    """``job`` → what a map or a model is worth against reference labels: table, plot and report."""
    from .learning.evaluate import evaluate_map
    from .learnjob import EvaluateJob
    from .sources.raster_env import configure

    configure()
    return evaluate_map(*_learnjob(EvaluateJob, request), voice)


def compare(request: Request, voice: Voice) -> Result:
    """``job`` → strategies × label fractions × seeds × places, as a table that grows and a plot; needs torch."""
    from .learning.compare import compare_strategies
    from .learnjob import CompareJob
    from .sources.raster_env import configure

    configure()
    return compare_strategies(*_learnjob(CompareJob, request), voice)


def chips(request: Request, voice: Voice) -> Result:
    """``job`` → georeferenced chips of the stack and the labels, for training elsewhere."""
    from .learning.chips import export_chips
    from .learnjob import ChipsJob
    from .sources.raster_env import configure

    configure()
    return export_chips(*_learnjob(ChipsJob, request), voice)


#: Commands that open a model's session, and leave it to the next one.
KEEPING: dict[str, Callable[..., Result]] = {"run": run, "check": check}
COMMANDS: dict[str, Command] = {
    "inspect": inspect,
    "install": install,
    "export": export,
    "sample": sample,
    "doctor": doctor,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "chips": chips,
}


def _card(request: Request) -> object:
    """The request's card as JSON values, given as they are or as the path of a file; None where there is none."""
    from ..models.card import read_json

    card = request.get("card")
    return read_json(Path(card)) if isinstance(card, str) else card


def _model_result(made: Installed) -> Result:
    path = made.path.absolute()
    return Result({"model": str(path)}, {"card": made.card.to_dict() if made.card else None, "path": str(path)})


def read_request(content: bytes, where: str) -> dict[str, Any]:
    """One JSON object.

    Raises:
        RequestError: when it is too large or something else.
    """
    if len(content) > MAX_BYTES:
        raise RequestError(f"{where} is larger than {MAX_BYTES // 2**20} MiB, which no request is.")
    try:
        request = json.loads(content)
    except (ValueError, RecursionError):
        raise RequestError(f"{where} is not valid JSON.") from None
    if not isinstance(request, dict):
        raise RequestError(f"{where} is no JSON object; a request is one, with its 'command'.")
    return request


def _job(request: Request) -> tuple[Job, Path]:
    from .job import job_from_dict, read_job
    from .sources.raster_env import mind_the_network

    asked = request.get("job")
    job, base = read_job(Path(asked)) if isinstance(asked, str) else (job_from_dict(asked), _path(request, "base"))
    mind_the_network(job.to_dict())
    return job, base


def _learnjob(kind: type[LearnKind], request: Request) -> tuple[LearnKind, Path]:
    from .learnjob import learnjob_from_dict, read_learnjob, to_dict
    from .sources.raster_env import mind_the_network

    asked = request.get("job")
    by_path = isinstance(asked, str)
    job, base = (
        read_learnjob(kind, Path(asked)) if by_path else (learnjob_from_dict(kind, asked), _path(request, "base"))
    )
    mind_the_network(to_dict(job))
    return job, base


def _path(request: Request, name: str) -> Path:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise RequestError(f"The request needs '{name}', the path of a file or folder.")
    return Path(value)

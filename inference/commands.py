"""What the engine can be asked for: one function a command, the same for the command line and for a warm engine.

A request is plain JSON; a command answers with a `Result` or raises what `errors.py` holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RequestError
from .events import Result
from .voice import Voice

if TYPE_CHECKING:
    from .job import Job

Request = Mapping[str, Any]
Command = Callable[[Request, Voice], Result]

# Each command imports what it needs: `doctor` must answer in an environment where rasterio does not load.


def find_command(name: object) -> Command:
    """The command of this name.

    Raises:
        RequestError: when there is none.
    """
    if not isinstance(name, str) or name not in COMMANDS:
        raise RequestError(f"The engine knows no command {name!r}; its commands are {', '.join(COMMANDS)}.")
    return COMMANDS[name]


def run(request: Request, voice: Voice) -> Result:
    """``job`` (a path, or the job itself with its ``base`` folder) → products."""
    from .run import run_job
    from .sources.raster_env import configure

    configure()
    return run_job(*_job(request), voice)


def check(request: Request, voice: Voice) -> Result:
    """``job`` → the grid, the cost and a verdict on each slot, in the report."""
    from .check import check_job
    from .sources.raster_env import configure

    configure()
    return check_job(*_job(request), voice)


def inspect(request: Request, voice: Voice) -> Result:
    """``model`` (a path) → what the file is, in the report."""
    from ..models.load import describe, load_model

    return Result(report=describe(load_model(_path(request, "model"))))


def doctor(request: Request, voice: Voice) -> Result:
    """Nothing → versions, and the devices that really run, in the report."""
    from .doctor import examine

    return Result(report=examine())


COMMANDS: dict[str, Command] = {"run": run, "check": check, "inspect": inspect, "doctor": doctor}


def _job(request: Request) -> tuple[Job, Path]:
    from .job import job_from_dict, read_job

    job = request.get("job")
    if isinstance(job, str):
        return read_job(Path(job))
    return job_from_dict(job), _path(request, "base")


def _path(request: Request, name: str) -> Path:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise RequestError(f"The request needs '{name}', the path of a file or folder.")
    return Path(value)

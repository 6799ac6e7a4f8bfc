"""The command line: ``run JOB``, ``check JOB``, ``inspect MODEL``, ``doctor``.

Exit code 0: done; 1: a fault of ours; 2: the request is wrong; 3: cancelled. Only events go to standard output; the one
sentence of a wrong request also goes to standard error.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from .channel import Channel, Control
from .errors import Cancelled, RequestError
from .events import Failed, Result
from .voice import Voice

OK, FAULT, WRONG, CANCELLED = 0, 1, 2, 3


def main(arguments: list[str], channel: Channel) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    control = Control()
    if getattr(options, "control", False):
        control.listen()
    voice = Voice(channel.say, control.cancelled)
    try:
        channel.say(options.command(options, voice))
        return OK
    except Cancelled as stop:
        channel.say(Failed(str(stop), CANCELLED))
        return CANCELLED
    except RequestError as problem:
        sys.stderr.write(f"{problem}\n")
        channel.say(Failed(str(problem), WRONG))
        return WRONG
    except MemoryError:
        return _fault(channel, "The engine ran out of memory; set compute.memory or compute.block lower and run again.")
    except Exception:  # noqa: BLE001 - the last resort: whatever it is, the user gets a sentence and the details
        return _fault(channel, "The engine met a fault of its own; please report it with the details.")


def _fault(channel: Channel, sentence: str) -> int:
    details = traceback.format_exc()
    sys.stderr.write(f"{sentence}\n{details}")
    channel.say(Failed(sentence, FAULT, details))
    return FAULT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python inference", description="The engine of Fusion Mapper.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "run", _run, "map the layers of a job", "job").add_argument(
        "--control", action="store_true", help="stop when told so on standard input, or at its end"
    )
    _add(commands, "check", _check, "answer the grid and a pre-flight report of a job", "job")
    _add(commands, "inspect", _inspect, "tell what a model file is", "model")
    _add(commands, "doctor", _doctor, "tell versions and the devices that really load")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Callable[[argparse.Namespace, Voice], Result],
    text: str,
    *files: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    for file in files:
        parser.add_argument(file, type=Path)
    parser.set_defaults(command=command)
    return parser


# Each command imports what it needs: `doctor` must answer in an environment where rasterio does not load.


def _run(options: argparse.Namespace, voice: Voice) -> Result:
    from .job import read_job
    from .run import run_job
    from .sources.raster_env import configure

    configure()
    return run_job(*read_job(options.job), voice)


def _check(options: argparse.Namespace, voice: Voice) -> Result:
    from .check import check_job
    from .job import read_job
    from .sources.raster_env import configure

    configure()
    return check_job(*read_job(options.job), voice)


def _inspect(options: argparse.Namespace, voice: Voice) -> Result:
    from ..models.load import describe, load_model

    return Result(report=describe(load_model(options.model)))


def _doctor(options: argparse.Namespace, voice: Voice) -> Result:
    from .doctor import examine

    return Result(report=examine())

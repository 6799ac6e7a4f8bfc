"""The command line: ``run JOB``, ``check JOB``, ``inspect MODEL``, ``doctor``.

Exit code 0: done; 1: a fault of ours; 2: the request is wrong; 3: cancelled. Only events go to standard output; the one
sentence of a wrong request also goes to standard error.
"""

from __future__ import annotations

import argparse
import sys
import traceback

from .channel import Channel, Control
from .commands import find_command
from .errors import Cancelled, RequestError
from .events import Failed
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
        channel.say(find_command(options.command)(vars(options), voice))
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
    _add(commands, "run", "map the layers of a job", "job").add_argument(
        "--control", action="store_true", help="stop when told so on standard input, or at its end"
    )
    _add(commands, "check", "answer the grid and a pre-flight report of a job", "job")
    _add(commands, "inspect", "tell what a model file is", "model")
    _add(commands, "doctor", "tell versions and the devices that really load")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, *files: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    for file in files:
        parser.add_argument(file)
    parser.set_defaults(command=name)
    return parser

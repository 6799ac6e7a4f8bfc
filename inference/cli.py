"""The command line: ``run JOB``, ``check JOB``, ``inspect MODEL``, ``doctor``; ``train``, ``evaluate``, ``compare`` and
``chips`` with a JOB of their own; ``request FILE`` for any command, and ``serve`` for one request after the other.

Exit code 0: done; 1: a fault of ours; 2: the request is wrong; 3: cancelled. Only events go to standard output; the one
sentence of a wrong request also goes to standard error.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .answer import answer
from .channel import Channel, Control
from .commands import find_command, read_request
from .errors import RequestError
from .events import Result
from .job import MAX_BYTES
from .voice import Voice


def main(arguments: list[str], channel: Channel) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        from .serve import serve

        return serve(channel)
    control = Control()
    if getattr(options, "control", False):
        control.listen()
    voice = Voice(channel.say, control.cancelled)
    return answer(partial(_do, options, voice), channel.say)


def _do(options: argparse.Namespace, voice: Voice) -> Result:
    request = _request(options)
    command = find_command(request.get("command"))
    scheduler = getattr(options, "scheduler", None)
    return command(request, voice, scheduler=scheduler) if scheduler else command(request, voice)


def _request(options: argparse.Namespace) -> Mapping[str, Any]:
    """What was asked for: as typed, or as a file says, which holds any command's fields as one JSON object."""
    if options.command != "request":
        return vars(options)
    path = Path(options.file)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise RequestError(f"The request file {path} cannot be read: {problem.strerror}.") from problem
    return read_request(content, f"The request file {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python inference", description="The engine of Fusion Mapper.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = _add(commands, "run", "map the layers of a job", "job")
    # No field of a job or request: Dask exchanges pickles, which may do anything, and files are data.
    run.add_argument("--scheduler", metavar="ADDRESS", help="compute on the workers of this Dask scheduler")
    for command in (
        run,
        _add(commands, "train", "train a model on layers and labels (needs torch)", "job"),
        _add(commands, "evaluate", "judge a map, or a model, by reference labels", "job"),
        _add(commands, "compare", "train and judge strategies by the number of labels (needs torch)", "job"),
        _add(commands, "chips", "cut layers and labels into chips", "job"),
        _add(commands, "request", "do what a JSON file asks for: a command and its fields", "file"),
    ):
        command.add_argument(
            "--control", action="store_true", help="stop when told so on standard input, or at its end"
        )
    _add(commands, "check", "answer the grid and a pre-flight report of a job", "job")
    card = {"help": "a JSON file with the card, in place of what the model itself tells"}
    _add(commands, "inspect", "tell what a model file is", "model").add_argument("--card", **card)
    install = _add(commands, "install", "copy a model with its card into a library folder", "model")
    install.add_argument("--library", required=True, help="the library folder")
    install.add_argument("--card", **card)
    install.add_argument("--replace", action="store_true", help="replace an installed model of the same name")
    _add(commands, "export", "copy a model with its card, and a STAC MLM item beside it", "model", "folder")
    _add(commands, "sample", "write a small simulated scene to try a model on", "folder")
    _add(commands, "doctor", "tell versions and the devices that really load")
    _add(commands, "serve", "do what standard input asks for, one JSON object a line, until it ends")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, *files: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    for file in files:
        parser.add_argument(file)
    parser.set_defaults(command=name)
    return parser

"""What follows an installation in tests, proves its environment, and holds it in its middle."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from pathlib import Path

from fusion_mapper.inference.errors import FusionMapperError
from fusion_mapper.toolbox.setup.installer import install
from wheel_index import WAIT

NAMES = ("alpha", "beta", "gamma")


class Watcher:
    """Follows an installation."""

    def __init__(self) -> None:
        self.steps = []
        self.lines = []
        self.stop = threading.Event()

    def stepped(self, step):
        self.steps.append(step)

    def said(self, line):
        self.lines.append(line)

    def is_cancelled(self):
        return self.stop.is_set()

    @property
    def names(self):
        return list(dict.fromkeys(step.name for step in self.steps))


def prove(python: Path, _folder: Path, _is_cancelled) -> dict:
    """In the doctor's place: every package can be imported."""
    code = f"import json, {', '.join(NAMES)}; print(json.dumps({{'python': alpha.name}}))"
    return json.loads(subprocess.run([python, "-I", "-c", code], check=True, capture_output=True).stdout)


@contextlib.contextmanager
def held(index, plan, watcher):
    """While an installation waits for the second half of a package."""
    index.held = "beta"
    ended = []

    def work():
        try:
            ended.append(install(plan, watcher, prove))
        except FusionMapperError as problem:
            ended.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    assert index.waiting.wait(WAIT)
    try:
        yield ended
    finally:
        watcher.stop.set()
        thread.join(WAIT)
        assert not thread.is_alive()

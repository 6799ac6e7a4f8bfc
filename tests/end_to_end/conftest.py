"""A real QGIS on a display of its own, driven by real clicks, with pictures kept in ``build/screenshots``."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

SCREEN = (1280, 720)
START_TIMEOUT = 120
#: Seconds for anything that a user would not wait longer for on a slow machine.
TIMEOUT = 40


class Qgis:
    """The test's end of the wire to `desk.py`, and its mouse and camera."""

    def __init__(self, wire: socket.socket, pictures: Path, process: subprocess.Popen) -> None:
        self._wire = wire
        self._lines = wire.makefile("rw", encoding="utf-8")
        self._pictures = pictures
        self._events: list[dict] = []
        self._pointer = None
        self.process = process
        ready = self.wait_for("ready", timeout=START_TIMEOUT)
        self.pid = ready["pid"]
        self.environment = {**os.environ, "DISPLAY": ready["display"]}

    def ask(self, name: str, /, **arguments: object) -> dict:
        self._lines.write(json.dumps({"ask": name, **arguments}) + "\n")
        self._lines.flush()
        return self._read_until(lambda message: message.get("answer") == name, f"answer {name}", TIMEOUT)

    def wait_for(self, event: str, timeout: float = TIMEOUT, stage_begins: str = "", **facts: object) -> dict:
        """The next event with these facts; earlier events are not looked at again."""

        def fits(message: dict) -> bool:
            same = message.get("event") == event and all(message.get(key) == fact for key, fact in facts.items())
            return same and message.get("stage", "").startswith(stage_begins)

        for index, message in enumerate(self._events):
            if fits(message):
                del self._events[: index + 1]
                return message
        message = self._read_until(fits, f"event {event} {facts}", timeout)
        self._events.clear()
        return message

    def wait_for_end(self, number: int) -> dict:
        """The event with which a run ends."""
        while True:
            told = self.wait_for("run", number=number)
            if told["state"] not in ("waiting", "running"):
                return told

    def wait_until_run_is_enabled(self) -> None:
        """Wait until the dock lets itself be run."""
        if not self.ask("text", name="FusionMapperRunButton")["enabled"]:
            self.wait_for("run_button", enabled=True)

    def forget_events(self) -> None:
        self._events.clear()

    def click(self, name: str, child: str = "") -> None:
        """Click with the mouse on a widget, or on its child of that name."""
        spot = self.ask("where", name=name, child=child)
        assert spot["clickable"], f"{name} cannot be clicked: {spot}"
        self.click_at(spot)

    def click_at(self, spot: dict) -> None:
        """Click with the mouse on a spot of the screen."""
        self._point_at(spot)
        self._run("xdotool", "click", "1")

    def press(self, *keys: str) -> None:
        """Press keys in whatever has the keyboard."""
        self._run("xdotool", "key", *keys)

    def choose(self, name: str, entry: str) -> None:
        """Choose an entry of a combo box with mouse and keys."""
        index = self.ask("entries", name=name)["entries"].index(entry)
        self.click(name)
        self.press("Home", *["Down"] * index, "Return")

    def scroll(self, name: str, down: bool = True) -> None:
        """Turn the mouse wheel over a widget to the end of what it lies in."""
        self._point_at(self.ask("where", name=name))
        self._run("xdotool", "click", "--repeat", "15", "5" if down else "4")

    def picture(self, name: str) -> None:
        """Keep a picture of the whole screen."""
        self.ask("paint")
        self._shoot(name)

    def exit_code(self) -> int:
        """What QGIS ends with."""
        try:
            return self.process.wait(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self._shoot("stuck")
            pytest.fail(f"QGIS did not end within {TIMEOUT} s")

    def engines(self) -> list[int]:
        """Processes of the engine that this QGIS started."""
        found = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.pid)], capture_output=True, text=True
        )
        lines = [line.split(None, 1) for line in found.stdout.splitlines()]
        return [int(pid) for pid, arguments in lines if "inference" in arguments]

    def _point_at(self, spot: dict) -> None:
        if self._pointer != (spot["x"], spot["y"]):  # xdotool would wait for a movement that never comes
            self._pointer = (spot["x"], spot["y"])
            self._run("xdotool", "mousemove", "--sync", str(spot["x"]), str(spot["y"]))

    def _shoot(self, name: str) -> None:
        self._run("import", "-window", "root", str(self._pictures / f"{name}.png"))

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self.environment, check=True, timeout=30)

    def _read_until(self, fits, what: str, timeout: float) -> dict:
        deadline = time.monotonic() + timeout
        while True:
            self._wire.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                line = self._lines.readline()
            except OSError:
                self._shoot("stuck")
                pytest.fail(f"QGIS did not give {what} within {timeout} s; last it told {self._events[-3:]}")
            if not line:
                pytest.fail(f"QGIS ended before {what}")
            message = json.loads(line)
            if fits(message):
                return message
            self._events.append(message)


@pytest.fixture(scope="session")
def pictures(repository_root) -> Path:
    """Where pictures are kept."""
    folder = repository_root / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def qgis(tmp_path_factory, repository_root, pictures):
    """A running QGIS with the plugin, in a new profile on a virtual display."""
    missing = [tool for tool in ("Xvfb", "xdotool", "import", "qgis") if shutil.which(tool) is None]
    if missing:
        pytest.fail(f"{', '.join(missing)} is not installed; scripts/setup.sh system installs it")
    folder = tmp_path_factory.mktemp("qgis")
    address = str(folder / "wire")
    # Runs go in here. Not into pytest's folder: QGIS would take layers in /tmp for temporary ones.
    data = repository_root / "build" / "end_to_end"
    shutil.rmtree(data, ignore_errors=True)
    with socket.socket(socket.AF_UNIX) as listener, (pictures / "qgis.log").open("w") as log:
        listener.bind(address)
        listener.listen()
        listener.settimeout(START_TIMEOUT)
        process = subprocess.Popen(
            [
                *(str(repository_root / "scripts" / "run_qgis.sh"), "--xvfb", "{}x{}".format(*SCREEN)),
                *("--profiles", str(folder / "profiles"), "--code", str(Path(__file__).with_name("desk.py"))),
            ],
            env={**os.environ, "FUSION_MAPPER_DESK": address, "XDG_DATA_HOME": str(data)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wire, _ = listener.accept()
            yield Qgis(wire, pictures, process)
        finally:
            process.terminate()
            process.wait(timeout=30)

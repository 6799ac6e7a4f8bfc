"""A real QGIS on a display of its own, driven by real clicks and keys; `desk.py` inside tells where things are."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pytest

ROOT = Path(__file__).resolve().parents[2]
DESK = ROOT / "tests" / "end_to_end" / "desk.py"
#: Where pictures are kept.
PICTURES = ROOT / "build" / "screenshots"
START_TIMEOUT = 120
#: Seconds for anything that a user would not wait longer for on a slow machine.
TIMEOUT = 60


@dataclass(frozen=True)
class Look:
    """What a visit looks like."""

    name: str = "light"
    """Pictures' names begin with it."""
    width: int = 1280
    height: int = 720
    theme: str = ""
    """As QGIS's options name it; its own when empty."""
    root: Path = ROOT
    """The checkout whose plugin is loaded."""


class Qgis:
    """The test's end of the wire to `desk.py`, and its mouse and camera."""

    def __init__(self, wire: socket.socket, look: Look, process: subprocess.Popen) -> None:
        self._wire = wire
        self._lines = wire.makefile("rw", encoding="utf-8")
        self._look = look
        self._events: list[dict] = []
        self._pointer = None
        self.process = process
        ready = self.wait_for("ready", timeout=START_TIMEOUT)
        self.pid = ready["pid"]
        self.environment = {**os.environ, "DISPLAY": ready["display"]}

    def ask(self, name: str, /, **arguments: object) -> dict:
        self._lines.write(json.dumps({"ask": name, **arguments}) + "\n")
        self._lines.flush()
        answer = self._read_until(lambda message: message.get("answer") == name, f"answer {name}", TIMEOUT)
        assert "fault" not in answer, answer["fault"]
        return answer

    def wait_for(
        self, event: str, timeout: float = TIMEOUT, stage_begins: str = "", percent_above: float = -1, **facts: object
    ) -> dict:
        """The next event with these facts; earlier events are not looked at again."""

        def fits(message: dict) -> bool:
            same = message.get("event") == event and all(message.get(key) == fact for key, fact in facts.items())
            begins = message.get("stage", "").startswith(stage_begins)
            return same and begins and message.get("percent", 0) > percent_above

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

    def until(self, name: str, timeout: float = TIMEOUT, **facts: object) -> dict:
        """Wait until a widget is as told: shown, enabled, text (a part of it), or current (of a combo box)."""
        self.ask("await", name=name, facts=facts)
        return self.wait_for("met", timeout, name=name)

    def tab_to(self, name: str, limit: int = 80) -> int:
        """Press Tab until a widget has the keyboard; how often that was."""
        for count in range(limit):
            if self.ask("focus")["name"] == name:
                return count
            self.press("Tab")
        pytest.fail(f"the Tab key does not reach {name}")

    def load(self, layers: list[list[str]], extent: list[float], crs: str = "EPSG:4326") -> None:
        """Load layers (source, name, provider), the last one on top, and show an extent."""
        answer = self.ask("load", layers=layers)
        assert len(answer["valid"]) == len(layers)
        self.wait_for("drawn")
        self.ask("look", extent=extent, crs=crs)
        self.wait_for("drawn")

    def open_dock(self) -> str:
        """Open the dock with its button, unless QGIS has opened it again; what its engine says of itself."""
        if not self.ask("state", name="FusionMapperDock")["shown"]:
            self.click("FusionMapperToggleDock")
            self.wait_for("dock", shown=True)
        return self.until("FusionMapperEngine", text="Engine ready")["text"]

    def forget_events(self) -> None:
        self._events.clear()

    def click(self, name: str, child: str = "", text: str = "") -> None:
        """Click with the mouse on a widget, or within it on the one of that name or on the button with that text."""
        spot = self.ask("where", name=name, child=child, text=text)
        assert spot["clickable"], f"{name} {child}{text} cannot be clicked: {spot}"
        self.click_at(spot)

    def click_at(self, spot: dict, button: int = 1) -> None:
        """Click with the mouse on a spot of the screen."""
        self._point_at(spot)
        self._run("xdotool", "click", str(button))

    def drag(self, start: dict, end: dict) -> None:
        """Drag with the mouse from one spot to another, in small steps, as a hand does."""
        self._point_at(start)
        self._run("xdotool", "mousedown", "1")
        for part in range(1, 11):
            spot = {axis: start[axis] + (end[axis] - start[axis]) * part // 10 for axis in ("x", "y")}
            self._point_at(spot)
        self._run("xdotool", "mouseup", "1")

    def drop_file(self, path: Path, target: str, opens: str) -> None:
        """Drag a file from a window of another program onto a widget, as from a file manager; wait for what opens."""
        program = [sys.executable, str(DESK.with_name("drag_source.py")), str(path), "10", "400", "240", "60"]
        environment = {**self.environment, "QT_QPA_PLATFORM": "xcb"}
        with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, text=True) as source:
            try:
                assert source.stdout.readline() == "shown\n"
                self.drag({"x": 60, "y": 430}, self.ask("where", name=target))
                # What was dropped is fetched from the other program afterwards.
                self.until(opens, shown=True)
            finally:
                source.terminate()

    def write(self, text: str) -> None:
        """Type a text into whatever has the keyboard."""
        self._run("xdotool", "type", text)

    def press(self, *keys: str) -> None:
        """Press keys in whatever has the keyboard."""
        self._run("xdotool", "key", *keys)

    def choose(self, name: str, entry: str) -> None:
        """Choose an entry of a combo box with mouse and keys."""
        index = self.ask("entries", name=name)["entries"].index(entry)
        self.click(name)
        self.press("Home", *["Down"] * index, "Return")

    def choose_parameter(self, form: str, parameter: str, entry: str) -> None:
        """Choose an entry of a list in Processing's form with mouse and keys; layers' CRSs need not be told."""
        before, spot = None, self.ask("parameter", form=form, parameter=parameter)
        while spot != before:  # a form that has just opened moves its fields about
            self.ask("paint")
            before, spot = spot, self.ask("parameter", form=form, parameter=parameter)
        index = next(place for place, text in enumerate(spot["entries"]) if text.split(" [")[0] == entry)
        self.click_at(spot)
        self.press("Home", *["Down"] * index, "Return")
        self.until(f"{form}_{parameter}", text=spot["entries"][index])

    def fill_form(self, text: str) -> None:
        """Type a text into the form that QGIS shows for a new feature, and confirm it."""
        self.ask("await_form")
        self.click_at(self.wait_for("form"))
        self.press("ctrl+a")
        self.write(text)
        self.press("Return")

    def scroll(self, name: str, down: bool = True) -> None:
        """Turn the mouse wheel over a widget to the end of what it lies in."""
        self._point_at(self.ask("where", name=name))
        self._run("xdotool", "click", "--repeat", "15", "5" if down else "4")

    def close_dialog(self, name: str) -> None:
        """Press the dialog's Close, and wait until it is gone."""
        self.click(name, text="Close")
        self.until(name, shown=False)

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
        self._run("import", "-window", "root", str(PICTURES / f"{self._look.name}-{name}.png"))

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


@contextmanager
def open_qgis(home: Path, look: Optional[Look] = None) -> Iterator[Qgis]:
    """A running QGIS with the plugin. Its profile and runs live in the folder, and are taken up when they are there.

    The folder must not be pytest's: QGIS takes layers in /tmp for temporary ones.
    """
    missing = [tool for tool in ("Xvfb", "xdotool", "import", "qgis") if shutil.which(tool) is None]
    if missing:
        pytest.fail(f"{', '.join(missing)} is not installed; scripts/setup.sh system installs it")
    look = look or Look()
    PICTURES.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    address = home / "wire"
    address.unlink(missing_ok=True)
    script = [str(look.root / "scripts" / "run_qgis.sh"), "--xvfb", f"{look.width}x{look.height}"]
    script += ["--theme", look.theme] if look.theme else []
    with socket.socket(socket.AF_UNIX) as listener, (home / "qgis.log").open("a") as log:
        listener.bind(str(address))
        listener.listen()
        listener.settimeout(START_TIMEOUT)
        process = subprocess.Popen(
            [*script, "--profiles", str(home / "profiles"), "--code", str(DESK)],
            env={**os.environ, "FUSION_MAPPER_DESK": str(address), "XDG_DATA_HOME": str(home / "data")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wire, _ = listener.accept()
            qgis = Qgis(wire, look, process)
            qgis.ask("size", width=look.width, height=look.height)
            yield qgis
        finally:
            process.terminate()
            process.wait(timeout=30)

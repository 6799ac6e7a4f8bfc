"""A fine heartbeat on QGIS's own thread: how long it keeps the user waiting, and in which line of Python it does.

A timer beats every 5 ms. Whenever a beat is more than `SLOW` late, `faulthandler`, whose watcher is a thread of C that
needs nothing of the interpreter, has already written down the stack of every thread; so a gap in which the interpreter
itself is locked is seen as well. Linux tells how long the thread stood ready and was given no processor: on a busy
machine that time is nobody's fault, and is counted apart.

Python's frames may change while the watcher reads them, which can end QGIS; then there are figures without stacks.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from pathlib import Path

from qgis.PyQt.QtCore import QObject, Qt, QTimer

#: Seconds between two beats.
BEAT = 0.005
#: Seconds without a beat from which on a user may notice it.
SLOW = 0.05


class Heartbeat(QObject):
    """Beats until it is stopped; each gap between two beats belongs to the phase in which it ended."""

    def __init__(self, stacks: Path, watched: bool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watched = watched
        self.gaps: dict[str, list[tuple[float, float]]] = {}
        """Phase → for each gap its length, and the part of it spent waiting for a processor; seconds."""
        self.slow: list[dict] = []
        """The gaps longer than `SLOW`: phase, gap, waited (seconds) and the stacks in it."""
        self.phase = ""
        self._stacks = stacks.open("w+", encoding="utf-8")
        self._waiting = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").open("rb", buffering=0)  # noqa: SIM115
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_beat)
        self._last = (time.perf_counter(), self._waited())

    def start(self, phase: str) -> None:
        """Begin to beat, in this phase."""
        self.phase = phase
        self._last = (time.perf_counter(), self._waited())
        self._watch()
        self._timer.start(round(1000 * BEAT))

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()
        faulthandler.cancel_dump_traceback_later()

    def _on_beat(self) -> None:
        now = (time.perf_counter(), self._waited())
        gap, waited = now[0] - self._last[0], now[1] - self._last[1]
        self.gaps.setdefault(self.phase, []).append((gap, waited))
        if gap > SLOW:
            self.slow.append({"phase": self.phase, "gap": gap, "waited": waited, "stacks": self._written()})
        self._last = now
        self._watch()

    def _watch(self) -> None:
        if self._watched:
            faulthandler.dump_traceback_later(SLOW, file=self._stacks)

    def _waited(self) -> float:
        self._waiting.seek(0)
        return int(self._waiting.read().split()[1]) / 1e9

    def _written(self) -> str:
        """What the watcher wrote in this gap; the file is emptied."""
        faulthandler.cancel_dump_traceback_later()
        self._stacks.seek(0)
        text = self._stacks.read()
        self._stacks.seek(0)
        self._stacks.truncate()
        return text

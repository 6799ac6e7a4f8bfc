"""The end of a panel: what is still at work may end, and events go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from qgis.PyQt.QtCore import QElapsedTimer, QEventLoop, QTimer

#: Milliseconds that the end waits at most, and between two looks.
FAREWELL, TICK = 6000, 20


def wait_until(is_done: Callable[[], bool]) -> None:
    """Return once `is_done` says so, or after `FAREWELL`; the user's own events wait until then."""
    flags = QEventLoop.ProcessEventsFlag
    loop, clock, alarm = QEventLoop(), QElapsedTimer(), QTimer()
    clock.start()
    alarm.start(TICK)
    while not is_done() and clock.elapsed() < FAREWELL:
        loop.processEvents(flags.ExcludeUserInputEvents | flags.WaitForMoreEvents)

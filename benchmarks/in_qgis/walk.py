"""Inside a real QGIS: a walk through steps, of which each says when it is over, while QGIS's own thread is watched."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import qgis.utils
from heartbeat import Heartbeat
from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtCore import QObject, QTimer
from qgis.utils import iface

#: Seconds between two looks at whether a step is over.
_LOOK = 0.02

Over = Callable[[], bool]


class Walk(QObject):
    """Begins at once; at its end writes ``report.json`` (gaps, stacks, what went wrong) and ends QGIS.

    Args:
        order: what `gui_gaps.py` wrote for this walk: ``folder``, ``watched``.
        limit: seconds after which a step is given up.
    """

    def __init__(self, order: Mapping[str, Any], limit: float) -> None:
        super().__init__(iface.mainWindow())
        # QGIS shows an escaped exception in a window and waits for somebody to close it.
        qgis.utils.showException = self._on_exception
        self.order, self._limit = order, limit
        self.heart = Heartbeat(Path(order["folder"]) / "stacks.txt", order["watched"], self)
        self._steps = self.steps()
        self._over: Over = lambda: True
        self._began = time.monotonic()
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._on_look)
        self._clock.start(round(1000 * _LOOK))

    def steps(self) -> Iterator[Over]:
        """What happens, in order."""
        raise NotImplementedError

    def told(self) -> dict[str, Any]:
        """What the report holds besides."""
        return {}

    def _on_look(self) -> None:
        try:
            if self._over():
                self._over = next(self._steps)
                self._began = time.monotonic()
            elif time.monotonic() - self._began > self._limit:
                raise TimeoutError(f"'{self.heart.phase}' was not over within {self._limit} s")
        except StopIteration:
            self._end("")
        except Exception:  # noqa: BLE001 - handed to the caller, who prints it
            self._end(traceback.format_exc())

    def _on_exception(self, kind: type, value: BaseException, trace: object, *_told: object, **_more: object) -> None:
        self._end("".join(traceback.format_exception(kind, value, trace)))

    def _end(self, fault: str) -> None:
        if not self._clock.isActive():
            return
        self._clock.stop()
        self.heart.stop()
        report = {"gaps": self.heart.gaps, "slow": self.heart.slow, "fault": fault, **self.told()}
        (Path(self.order["folder"]) / "report.json").write_text(json.dumps(report), encoding="utf-8")
        QgsProject.instance().setDirty(False)
        QgsApplication.instance().quit()


def after(seconds: float) -> Over:
    """A step that lasts so long."""
    begin = time.monotonic()
    return lambda: time.monotonic() - begin > seconds

"""Short errands with files on a thread of their own, so that a slow disk never holds up the panel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Optional

from qgis.core import Qgis, QgsMessageLog
from qgis.PyQt.QtCore import QObject, Qt, pyqtSignal

from ...toolbox.faults import sentence_of
from .farewell import wait_until
from .wording import LOG_TAG

Errand = Callable[[], object]
Answer = Callable[[object], None]
Problem = Callable[[str], None]


class Background(QObject):
    """Does one errand after the other; answers come on the thread on which this object lives."""

    _ended = pyqtSignal(object, object)

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._pool: Optional[ThreadPoolExecutor] = ThreadPoolExecutor(1, thread_name_prefix="fusion-mapper-files")
        # Queued, so that an errand that is done at once is not answered before `ask` has returned.
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    def ask(self, errand: Errand, answer: Optional[Answer] = None, problem: Optional[Problem] = None) -> None:
        """Do `errand`, then call `answer` with its result, or `problem` with one sentence; none after the end.

        Without `problem` the sentence goes to the log panel.
        """
        if self._pool is not None:
            self._pool.submit(errand).add_done_callback(partial(self._tell, (answer, problem or _log)))

    def close_down(self) -> None:
        """Finish what was asked for; then nothing more is done or answered.

        Events go on meanwhile, since an errand may wait for this thread: a layer's server asks for a password on it.
        What takes longer than `FAREWELL` (a drive that is gone) ends by itself, unheard.
        """
        pool, self._pool = self._pool, None
        if pool is None:
            return
        last = pool.submit(int)
        pool.shutdown(wait=False)
        wait_until(last.done)

    def _tell(self, listeners: tuple[Optional[Answer], Problem], done: Future) -> None:
        # On the errand's thread; the signal carries it over.
        self._ended.emit(listeners, done)

    def _on_ended(self, listeners: tuple[Optional[Answer], Problem], done: Future) -> None:
        if self._pool is None:
            return
        answer, problem = listeners
        error = done.exception()
        if error is not None:
            problem(sentence_of(error))
        elif answer is not None:
            answer(done.result())


def _log(text: str) -> None:
    QgsMessageLog.logMessage(text, LOG_TAG, Qgis.MessageLevel.Warning, False)

"""What is said of a run, in words."""

from __future__ import annotations

from qgis.PyQt.QtCore import QDateTime, QLocale, Qt

from ...toolbox.algorithms.base import is_temporary
from ..shared.engine_line import session_text
from ..shared.wording import DOT, count_text, seconds_text, size_text, tr, whole_seconds_text
from .state import Run, RunState

_ICONS = {
    RunState.WAITING: "mTaskQueued.svg",
    RunState.RUNNING: "mTaskRunning.svg",
    RunState.FINISHED: "mTaskComplete.svg",
    RunState.FAILED: "mTaskTerminated.svg",
    RunState.CANCELLED: "mTaskCancel.svg",
    RunState.INTERRUPTED: "mTaskOnHold.svg",
}


def state_icon(run: Run) -> str:
    """Name of the theme's icon for the run's state."""
    return _ICONS[run.state]


def state_text(run: Run) -> str:
    """The run's state in words."""
    return {
        RunState.WAITING: tr("Waiting"),
        RunState.RUNNING: tr("Running"),
        RunState.FINISHED: tr("Finished"),
        RunState.FAILED: tr("Failed"),
        RunState.CANCELLED: tr("Cancelled"),
        RunState.INTERRUPTED: tr("Interrupted"),
    }[run.state]


def told(run: Run, notes: bool = True) -> str:
    """What is worth saying of the run, in one line; with `notes` also how many of them its log has."""
    if run.state is RunState.RUNNING:
        return running_text(run)
    if run.state is RunState.WAITING:
        return tr("Waiting for the run before it")
    if run.state is RunState.FAILED:
        return run.sentence
    if run.state is RunState.INTERRUPTED:
        return run.sentence or tr("QGIS ended while it ran")
    return ", ".join(part for part in (_end_text(run), _notes_text(run) if notes else "") if part)


def running_text(run: Run) -> str:
    """Stage, rate, time left and device of a run at work."""
    progress = run.progress
    if progress is None or run.stage == stopping():
        return run.stage or tr("Starting the engine…")
    parts = [tr(progress.stage.capitalize())]
    if progress.rate:
        parts.append(rate_text(progress.rate))
    if progress.remaining is not None:
        parts.append(_left_text(progress.remaining))
    if run.session is not None:
        # With all its facts it is in the tooltip.
        parts.append(run.session.device.split(" (")[0])
    return DOT.join(parts)


def brief_text(run: Run) -> str:
    """The same for QGIS's message bar, which cuts what does not fit on one line; the panel's row says the rest."""
    if run.state is not RunState.RUNNING:
        return _end_text(run)
    progress = run.progress
    if progress is None or run.stage == stopping():
        return running_text(run)
    left = _left_text(progress.remaining) if progress.remaining is not None else ""
    return DOT.join(part for part in (tr(progress.stage.capitalize()), left) if part)


def _left_text(seconds: float) -> str:
    return tr("{time} left").format(time=whole_seconds_text(seconds))


def row_text(run: Run) -> str:
    """Below a run's title: how it stands; of one that ended well and is on the map only what is worth reading."""
    if run.active:
        return told(run)
    if run.gone and run.state is RunState.FINISHED:
        return _gone_text(run)
    if run.state is RunState.FINISHED and run.on_map:
        return _notes_text(run)
    return DOT.join(part for part in (day_text(run), told(run)) if part)


def _end_text(run: Run) -> str:
    """How it ended, and after how long."""
    if not run.seconds:
        return tr("{state} before it began").format(state=state_text(run))
    return tr("{state} after {time}").format(state=state_text(run), time=seconds_text(run.seconds))


def _notes_text(run: Run) -> str:
    """How many warnings its log has; empty for none."""
    count = len(run.warnings)
    return count_text(count, tr("1 note in the log"), tr("{count} notes in the log")) if count else ""


def _gone_text(run: Run) -> str:
    if is_temporary(run.request.folder):
        return tr("Its temporary results went when QGIS was closed")
    return tr("Its results are gone")


def aside_text(run: Run) -> str:
    """Beside a run's title: the day, and how long it took, where there is nothing more to say."""
    if run.state is not RunState.FINISHED or run.gone or not run.on_map:
        return ""
    return DOT.join(part for part in (day_text(run), seconds_text(run.seconds)) if part)


def stopping() -> str:
    """The stage of a run that was told to stop."""
    return tr("Stopping…")


def rate_text(rate: float) -> str:
    """Pixels a second as people say it."""
    if rate >= 1e6:
        return tr("{number} Mpx/s").format(number=_short(rate / 1e6))
    return tr("{number} kpx/s").format(number=_short(rate / 1e3))


def _short(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:.0f}"


def day_text(run: Run) -> str:
    """The day on which it was started, for a run of another day than today."""
    moment = _parsed(run.created)
    if not moment.isValid() or moment.date() == QDateTime.currentDateTime().date():
        return ""
    return QLocale().toString(moment.date(), "d MMM")


def when_text(created: str) -> str:
    """Day and time in the user's way of writing them; empty where it is not known."""
    moment = _parsed(created)
    return QLocale().toString(moment, QLocale.FormatType.ShortFormat) if moment.isValid() else ""


def summary_text(run: Run) -> str:
    """All facts of a run, a line each: for its tooltip."""
    lines = [run.title, tr("{state}, {when}").format(state=state_text(run), when=when_text(run.created)), told(run)]
    if run.session is not None:
        lines.append(tr("Ran on {device}").format(device=session_text(run.session)))
        lines.append(run.session.reason)
    lines.append(str(run.request.folder))
    if run.size is not None:
        lines.append(tr("The folder holds {size}").format(size=size_text(run.size)))
    lines.extend(run.warnings[:5])
    return "\n".join(line for line in lines if line)


def _parsed(created: str) -> QDateTime:
    return QDateTime.fromString(created, Qt.DateFormat.ISODate).toLocalTime()

"""What can be done with a run, by its state."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Optional

from qgis.PyQt.QtWidgets import QMenu

from ..shared.wording import size_text, theme_icon, tr
from .state import Run, RunState


class Deed(Enum):
    """What can be asked for; the values end the names of buttons and menu entries."""

    CANCEL = "Cancel"
    ADD_TO_MAP = "AddToMap"
    SUMMARY = "Summary"
    REPORT = "Report"
    RESUME = "Resume"
    RETRY = "Retry"
    RUN_AGAIN = "RunAgain"
    OPEN_FOLDER = "OpenFolder"
    SHOW_LOG = "ShowLog"
    FORGET = "Forget"
    DELETE_FOLDER = "DeleteFolder"


_ICONS = {
    Deed.CANCEL: "mTaskCancel.svg",
    Deed.ADD_TO_MAP: "mActionAddLayer.svg",
    Deed.RESUME: "mActionPlay.svg",
    Deed.RETRY: "mActionReload.svg",
    Deed.RUN_AGAIN: "mActionReload.svg",
    Deed.OPEN_FOLDER: "mActionFileOpen.svg",
    Deed.SHOW_LOG: "mMessageLog.svg",
    Deed.DELETE_FOLDER: "mActionDeleteSelected.svg",
}
#: Groups of a menu, divided by lines.
_GROUPS = (
    (Deed.CANCEL, Deed.ADD_TO_MAP, Deed.SUMMARY, Deed.REPORT),
    (Deed.RESUME, Deed.RETRY, Deed.RUN_AGAIN),
    (Deed.OPEN_FOLDER, Deed.SHOW_LOG),
    (Deed.FORGET, Deed.DELETE_FOLDER),
)


def deed_title(deed: Deed) -> str:
    """The deed on a button or in a menu."""
    return {
        Deed.CANCEL: tr("&Cancel"),
        Deed.ADD_TO_MAP: tr("&Add to Map"),
        Deed.SUMMARY: tr("&Summary…"),
        Deed.REPORT: tr("Repor&t"),
        Deed.RESUME: tr("&Resume"),
        Deed.RETRY: tr("&Retry"),
        Deed.RUN_AGAIN: tr("Run A&gain"),
        Deed.OPEN_FOLDER: tr("&Open Folder"),
        Deed.SHOW_LOG: tr("Show &Log"),
        Deed.FORGET: tr("Remo&ve from List"),
        Deed.DELETE_FOLDER: tr("&Delete Folder…"),
    }[deed]


def deeds_of(run: Run) -> list[Deed]:
    """What can be done with a run that stands like this."""
    if run.active:
        return [Deed.CANCEL, Deed.OPEN_FOLDER, Deed.SHOW_LOG]
    if run.gone and run.state is RunState.FINISHED:
        return [Deed.RUN_AGAIN, Deed.SHOW_LOG, Deed.FORGET]
    first = {
        RunState.FINISHED: [Deed.ADD_TO_MAP, Deed.SUMMARY, Deed.REPORT],
        RunState.FAILED: [Deed.RETRY],
    }.get(run.state, [Deed.RESUME])
    return [*first, Deed.RUN_AGAIN, Deed.OPEN_FOLDER, Deed.SHOW_LOG, Deed.FORGET, Deed.DELETE_FOLDER]


def foremost_deed(run: Run) -> Optional[Deed]:
    """What a run wants most: it gets a button of its own."""
    if run.active:
        return Deed.CANCEL
    if run.state is RunState.FINISHED:
        return Deed.RUN_AGAIN if run.gone else None if run.on_map else Deed.ADD_TO_MAP
    return Deed.RETRY if run.state is RunState.FAILED else Deed.RESUME


def fill_menu(menu: QMenu, run: Run, do: Callable[[Deed], None]) -> None:
    """Put the run's deeds into the menu."""
    menu.clear()
    possible = deeds_of(run)
    for group in _GROUPS:
        for deed in group:
            if deed in possible:
                _add(menu, deed, run, do)
        menu.addSeparator()


def deed_icon(deed: Deed) -> str:
    """Name of the theme's icon; empty where it has none."""
    return _ICONS.get(deed, "")


def _add(menu: QMenu, deed: Deed, run: Run, do: Callable[[Deed], None]) -> None:
    text = deed_title(deed)
    if deed is Deed.OPEN_FOLDER and run.size is not None:
        text = tr("{text} ({size})").format(text=text, size=size_text(run.size))
    action = menu.addAction(text)
    action.setObjectName(f"FusionMapperRun{deed.value}_{run.number}")
    if deed in _ICONS:
        action.setIcon(theme_icon(_ICONS[deed]))
    action.triggered.connect(lambda: do(deed))

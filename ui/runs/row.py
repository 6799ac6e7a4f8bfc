"""One run in the list: its state, how far it is, and what can be done with it."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QSize, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QMenu, QProgressBar, QSizePolicy, QToolButton, QWidget

from ..shared.widgets import ElidedLabel
from ..shared.wording import DOT, theme_icon, tip_text, tr
from .menu import Deed, deed_icon, deed_title, fill_menu, foremost_deed
from .state import Run, RunState
from .words import aside_text, row_text, state_icon, state_text, summary_text

#: Pixels.
_ICON = 16
_BAR = 14


class RunRow(QWidget):
    """Shows one run; its foremost deed has a button, all others stand in a menu."""

    asked = pyqtSignal(int, object)
    """Number and `Deed`."""
    menu_opened = pyqtSignal(int)

    def __init__(self, run: Run, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._run = run
        self._state: Optional[tuple[RunState, bool, bool]] = None
        self.setObjectName(f"FusionMapperRun_{run.number}")
        self._sign = QLabel(self)
        # Its end, the time of the start, tells runs of the same layers apart.
        self._title = ElidedLabel(self, Qt.TextElideMode.ElideMiddle)
        self._aside = QLabel(self)
        self._told = QLabel(self)
        self._bar = QProgressBar(self)
        self._foremost = QToolButton(self)
        self._more = QToolButton(self)
        self._menu = QMenu(self)
        self._prepare()
        self._lay_out()
        self.show_run()

    def show_run(self) -> None:
        """Show how the run stands."""
        run = self._run
        state = (run.state, run.on_map, run.gone)
        if self._state != state:
            self._state = state
            self._show_state(run)
        line = row_text(run)
        self._told.setText(line)
        self._told.setVisible(bool(line))
        self._bar.setValue(int(run.percent))
        self.setToolTip(tip_text(summary_text(run)))

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._foremost, self._more]

    def contextMenuEvent(self, event: object) -> None:
        self._menu.popup(event.globalPos())

    def _show_state(self, run: Run) -> None:
        self._sign.setPixmap(theme_icon(state_icon(run)).pixmap(QSize(_ICON, _ICON)))
        self._sign.setAccessibleName(state_text(run))
        self._title.setText(run.title)
        self.setAccessibleName(DOT.join([run.title, state_text(run)]))
        self._aside.setText(aside_text(run))
        self._bar.setVisible(run.state is RunState.RUNNING)
        self._show_foremost(foremost_deed(run))
        # Not under the user's hand; whatever has become impossible meanwhile does nothing.
        if not self._menu.isVisible():
            self._fill_menu()

    def _show_foremost(self, deed: Optional[Deed]) -> None:
        had_focus = self._foremost.hasFocus()
        self._foremost.setVisible(deed is not None)
        if deed is None:
            if had_focus:
                self._more.setFocus()
            return
        title = deed_title(deed).replace("&", "")
        self._foremost.setObjectName(f"FusionMapperRun{deed.value}_{self._run.number}")
        self._foremost.setIcon(theme_icon(deed_icon(deed)))
        self._foremost.setText(title)
        self._foremost.setToolTip(title)
        self._foremost.setAccessibleName(tr("{deed}, {run}").format(deed=title, run=self._run.title))
        named = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        self._foremost.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly if deed is Deed.CANCEL else named)

    def _prepare(self) -> None:
        number = self._run.number
        self._told.setObjectName(f"FusionMapperRunText_{number}")
        self._told.setWordWrap(True)
        # An engine's sentence may quote a file name that looks like markup.
        for label in (self._told, self._aside):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._told.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._bar.setObjectName(f"FusionMapperRunBar_{number}")
        self._bar.setRange(0, 100)
        self._bar.setMaximumHeight(_BAR)
        for button in (self._foremost, self._more):
            button.setAutoRaise(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setIconSize(QSize(_ICON, _ICON))
        self._foremost.clicked.connect(self._on_foremost)
        self._more.setObjectName(f"FusionMapperRunMore_{number}")
        self._more.setText("⋯")
        self._more.setToolTip(tr("More to do with this run"))
        self._more.setAccessibleName(tr("More to do with {run}").format(run=self._run.title))
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._more.setMenu(self._menu)
        # The button's own arrow would take as much room as its sign.
        self._more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self._menu.aboutToShow.connect(self._on_menu_opened)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(0)
        for column, part in enumerate((self._sign, self._title, self._aside, self._foremost, self._more)):
            grid.addWidget(part, 0, column)
        grid.addWidget(self._bar, 1, 1, 1, 4)
        grid.addWidget(self._told, 2, 1, 1, 4)
        grid.setColumnStretch(1, 1)

    def _fill_menu(self) -> None:
        fill_menu(self._menu, self._run, self._ask)

    def _ask(self, deed: Deed) -> None:
        self.asked.emit(self._run.number, deed)

    def _on_foremost(self) -> None:
        deed = foremost_deed(self._run)
        if deed is not None:
            self._ask(deed)

    def _on_menu_opened(self) -> None:
        self._fill_menu()
        self.menu_opened.emit(self._run.number)

"""The small buttons of the panel: options and help."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QUrl, pyqtSignal
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QHBoxLayout, QToolButton, QWidget

from ..toolbox.help import help_url
from .shared.wording import theme_icon, tr


class DockTools(QWidget):
    """A gear that opens the options, and a question mark that opens the help."""

    options_asked = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._options = self._button("FusionMapperOpenOptions", "mActionOptions.svg", tr("Options of Fusion Mapper…"))
        self._help = self._button("FusionMapperHelp", "mActionHelpContents.svg", tr("Help for Fusion Mapper"))
        self._options.clicked.connect(self.options_asked)
        self._help.clicked.connect(_open_help)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._options)
        layout.addWidget(self._help)

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._options, self._help]

    def _button(self, name: str, icon: str, text: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(name)
        button.setIcon(theme_icon(icon))
        button.setAutoRaise(True)
        button.setToolTip(text)
        button.setAccessibleName(text)
        return button


def _open_help() -> None:
    QDesktopServices.openUrl(QUrl(help_url()))

"""What has to be known of a model before its map is believed; under a starter model also what works instead."""

from __future__ import annotations

from html import escape
from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QPainter, QPaintEvent
from qgis.PyQt.QtWidgets import QLabel, QWidget

from ..shared.widgets import make_small
from ..shared.wording import tr

#: A bar at the side, which stands out on light and dark without a background of its own.
_BAR = QColor("#c27c0e")
#: Pixels: the bar, and from where the text begins.
_WIDTH, _TEXT = 3, 9
#: Where the links lead.
_IMPORT, _TRAIN = "import", "train"


class Notice(QLabel):
    """A few small lines beside a coloured bar; what comes from a file is shown as plain text."""

    import_asked = pyqtSignal()
    train_asked = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setObjectName("FusionMapperModelNotice")
        self.setAccessibleName(tr("Notice about the model"))
        self.setWordWrap(True)
        self.setContentsMargins(_TEXT, 0, 0, 0)
        make_small(self)
        self.linkActivated.connect(self._on_link)

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through: the notice while it has a link."""
        return [self] if self.textFormat() == Qt.TextFormat.RichText else []

    def show_text(self, text: str) -> None:
        """Show a sentence; empty hides the notice."""
        self._show(text, Qt.TextFormat.PlainText, Qt.TextInteractionFlag.NoTextInteraction)

    def show_starter(self, text: str) -> None:
        """Show a starter model's notice, and the ways to a model for real imagery."""
        self._show(_starter_html(text), Qt.TextFormat.RichText, Qt.TextInteractionFlag.TextBrowserInteraction)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        QPainter(self).fillRect(0, 0, _WIDTH, self.height(), _BAR)

    def _show(self, text: str, text_format: Qt.TextFormat, interaction: Qt.TextInteractionFlag) -> None:
        self.setTextFormat(text_format)
        # Which also decides whether the Tab key stops here.
        self.setTextInteractionFlags(interaction)
        self.setText(text)
        self.setVisible(bool(text))

    def _on_link(self, target: str) -> None:
        (self.train_asked if target == _TRAIN else self.import_asked).emit()


def _starter_html(text: str) -> str:
    instead = tr("For real imagery {importing}, or {training}.")
    importing = f'<a href="{_IMPORT}">{escape(tr("import a model"))}</a>'
    training = f'<a href="{_TRAIN}">{escape(tr("train one on a few labels"))}</a>'
    return " ".join((escape(_ended(text)), escape(instead).format(importing=importing, training=training)))


def _ended(text: str) -> str:
    return text if not text or text.endswith(".") else text + "."

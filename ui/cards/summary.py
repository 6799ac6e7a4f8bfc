"""What a model is and needs, at a glance: needs, classes with their colours, and the card's notice."""

from __future__ import annotations

from html import escape
from typing import Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLabel, QVBoxLayout, QWidget

from ...models.card import Card, ClassInfo
from ...models.palette import class_color
from ..shared.wording import card_classes, needs_text, tr

#: Beyond this many classes their number says more than their names.
NAMED_CLASSES = 8
#: A bar at the side, which stands out on light and dark without a background of its own.
_NOTICE_STYLE = "border-left: 3px solid #c27c0e; padding: 1px 0 1px 6px"


class CardSummary(QWidget):
    """Shows one card; everything in it comes from a file and is shown as plain text."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._needs = self._add_label("FusionMapperModelNeeds", Qt.TextFormat.PlainText)
        self._classes = self._add_label("FusionMapperModelClasses", Qt.TextFormat.RichText)
        self._notice = self._add_label("FusionMapperModelNotice", Qt.TextFormat.PlainText)
        self._notice.setStyleSheet(_NOTICE_STYLE)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for label in (self._needs, self._classes, self._notice):
            layout.addWidget(label)
        self.show_card(None)

    def show_card(self, card: Optional[Card]) -> None:
        """Show the card, or nothing."""
        self._show(self._needs, needs_text(card) if card else "")
        self._show(self._classes, classes_html(card_classes(card)) if card else "")
        self._show(self._notice, sentence(card.notice) if card else "")
        self.setToolTip(card.description if card else "")

    def show_problem(self, text: str) -> None:
        """Say why there is no card to show."""
        self.show_card(None)
        self._show(self._notice, text)

    def _add_label(self, name: str, text_format: Qt.TextFormat) -> QLabel:
        label = QLabel(self)
        label.setObjectName(name)
        label.setTextFormat(text_format)
        label.setWordWrap(True)
        return label

    @staticmethod
    def _show(label: QLabel, text: str) -> None:
        label.setText(text)
        label.setVisible(bool(text))


def sentence(text: str) -> str:
    """A card's notice, begun with a capital as the sentences around it are."""
    return text[:1].upper() + text[1:]


def classes_html(classes: tuple[ClassInfo, ...]) -> str:
    """The classes as coloured squares, with their names where there are few."""
    named = len(classes) <= NAMED_CLASSES
    swatches = [_swatch(info, class_color(info, index), named) for index, info in enumerate(classes)]
    if named:
        return " ".join(swatches)
    return tr("{count} classes").format(count=len(classes)) + " " + "".join(swatches)


def _swatch(info: ClassInfo, color: str, named: bool) -> str:
    name = "&nbsp;" + escape(info.name).replace(" ", "&nbsp;") if named else ""
    return f'<span style="color:{color}">■</span>{name}'

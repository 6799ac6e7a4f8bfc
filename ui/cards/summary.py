"""What a model is and needs, at a glance: needs, classes with their colours, and the card's notice."""

from __future__ import annotations

from html import escape
from typing import Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLabel, QVBoxLayout, QWidget

from ...models.card import Card, ClassInfo
from ...models.palette import class_color
from ..shared.widgets import ElidedLabel, make_small
from ..shared.wording import card_classes, needs_text, tr
from .notice import Notice

#: Beyond this many classes their number says more than their names.
NAMED_CLASSES = 8


class CardSummary(QWidget):
    """Shows one card; everything in it comes from a file and is shown as plain text."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._needs = ElidedLabel(self)
        self._classes = QLabel(self)
        self.notice = Notice(self)
        self._prepare()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for label in (self._needs, self._classes, self.notice):
            layout.addWidget(label)
        self.show_card(None)

    def show_card(self, card: Optional[Card], starter: bool = False) -> None:
        """Show the card, or nothing; `starter` tells one of the models that come with the plugin."""
        needs = needs_text(card) if card else ""
        self._show(self._needs, needs)
        self._needs.setToolTip(f"<qt>{escape(needs)}</qt>")
        self._show(self._classes, classes_html(card_classes(card)) if card else "")
        show_notice = self.notice.show_starter if starter else self.notice.show_text
        show_notice(sentence(card.notice) if card else "")
        self.setToolTip(f"<qt>{escape(card.description)}</qt>" if card else "")

    def show_problem(self, text: str) -> None:
        """Say why there is no card to show."""
        self.show_card(None)
        self.notice.show_text(text)

    def _prepare(self) -> None:
        self._needs.setObjectName("FusionMapperModelNeeds")
        self._classes.setObjectName("FusionMapperModelClasses")
        self._classes.setTextFormat(Qt.TextFormat.RichText)
        self._classes.setWordWrap(True)
        for label in (self._needs, self._classes):
            make_small(label)

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

"""The preview's button, and the line that says what is shown."""

from __future__ import annotations

from html import escape
from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from ..shared.wording import DOT, theme_icon, tip_text, tr
from .preview import Preview, PreviewState


class PreviewButton(QPushButton):
    """Asks for a preview; stops the one that is being made."""

    preview_asked = pyqtSignal()

    def __init__(self, preview: Preview, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._preview = preview
        self._problem = ""
        self.setObjectName("FusionMapperPreviewButton")
        self.clicked.connect(self._on_clicked)
        preview.preview_changed.connect(self._show_state)
        self._show_state()

    def show_problem(self, problem: str) -> None:
        """Know what keeps a preview from being made, in one sentence; empty where nothing does."""
        self._problem = problem
        self._show_state()

    def _show_state(self) -> None:
        working = self._preview.state is PreviewState.WORKING
        self.setText(tr("&Stop") if working else tr("&Preview"))
        self.setEnabled(working or not self._problem)
        self.setToolTip(self._tip(working))

    def _tip(self, working: bool) -> str:
        if working:
            return tr("Stop; what has been mapped so far stays to be seen")
        return tip_text(self._problem) or tr(
            "Maps what the map window shows, at once and without leaving files or layers behind"
        )

    def _on_clicked(self) -> None:
        if self._preview.state is PreviewState.WORKING:
            self._preview.stop()
        else:
            self.preview_asked.emit()


class PreviewLine(QWidget):
    """What the preview shows, how far it is or why there is none; hidden where there is nothing to say."""

    def __init__(self, preview: Preview, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._preview = preview
        self._text = QLabel(self)
        self._clear = QToolButton(self)
        self._prepare()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._clear)
        preview.preview_changed.connect(self._show_state)
        self._show_state()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._clear]

    def _prepare(self) -> None:
        self._text.setObjectName("FusionMapperPreviewText")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._clear.setObjectName("FusionMapperPreviewClear")
        self._clear.setAutoRaise(True)
        self._clear.setIcon(theme_icon("mIconClose.svg"))
        self._clear.setAccessibleName(tr("Clear Preview"))
        self._clear.setToolTip(tr("Take the preview off the map"))
        self._clear.clicked.connect(self._preview.clear)

    def _show_state(self) -> None:
        preview = self._preview
        parts = [preview.text]
        if preview.state is PreviewState.WORKING:
            parts.append(tr("{percent} %").format(percent=int(preview.percent)))
        self._text.setText(DOT.join(parts))
        warnings = "<br>".join(escape(sentence) for sentence in preview.warnings)
        self._text.setToolTip(f"<qt>{warnings}</qt>" if warnings else "")
        self.setVisible(preview.state is not PreviewState.NONE)

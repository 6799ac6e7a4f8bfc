"""The summary of one run: areas by class with bars, or the figures of a regression; for the clipboard and as a file."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import QSize, QSortFilterProxyModel, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeySequence
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QAction,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QTableView,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ...inference.record import Figures, RunRecord
from ...toolbox.results.figures import (
    Cell,
    clipboard_text,
    csv_text,
    finished_text,
    hectares_text,
    record_title,
    share_text,
    table_of,
)
from ..shared.widgets import ElidedLabel
from ..shared.wording import DOT, theme_icon, tr
from .summary_table import AREA, CLASS, SHARE, SORT_ROLE, ClassTable, FigureTable, ShareDelegate

#: Pixels: the window's width and the most that it opens with of the height, and the air in a table.
_WIDTH, _MOST = 480, 560
_AIR_BESIDE, _AIR_ABOVE = 14, 8


class SummaryPage(QWidget):
    """The figures of one output."""

    def __init__(self, figures: Figures, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._figures = figures
        self.table = QTableView(self)
        self._sorted = QSortFilterProxyModel(self)
        self._fill()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(_line(_covered(figures), self))
        layout.addWidget(self.table, 1)
        # The focus must not be lost in a table that Tab walks through cell by cell.
        self.table.setTabKeyNavigation(False)

    def cells(self, chosen_only: bool = False) -> list[list[Cell]]:
        """The table with its heads, in the order shown; of the chosen rows alone, or of all and nodata."""
        heads, *rows = table_of(self._figures)
        shown = [self._sorted.mapToSource(self._sorted.index(at, 0)).row() for at in range(self._sorted.rowCount())]
        chosen = {self._sorted.mapToSource(index).row() for index in self.table.selectionModel().selectedRows()}
        if chosen_only and chosen:
            return [heads, *(rows[at] for at in shown if at in chosen)]
        return [heads, *(rows[at] for at in shown), *rows[len(shown) :]]

    def _fill(self) -> None:
        classes = bool(self._figures.classes)
        self._sorted.setSourceModel((ClassTable if classes else FigureTable)(self._figures, self))
        self._sorted.setSortRole(SORT_ROLE)
        table = self.table
        table.setObjectName("FusionMapperSummaryTable")
        table.setAccessibleName(tr("Figures of {output}").format(output=self._figures.output))
        table.setModel(self._sorted)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        table.setSizeAdjustPolicy(QAbstractItemView.SizeAdjustPolicy.AdjustToContents)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + _AIR_ABOVE)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        if classes:
            table.setItemDelegateForColumn(SHARE, ShareDelegate(table))
            # In the card's order until a head is clicked.
            header.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
            table.setSortingEnabled(True)
            self._sorted.sort(-1)
        table.resizeColumnsToContents()
        for column in (CLASS, AREA) if classes else (CLASS,):
            header.resizeSection(column, header.sectionSize(column) + _AIR_BESIDE)


class SummaryPanel(QDialog):
    """What a run's map amounts to; stays open beside the map."""

    report_asked = pyqtSignal(object)
    """The run's folder."""
    save_asked = pyqtSignal(object, str)
    """A path, and the text to be written to it."""

    def __init__(self, folder: Path, record: RunRecord, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self._record = record
        self.setObjectName("FusionMapperSummary")
        self.setWindowTitle(tr("Summary of {run}").format(run=record_title(record)))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._pages = QTabWidget(self)
        self._lay_out()
        self.resize(QSize(_WIDTH, min(self.sizeHint().height(), _MOST)))

    def page(self) -> SummaryPage:
        """The output that is shown."""
        return self._pages.currentWidget()

    def copy(self, chosen_only: bool = False) -> None:
        """Put the table on the clipboard, as a spreadsheet takes it."""
        QApplication.clipboard().setText(clipboard_text(self.page().cells(chosen_only)))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        title = _line(record_title(self._record), self)
        font = title.font()
        font.setBold(True)
        title.setFont(font)
        title.setObjectName("FusionMapperSummaryTitle")
        layout.addWidget(title)
        layout.addWidget(_line(_when(self._record), self))
        for figures in self._record.areas:
            # A tab's text may hold an ampersand, which Qt takes for a mnemonic.
            self._pages.addTab(SummaryPage(figures, self._pages), figures.output.replace("&", "&&"))
        self._pages.setTabBarAutoHide(True)
        self._pages.setDocumentMode(True)
        layout.addWidget(self._pages, 1)
        if self._record.attribution:
            credit = QLabel("\n".join(self._record.attribution), self)
            credit.setObjectName("FusionMapperSummaryCredit")
            credit.setTextFormat(Qt.TextFormat.PlainText)
            credit.setWordWrap(True)
            credit.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(credit)
        layout.addWidget(self._buttons())

    def _buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        box.rejected.connect(self.close)
        deeds = (
            ("Copy", "mActionEditCopy.svg", tr("&Copy"), tr("Copy the table for a spreadsheet"), self._on_copy),
            ("Save", "mActionFileSaveAs.svg", tr("&Save as CSV…"), tr("Save the table as a file"), self._on_save),
            (
                "Report",
                "mActionFilePrint.svg",
                tr("&Report"),
                tr("Open the run's report"),
                self._on_report,
            ),
        )
        for name, icon, text, hint, deed in deeds:
            button = QPushButton(theme_icon(icon), text, self)
            button.setObjectName(f"FusionMapperSummary{name}")
            button.setToolTip(hint)
            button.setAutoDefault(False)
            button.clicked.connect(deed)
            box.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        keys = QAction(self)
        keys.setObjectName("FusionMapperSummaryCopyKeys")
        keys.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        keys.triggered.connect(lambda: self.copy(chosen_only=True))
        self.addAction(keys)
        return box

    def _on_copy(self) -> None:
        self.copy()

    def _on_save(self) -> None:
        start = str(self.folder / "areas.csv")
        path, _ = QFileDialog.getSaveFileName(self, tr("Save as CSV"), start, tr("CSV files (*.csv)"))
        if path:
            self.save_asked.emit(Path(path).with_suffix(".csv"), csv_text(self.page().cells()))

    def _on_report(self) -> None:
        self.report_asked.emit(self.folder)


def _line(text: str, parent: QWidget) -> ElidedLabel:
    """Words from files, as they are, on one line; all of them in its tool tip."""
    label = ElidedLabel(parent)
    label.setText(text)
    label.setToolTip(escape(text))
    return label


def _when(record: RunRecord) -> str:
    grid = record.grid
    pixels = tr("pixels of {size} m").format(size=f"{sum(grid.gsd) / 2:.3g}") if grid else ""
    return DOT.join(part for part in (finished_text(record), pixels) if part)


def _covered(figures: Figures) -> str:
    """The mapped area, and what of the extent is in no class."""
    mapped = tr("{area} mapped").format(area=hectares_text(figures.area_ha))
    if not figures.nodata_ha:
        return mapped
    share = share_text(figures.nodata_ha / (figures.nodata_ha + figures.area_ha))
    nodata = tr("{area} nodata ({share} of the extent)").format(area=hectares_text(figures.nodata_ha), share=share)
    return DOT.join((mapped, nodata))

"""Cleaning run folders: what each holds, what may go, and why the others stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Optional

from qgis.core import QgsProject
from qgis.PyQt.QtCore import QDateTime, QLocale, Qt
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QRadioButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...inference.errors import RequestError
from ...toolbox.runs.folder_use import LayerFile, layer_files, layers_inside
from ...toolbox.runs.folders import RunFolder, delete_folder, delete_leftovers, examine, run_folders
from ...toolbox.settings import data_folder, output_folder
from ..shared.background import Background
from ..shared.wording import count_text, size_text, tip_text, tr
from .model import RunModel
from .state import Run
from .words import state_text

#: Pixels.
_SIZE = (680, 380)
_SIZE_COLUMN, _LEFT_COLUMN = 3, 4


@dataclass(frozen=True)
class _Found:
    """A run's folder, and the layers of the project that read from it."""

    folder: RunFolder
    layers: list[str]


@dataclass(frozen=True)
class _Deleted:
    """What became of the folders that were to go."""

    freed: int
    gone: list[Path]
    problems: list[str]


class CleanUp(QDialog):
    """Lists all run folders; deletes from those that are ticked."""

    def __init__(self, model: RunModel, files: Background, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._files = files
        self._list = QTreeWidget(self)
        self._leftovers = QRadioButton(tr("Delete &copies of layers and unfinished blocks only"), self)
        self._whole = QRadioButton(tr("Delete &whole folders, results included"), self)
        self._told = QLabel(self)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self._delete = self._buttons.addButton(tr("&Delete"), QDialogButtonBox.ButtonRole.DestructiveRole)
        self.setObjectName("FusionMapperCleanUp")
        self.setWindowTitle(tr("Clean Up Run Folders"))
        self._prepare()
        self._lay_out()

    def refresh(self) -> None:
        """Look at the folders again."""
        self._list.clear()
        self._told.setText(tr("Looking at the folders…"))
        self._delete.setEnabled(False)
        remembered = [run.request.folder for run in self._model.runs()]
        files = layer_files(QgsProject.instance())
        self._files.ask(partial(_survey, _parents(), remembered, files), self._on_surveyed, self._told.setText)

    def _prepare(self) -> None:
        names = (
            (self._list, "FusionMapperCleanUpList"),
            (self._leftovers, "FusionMapperCleanUpLeftovers"),
            (self._whole, "FusionMapperCleanUpWhole"),
            (self._told, "FusionMapperCleanUpText"),
            (self._delete, "FusionMapperCleanUpDelete"),
        )
        for part, name in names:
            part.setObjectName(name)
        self._list.setHeaderLabels([tr("Run"), tr("State"), tr("Last change"), tr("Size"), tr("Not needed")])
        self._list.setRootIsDecorated(False)
        # A run's title ends in its time, which tells runs of the same layers apart.
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.setUniformRowHeights(True)
        self._list.setAccessibleName(self.windowTitle())
        self._told.setWordWrap(True)
        self._told.setTextFormat(Qt.TextFormat.PlainText)
        self._leftovers.setChecked(True)
        self._leftovers.setToolTip(tr("A run that is not finished then starts from its beginning when it is resumed"))
        self._list.itemChanged.connect(self._on_choice)
        self._whole.toggled.connect(self._on_kind)
        self._delete.clicked.connect(self._on_delete)
        self._buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        for part in (self._list, self._leftovers, self._whole, self._told, self._buttons):
            layout.addWidget(part)
        header = self._list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, self._list.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.resize(*_SIZE)

    def _on_surveyed(self, found: object) -> None:
        runs = {run.request.folder: run for run in self._model.runs()}
        for one in found:
            self._list.addTopLevelItem(_item(one, runs.get(one.folder.path)))
        if not any(one.folder.leftovers for one in found):
            self._whole.setChecked(True)
        self._on_kind()

    def _on_kind(self) -> None:
        """What may go depends on how much of it is to go."""
        self._list.blockSignals(True)
        for item in self._items():
            reason = self._reason(item)
            item.setDisabled(bool(reason))
            if reason:
                item.setCheckState(0, Qt.CheckState.Unchecked)
            item.setToolTip(0, tip_text(reason or str(_found(item).folder.path)))
        self._list.blockSignals(False)
        self._on_choice()

    def _on_choice(self) -> None:
        chosen = self._chosen()
        self._delete.setEnabled(bool(chosen))
        freed = sum(one.folder.size if self._whole.isChecked() else one.folder.leftovers for one in chosen)
        if not self._list.topLevelItemCount():
            self._told.setText(tr("There are no run folders."))
        elif chosen:
            self._told.setText(
                ", ".join((count_text(len(chosen), tr("1 folder"), tr("{count} folders")), size_text(freed)))
            )
        else:
            self._told.setText(tr("Tick the folders to clean; the tooltip says why one cannot be."))

    def _on_delete(self) -> None:
        deed = delete_folder if self._whole.isChecked() else delete_leftovers
        folders = [one.folder.path for one in self._chosen()]
        self._delete.setEnabled(False)
        self._told.setText(tr("Deleting…"))
        self._files.ask(partial(_delete_all, deed, folders), self._on_deleted, self._told.setText)

    def _on_deleted(self, deleted: object) -> None:
        for run in self._model.runs():
            if run.request.folder in deleted.gone:
                self._model.forget(run.number)
        self.refresh()
        freed = tr("{size} were freed.").format(size=size_text(deleted.freed))
        self._files.ask(lambda: "\n".join([freed, *deleted.problems]), self._told.setText)

    def _reason(self, item: QTreeWidgetItem) -> str:
        """Why the folder cannot be cleaned in this way, in one sentence; empty where it can."""
        one = _found(item)
        path = one.folder.path
        if any(path in (run.request.folder, run.origin) for run in self._model.runs() if run.active):
            return tr("A run is at work in it.")
        if not self._whole.isChecked():
            return "" if one.folder.leftovers else tr("It holds nothing that is not needed.")
        if one.layers:
            return tr("The project shows {layers} from it.").format(layers=", ".join(one.layers))
        if one.folder.foreign:
            return tr("It also holds {names}, which no run wrote.").format(names=", ".join(one.folder.foreign[:3]))
        return ""

    def _chosen(self) -> list[_Found]:
        return [_found(item) for item in self._items() if item.checkState(0) == Qt.CheckState.Checked]

    def _items(self) -> list[QTreeWidgetItem]:
        return [self._list.topLevelItem(row) for row in range(self._list.topLevelItemCount())]


def _parents() -> list[Path]:
    """Where runs put their folders when nobody says otherwise."""
    chosen = output_folder()
    return [data_folder() / "runs", *([chosen] if chosen else [])]


def _survey(parents: Sequence[Path], remembered: Sequence[Path], files: Sequence[LayerFile]) -> list[_Found]:
    """All run folders, the largest first."""
    found = []
    for path in run_folders(parents, remembered):
        try:
            folder = examine(path, path in remembered)
        except RequestError:
            # Deleted or locked away since it was listed; there is nothing to clean.
            continue
        found.append(_Found(folder, layers_inside(files, path)))
    return sorted(found, key=lambda one: -one.folder.size)


def _delete_all(deed: Callable[[Path, bool], int], folders: Sequence[Path]) -> _Deleted:
    freed, gone, problems = 0, [], []
    for path in folders:
        try:
            freed += deed(path, True)
        except RequestError as problem:
            problems.append(str(problem))
            continue
        if not path.exists():
            gone.append(path)
    return _Deleted(freed, gone, problems)


def _item(one: _Found, run: Optional[Run]) -> QTreeWidgetItem:
    folder = one.folder
    changed = QDateTime.fromSecsSinceEpoch(int(folder.changed))
    cells = [
        run.title if run else folder.path.name,
        state_text(run) if run else "",
        QLocale().toString(changed, QLocale.FormatType.ShortFormat) if folder.changed else "",
        size_text(folder.size),
        size_text(folder.leftovers) if folder.leftovers else "",
    ]
    item = QTreeWidgetItem(cells)
    item.setData(0, Qt.ItemDataRole.UserRole, one)
    item.setCheckState(0, Qt.CheckState.Unchecked)
    for column in (_SIZE_COLUMN, _LEFT_COLUMN):
        item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item


def _found(item: QTreeWidgetItem) -> _Found:
    return item.data(0, Qt.ItemDataRole.UserRole)

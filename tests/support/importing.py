"""What the tests of the import dialog share: finding its widgets by name, and working them as a user does."""

from __future__ import annotations

from fusion_mapper.ui.importer.dialog import ImportDialog
from qgis.PyQt.QtCore import QEvent, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QComboBox, QLineEdit, QPushButton, QTableWidget, QWidget

#: Milliseconds that an engine that has to start first may take.
PATIENCE = 60_000


def part(dialog: ImportDialog, kind: type, name: str) -> QWidget:
    found = dialog.findChild(kind, "FusionMapperImport" + name)
    assert found is not None, name
    return found


def read(qtbot, dialog: ImportDialog, path) -> None:
    """Open a file and wait until its card stands in the form and was looked over."""
    dialog.open_file(path)
    qtbot.waitUntil(lambda: dialog.draft() is not None and not dialog.working(), timeout=PATIENCE)


def settle(qtbot, dialog: ImportDialog) -> None:
    """Wait until the engine has looked over the last change."""
    qtbot.waitUntil(lambda: not dialog._checking(), timeout=PATIENCE)


def choose(dialog: ImportDialog, name: str, data: str) -> None:
    """Choose an entry of a combo box with the keyboard."""
    combo = part(dialog, QComboBox, name)
    combo.setFocus()
    for _ in range(combo.count()):
        if combo.currentData() == data:
            return
        down = combo.findData(data) > combo.currentIndex()
        QTest.keyClick(combo, Qt.Key.Key_Down if down else Qt.Key.Key_Up)
    assert combo.currentData() == data, f"{name} offers no {data}"


def write(dialog: ImportDialog, name: str, text: str) -> None:
    """Type into a line."""
    edit = part(dialog, QLineEdit, name)
    edit.selectAll()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def write_cell(dialog: ImportDialog, name: str, row: int, column: int, text: str) -> None:
    """Type into a cell of a table."""
    table = part(dialog, QTableWidget, name)
    table.setCurrentCell(row, column)
    table.editItem(table.item(row, column))
    editor = table.viewport().findChild(QLineEdit)
    editor.selectAll()
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    # The table takes over what was typed, and deletes the editor, in the events that follow.
    QApplication.processEvents()
    QApplication.sendPostedEvents(editor, QEvent.Type.DeferredDelete)


def note(dialog: ImportDialog, field: str) -> str:
    """The sentence beside a field; empty where there is none to be seen."""
    widget = dialog.findChild(QWidget, "FusionMapperImportNote_" + field)
    return widget.layout().itemAt(0).widget().accessibleName() if widget.isVisible() else ""


def button(dialog: ImportDialog, name: str) -> QPushButton:
    return part(dialog, QPushButton, name)

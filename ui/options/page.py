"""The page in QGIS's options dialog: what is set once. Nothing on it is needed for a first run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QFormLayout, QGroupBox, QLabel, QSpinBox, QVBoxLayout, QWidget

from ...toolbox import settings
from ...toolbox.engine.environment import PLUGIN_ROOT
from ..setup.field import SetupField
from ..setup.model import SetupModel
from ..shared.wording import device_titles, tr
from .engine import EngineField
from .trainer import TrainerField

#: The page's object name, by which QGIS opens its options on it.
PAGE = "FusionMapperOptions"
#: The least ceiling in MiB that leaves the engine room for one block.
_LEAST_MEMORY = 64


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page each time QGIS opens its options."""

    settings_changed = pyqtSignal()
    """The user has confirmed the options; what stands in them may have changed."""

    def __init__(self, setup: Optional[SetupModel] = None) -> None:
        super().__init__()
        self._setup = setup or SetupModel()
        # Called at the time of asking, so that the words follow the user's language.
        self.setTitle(tr("Fusion Mapper"))

    def icon(self) -> QIcon:
        return QIcon(str(PLUGIN_ROOT / "resources" / "icon.svg"))

    def createWidget(self, parent: Optional[QWidget] = None) -> OptionsPage:
        page = OptionsPage(self._setup, parent)
        page.applied.connect(self.settings_changed)
        return page


class OptionsPage(QgsOptionsPageWidget):
    """Folders, engine, device and memory; QGIS calls `apply` when the user confirms."""

    applied = pyqtSignal()

    def __init__(self, setup: SetupModel, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setObjectName(PAGE)
        self._library = FolderField(str(settings.data_folder() / "models"), self)
        self._output = FolderField(str(settings.data_folder() / "runs"), self)
        self._environment = SetupField(setup, self)
        self._engine = EngineField(self)
        self._trainer = TrainerField(self)
        self._device = QComboBox(self)
        self._memory = QSpinBox(self)
        self._blocks = QCheckBox(tr("Show &blocks on the map while mapping"), self)
        self._prepare()
        self._lay_out()
        self._read()
        setup.engine_changed.connect(self._on_engine_changed)

    def isValid(self) -> bool:
        """Whether the options may be closed with OK; asked by newer versions of QGIS than 3.22."""
        return not (self._library.problem() or self._output.problem())

    def apply(self) -> None:
        """Keep what stands on the page; a folder that cannot be used is left as it was."""
        if not self._library.problem():
            settings.set_library_folder(self._library.folder())
        if not self._output.problem():
            settings.set_output_folder(self._output.folder())
        settings.set_engine_python(self._engine.python())
        settings.set_trainer_python(self._trainer.python())
        settings.set_default_device(self._device.currentData())
        settings.set_memory_ceiling(self._memory.value() or None)
        settings.set_show_blocks(self._blocks.isChecked())
        self.applied.emit()

    def _read(self) -> None:
        self._library.show_folder(settings.LIBRARY_FOLDER.read())
        self._output.show_folder(settings.OUTPUT_FOLDER.read())
        self._engine.show_python(settings.engine_python())
        self._trainer.show_python(settings.trainer_python())
        self._device.setCurrentIndex(max(0, self._device.findData(settings.default_device())))
        self._memory.setValue(settings.memory_ceiling() or 0)
        self._blocks.setChecked(settings.show_blocks())

    def _prepare(self) -> None:
        self._library.name(
            "FusionMapperLibraryFolder", tr("Model library"), tr("Imported models are copied into this folder")
        )
        self._output.name(
            "FusionMapperOutputFolder", tr("Run folders"), tr("Each run gets a folder of its own in here")
        )
        for value, title in device_titles():
            self._device.addItem(title, value)
        self._device.setObjectName("FusionMapperDefaultDevice")
        self._device.setToolTip(tr("What the panel offers first; the toolbox names its device in each call"))
        self._memory.setObjectName("FusionMapperMemoryCeiling")
        self._memory.setRange(0, 2**20)
        self._memory.setSingleStep(512)
        self._memory.setSuffix(tr(" MiB"))
        self._memory.setSpecialValueText(tr("No limit"))
        self._memory.setToolTip(tr("How much memory the engine may take in a run that names no ceiling of its own"))
        self._memory.editingFinished.connect(self._on_memory_edited)
        self._blocks.setObjectName("FusionMapperShowBlocks")
        self._blocks.setToolTip(tr("Finished parts of a map are drawn over the layers until the run ends"))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(
            self._group(tr("Folders"), (tr("Model &library"), self._library), (tr("R&un folders"), self._output))
        )
        engine = ((tr("&Environment"), self._environment), (tr("&Python"), self._engine))
        layout.addWidget(self._group(tr("Engine"), *engine, (tr("Python for &training"), self._trainer)))
        runs = self._group(tr("Runs"), (tr("&Device"), self._device), (tr("&Memory ceiling"), self._memory))
        runs.layout().addRow(self._blocks)
        layout.addWidget(runs)
        layout.addStretch(1)

    def _group(self, title: str, *rows: tuple[str, QWidget]) -> QGroupBox:
        group = QGroupBox(title, self)
        form = QFormLayout(group)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for text, field in rows:
            label = QLabel(text, group)
            label.setBuddy(field.focusProxy() or field)
            form.addRow(label, field)
        return group

    def _on_engine_changed(self) -> None:
        self._engine.show_python(settings.engine_python())

    def _on_memory_edited(self) -> None:
        if 0 < self._memory.value() < _LEAST_MEMORY:
            self._memory.setValue(_LEAST_MEMORY)


class FolderField(QWidget):
    """A folder, what stands for none, and under it what is wrong with it."""

    def __init__(self, usual: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._file = QgsFileWidget(self)
        self._problem = problem_label(self)
        self._file.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self._file.lineEdit().setPlaceholderText(usual)
        self._file.fileChanged.connect(self._on_changed)
        self.setFocusProxy(self._file.lineEdit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._file)
        layout.addWidget(self._problem)

    def name(self, object_name: str, accessible_name: str, tool_tip: str) -> None:
        """Name it, for tests and for those who listen to the screen."""
        self._file.setObjectName(object_name)
        self._file.lineEdit().setAccessibleName(accessible_name)
        self._file.setToolTip(tool_tip)

    def folder(self) -> Optional[Path]:
        """The folder; None for the usual one."""
        text = self._file.filePath().strip()
        return Path(text) if text else None

    def show_folder(self, text: str) -> None:
        """Show what is set."""
        self._file.setFilePath(text)
        self._on_changed()

    def problem(self) -> str:
        """Why nothing can be kept there, in one sentence; empty where all is well."""
        return folder_problem(self.folder())

    def _on_changed(self) -> None:
        self._problem.setText(self.problem())
        self._problem.setVisible(bool(self.problem()))


def folder_problem(folder: Optional[Path]) -> str:
    """Why nothing can be written into the folder, in one sentence; one that is yet to be made is fine."""
    if folder is None:
        return ""
    if not folder.is_absolute():
        return tr("Give the whole path of the folder.")
    if folder.exists() and not folder.is_dir():
        return tr("This is a file; choose a folder.")
    present = next((parent for parent in (folder, *folder.parents) if parent.is_dir()), None)
    if present is None:
        return tr("This folder is on no drive of this machine; choose another one.")
    if not os.access(present, os.W_OK):
        return tr("Nothing can be written here; choose another folder.")
    return ""


def problem_label(parent: QWidget) -> QLabel:
    """A hidden label for one sentence under a field."""
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setVisible(False)
    return label

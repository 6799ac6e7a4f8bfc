"""The rarely needed rest of what a run makes: where it goes, how polygons and maps are shaped, on which device."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.core import QgsProcessingUtils
from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget
from qgis.PyQt.QtCore import QSignalBlocker, pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QToolButton, QWidget

from ...toolbox.algorithms.base import temporary_folder
from ...toolbox.runs.execute import new_run_folder
from ...toolbox.settings import default_device, show_blocks
from ..shared.widgets import keep_narrow
from ..shared.wording import device_titles, tr

_HECTARE = 10_000.0
#: What the special values at the lower ends of the spin boxes stand for.
_ONE_PIXEL = -1.0
#: Products that the settings of polygons shape.
_POLYGONS = frozenset(("polygons", "fields"))


class ResultOptions(QgsCollapsibleGroupBox):
    """Folded away to begin with; whether it is open is remembered."""

    options_changed = pyqtSignal()
    blocks_toggled = pyqtSignal(bool)
    """Whether finished blocks are to be shown on the map."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("More"), parent)
        self._folder = QgsFileWidget(self)
        self._temporary = QCheckBox(tr("&Temporary"), self)
        self._smallest = QDoubleSpinBox(self)
        self._simplify = QDoubleSpinBox(self)
        self._confidence = QDoubleSpinBox(self)
        self._device = QComboBox(self)
        self._unreadable = QComboBox(self)
        self._blocks = QCheckBox(tr("Show &blocks while mapping"), self)
        self._prepare_places()
        self._prepare_shapes()
        self._prepare_choices()
        self._lay_out()
        self._listen()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        opener = self.findChild(QToolButton, "collapseButton")
        shapes = (self._smallest, self._simplify, self._confidence)
        last = (self._device, self._unreadable, self._blocks)
        return [opener, self._folder.lineEdit(), self._temporary, *shapes, *last]

    def parameters(self) -> dict[str, object]:
        """The settings as parameters of the Processing algorithm."""
        simplify = self._simplify.value()
        return {
            "DEVICE": self._device.currentData(),
            "MINIMUM_AREA": self._smallest.value() * _HECTARE,
            "SIMPLIFY": simplify if simplify >= 0 else None,
            "THRESHOLD": self._confidence.value() / 100 or None,
            "UNREADABLE": self._unreadable.currentData(),
        }

    def place(self) -> Path:
        """The folder in which runs put theirs."""
        if self._temporary.isChecked():
            return Path(QgsProcessingUtils.tempFolder())
        chosen = self._folder.filePath().strip()
        return Path(chosen) if chosen else new_run_folder().parent

    def run_folder(self) -> Path:
        """A folder that no other run has, not yet made."""
        if self._temporary.isChecked():
            return temporary_folder()
        return self.place() / new_run_folder().name

    def show_products(self, products: list[str]) -> None:
        """Know which products are ticked: not every setting counts for all of them."""
        for box in (self._smallest, self._simplify):
            box.setEnabled(bool(_POLYGONS & set(products)))

    def take_settings(self) -> None:
        """Follow the options, which may have been changed."""
        with QSignalBlocker(self._blocks):
            self._blocks.setChecked(show_blocks())
        # What was chosen by hand stays while the options say what they said before.
        if default_device() != self._usual_device:
            self._choose_usual_device()

    def _choose_usual_device(self) -> None:
        self._usual_device = default_device()
        self._device.setCurrentIndex(max(0, self._device.findData(self._usual_device)))

    def _prepare_places(self) -> None:
        self.setObjectName("FusionMapperMore")
        self.setSettingGroup("fusion_mapper/dock")
        self.setSaveCollapsedState(True)
        self.setCollapsed(True)
        self._folder.setObjectName("FusionMapperFolder")
        self._folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self._folder.lineEdit().setPlaceholderText(tr("As in the options"))
        self._folder.setToolTip(tr("Each run gets a folder of its own in here"))
        self._temporary.setObjectName("FusionMapperTemporary")
        self._temporary.setToolTip(tr("QGIS deletes the results when it is closed"))

    def _prepare_shapes(self) -> None:
        self._smallest.setObjectName("FusionMapperSmallestPolygon")
        self._smallest.setSuffix(tr(" ha"))
        self._smallest.setDecimals(3)
        self._smallest.setMaximum(1e6)
        self._smallest.setSpecialValueText(tr("Keep all"))
        self._smallest.setToolTip(tr("Smaller polygons are merged into a neighbour"))
        self._simplify.setObjectName("FusionMapperSimplify")
        self._simplify.setSuffix(tr(" m"))
        self._simplify.setDecimals(1)
        self._simplify.setRange(_ONE_PIXEL, 10_000.0)
        self._simplify.setValue(_ONE_PIXEL)
        self._simplify.setSpecialValueText(tr("One pixel"))
        self._simplify.setToolTip(tr("How far the borders of polygons may be smoothed; 0 keeps the pixels' steps"))
        self._confidence.setObjectName("FusionMapperLeastConfidence")
        self._confidence.setSuffix(tr(" %"))
        self._confidence.setDecimals(0)
        self._confidence.setMaximum(100)
        self._confidence.setSpecialValueText(tr("Keep all"))
        self._confidence.setToolTip(tr("Pixels of which the model is less sure stay empty"))

    def _prepare_choices(self) -> None:
        for value, title in device_titles():
            self._device.addItem(title, value)
        self._choose_usual_device()
        self._device.setObjectName("FusionMapperDevice")
        self._device.setToolTip(tr("What the model runs on; Automatic takes a graphics card where there is one"))
        keep_narrow(self._device)
        self._unreadable.addItem(tr("Stop"), "stop")
        self._unreadable.addItem(tr("Skip and count"), "skip")
        self._unreadable.setObjectName("FusionMapperUnreadable")
        self._unreadable.setToolTip(tr("What to do with damaged features and blocks of a layer"))
        keep_narrow(self._unreadable)
        self._blocks.setObjectName("FusionMapperShowBlocks")
        self._blocks.setToolTip(tr("Draws what a run has mapped so far over the map"))
        self._blocks.setChecked(show_blocks())

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(6, 4, 6, 4)
        form.setVerticalSpacing(4)
        form.addRow(tr("&Folder"), self._folder)
        form.addRow("", self._temporary)
        form.addRow(tr("S&mallest polygon"), self._smallest)
        form.addRow(tr("Simplif&ication"), self._simplify)
        form.addRow(tr("Least &confidence"), self._confidence)
        form.addRow(tr("De&vice"), self._device)
        form.addRow(tr("U&nreadable data"), self._unreadable)
        form.addRow(self._blocks)

    def _listen(self) -> None:
        self._temporary.toggled.connect(self._folder.setDisabled)
        self._blocks.toggled.connect(self.blocks_toggled)
        for signal in (self._folder.fileChanged, self._temporary.toggled):
            signal.connect(self._on_changed)
        for box in (self._smallest, self._simplify, self._confidence):
            box.valueChanged.connect(self._on_changed)
        for combo in (self._device, self._unreadable):
            combo.currentIndexChanged.connect(self._on_changed)

    def _on_changed(self, *_what: object) -> None:
        self.options_changed.emit()

"""What will be installed, how large, where and for which device: the part of the window before the press."""

from __future__ import annotations

from typing import Optional

from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ...toolbox.settings import setup_python
from ...toolbox.setup.planning import Survey
from ...toolbox.setup.state import Wish, engine_folder
from ...toolbox.setup.words import layer_title
from ..shared.widgets import ElidedLabel, make_small
from ..shared.wording import size_text, tip_text, tr


class ChoicePane(QWidget):
    """Device, training, and where packages and Python come from."""

    ready_changed = pyqtSignal()
    python_named = pyqtSignal(str)
    """The user has named another Python; the machine is to be looked at again."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._survey: Optional[Survey] = None
        self._device = QComboBox(self)
        self._reason = QLabel(self)
        self._training = QCheckBox(tr("Also what &trains models"), self)
        self._cost = QLabel(self)
        self._folder = ElidedLabel(self, Qt.TextElideMode.ElideMiddle)
        self._python = ElidedLabel(self, Qt.TextElideMode.ElideMiddle)
        self._fetch = QCheckBox(self)
        self._problem = QLabel(self)
        self._more = QgsCollapsibleGroupBox(tr("More"), self)
        self._named = QgsFileWidget(self._more)
        self._wheels = QgsFileWidget(self._more)
        self._prepare()
        self._lay_out()

    def wish(self) -> Wish:
        """What is asked for."""
        return Wish(
            layer=self._device.currentData() or "",
            training=self._training.isChecked(),
            python=self.python(),
            wheels=self._wheels.filePath().strip(),
            standalone=self._offers() and self._fetch.isChecked(),
        )

    def python(self) -> str:
        """The Python that was named; empty lets one be found."""
        return self._named.filePath().strip()

    def problem(self) -> str:
        """What keeps it from being installed, in a sentence."""
        if self._survey is None:
            return tr("Looking at this machine…")
        problem = self._survey.problem_of(self._fetch.isChecked())
        if problem:
            return problem
        cost = self._survey.cost(self._device.currentData(), self._training.isChecked())
        if cost is None:
            return tr("There are no packages for training on this device; leave training out.")
        if cost.room > self._survey.free:
            text = tr("{room} have to be free on the disk for this, and {free} are; free some space first.")
            return text.format(room=size_text(cost.room), free=size_text(self._survey.free))
        return ""

    def show_waiting(self) -> None:
        """Show that the machine is being looked at."""
        self._survey = None
        self._refresh()

    def show_survey(self, found: Survey, wanted: Optional[Wish]) -> None:
        """Show what was found, with what was `wanted` the last time chosen again."""
        self._survey = found
        chosen = wanted.layer if wanted else self._device.currentData()
        self._device.blockSignals(True)
        self._device.clear()
        for layer in found.layers:
            self._device.addItem(layer_title(layer), layer)
        self._device.setCurrentIndex(max(0, self._device.findData(chosen)))
        self._device.blockSignals(False)
        if wanted is not None:
            self._training.setChecked(wanted.training)
            self._wheels.setFilePath(wanted.wheels)
            self._fetch.setChecked(wanted.standalone)
        self._refresh()

    def show_problem(self, problem: str) -> None:
        """Show what is against the press."""
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))

    def _prepare(self) -> None:
        names = (
            (self._device, "Device"), (self._reason, "Reason"), (self._training, "Training"), (self._cost, "Cost"),
            (self._folder, "Folder"), (self._python, "FoundPython"), (self._problem, "Problem"), (self._more, "More"),
            (self._named, "Python"), (self._wheels, "Wheels"), (self._fetch, "FetchPython"),
        )  # fmt: skip
        for part, name in names:
            part.setObjectName(f"FusionMapperSetup{name}")
        for label in (self._reason, self._cost, self._problem):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        make_small(self._reason)
        self._folder.setText(str(engine_folder()))
        self._folder.setToolTip(tip_text(self._folder.text()))
        self._device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._training.setToolTip(tr("Torch and what belongs to it: several gigabytes on Linux"))
        self._named.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self._named.setFilePath(setup_python())
        self._named.lineEdit().setPlaceholderText(tr("Found by itself"))
        self._named.lineEdit().setAccessibleName(tr("Python to make the environment with"))
        self._wheels.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self._wheels.lineEdit().setPlaceholderText(tr("From the package index"))
        self._wheels.lineEdit().setAccessibleName(tr("Folder of wheels"))
        self._wheels.setToolTip(tr("Installs from this folder, without a network"))
        self._device.currentIndexChanged.connect(self._refresh)
        for box in (self._training, self._fetch):
            box.toggled.connect(self._refresh)
        self._wheels.fileChanged.connect(self._refresh)
        self._named.lineEdit().editingFinished.connect(self._on_named)
        self._named.fileChanged.connect(self._on_named)
        self._last_named = self.python()

    def _lay_out(self) -> None:
        head = QLabel(tr("The engine gets a Python environment of its own; QGIS itself is not changed."), self)
        head.setWordWrap(True)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        _add_row(form, tr("&Device"), self._device)
        form.addRow("", self._reason)
        form.addRow("", self._training)
        for title, label in ((tr("Size"), self._cost), (tr("Folder"), self._folder), (tr("Python"), self._python)):
            form.addRow(title, label)
        form.addRow("", self._fetch)
        more = QFormLayout(self._more)
        _add_row(more, tr("&Python"), self._named)
        _add_row(more, tr("Folder of &wheels"), self._wheels)
        self._more.setCollapsed(not self.python())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(head)
        layout.addLayout(form)
        layout.addWidget(self._more)
        layout.addStretch(1)
        layout.addWidget(self._problem)

    def _refresh(self) -> None:
        found = self._survey
        layer = self._device.currentData()
        for part in (self._device, self._training):
            part.setEnabled(found is not None)
        self._reason.setText(_reason(found, layer))
        cost, told = found.cost(layer, self._training.isChecked()) if found and layer else None, "–"
        if cost is not None:
            text = tr("{count} packages, {download} to download, about {disk} on the disk ({free} free)")
            sizes = {"download": cost.download, "disk": cost.disk, "free": found.free}
            told = text.format(count=cost.packages, **{name: size_text(size) for name, size in sizes.items()})
        self._cost.setText(told)
        self._fetch.setVisible(self._offers())
        if self._offers():
            build = found.standalone
            self._fetch.setText(tr("&Fetch Python {version} from github.com").format(version=build.version))
            text = tr("A build of python-build-standalone, checked against the hash that comes with the plugin: {url}")
            self._fetch.setToolTip(tip_text(text.format(url=build.url)))
        self._python.setText(_python(found))
        self._python.setToolTip(tip_text(self._python.text()))
        self.show_problem(self.problem())
        self.ready_changed.emit()

    def _offers(self) -> bool:
        """Whether there is a Python to fetch, because none was found."""
        return self._survey is not None and self._survey.standalone is not None

    def _on_named(self, *_told: object) -> None:
        if self.python() != self._last_named:
            self._last_named = self.python()
            self.python_named.emit(self.python())


def _reason(found: Optional[Survey], layer: Optional[str]) -> str:
    if found is None or layer is None:
        return ""
    if layer == found.proposal.layer:
        return found.proposal.reason
    return tr("Proposed for this machine is {device}: {reason}").format(
        device=layer_title(found.proposal.layer), reason=found.proposal.reason
    )


def _python(found: Optional[Survey]) -> str:
    if found is None or not found.pythons:
        return "–"
    return tr("{version}, {path}").format(version=found.pythons[0].version, path=found.pythons[0].python)


def _add_row(form: QFormLayout, title: str, field: QWidget) -> None:
    form.addRow(title, field)
    label = form.labelForField(field)
    label.setBuddy(field.lineEdit() if isinstance(field, QgsFileWidget) else field)

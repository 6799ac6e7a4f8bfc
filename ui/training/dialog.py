"""The training dialog: layers, labels and a name on the left, the training to watch on the right."""

from __future__ import annotations

from functools import partial
from typing import Optional

from qgis.core import QgsProject, QgsRectangle, QgsReferencedRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import Qt, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ...toolbox.algorithms.learning import file_name
from ...toolbox.layers.sources import quick_extent
from ...toolbox.models import installed_models, is_removable
from ...toolbox.runs.learn import new_training_folder
from ..shared.ground import in_crs_of
from ..shared.widgets import ColumnScroll, ElidedLabel, WheelGuard, heading
from ..shared.wording import tip_text, tr
from .how import TrainingHow
from .labels import TrainingLabels
from .layers import TrainingLayers, title_width
from .parameters import evaluate_parameters, train_parameters
from .watch import TrainingWatch
from .work import TrainingRequest, TrainingState, TrainingWork

#: Milliseconds of quiet after which changed choices are looked at together.
_SETTLE = 80
_SIZE = (980, 620)
#: Pixels that the desktop's frame around a window takes at most.
_TITLE_BAR = 40


class TrainingDialog(QDialog):
    """Trains models; stays open beside QGIS, so that labels can be drawn meanwhile, and may be closed at any time."""

    model_asked = pyqtSignal(str)
    """The model at this path is to be chosen for mapping."""
    evaluate_asked = pyqtSignal(dict)
    """Parameters of ``fusion_mapper:evaluate``, to be completed by the user."""
    training_ended = pyqtSignal(object)
    """The `TrainingWork`, however it ended."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.layers = TrainingLayers(self)
        self.labels = TrainingLabels(self)
        self.how = TrainingHow(self)
        self.watch = TrainingWatch(self)
        self.work: Optional[TrainingWork] = None
        """The training that runs, or ran last."""
        self._name = QLineEdit(self)
        self._named = False
        self._choices = QWidget(self)
        self._status = ElidedLabel(self)
        self._train = QPushButton(tr("T&rain"), self)
        self._resume = QPushButton(tr("Res&ume"), self)
        self._stop = QPushButton(tr("Stop and &Keep the Best"), self)
        self._cancel = QPushButton(tr("C&ancel Training"), self)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, Qt.Orientation.Horizontal, self)
        self._wheel = WheelGuard(self)
        self._settled = QTimer(self)
        self._unmatched = True
        self._prepare()
        self._lay_out()
        self._listen()
        self._show_state()

    def working(self) -> bool:
        """True while a model is trained."""
        return self.work is not None and self.work.active

    def close_down(self) -> None:
        """Cancel the training, whose finished epochs stay in its folder, and listen to the project no more."""
        QgsProject.instance().layersAdded.disconnect(self._on_layers_added)
        self._settled.stop()
        if self.work is not None:
            self.work.cancel()
        self.labels.close_down()
        self.close()

    def let_go(self) -> None:
        """Listen to the training no more; called when it had its time to end."""
        if self.work is not None:
            self.work.let_go()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._settled.start()

    def problem(self) -> str:
        """What keeps Train from being pressed, in one sentence; empty where nothing does."""
        return self.layers.problem() or self.labels.problem() or self._conflict() or self._name_problem()

    def _prepare(self) -> None:
        self.setObjectName("FusionMapperTrainDialog")
        self.setWindowTitle(tr("Train a Model"))
        room = self.screen().availableGeometry()
        self.resize(min(_SIZE[0], room.width()), min(_SIZE[1], room.height() - _TITLE_BAR))
        self._name.setObjectName("FusionMapperTrainName")
        self._name.setMaxLength(80)
        self._name.setToolTip(tr("What the model is called in the list of models"))
        self._status.setObjectName("FusionMapperTrainStatus")
        named = (
            (self._train, "FusionMapperTrainStart", tr("Train a model from these layers and labels in the background")),
            (self._resume, "FusionMapperTrainResume", tr("Go on with the cancelled training from its last epoch")),
            (self._stop, "FusionMapperTrainStop", tr("End the training now; its best epoch becomes the model")),
            (self._cancel, "FusionMapperTrainCancel", tr("End the training without a model; it can be resumed")),
        )
        for button, name, tip in named:
            button.setObjectName(name)
            button.setToolTip(tip)
        close = self._buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setObjectName("FusionMapperTrainClose")
        # The Enter key ends what is being typed in a field; it must not start a training, nor close the dialog.
        for button in (self._train, self._resume, self._stop, self._cancel, close):
            button.setAutoDefault(False)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self._choices)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(5)
        for title, part in ((tr("Layers"), self.layers), (tr("Labels"), self.labels)):
            column.addWidget(heading(title, self._choices))
            column.addWidget(part)
        row = QHBoxLayout()
        title = QLabel(tr("&Name"), self._choices)
        title.setBuddy(self._name)
        title.setMinimumWidth(title_width(self))
        row.addWidget(title)
        row.addWidget(self._name, 1)
        column.addWidget(heading(tr("Model"), self._choices))
        column.addLayout(row)
        column.addWidget(self.how)
        column.addStretch(1)
        scroll = ColumnScroll(self._choices, self)
        scroll.setObjectName("FusionMapperTrainChoices")
        whole = QSplitter(Qt.Orientation.Horizontal, self)
        whole.addWidget(scroll)
        whole.addWidget(self.watch)
        whole.setChildrenCollapsible(False)
        whole.setSizes([400, 560])
        whole.setStretchFactor(1, 1)
        foot = QHBoxLayout()
        foot.addWidget(self._status, 1)
        for button in (self._train, self._resume, self._stop, self._cancel, self._buttons):
            foot.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(whole, 1)
        layout.addLayout(foot)
        self._wheel.protect(self._choices)
        self._set_tab_order()

    def _set_tab_order(self) -> None:
        chain = [*self.layers.focus_chain(), *self.labels.focus_chain(), self._name, *self.how.focus_chain()]
        chain += [*self.watch.focus_chain(), self._train, self._resume, self._stop, self._cancel]
        chain.append(self._buttons.button(QDialogButtonBox.StandardButton.Close))
        for first, second in zip(chain, chain[1:]):
            QWidget.setTabOrder(first, second)

    def _listen(self) -> None:
        for part in (self.layers, self.labels):
            part.choice_changed.connect(self._settled.start)
        self.how.settings_changed.connect(self._settled.start)
        self._name.textEdited.connect(self._on_name_edited)
        self._settled.timeout.connect(self._on_settled)
        self._train.clicked.connect(self._on_train)
        self._resume.clicked.connect(self._on_resume)
        self._stop.clicked.connect(self._on_stop)
        self._cancel.clicked.connect(lambda: self.work.cancel())
        self._buttons.rejected.connect(self.close)
        self.watch.map_asked.connect(self._on_map)
        self.watch.evaluate_asked.connect(self._on_evaluate)
        QgsProject.instance().layersAdded.connect(self._on_layers_added)

    def _on_layers_added(self, _layers: object) -> None:
        # Not here: they are told before they are in the layer tree.
        self._unmatched = True
        self._settled.start()

    def _on_name_edited(self, text: str) -> None:
        self._named = bool(text.strip())
        self._settled.start()

    def _on_settled(self) -> None:
        self.layers.show_prior(self.how.with_prior())
        if self._unmatched and self.isVisible():
            self._unmatched = False
            self.labels.propose()
            self.layers.propose(self.labels.layer())
        if not self._named:
            self._name.setText(self._usual_name())
        self._show_state()

    def _usual_name(self) -> str:
        imagery = self.layers.imagery()
        if imagery is None or self.labels.layer() is None:
            return ""
        return tr("{labels} of {imagery}").format(labels=self.labels.layer().name(), imagery=imagery.name())[:80]

    def _show_state(self) -> None:
        active = self.working()
        state = self.work.state if self.work is not None else None
        problem = "" if active else self.problem()
        self._choices.setEnabled(not active)
        self._train.setVisible(not active)
        self._train.setEnabled(not problem)
        self._resume.setVisible(not active and self._can_resume())
        self._stop.setVisible(active)
        self._stop.setEnabled(state is TrainingState.RUNNING and self.work.epochs > 0)
        self._cancel.setVisible(active)
        self._cancel.setEnabled(state in (TrainingState.RUNNING, TrainingState.STOPPING))
        text = problem or ("" if active else tr("Ready to train."))
        self._status.setText(text)
        self._status.setToolTip(tip_text(text))

    def _can_resume(self) -> bool:
        """Whether there is a training that ended before its time, and has epochs to go on from."""
        ended = (TrainingState.CANCELLED, TrainingState.FAILED)
        return self.work is not None and self.work.state in ended and bool(self.watch.curve.epochs())

    def _conflict(self) -> str:
        """What speaks against these labels with these layers."""
        labels = self.labels.layer()
        for role in ("imagery", "osm", "dem"):
            if any(layer.id() == labels.id() for layer in self.layers.layers(role)):
                text = tr("'{name}' is chosen as labels and as a layer; a model must not see what it is to find.")
                return text.format(name=labels.name())
        extent = quick_extent(labels) if isinstance(labels, QgsVectorLayer) else labels.extent()
        imagery = self.layers.imagery()
        if extent is None or extent.isNull():
            return ""
        seen = in_crs_of(imagery, QgsReferencedRectangle(QgsRectangle(extent), labels.crs()))
        if seen is not None and not seen.intersects(imagery.extent()):
            text = tr("The labels '{labels}' lie outside the imagery '{imagery}'; choose others, or check their CRS.")
            return text.format(labels=labels.name(), imagery=imagery.name())
        return ""

    def _name_problem(self) -> str:
        return "" if self._name.text().strip() else tr("Give the model a name.")

    def _on_train(self) -> None:
        # A layer may have gone since the dialog was last looked over.
        self._on_settled()
        if not self._train.isEnabled():
            return
        name = self._name.text().strip()
        taken = any(model.name == file_name(name) and is_removable(model) for model in installed_models())
        if taken and not self._may_replace(name):
            self._name.setFocus()
            self._name.selectAll()
            return
        folder = new_training_folder(file_name(name))
        parameters = train_parameters(name, self.layers, self.labels, self.how, folder, replace=taken)
        self._start(TrainingRequest(name, folder, parameters))

    def _on_resume(self) -> None:
        self._start(self.work.request, anew=False)

    def _start(self, request: TrainingRequest, anew: bool = True) -> None:
        if self.work is not None:
            self.work.deleteLater()
        self.work = TrainingWork(request, self)
        self.watch.follow(self.work, anew)
        self.work.state_changed.connect(partial(self._on_state_changed, self.work))
        self.work.start()

    def _on_state_changed(self, work: TrainingWork) -> None:
        self._show_state()
        if not work.active:
            self.training_ended.emit(work)

    def _on_stop(self) -> None:
        problem = self.work.stop()
        if problem:
            self._status.setText(problem)
            self._status.setToolTip(tip_text(problem))

    def _on_map(self) -> None:
        self.model_asked.emit(str(self.work.results["MODEL"]))

    def _on_evaluate(self) -> None:
        request, results = self.work.request, self.work.results
        self.evaluate_asked.emit(evaluate_parameters(request.parameters, str(results["MODEL"]), request.name))

    def _may_replace(self, name: str) -> bool:
        box = QMessageBox(self)
        box.setObjectName("FusionMapperTrainReplace")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(self.windowTitle())
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(tr("A model called {name} is already installed.").format(name=name))
        replace = box.addButton(tr("&Replace"), QMessageBox.ButtonRole.DestructiveRole)
        other = box.addButton(tr("&Other Name"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(other)
        box.setEscapeButton(other)
        box.exec()
        return box.clickedButton() is replace

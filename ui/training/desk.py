"""Training as the panel knows it: one dialog, made when it is first asked for, and where its models go."""

from __future__ import annotations

from html import escape
from typing import Optional

from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QWidget

from ..shared.wording import LOG_TAG, tr
from .dialog import TrainingDialog
from .work import TrainingState, TrainingWork

_EVALUATE = "fusion_mapper:evaluate"


class TrainingDesk(QObject):
    """Opens the training dialog; tells of a training that ended while the dialog was closed."""

    model_asked = pyqtSignal(str)
    """The model at this path is to be chosen for mapping."""

    def __init__(self, iface: QgisInterface, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._closed = False
        self.dialog: Optional[TrainingDialog] = None

    def open(self) -> None:
        """Show the dialog."""
        if self.dialog is None:
            self.dialog = TrainingDialog(self.parent())
            self.dialog.model_asked.connect(self.model_asked)
            self.dialog.evaluate_asked.connect(self._on_evaluate_asked)
            self.dialog.training_ended.connect(self._on_ended)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def working(self) -> bool:
        """True while a model is trained."""
        return self.dialog is not None and self.dialog.working()

    def close_down(self) -> None:
        """Cancel the training, and close the dialog."""
        self._closed = True
        if self.dialog is not None:
            self.dialog.close_down()

    def let_go(self) -> None:
        """Listen to the training no more; called when it had its time to end."""
        if self.dialog is not None:
            self.dialog.let_go()

    def _on_evaluate_asked(self, parameters: dict[str, object]) -> None:
        # Here, because Processing may be switched off, and is needed for nothing else.
        try:
            from processing import createAlgorithmDialog
        except ImportError:
            self._say(tr("The Processing plugin is switched off; switch it on to evaluate models."))
            return
        form = createAlgorithmDialog(_EVALUATE, parameters)
        if form is None:
            self._say(tr("The Processing algorithm {name} is not there.").format(name=_EVALUATE))
            return
        form.show()
        form.raise_()
        form.activateWindow()

    def _on_ended(self, work: TrainingWork) -> None:
        if self._closed or self.dialog.isVisible():
            return
        if work.state is TrainingState.FINISHED:
            text = tr("{name} is trained, and is in the list of models.").format(name=work.request.name)
            self._iface.messageBar().pushSuccess(LOG_TAG, escape(text, quote=False))
        elif work.state is TrainingState.FAILED:
            self._say(work.sentence)

    def _say(self, sentence: str) -> None:
        self._iface.messageBar().pushWarning(LOG_TAG, escape(sentence, quote=False))

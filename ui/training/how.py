"""How a model is trained, folded away: the way of fusion, the network, how long and on what parts."""

from __future__ import annotations

from typing import Optional

from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...inference.learnjob import Network, Training
from ...models.trainplan import TRANSFORMERS
from ...toolbox.algorithms.learning import WITH_PRIOR
from ..shared.widgets import keep_narrow, make_small
from ..shared.wording import tr

#: Networks with an encoder of choice, and encoders that are offered; any other of the library can be typed.
_WITH_ENCODER = ("unet", "fpn", "deeplabv3plus")
_ENCODERS = ("resnet18", "resnet34", "resnet50", "mobilenet_v2", "efficientnet-b0")


class TrainingHow(QgsCollapsibleGroupBox):
    """Settings that have sensible values; closed until they are wanted."""

    settings_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        usual = Training()
        self.setTitle(tr("How"))
        self.setObjectName("FusionMapperTrainHow")
        self.setSettingGroup("fusion_mapper/training")
        self.setCollapsed(True)
        self._strategy = QComboBox(self)
        self._sentence = QLabel(self)
        self._network = QComboBox(self)
        self._encoder = QComboBox(self)
        self._weights = QgsFileWidget(self)
        self._epochs = self._number("Epochs", usual.epochs, 1, 10_000, tr("Epochs at most; the best one is kept"))
        self._steps = self._number("Steps", usual.steps, 1, 10_000, tr("Batches in an epoch"))
        self._chip = self._number("Chip", usual.chip, 16, 2048, tr("Side of a training chip in pixels"), tr(" px"))
        self._batch = self._number("Batch", usual.batch, 1, 512, tr("Chips in a batch; more need more memory"))
        self._validation = self._number(
            "Validation", round(usual.validation * 100), 5, 90,
            tr("Share of the labelled area, in blocks apart from the rest, on which the score is measured"), tr(" %"),
        )  # fmt: skip
        self._patience = self._number(
            "Patience",
            usual.patience,
            0,
            10_000,
            tr("Epochs without a better score after which training ends; 0: never"),
        )
        self._dropout = self._number(
            "Dropout", round(usual.dropout * 100), 0, 99,
            tr("How often a chip goes without an optional layer, so that the model survives a missing one"), tr(" %"),
        )  # fmt: skip
        self._seed = self._number("Seed", usual.seed, 0, 2**31 - 1, tr("The same seed trains the same model"))
        self._half = QCheckBox(tr("fp16"), self)
        self._byte = QCheckBox(tr("int8"), self)
        self._license = QLineEdit(self)
        self._prepare()
        self._lay_out()
        self._strategy.currentIndexChanged.connect(self._on_changed)
        self._network.currentIndexChanged.connect(self._on_changed)
        self._on_changed(0)

    def parameters(self) -> dict[str, object]:
        """What the algorithm ``fusion_mapper:train`` takes of it."""
        return {
            "STRATEGY": self.strategy(),
            "ARCHITECTURE": self._network.currentData(),
            "ENCODER": self._encoder.currentText().strip(),
            "WEIGHTS": self._weights.filePath().strip() if self._weights.isEnabled() else "",
            "EPOCHS": self._epochs.value(),
            "STEPS": self._steps.value(),
            "CHIP": self._chip.value(),
            "BATCH": self._batch.value(),
            "VALIDATION": self._validation.value() / 100,
            "PATIENCE": self._patience.value(),
            "DROPOUT": self._dropout.value() / 100,
            "SEED": self._seed.value(),
            "VARIANTS": [name for name, box in (("fp16", self._half), ("int8", self._byte)) if box.isChecked()],
            "LICENSE": self._license.text().strip(),
        }

    def strategy(self) -> str:
        """The way of fusion, as a job calls it."""
        return self._strategy.currentData()

    def with_prior(self) -> bool:
        """Whether a coarse class raster is needed."""
        return self.strategy() == WITH_PRIOR

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        boxes = [self._epochs, self._patience, self._steps, self._batch, self._chip, self._seed]
        head = [self._strategy, self._network, self._encoder, self._weights]
        return [*head, *boxes, self._validation, self._dropout, self._half, self._byte, self._license]

    def _prepare(self) -> None:
        for name, title, _ in _strategies():
            self._strategy.addItem(title, name)
        self._strategy.setObjectName("FusionMapperTrainStrategy")
        self._strategy.setToolTip(tr("How the layers meet in the model"))
        self._sentence.setObjectName("FusionMapperTrainStrategyText")
        self._sentence.setWordWrap(True)
        make_small(self._sentence)
        for name, title in _networks():
            self._network.addItem(title, name)
        self._network.setObjectName("FusionMapperTrainNetwork")
        self._network.setToolTip(tr("The network that is trained; the small ones are quick on any machine"))
        self._encoder.setEditable(True)
        self._encoder.addItems(_ENCODERS)
        self._encoder.setCurrentText(Network().encoder)
        self._encoder.setObjectName("FusionMapperTrainEncoder")
        self._encoder.setAccessibleName(tr("Encoder"))
        self._encoder.setToolTip(tr("Encoder, as segmentation-models-pytorch names it"))
        self._weights.setObjectName("FusionMapperTrainWeights")
        self._weights.setFilter(tr("Weights (*.pt *.pth *.bin);;All files (*)"))
        self._weights.lineEdit().setPlaceholderText(tr("Random"))
        self._weights.lineEdit().setAccessibleName(tr("Weights of the encoder"))
        self._weights.setToolTip(tr("A file with trained weights of the encoder to start from; random ones when empty"))
        self._half.setObjectName("FusionMapperTrainHalf")
        self._byte.setObjectName("FusionMapperTrainByte")
        for box in (self._half, self._byte):
            box.setToolTip(tr("A smaller file besides the model's, with its measured loss"))
        self._license.setObjectName("FusionMapperTrainLicense")
        self._license.setPlaceholderText(tr("such as CC-BY-4.0"))
        self._license.setToolTip(tr("What you give the model on under; the labels' own terms may bind you"))
        for box in (self._strategy, self._network, self._encoder):
            keep_narrow(box)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        fusion = QHBoxLayout()
        title = QLabel(tr("Fu&sion"), self)
        title.setBuddy(self._strategy)
        fusion.addWidget(title)
        fusion.addWidget(self._strategy, 1)
        layout.addLayout(fusion)
        layout.addWidget(self._sentence)
        form = QFormLayout()
        form.setVerticalSpacing(3)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Net&work"), self._network)
        form.addRow(tr("Encoder"), self._encoder)
        form.addRow(tr("Weights"), self._weights)
        pairs = (
            (tr("E&pochs"), self._epochs, tr("Patience"), self._patience),
            (tr("Steps"), self._steps, tr("Batch"), self._batch),
            (tr("&Chip"), self._chip, tr("Seed"), self._seed),
            (tr("&Validation"), self._validation, tr("Dropout"), self._dropout),
        )
        for text, box, other, beside in pairs:
            label = QLabel(text, self)
            label.setBuddy(box)
            form.addRow(label, self._beside(box, other, beside))
        files = QHBoxLayout()
        files.addWidget(self._half)
        files.addWidget(self._byte)
        files.addStretch(1)
        form.addRow(tr("Smaller files"), files)
        form.addRow(tr("Licence"), self._license)
        layout.addLayout(form)

    def _beside(self, box: QSpinBox, title: str, beside: QSpinBox) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        label = QLabel(title, self)
        label.setBuddy(beside)
        row.addWidget(box, 1)
        row.addWidget(label)
        row.addWidget(beside, 1)
        return row

    def _number(self, name: str, value: int, least: int, most: int, tip: str, suffix: str = "") -> QSpinBox:
        box = QSpinBox(self)
        box.setObjectName(f"FusionMapperTrain{name}")
        box.setRange(least, most)
        box.setValue(value)
        box.setSuffix(suffix)
        box.setToolTip(tip)
        box.setAccessibleName(tip)
        # The widest number there can be is not one that is ever needed.
        box.setMinimumWidth(64)
        box.setMaximumWidth(140)
        return box

    def _on_changed(self, _index: int) -> None:
        sentences = {name: text for name, _, text in _strategies()}
        self._sentence.setText(sentences[self.strategy()])
        transformer = self.strategy() in TRANSFORMERS
        self._network.setEnabled(not transformer)
        encoder = self._network.currentData() in _WITH_ENCODER and not transformer
        self._encoder.setEnabled(encoder)
        self._weights.setEnabled(encoder)
        self.settings_changed.emit()


def _strategies() -> list[tuple[str, str, str]]:
    """Each way of fusion: as a job calls it, its title, and a sentence."""
    return [
        (
            "stack", tr("Stack"),
            tr("OpenStreetMap and elevation become channels beside the imagery's bands. The place to begin."),
        ),
        ("imagery", tr("Imagery alone"), tr("Only the imagery is seen: what the further layers are measured against.")),
        (
            "proc-stack", tr("Stack a prior"),
            tr("A coarse class raster, made into a likelihood for each class, is stacked onto the imagery."),
        ),
        (
            "compress", tr("Compress, then stack"),
            tr("The further layers are first squeezed to a few channels by a small network that is trained along."),
        ),
        ("vit", tr("Transformer"), tr("A vision transformer that sees the imagery alone.")),
        (
            "token-fuse", tr("Transformer with a place"),
            tr("A vision transformer that is also told where on earth it looks; needs many labels, far apart."),
        ),
        (
            "token-control", tr("Transformer with a blank token"),
            tr("The same with a token that knows no place: what the place is measured against."),
        ),
    ]  # fmt: skip


def _networks() -> list[tuple[str, str]]:
    return [
        ("unet-small", tr("U-Net, small")),
        ("fcn", tr("Five convolutions (FCN)")),
        ("unet", tr("U-Net with an encoder")),
        ("fpn", tr("FPN with an encoder")),
        ("deeplabv3plus", tr("DeepLabV3+ with an encoder")),
    ]

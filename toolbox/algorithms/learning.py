"""What the algorithms of learning share: layers as a place, the training's settings, a folder to go on in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional, get_args

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ...inference.errors import RequestError
from ...inference.learnjob import Architecture, Network, Precision, Strategy, Training
from ...models.card import Channel, Slot
from ...models.trainplan import TRANSFORMERS
from ..engine.environment import EngineMissing, find_trainer
from ..layers.labels import LabelsInput
from ..layers.matching import Given
from ..layers.sources import RasterInput, VectorInput
from ..runs.learn import OSM, PRIOR, PlaceRequest
from .base import FusionAlgorithm, is_chosen, tr
from .grid import add_place, given_grid
from .labels import add_classes, add_label_reading, add_labels, add_task
from .layers import add_dem, add_osm, add_prior, add_reading, add_slots, add_training_imagery, given_layers
from .recipes import OSM_CHANNELS, osm_slot, raster_slot, terrain_slot

STRATEGIES: tuple[str, ...] = ("stack", *(name for name in get_args(Strategy) if name != "stack"))
ARCHITECTURES: tuple[str, ...] = get_args(Architecture)
PRECISIONS: tuple[str, ...] = get_args(Precision)
#: The strategy that needs a coarse class raster.
WITH_PRIOR = "proc-stack"
FOLDER = "OUTPUT_FOLDER"


class TrainingAlgorithm(FusionAlgorithm):
    """An algorithm that needs the Python for training."""

    def canExecute(self) -> tuple[bool, str]:
        fine, sentence = super().canExecute()
        if not fine:
            return fine, sentence
        try:
            find_trainer()
        except EngineMissing as problem:
            return False, str(problem)
        return True, ""


def add_layers_and_labels(algorithm: FusionAlgorithm) -> None:
    """What is learned from, and what is learned: IMAGERY, OSM, DEM, PRIOR, LABELS, FIELD and TASK."""
    add_training_imagery(algorithm)
    add_osm(algorithm)
    add_dem(algorithm)
    add_prior(algorithm, training=True)
    add_labels(algorithm)
    add_task(algorithm)


def add_details(algorithm: FusionAlgorithm, pixel: str) -> None:
    """Where and how layers and labels are read, folded away; `pixel` is the help of the resolution."""
    add_place(algorithm, pixel)
    add_slots(algorithm)
    add_label_reading(algorithm)
    add_classes(algorithm)
    add_reading(algorithm)


def add_network(algorithm: FusionAlgorithm) -> None:
    """ARCHITECTURE, and folded away what few change of it."""
    algorithm.add(
        QgsProcessingParameterEnum(
            "ARCHITECTURE", tr("Network"), ARCHITECTURES, usesStaticStrings=True, defaultValue="unet-small"
        ),
        tr(
            "unet-small and fcn are small and quick. unet, fpn and deeplabv3plus have an encoder of choice. "
            "vit is a vision transformer, which the strategies vit, token-fuse and token-control always are."
        ),
    )
    algorithm.add(
        QgsProcessingParameterString("ENCODER", tr("Encoder"), defaultValue=Network().encoder, optional=True),
        tr("Encoder of unet, fpn and deeplabv3plus, as segmentation-models-pytorch names it."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterFile("WEIGHTS", tr("Weights of the encoder"), optional=True),
        tr("A file with trained weights of the encoder to start from; random ones when empty."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterFile("LOCATION_WEIGHTS", tr("Weights of the location token"), optional=True),
        tr("A SatCLIP checkpoint for the strategy token-fuse; frozen random weights when empty."),
        advanced=True,
    )


def add_training(algorithm: FusionAlgorithm, seed: bool = True) -> None:
    """How long, how fast and on what parts; most of it folded away. A comparison has seeds of its own."""
    usual = Training()
    number = QgsProcessingParameterNumber
    whole, real = number.Type.Integer, number.Type.Double
    algorithm.add(
        number("EPOCHS", tr("Epochs"), whole, defaultValue=usual.epochs, minValue=1, maxValue=10_000),
        tr("How often the score on the validation blocks is looked at, at most; the best epoch is kept."),
    )
    folded = (
        ("STEPS", tr("Batches in an epoch"), whole, usual.steps, 1, 10_000, tr("How many chips an epoch sees.")),
        ("CHIP", tr("Chip (pixels)"), whole, usual.chip, 16, 2048, tr("Side of a training chip.")),
        ("BATCH", tr("Chips in a batch"), whole, usual.batch, 1, 512, tr("More need more memory.")),
        ("RATE", tr("Learning rate"), real, usual.rate, 1e-7, 1.0, tr("The highest of the cycle; lower it on NaN.")),
        ("SEED", tr("Seed"), whole, usual.seed, 0, 2**31 - 1, tr("The same seed trains the same model.")),
        (
            "VALIDATION", tr("Share for validation"), real, usual.validation, 0.05, 0.9,
            tr("Share of the labelled area, in blocks apart from the rest, that the score is measured on."),
        ),
        (
            "PATIENCE", tr("Patience (epochs)"), whole, usual.patience, 0, 10_000,
            tr("Epochs without a better score after which training ends; 0 never ends early."),
        ),
        (
            "DROPOUT", tr("Layer dropout"), real, usual.dropout, 0.0, 0.99,
            tr("Probability that a chip goes without an optional layer, so that the model survives a missing one."),
        ),
    )  # fmt: skip
    for name, title, kind, default, least, most, text in folded:
        if name == "SEED" and not seed:
            continue
        algorithm.add(
            number(name, title, kind, defaultValue=default, minValue=least, maxValue=most), text, advanced=True
        )


def add_folder(algorithm: FusionAlgorithm, text: str) -> None:
    """OUTPUT_FOLDER: where the work lies, and goes on after a stop."""
    parameter = QgsProcessingParameterFolderDestination(FOLDER, tr("Folder"), optional=True, createByDefault=False)
    algorithm.add(parameter, text)


def given_network(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext, strategy: str = ""
) -> Network:
    """The network, a transformer where the strategy is one.

    Raises:
        RequestError: when a file of weights is not there, or the strategy does not go with the network.
    """
    architecture = algorithm.parameterAsEnumString(parameters, "ARCHITECTURE", context)
    if strategy == "compress" and architecture == "vit":
        raise RequestError("The strategy compress stands before a convolutional network; choose another ARCHITECTURE.")
    return Network(
        architecture="vit" if strategy in TRANSFORMERS else architecture,
        encoder=algorithm.parameterAsString(parameters, "ENCODER", context).strip() or Network().encoder,
        weights=_file(algorithm, parameters, "WEIGHTS", context),
        location_weights=_file(algorithm, parameters, "LOCATION_WEIGHTS", context),
    )


def given_training(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext
) -> Training:
    """The training's settings."""

    def whole(name: str) -> int:
        return algorithm.parameterAsInt(parameters, name, context)

    def real(name: str) -> float:
        return algorithm.parameterAsDouble(parameters, name, context)

    return Training(
        epochs=whole("EPOCHS"),
        steps=whole("STEPS"),
        batch=whole("BATCH"),
        chip=whole("CHIP"),
        rate=real("RATE"),
        patience=whole("PATIENCE"),
        seed=whole("SEED") if algorithm.parameterDefinition("SEED") else Training().seed,
        validation=real("VALIDATION"),
        dropout=real("DROPOUT"),
    )


def given_place(
    algorithm: FusionAlgorithm,
    parameters: dict[str, object],
    context: QgsProcessingContext,
    labels: LabelsInput,
    suffix: str = "",
) -> PlaceRequest:
    """The layers and the labels of a place; `suffix` is that of the parameters of a further one.

    Raises:
        RequestError: when there is no imagery, or a layer is none that can be learned from.
    """
    given = given_layers(algorithm, parameters, context, suffix)
    if not given.imagery and not any(name == "imagery" for name, _, _ in given.bound):
        raise RequestError(f"IMAGERY{suffix} is empty; choose the imagery that the model is to see.")
    first = given.imagery[0] if given.imagery else given.bound[0][1]
    # A second place lies elsewhere, so that the first one's extent says nothing of it.
    grid = given_grid(algorithm, {**parameters, "EXTENT": None} if suffix else parameters, context)
    return PlaceRequest(
        name=first.name,
        given=given,
        slots=training_slots(given),
        labels=labels,
        grid=grid,
        unreadable=algorithm.parameterAsEnumString(parameters, "UNREADABLE", context) or "stop",
        max_pixels=int(algorithm.parameterAsDouble(parameters, "FETCH_LIMIT", context) * 1e6),
        transform=context.transformContext(),
    )


def training_slots(given: Given) -> tuple[Slot, ...]:
    """Slots that take the given layers just as they are; the engine makes the model's own from the sources.

    Raises:
        RequestError: when a layer is bound to a name that does not go with it, or there are several coarse rasters.
    """
    slots = {}
    if given.imagery:
        slots["imagery"] = raster_slot("imagery", given.imagery)
    if given.osm:
        slots[OSM] = osm_slot(list(OSM_CHANNELS), missing="fill")
    if given.dem:
        slots["dem"] = _elevation()
    if len(given.prior) > 1:
        raise RequestError("PRIOR takes one coarse class raster to learn with; bind further rasters in SLOTS.")
    if given.prior:
        slots[PRIOR] = _coarse()
    for name in dict.fromkeys(name for name, _, _ in given.bound):
        slots[name] = _bound_slot(name, [(layer, bands) for bound, layer, bands in given.bound if bound == name])
    return tuple(slots.values())


def output_folder_of(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext
) -> Optional[Path]:
    """The folder that was chosen, or None."""
    if not is_chosen(parameters, FOLDER):
        return None
    return Path(algorithm.parameterAsString(parameters, FOLDER, context)).absolute()


def file_name(text: str) -> str:
    """The text as the name of a file, without ending: letters, digits, ``_``, ``-`` and ``.``."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:80] or "model"


def _elevation() -> Slot:
    slot = terrain_slot(["elevation"], missing="fill")
    return Slot("dem", slot.role, slot.channels, slot.input, missing="fill")


def _coarse() -> Slot:
    return Slot(PRIOR, "raster", (Channel("class"),), "stack", resampling="nearest", missing="fill")


def _bound_slot(name: str, parts: list[tuple[object, tuple[int, ...]]]) -> Slot:
    vectors = [layer for layer, _ in parts if isinstance(layer, VectorInput)]
    if vectors:
        if name != OSM:
            raise RequestError(
                f"SLOTS binds the vector layer '{vectors[0].name}' to '{name}'; vector layers go to '{OSM}'."
            )
        return osm_slot(list(OSM_CHANNELS), missing="fill")
    if name == "dem":
        return _elevation()
    if name == PRIOR:
        return _coarse()
    role = "imagery" if name == "imagery" else "raster"
    channels = tuple(Channel(f"{name} {number}") for number in range(1, _width(parts) + 1))
    return Slot(name, role, channels, "stack", missing="required" if role == "imagery" else "fill")


def _width(parts: list[tuple[RasterInput, tuple[int, ...]]]) -> int:
    """Channels of layers bound by name: those of one where all have the same bands (a mosaic), else of all."""
    chosen = [bands or tuple(band.number for band in layer.colour_bands) for layer, bands in parts]
    mosaic = len(set(chosen)) == 1 and len(chosen[0]) > 1
    return len(chosen[0]) if mosaic else sum(map(len, chosen))


def _file(
    algorithm: FusionAlgorithm, parameters: dict[str, object], name: str, context: QgsProcessingContext
) -> Optional[str]:
    text = algorithm.parameterAsFile(parameters, name, context)
    if not text:
        return None
    path = Path(text).absolute()
    if not path.is_file():
        raise RequestError(f"{name} is '{path}', which is no file; choose a file with weights or leave it empty.")
    return str(path)

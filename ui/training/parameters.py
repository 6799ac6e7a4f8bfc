"""From what is chosen in the training dialog to what the Processing algorithms take."""

from __future__ import annotations

from pathlib import Path

from ...toolbox.algorithms.learning import FOLDER, file_name
from .how import TrainingHow
from .labels import TrainingLabels
from .layers import TrainingLayers


def train_parameters(
    name: str, layers: TrainingLayers, labels: TrainingLabels, how: TrainingHow, folder: Path, replace: bool
) -> dict[str, object]:
    """Parameters of ``fusion_mapper:train``; `replace` lets the model take the place of one of its name."""
    return {
        **_layer_parameters(layers),
        **_label_parameters(labels),
        **how.parameters(),
        "CLASSES": labels.classes(),
        "NAME": file_name(name),
        "TITLE": name,
        "UNITS": labels.units(),
        "INSTALL": True,
        "REPLACE": replace,
        FOLDER: str(folder),
    }


def evaluate_parameters(trained: dict[str, object], model: str, title: str) -> dict[str, object]:
    """Parameters of ``fusion_mapper:evaluate`` for a model that was trained with the parameters `trained`.

    The labels are left to the user: those that a model has learned from flatter it.
    """
    taken = ("IMAGERY", "OSM", "DEM", "PRIOR", "SLOTS", "TASK", "UNITS")
    return {"MODEL": model, "TITLE": title, **{key: trained[key] for key in taken if trained.get(key)}}


def _layer_parameters(layers: TrainingLayers) -> dict[str, object]:
    imagery, bands = layers.imagery(), layers.bands()
    # Single bands can only be named in a line for the slot.
    line = f"imagery={imagery.id()}:{','.join(map(str, bands))}" if bands else ""
    return {
        "IMAGERY": [] if bands else [imagery.id()],
        "OSM": [layer.id() for layer in layers.layers("osm")],
        "DEM": next((layer.id() for layer in layers.layers("dem")), None),
        "PRIOR": [layer.id() for layer in layers.layers("prior")],
        "SLOTS": line,
    }


def _label_parameters(labels: TrainingLabels) -> dict[str, object]:
    return {
        "LABELS": labels.layer().id(),
        "FIELD": labels.field(),
        "LABEL_BAND": labels.band(),
        "TASK": labels.task(),
    }

"""An installation in words."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import QLocale

from ..faults import tr
from .layers import CPU, CUDA12, CUDA13, DIRECTML, Cost
from .steps import (
    CHECK_STEP,
    ENVIRONMENT_STEP,
    FETCH_STEP,
    PYTHON_STEP,
    REMOVE_STEP,
    TOOLS_STEP,
    UNPACK_STEP,
    Step,
)


def layer_title(layer: str) -> str:
    """What a layer is called."""
    return {
        CPU: tr("Processor"),
        CUDA13: tr("NVIDIA graphics card (CUDA 13)"),
        CUDA12: tr("NVIDIA graphics card (CUDA 12)"),
        DIRECTML: tr("Graphics card (DirectML)"),
    }.get(layer, layer)


def size_text(size: int) -> str:
    """Bytes as people say it."""
    return QLocale().formattedDataSize(size, 1, QLocale.DataSizeFormat.DataSizeTraditionalFormat)


def step_text(step: Step) -> str:
    """What is being done, in a few words."""
    text = {
        PYTHON_STEP: tr("Fetching Python {version}").format(version=step.what),
        ENVIRONMENT_STEP: tr("Making an environment"),
        TOOLS_STEP: tr("Preparing the installer"),
        FETCH_STEP: tr("Fetching packages"),
        UNPACK_STEP: tr("Unpacking packages"),
        CHECK_STEP: tr("Trying the engine on this machine"),
        REMOVE_STEP: tr("Removing the engine"),
    }[step.name]
    return tr("Fetching {package}").format(package=step.what) if step.name == FETCH_STEP and step.what else text


def count_text(step: Step) -> str:
    """How much of it is done; empty where it is not counted."""
    if not step.total:
        return ""
    if step.name in (PYTHON_STEP, FETCH_STEP):
        return tr("{done} of {total}").format(done=size_text(step.done), total=size_text(step.total))
    if step.name == UNPACK_STEP:
        return tr("{done} of {total}").format(done=step.done, total=step.total)
    return ""


def cost_text(layer: str, cost: Optional[Cost], folder: Path) -> str:
    """What will be installed, how large and where, in a sentence."""
    if cost is None:
        return tr("For {device}, into {folder}.").format(device=layer_title(layer), folder=folder)
    text = tr("{count} packages for {device}: {download} to download, about {disk} on the disk, in {folder}.")
    return text.format(
        count=cost.packages,
        device=layer_title(layer),
        download=size_text(cost.download),
        disk=size_text(cost.disk),
        folder=folder,
    )

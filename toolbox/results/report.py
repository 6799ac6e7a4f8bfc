"""The report of a finished run: one HTML file with its pictures, areas, inputs, model, settings and credits.

Made from the run's folder alone, on any thread; nothing in it needs the network, a script or another file. It is no
product: it tells the date. It names layers and files, and never where they lie.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Optional

from qgis.core import QgsCoordinateTransformContext, QgsMapLayer, QgsRasterLayer, QgsSingleBandPseudoColorRenderer

from ...inference.errors import Cancelled, RequestError
from ...inference.job import read_job
from ...inference.record import RunRecord, read_record
from ...models.card import Card
from ..engine.commands import RUN_JOB, IsCancelled
from ..products import BY_NAME
from .figures import card_of, tr
from .page import Picture, Ramp, report_html
from .pictures import View, imagery_layers, picture, view_of
from .project import open_product
from .styles import style_layer

REPORT = "report.html"
#: The products of which the first that was made is shown beside the imagery.
_SHOWN = ("fields", "classes", "regression", "polygons", "confidence", "probabilities")


def write_report(
    folder: Path,
    path: Optional[Path] = None,
    context: Optional[QgsCoordinateTransformContext] = None,
    is_cancelled: IsCancelled = lambda: False,
) -> Path:
    """Write the report of the run in `folder`, by default into the folder itself; returns the file.

    Raises:
        RequestError: where there is no finished run, or the file cannot be written.
        Cancelled: between two pictures.
    """
    record = read_record(folder)
    card = card_of(record)
    path = path or folder / REPORT
    pictures, ramps = _drawn(folder, record, card, context or QgsCoordinateTransformContext(), is_cancelled)
    _write(path, report_html(record, card, pictures, ramps, record.attribution))
    return path


def product_path(folder: Path, record: RunRecord, product: str) -> Optional[Path]:
    """The file of a product; None where none was made, or it is gone."""
    name = record.files.get(product)
    path = folder / name if name else None
    return path if path is not None and path.exists() else None


def _drawn(
    folder: Path, record: RunRecord, card: Card, context: QgsCoordinateTransformContext, is_cancelled: IsCancelled
) -> tuple[list[Picture], dict[str, Ramp]]:
    """The imagery and the map; what cannot be opened any more is left out."""
    if record.grid is None:
        return [], {}
    view = view_of(record.grid, context)
    below, name = _imagery(folder, card, view)
    above = _result(folder, record, card)
    pictures = []
    if below:
        pictures.append(Picture(picture(below, view), name))
    if is_cancelled():
        raise Cancelled("The report was cancelled.")
    if above is None:
        return pictures, {}
    layer, product = above
    seen_through = below if BY_NAME[product].kind == "vector" else []
    pictures.append(Picture(picture([layer, *seen_through], view), tr(BY_NAME[product].title)))
    return pictures, _ramps(layer, card)


def _imagery(folder: Path, card: Card, view: View) -> tuple[list[QgsRasterLayer], str]:
    """The layers of the first imagery slot and what they are called."""
    try:
        job, base = read_job(folder / RUN_JOB)
    except RequestError:
        # A run of the command line, whose job lies elsewhere: the report then has the map alone.
        return [], ""
    for slot in card.slots or job.slots:
        source = job.sources.get(slot.name)
        if slot.role == "imagery" and source is not None:
            return imagery_layers(slot, source, base, view), source.name or tr("Imagery")
    return [], ""


def _result(folder: Path, record: RunRecord, card: Card) -> Optional[tuple[QgsMapLayer, str]]:
    for product in _SHOWN:
        path = product_path(folder, record, product)
        layer = open_product(str(path), product) if path else None
        if layer is not None and layer.isValid():
            style_layer(layer, product, card)
            return layer, product
    return None


def _ramps(layer: QgsMapLayer, card: Card) -> dict[str, Ramp]:
    """The colours of a map of values, by the title of its output."""
    renderer = layer.renderer()
    output = next((one for one in card.outputs if one.task == "pixel-regression"), None)
    if output is None or not isinstance(renderer, QgsSingleBandPseudoColorRenderer):
        return {}
    items = renderer.shader().rasterShaderFunction().colorRampItemList()
    ramp = Ramp(tuple(item.color.name() for item in items), renderer.classificationMin(), renderer.classificationMax())
    return {output.title or output.name: ramp}


def _write(path: Path, text: str) -> None:
    """Beside its name first, so that a half-written report never stands under it."""
    # Of its own name: the same report may be asked for twice at once.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as problem:
        with suppress(OSError):
            draft.unlink()
        raise RequestError(f"The report {path} cannot be written: {problem.strerror}.") from problem

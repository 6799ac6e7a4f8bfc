"""From what is chosen on the panel to what the Processing algorithm takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qgis.core import QgsMapLayer, QgsRasterLayer, QgsVectorLayer

from ..inference.job import PRODUCTS
from ..models.library import Installed
from ..toolbox.results.project import map_parameters, run_title
from .inputs.slot_row import SlotRow
from .results.picker import ResultPicker
from .runs.state import RunRequest


def make_request(
    model: Installed,
    rows: Sequence[SlotRow],
    reference: QgsMapLayer,
    where: Mapping[str, object],
    results: ResultPicker,
) -> RunRequest:
    """The run that the panel describes, named after `reference`, the layer that gives the grid.

    `where` holds the algorithm's parameters for area and resolution.
    """
    folder = results.options.run_folder()
    parameters = map_parameters(
        model.path,
        imagery=_of_role(rows, "imagery"),
        osm=_vectors(rows),
        dem=next(iter(_of_role(rows, "dem")), None),
        prior=_of_role(rows, "prior"),
        products={name: str(folder / PRODUCTS[name]) for name in results.products()},
        SLOTS=_slot_lines(rows),
        RADIOMETRY=_radiometry_lines(rows),
        FOLDER=str(folder),
        **results.options.parameters(),
        **where,
    )
    return RunRequest(run_title(model.card, reference.name()), model.path, model.card, parameters, folder)


def _alone(row: SlotRow, rows: Sequence[SlotRow]) -> bool:
    """Whether the row's layers can be given by their role alone."""
    same = [other for other in rows if other.slot.role == row.slot.role]
    return len(same) == 1 and row.slot.role in ("imagery", "dem", "prior") and not row.chosen().bands


def _of_role(rows: Sequence[SlotRow], role: str) -> list[QgsMapLayer]:
    return [layer for row in rows if row.slot.role == role and _alone(row, rows) for layer in _rasters(row)]


def _rasters(row: SlotRow) -> list[QgsMapLayer]:
    return [layer for layer in row.layers() if isinstance(layer, QgsRasterLayer)]


def _vectors(rows: Sequence[SlotRow]) -> list[QgsMapLayer]:
    """All chosen vector layers once; each slot's recipe takes from them what it draws."""
    found = {layer.id(): layer for row in rows for layer in row.layers() if isinstance(layer, QgsVectorLayer)}
    return list(found.values())


def _slot_lines(rows: Sequence[SlotRow]) -> str:
    """Where several slots have one role, or bands were named, which layers and bands go to which slot."""
    shared = [row for row in rows if not _alone(row, rows)]
    return "\n".join(line for row in shared for line in row.chosen().slot_lines(row.slot.name))


def _radiometry_lines(rows: Sequence[SlotRow]) -> str:
    return "\n".join(line for row in rows for line in row.chosen().radiometry_lines(row.slot.name))

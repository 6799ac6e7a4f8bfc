"""A layer that changes while it is being read: a map of two states of it must not be made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .errors import SourceError
from .job import Source as SourceSpec
from .job import resolve
from .prepare import Prepared
from .sources import Context

#: For each slot the size and time of change of its local files; None for what is not there, or not a file here.
Stamps = dict[str, tuple[tuple[int, int] | None, ...]]


def stamp(prepared: Prepared) -> Stamps:
    """How the layers' files stand; cheap enough to be asked before and after a run."""
    return {
        slot.name: tuple(_stamp(Path(resolve(path, prepared.base))) for path in _paths(spec))
        for slot in prepared.card.slots
        if (spec := prepared.job.sources.get(slot.name))
    }


def refuse_changes(prepared: Prepared, context: Context, before: Stamps, fingerprints: Mapping[str, str]) -> None:
    """Look again at every layer whose files have been touched since `before`.

    Raises:
        SourceError: where it is gone, or no longer what it was by its fingerprint. (QGIS changes the bytes of a
            GeoPackage by opening it, but none of its features.)
    """
    for name, now in stamp(prepared).items():
        if now == before[name]:
            continue
        source = prepared.open_slot(prepared.card.slot(name), context)
        if source is None:
            continue
        try:
            changed = source.fingerprint() != fingerprints[name]
        finally:
            source.close()
        if changed:
            raise SourceError(f"The layer for '{name}' changed while the map was being made of it; run again.")


def _paths(spec: SourceSpec) -> list[str]:
    rasters = [*filter(None, [spec.path]), *spec.mosaic, *(file.path for file in spec.stack)]
    return [*rasters, *(layer.path for layer in spec.layers)]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts.st_size, facts.st_mtime_ns

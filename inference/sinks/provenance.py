"""What every product says about how it was made, and whom to thank."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...models.card import Card
from ..credits import credits_osm
from ..grid import Grid
from ..job import Outputs, Source

#: What the OpenStreetMap Foundation's attribution guideline asks of maps made with its data.
OSM_ATTRIBUTION = "© OpenStreetMap contributors, ODbL 1.0, https://www.openstreetmap.org/copyright"


def product_tags(
    card: Card | None,
    model_hash: str | None,
    sources: Mapping[str, Source],
    grid: Grid,
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
    attribution: Iterable[str] = (),
) -> dict[str, str]:
    """Metadata for the tags of a GeoTIFF and the metadata table of a GeoPackage.

    Nothing in it tells the time, the machine or a path, and no source is named by more than its display name or the
    last part of its path, so that no password leaves with a product.

    Args:
        card: the model's card; None for a stack without a model.
        model_hash: the model file's SHA-256, hexadecimal.
        sources: the job's sources by slot.
        grid: the run grid.
        settings: what else shaped the result (thresholds, tile, precision ...); values must be JSON-like.
        versions: versions of the engine and its libraries by name.
        attribution: what the sources' licences ask for, besides what they say of themselves.
    """
    tags = {"FUSION_MAPPER_GRID": grid_text(grid)}
    if card is not None:
        tags["FUSION_MAPPER_MODEL"] = f"{card.label} (version {card.version})" if card.version else card.label
        tags["FUSION_MAPPER_NOTICE"] = card.notice
        tags["FUSION_MAPPER_MODEL_LICENSE"] = card.license
    if model_hash:
        tags["FUSION_MAPPER_MODEL_HASH"] = f"sha256:{model_hash.removeprefix('sha256:')}"
    for slot, source in sources.items():
        tags[f"FUSION_MAPPER_SOURCE_{slot}"] = ", ".join(source_names(source))
        tags[f"FUSION_MAPPER_RADIOMETRY_{slot}"] = radiometry_text(source)
    tags["FUSION_MAPPER_SETTINGS"] = _listed(settings)
    tags["FUSION_MAPPER_VERSIONS"] = _listed(versions)
    credits = _credits(card, sources, attribution)
    tags["FUSION_MAPPER_ATTRIBUTION"] = tags["TIFFTAG_COPYRIGHT"] = "; ".join(credits)
    tags["TIFFTAG_SOFTWARE"] = "Fusion Mapper"
    return {name: _plain(text) for name, text in sorted(tags.items()) if text}


def output_settings(outputs: Outputs) -> dict[str, Any]:
    """The job's settings that shape products, without its paths."""
    names = ("minimum_area", "simplify", "threshold", "field_threshold", "boundary_threshold")
    return {name: getattr(outputs, name) for name in names}


def source_names(source: Source) -> list[str]:
    """What a source is called in a product: its own name, or the bare names of its files and layers."""
    if source.name:
        return [source.name]
    paths = [*source.mosaic, *(file.path for file in source.stack)]
    paths += [source.path] if source.path else []
    vectors = [f"{_bare(layer.path)}:{layer.layer}" if layer.layer else _bare(layer.path) for layer in source.layers]
    return [_bare(path) for path in paths] + vectors


def radiometry_text(source: Source) -> str:
    """How stored numbers became the values that the model was given; empty where they were taken as they are."""
    offset = f"stored {source.dn_offset:+.10g}" if source.dn_offset else ""
    scale = f"values × {source.dn_scale:.10g}" if source.dn_scale != 1 else ""
    return ", ".join(text for text in (offset, scale) if text)


def grid_text(grid: Grid) -> str:
    """A grid in one line: CRS, size, origin and pixel."""
    authority = grid.pyproj_crs.to_authority()
    crs = ":".join(authority) if authority else grid.pyproj_crs.name
    t = grid.transform
    numbers = ", ".join(f"{value:.12g}" for value in (t.a, t.b, t.c, t.d, t.e, t.f))
    return f"{crs}; {grid.width} × {grid.height} pixels; transform {numbers}"


def _credits(card: Card | None, sources: Mapping[str, Source], attribution: Iterable[str]) -> list[str]:
    """Every credit once, in order; OpenStreetMap's for each OSM slot, even where the job does not repeat it."""
    said = [*(text for source in sources.values() for text in source.attribution), *attribution]
    roles = {slot.name: slot.role for slot in card.slots} if card is not None else {}
    if any(roles.get(name) == "osm" for name in sources) and not credits_osm(said):
        said.append(OSM_ATTRIBUTION)
    return list(dict.fromkeys(said))


def _bare(path: str) -> str:
    """The last part of a path or URL, without what may hold a key: queries, log-ins and connection strings."""
    last = re.split(r"[?|]", path, maxsplit=1)[0].rstrip("/\\")
    last = re.split(r"[/\\@]", last)[-1]
    return last.split(":", 1)[0] if "=" in last else last


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(values.items()) if value is not None)


def _plain(text: str) -> str:
    """Without control characters, which XML cannot hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

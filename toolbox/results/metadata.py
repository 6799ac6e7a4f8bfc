"""What a result's layer metadata tells: what it is, how and of what it was made, whose rights are in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Optional

from qgis.core import QgsAbstractMetadataBase, QgsBox3d, QgsLayerMetadata, QgsMapLayer

from ...inference.record import InputFacts, RunRecord
from ...models.card import Card
from ..products import product_of, title_of

#: ISO 19115's word for maps of what covers the ground, and the vocabulary in which QGIS keeps such words.
_TOPIC = ("gmd:topicCategory", ["Imagery, base maps, earth cover"])
_ADDRESS = re.compile(r"https?://[^\s,;)\]]+")


def result_metadata(
    layer: QgsMapLayer, product: str, card: Card, attribution: Sequence[str], record: Optional[RunRecord]
) -> QgsLayerMetadata:
    """Metadata of one product of a run; without a record, what the card alone tells."""
    metadata = QgsLayerMetadata()
    metadata.setType("dataset")
    metadata.setTitle(f"{card.label}: {title_of(product, card)}")
    parts = (product_of(product).help, card.description, card.notice)
    metadata.setAbstract("\n\n".join(part for part in parts if part))
    metadata.setKeywords({_TOPIC[0]: _TOPIC[1], "Fusion Mapper": _keywords(card, product)})
    metadata.setHistory(list(_history(card, record)))
    metadata.setRights(list(attribution))
    metadata.setLicenses([card.license] if card.license else [])
    metadata.setLinks(list(_links(card, attribution)))
    metadata.setCrs(layer.crs())
    metadata.setExtent(_extent(layer))
    return metadata


def input_text(facts: InputFacts) -> str:
    """One slot's layers in one line: names, CRS, pixels, bands, what was done to the numbers."""
    bands = facts.bands[:6]
    parts = [
        ", ".join(facts.names),
        facts.crs,
        f"{facts.gsd:.3g} m" if facts.gsd else "",
        f"{', '.join(bands)}{' …' if len(facts.bands) > len(bands) else ''}",
        facts.radiometry,
    ]
    return "; ".join(part for part in parts if part)


def settings_text(values: Iterable[tuple[str, object]]) -> str:
    """Settings or versions in one line."""
    return ", ".join(
        f"{name.replace('_', ' ')} {f'{value:g}' if isinstance(value, float) else value}" for name, value in values
    )


def _keywords(card: Card, product: str) -> list[str]:
    names = [info.name for output in card.outputs for info in output.classes]
    return list(dict.fromkeys([card.label, product_of(product).title, *names]))


def _history(card: Card, record: Optional[RunRecord]) -> Iterable[str]:
    version = f" {record.engine}" if record and record.engine else ""
    when = f" on {record.finished.replace('T', ' ').replace('Z', ' UTC')}" if record and record.finished else ""
    yield f"Made with Fusion Mapper{version}{when}."
    model = f"{card.name} {card.version}".strip()
    yield f"Model: {model}{f' ({record.model_hash})' if record and record.model_hash else ''}"
    if record is None:
        return
    for facts in record.inputs:
        yield f"Layer for {facts.slot}: {input_text(facts)}"
    if record.grid is not None:
        grid = record.grid
        yield f"Grid: {grid.crs}, {grid.width} × {grid.height} pixels of {grid.gsd[0]:.3g} × {grid.gsd[1]:.3g} m"
    yield f"Settings: {settings_text(record.settings.items())}"
    yield f"Versions: {settings_text(record.libraries.items())}"
    for sentence in record.warnings:
        yield f"Note: {sentence}"


def _links(card: Card, attribution: Sequence[str]) -> Iterable[QgsAbstractMetadataBase.Link]:
    said = [("Model", card.source), *(("Data licence", line) for line in attribution)]
    for title, text in said:
        for address in _ADDRESS.findall(text):
            yield QgsAbstractMetadataBase.Link(title, "WWW:LINK", address)


def _extent(layer: QgsMapLayer) -> QgsLayerMetadata.Extent:
    spatial = QgsLayerMetadata.SpatialExtent()
    spatial.extentCrs = layer.crs()
    spatial.bounds = QgsBox3d(layer.extent())
    extent = QgsLayerMetadata.Extent()
    extent.setSpatialExtents([spatial])
    return extent

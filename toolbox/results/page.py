"""The report's page: a run's record as one HTML file that needs nothing else. All text from files is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePosixPath
from string import Template
from typing import Optional

from qgis.PyQt.QtCore import QLocale

from ...inference.record import ClassArea, Figures, GridFacts, InputFacts, RunRecord
from ...models.card import Card
from ..engine.environment import PLUGIN_ROOT
from ..products import BY_NAME
from .figures import (
    finished_text,
    hectares_text,
    number_text,
    record_title,
    share_text,
    statistics_of,
    tr,
)
from .metadata import settings_text

_TEMPLATE = PLUGIN_ROOT / "resources" / "report" / "report.html"
_ADDRESS = re.compile(r"https?://[^\s<>&]+")
#: Roles whose sampled range is that of the layer's own values.
_MEASURED = ("imagery", "raster")
#: Position of the resolution among an input's cells.
_RESOLUTION = 3
_BACKENDS = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}
#: Settings that only shape some products, and those products.
_SHAPING = {
    "minimum_area": ("polygons", "fields"),
    "simplify": ("polygons", "fields"),
    "field_threshold": ("fields",),
    "boundary_threshold": ("fields",),
}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
#: Width by height from which pictures stand below, and not beside, one another; and its inverse.
_WIDE = 2.2


@dataclass(frozen=True)
class Picture:
    """One picture of the run."""

    png: str
    """In base64."""
    caption: str


@dataclass(frozen=True)
class Ramp:
    """The colours of a map of values, from its lowest to its highest."""

    colors: tuple[str, ...]
    low: float
    high: float


def report_html(
    record: RunRecord, card: Card, pictures: Sequence[Picture], ramps: Mapping[str, Ramp], attribution: Sequence[str]
) -> str:
    """The page.

    Args:
        ramps: the colours of regressed values by the output's title.
    """
    sections = [
        *(_areas(figures, ramps.get(figures.output)) for figures in record.areas),
        _section(tr("Inputs"), _inputs(record.inputs)),
        _section(tr("Model"), _model(record, card)) if record.card else "",
        _section(tr("Settings"), _settings(record)),
        _section(tr("Notes"), _listed(record.warnings)),
        _section(tr("Attribution and licences"), _listed((*attribution, *_model_licence(card)), linked=True)),
        _section(tr("Files"), _files(record.files)),
    ]
    version = f"Fusion Mapper {record.engine}".strip()
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        language=escape(QLocale().name().partition("_")[0]),
        title=escape(record_title(record)),
        lead=escape(_lead(record)),
        notice=f'<p class="notice">{escape(_sentence(card.notice))}</p>' if card.notice else "",
        pictures=_pictures(pictures, record),
        sections="\n".join(section for section in sections if section),
        footer=escape(tr("Made with {version}.").format(version=version)),
    )


def _lead(record: RunRecord) -> str:
    grid = record.grid
    size = pixel = ""
    if grid is not None:
        along, down = (grid.width * grid.gsd[0] / 1000, grid.height * grid.gsd[1] / 1000)
        size = tr("{width} × {height} km").format(width=_decimals(along, 2), height=_decimals(down, 2))
        pixel = tr("pixels of {size} m").format(size=f"{sum(grid.gsd) / 2:.3g}")
    return " · ".join(part for part in (finished_text(record), size, pixel) if part)


def _pictures(pictures: Sequence[Picture], record: RunRecord) -> str:
    if not pictures or record.grid is None:
        return ""
    shape = record.grid.width * record.grid.gsd[0] / (record.grid.height * record.grid.gsd[1])
    kind = " wide" if shape > _WIDE else " tall" if shape < 1 / _WIDE else ""
    figures = "\n".join(
        f'<figure><img src="data:image/png;base64,{one.png}" alt="{escape(one.caption)}">'
        f"<figcaption>{escape(one.caption)}</figcaption></figure>"
        for one in pictures
    )
    return f'<div class="pictures{kind}">\n{figures}\n</div>'


def _areas(figures: Figures, ramp: Optional[Ramp]) -> str:
    if figures.classes:
        return _section(figures.output, _classes(figures))
    return _section(figures.output, _ramp(ramp, figures.units) + _statistics(figures))


def _classes(figures: Figures) -> str:
    most = max((row.share for row in figures.classes), default=0) or 1
    rows = [_class(row, most) for row in figures.classes]
    rows.append(_plain_row("total", tr("Mapped"), hectares_text(figures.area_ha)))
    if figures.nodata_ha:
        rows.append(_plain_row("rest", tr("Nodata, in no class"), hectares_text(figures.nodata_ha)))
    heads = (
        f'<tr><th>{escape(tr("Class"))}</th><th class="number">{escape(tr("Area"))}</th>'
        f'<th class="number">{escape(tr("Share"))}</th><th></th></tr>'
    )
    return f"<table><thead>{heads}</thead><tbody>\n{_lines(rows)}\n</tbody></table>"


def _class(row: ClassArea, most: float) -> str:
    color = row.color if _COLOR.fullmatch(row.color) else "#808080"
    width = f"{row.share / most * 100:.2f}%"
    bar = f'<span style="width:{width};background:{color}"></span>' if row.share else ""
    return (
        f'<tr><th scope="row"><span class="swatch" style="background:{color}"></span>{escape(row.name)}</th>'
        f'<td class="number">{escape(hectares_text(row.area_ha))}</td>'
        f'<td class="number">{escape(share_text(row.share))}</td><td class="bar">{bar}</td></tr>'
    )


def _plain_row(kind: str, title: str, text: str) -> str:
    return (
        f'<tr class="{kind}"><th scope="row">{escape(title)}</th>'
        f'<td class="number">{escape(text)}</td><td></td><td></td></tr>'
    )


def _statistics(figures: Figures) -> str:
    rows = [(title, f"{number_text(value)} {figures.units}".strip()) for title, value in statistics_of(figures)]
    rows.append((tr("Mapped"), hectares_text(figures.area_ha)))
    if figures.nodata_ha:
        rows.append((tr("Nodata"), hectares_text(figures.nodata_ha)))
    return _pairs(rows)


def _ramp(ramp: Optional[Ramp], units: str) -> str:
    if ramp is None:
        return ""
    ends = "".join(f"<span>{escape(f'{number_text(value)} {units}'.strip())}</span>" for value in (ramp.low, ramp.high))
    stops = ", ".join(color for color in ramp.colors if _COLOR.fullmatch(color))
    return (
        f'<div class="ramp" style="background:linear-gradient(to right, {stops})"></div><div class="ends">{ends}</div>'
    )


def _inputs(inputs: Sequence[InputFacts]) -> str:
    if not inputs:
        return ""
    heads = (tr("Slot"), tr("Layer"), tr("CRS"), tr("Resolution"), tr("Bands or channels"), tr("Values"))
    rows = [_row((facts.slot, *_facts(facts)), short=_RESOLUTION) for facts in inputs]
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>\n{_lines(rows)}\n</tbody></table></div>'


def _facts(facts: InputFacts) -> tuple[str, ...]:
    resolution = tr("{size} m").format(size=f"{facts.gsd:.3g}") if facts.gsd else ""
    if facts.features is not None:
        count = QLocale().toString(facts.features)
        resolution = tr("1 feature") if facts.features == 1 else tr("{count} features").format(count=count)
    # Of an elevation model, the range is known of what was derived from it alone.
    parts = ["" if facts.dtype == "vector" else facts.dtype, _span(facts) if facts.role in _MEASURED else ""]
    return (
        ", ".join(facts.names),
        facts.crs,
        resolution,
        ", ".join(facts.bands),
        "; ".join(part for part in (*parts, facts.radiometry) if part),
    )


def _span(facts: InputFacts) -> str:
    """The range of a sample of the layer's values."""
    if not facts.minimum or not facts.maximum:
        return ""
    return tr("{low} to {high}").format(low=f"{min(facts.minimum):.4g}", high=f"{max(facts.maximum):.4g}")


def _model(record: RunRecord, card: Card) -> str:
    version = tr("version {version}").format(version=card.version) if card.version else ""
    rows = [
        (tr("Name"), ", ".join(part for part in (card.label, version) if part)),
        (tr("Description"), card.description),
        (tr("Architecture"), card.architecture),
        (tr("Made for"), tr("pixels of {size} m").format(size=f"{card.gsd:.3g}") if card.gsd else ""),
        (tr("Licence"), card.license),
        (tr("Source"), card.source),
        (tr("File"), record.model_hash),
    ]
    return _pairs(rows)


def _model_licence(card: Card) -> Iterable[str]:
    if card.license:
        yield tr("Model “{model}”: {licence}").format(model=card.label, licence=card.license)


def _settings(record: RunRecord) -> str:
    session, grid = record.session or {}, record.grid
    backend = str(session.get("backend", ""))
    rows = [
        (tr("Grid"), _grid(grid) if grid else ""),
        (tr("Device"), str(session.get("device", ""))),
        (tr("Backend"), f"{_BACKENDS.get(backend, backend)} {session.get('precision', '')}".strip()),
        (tr("Settings"), settings_text(_shaping(record))),
        (tr("Time"), tr("{number} s").format(number=_decimals(record.seconds, 1)) if record.seconds else ""),
        (tr("Versions"), settings_text(record.libraries.items())),
    ]
    return _pairs(rows)


def _grid(grid: GridFacts) -> str:
    # A CRS without a code is a text of a page.
    crs = grid.crs if ":" in grid.crs[:12] else tr("a CRS without a code")
    return tr("{crs}, {width} × {height} pixels").format(crs=crs, width=grid.width, height=grid.height)


def _shaping(record: RunRecord) -> Iterable[tuple[str, object]]:
    """The settings that had a say in what was made; the session's stand apart."""
    for name, value in record.settings.items():
        shaped = _SHAPING.get(name)
        if name not in (record.session or {}) and (shaped is None or not record.files.keys().isdisjoint(shaped)):
            yield name, value


def _files(files: Mapping[str, str]) -> str:
    return _pairs((_product_title(product), PurePosixPath(path).name) for product, path in files.items())


def _product_title(product: str) -> str:
    """A product's title; those of a model's further outputs carry the output's name."""
    name, _, output = product.partition(":")
    title = tr(BY_NAME[name].title) if name in BY_NAME else name
    return f"{title}, {output}" if output else title


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}" if body else ""


def _listed(lines: Iterable[str], linked: bool = False) -> str:
    """A list of sentences; `linked` makes web addresses in them links."""
    texts = [escape(line) for line in lines]
    if linked:
        texts = [_ADDRESS.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', text) for text in texts]
    items = [f"<li>{text}</li>" for text in texts]
    return f"<ul>\n{_lines(items)}\n</ul>" if items else ""


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    pairs = [f"<dt>{escape(title)}</dt><dd>{escape(text)}</dd>" for title, text in rows if text]
    return f"<dl>\n{_lines(pairs)}\n</dl>" if pairs else ""


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _decimals(value: float, count: int) -> str:
    return QLocale().toString(float(value), "f", count)


def _row(cells: Iterable[str], short: int) -> str:
    """One row; the cell at `short` stays on one line."""
    kinds = ((' class="short"' if at == short else "", cell) for at, cell in enumerate(cells))
    return "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in kinds) + "</tr>"


def _lines(parts: Sequence[str]) -> str:
    return "\n".join(parts)

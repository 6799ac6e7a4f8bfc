"""The page of an evaluation: figures, tables and plot as one HTML file. All text from files is escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from ..evaluation_facts import Facts
from .sentences import caveats

_TEMPLATE = Path(__file__).resolve().parents[3] / "resources" / "report" / "evaluation.html"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_FIGURES = (
    ("accuracy", "Overall accuracy"),
    ("miou", "Mean IoU"),
    ("f1", "Mean F1"),
    ("boundary_f1", "Boundary F1"),
    ("object_f1", "Field F1"),
)
_VALUE_FIGURES = (("rmse", "RMSE"), ("mae", "Mean absolute error"), ("bias", "Bias (map minus labels)"))


def evaluation_html(figures: Mapping[str, Any], facts: Facts, plot: bytes) -> bytes:
    """The page.

    Args:
        figures: plain JSON values, as `evaluation.json` has them.
        plot: a PNG.
    """
    is_classes = "classes" in figures
    sections = [
        _headline(figures) if is_classes else _values(figures, facts.units),
        _picture(plot, is_classes),
        *((_section("Classes", _classes(figures)), _section("Confusion", _confusion(figures))) if is_classes else ()),
        _section("Areas", _areas(figures, facts.drawn)) if is_classes else "",
        _section("Fields", _fields(figures)) if "boundary_f1" in figures else "",
        _section("How to read this", _listed(caveats(figures, facts))),
        _section("Notes", _listed(facts.warnings)),
        _section("What was judged", _judged(facts)),
        _section("Attribution and licences", _listed(facts.attribution)),
    ]
    lead = f"{facts.map} against {facts.labels} · {figures['n']:,} labelled pixels in {facts.grouped}"
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(facts.title),
        lead=escape(lead),
        notice=f'<p class="notice">{escape(_sentence(facts.notice))}</p>' if facts.notice else "",
        sections="\n".join(section for section in sections if section),
        footer=escape(f"Made with Fusion Mapper {facts.versions.get('fusion_mapper', '')}".strip() + "."),
    )
    return page.encode("utf-8")


def _headline(figures: Mapping[str, Any]) -> str:
    tiles = [
        (title, _percent(figures[name]), _range(figures.get(f"{name}_interval")))
        for name, title in _FIGURES
        if name in figures
    ]
    tiles.append(("Kappa", _number(figures["kappa"], ".2f"), ""))
    return _tiles(tiles)


def _values(figures: Mapping[str, Any], units: str) -> str:
    tiles = [("R²", _number(figures["r2"], ".3f"), _span(figures.get("r2_interval"), ".3f"))]
    for name, title in _VALUE_FIGURES:
        value = f"{_number(figures[name], '.4g')} {units}".strip() if figures[name] is not None else "–"
        tiles.append((title, value, _span(figures.get(f"{name}_interval"), ".4g")))
    return _tiles(tiles)


def _tiles(tiles: Iterable[tuple[str, str, str]]) -> str:
    rows = [
        f"<div><dt>{escape(title)}</dt><dd>{escape(value)}</dd>"
        + (f'<dd class="range">95 %: {escape(span)}</dd>' if span else "")
        + "</div>"
        for title, value, span in tiles
    ]
    return f'<dl class="tiles">\n{_lines(rows)}\n</dl>'


def _picture(plot: bytes, is_classes: bool) -> str:
    caption = (
        "Confusion of the labelled pixels in percent of each class of the labels, and the areas of the whole map"
        if is_classes
        else "Mapped values against those of the labels"
    )
    data = base64.b64encode(plot).decode("ascii")
    kind = "" if is_classes else ' class="small"'
    return (
        f'<figure{kind}><img src="data:image/png;base64,{data}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _classes(figures: Mapping[str, Any]) -> str:
    heads = ("Class", "Labelled pixels", "User's accuracy", "Producer's accuracy", "F1", "IoU", "IoU, 95 %")
    rows = [
        _row(
            _named(row),
            _count(row["labelled_pixels"]),
            _percent(row["users"]),
            _percent(row["producers"]),
            _percent(row["f1"]),
            _percent(row["iou"]),
            _range(row["iou_interval"]),
        )
        for row in figures["classes"]
    ]
    return _table(heads, rows)


def _confusion(figures: Mapping[str, Any]) -> str:
    names = [row["name"] for row in figures["classes"]]
    counts = figures["confusion"]
    rows = []
    for position, (row, line) in enumerate(zip(figures["classes"], counts, strict=True)):
        cells = [
            f'<td class="number{" same" * (column == position)}">{_count(count)}</td>'
            for column, count in enumerate(line)
        ]
        rows.append(f'<tr>{_named(row)}{"".join(cells)}<td class="number total">{_count(sum(line))}</td></tr>')
    sums = [_count(sum(line[column] for line in counts)) for column in range(len(names))]
    total = "".join(f'<td class="number">{one}</td>' for one in (*sums, _count(figures["n"])))
    rows.append(f'<tr class="total"><th scope="row">All</th>{total}</tr>')
    return "<p>Labelled pixels: a row for each class of the labels, a column for each class of the map.</p>" + _table(
        ("Labels", *names, "All"), rows
    )


def _areas(figures: Mapping[str, Any], drawn: str) -> str:
    heads = ("Class", "Mapped, ha", "Error-adjusted, ha", "± 95 %, ha", f"95 % by {drawn}, ha", "Producer's accuracy")
    rows = []
    for row in figures["classes"]:
        producers = _percent(row["producers_of_area"])
        if row["producers_of_area"] is not None and row["producers_of_area_margin"] is not None:
            producers += f" ± {_percent(row['producers_of_area_margin'])}"
        rows.append(
            _row(
                _named(row),
                _hectares(row["mapped_ha"]),
                _hectares(row["area_ha"]),
                _hectares(row["area_margin_ha"]),
                " – ".join(_hectares(end) for end in row["area_interval"] or ()),
                producers,
            )
        )
    whole = ""
    if figures["accuracy_of_area"] is not None:
        whole = (
            f"<p>Accuracy of the whole map: {_percent(figures['accuracy_of_area'])} ± "
            f"{_percent(figures['accuracy_of_area_margin'])}"
        )
        by_group = _range(figures["accuracy_of_area_interval"])
        whole += f" ({by_group} by {drawn}).</p>" if by_group else ".</p>"
    return whole + _table(heads, rows)


def _fields(figures: Mapping[str, Any]) -> str:
    pixels = figures["boundary_tolerance"]
    rows = [
        (f"Boundary F1 within {pixels} pixel{'s' * (pixels != 1)}", _percent(figures["boundary_f1"])),
        ("Boundary precision", _percent(figures["boundary_precision"])),
        ("Boundary recall", _percent(figures["boundary_recall"])),
    ]
    if "object_f1" in figures:
        counts = (figures["objects_matched"], figures["objects_mapped"], figures["objects_true"])
        matched, mapped, true = (_count(one) for one in counts)
        rows += [
            ("Fields matched", f"{matched} of {true} reference fields; {mapped} mapped fields judged"),
            ("Field F1 (IoU of at least 50 %)", _percent(figures["object_f1"])),
            ("Field precision", _percent(figures["object_precision"])),
            ("Field recall", _percent(figures["object_recall"])),
            ("Mean IoU of matched fields", _percent(figures["object_mean_iou"])),
            ("Over-segmentation", _percent(figures["over_segmentation"])),
            ("Under-segmentation", _percent(figures["under_segmentation"])),
        ]
    return _pairs(rows)


def _judged(facts: Facts) -> str:
    size = f" of {facts.blocks:,.4g} m" if facts.blocks is not None else ""
    return _pairs(
        [
            ("Map", facts.map),
            ("Labels", f"{facts.labels} ({facts.kind}; {facts.grouped}{size})"),
            ("Model", facts.model),
            ("Model file", facts.model_hash),
            ("Grid", facts.grid),
            ("Versions", ", ".join(f"{name} {version}" for name, version in facts.versions.items())),
        ]
    )


def _named(row: Mapping[str, Any]) -> str:
    color = row["color"] if _COLOR.fullmatch(row["color"]) else "#808080"
    return f'<th scope="row"><span class="swatch" style="background:{color}"></span>{escape(row["name"])}</th>'


def _row(head: str, *cells: str) -> str:
    return f"<tr>{head}" + "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells) + "</tr>"


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    first, *others = heads
    head = f"<th>{escape(first)}</th>" + "".join(f'<th class="number">{escape(one)}</th>' for one in others)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>\n{_lines(rows)}\n</tbody></table></div>'


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}" if body else ""


def _listed(lines: Iterable[str]) -> str:
    items = [f"<li>{escape(line)}</li>" for line in lines]
    return f"<ul>\n{_lines(items)}\n</ul>" if items else ""


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    pairs = [f"<dt>{escape(title)}</dt><dd>{escape(text)}</dd>" for title, text in rows if text]
    return f"<dl>\n{_lines(pairs)}\n</dl>" if pairs else ""


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def _range(interval: Sequence[float] | None) -> str:
    return f"{100 * interval[0]:.1f} – {100 * interval[1]:.1f} %" if interval else ""


def _span(interval: Sequence[float] | None, form: str) -> str:
    return f"{interval[0]:{form}} to {interval[1]:{form}}" if interval else ""


def _count(value: float) -> str:
    return f"{int(value):,}"


def _hectares(value: float | None) -> str:
    """Hectares to about three figures below 10, and whole ones above 100."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"

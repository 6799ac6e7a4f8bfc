"""A model's card as a page to read; all text of the card is shown as plain text."""

from __future__ import annotations

from html import escape

from ...models.card import Card, Output, Slot
from ...models.library import Installed
from ...models.palette import class_color
from ..shared.wording import DOT, metres_text, slot_title, task_title, tr
from .summary import sentence

#: Facts of training that are long tables, which a page to read has no room for.
_MOST_FACT = 160


def card_html(model: Installed) -> str:
    """The page of an installed model."""
    card = model.card
    if card is None:
        return _paragraph(model.problem)
    parts = [_title(card)]
    parts += [_paragraph(text) for text in (card.description, sentence(card.notice)) if text]
    if card.unknown:
        parts.append(_paragraph(tr("The file did not tell {fields}.").format(fields=", ".join(card.unknown))))
    parts += [_output(output) for output in card.outputs]
    parts.append(_heading(tr("Needs")))
    parts.append(_items([_slot(slot, card) for slot in card.slots]))
    parts.append(_table(tr("Model"), _facts(model, card)))
    training = [(str(key).replace("_", " "), _fact(value)) for key, value in card.training.items()]
    parts.append(_table(tr("Training"), [(key, value) for key, value in training if value]))
    return "".join(part for part in parts if part)


def _title(card: Card) -> str:
    line = [task_title(card)]
    if card.gsd is not None:
        line.append(metres_text(card.gsd))
    if card.version:
        line.append(tr("version {number}").format(number=card.version))
    return f"<h3>{escape(card.label)}</h3>" + _paragraph(DOT.join(line))


def _output(output: Output) -> str:
    title = output.title or output.name
    if not output.classes:
        limits = tr("{low} to {high}").format(low=output.range[0], high=output.range[1]) if output.range else ""
        return _heading(title) + _paragraph(" ".join(part for part in (limits, output.units) if part) or tr("Values"))
    rows = [
        f'<tr><td style="color:{class_color(info, index)}">■</td><td align="right">{info.value}</td>'
        f"<td>{escape(info.name)}</td><td>{escape(info.description)}</td></tr>"
        for index, info in enumerate(output.classes)
    ]
    return _heading(tr("Classes of {output}").format(output=title)) + f"<table cellpadding=2>{''.join(rows)}</table>"


def _slot(slot: Slot, card: Card) -> str:
    channels = ", ".join(channel.name for channel in slot.channels)
    text = tr("{slot}: {channels}").format(slot=slot_title(slot, card), channels=channels)
    if slot.gsd is not None:
        text += tr(", trained with {gsd}").format(gsd=metres_text(slot.gsd))
    return text + DOT + (tr("required") if slot.missing == "required" else tr("optional"))


def _facts(model: Installed, card: Card) -> list[tuple[str, str]]:
    size = tr("{size} px").format(size=card.tiling.size)
    facts = [
        (tr("Licence"), card.license or tr("not told")),
        (tr("Source"), card.source or tr("not told")),
        (tr("Architecture"), card.architecture),
        (tr("Tile"), tr("{size}, no other").format(size=size) if card.tiling.fixed else size),
        (tr("File"), str(model.path)),
    ]
    return [(name, value) for name, value in facts if value]


def _fact(value: object) -> str:
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    elif isinstance(value, dict):
        value = ", ".join(f"{key} {part}" for key, part in value.items())
    text = str(value)
    return text if len(text) <= _MOST_FACT else text[: _MOST_FACT - 1] + "…"


def _heading(text: str) -> str:
    return f'<p style="margin:8px 0 2px 0"><b>{escape(text)}</b></p>'


def _paragraph(text: str) -> str:
    return f'<p style="margin:0 0 4px 0">{escape(text)}</p>'


def _items(texts: list[str]) -> str:
    return "".join(_paragraph(text) for text in texts)


def _table(title: str, facts: list[tuple[str, str]]) -> str:
    if not facts:
        return ""
    rows = "".join(f"<tr><td>{escape(name)}&nbsp;&nbsp;</td><td>{escape(value)}</td></tr>" for name, value in facts)
    return _heading(title) + f"<table cellpadding=1>{rows}</table>"

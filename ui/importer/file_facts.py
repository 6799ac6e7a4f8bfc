"""What the model file is: its size and hash, the convention its metadata follow, the graph's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Optional

from qgis.PyQt.QtCore import QLocale
from qgis.PyQt.QtWidgets import QTextBrowser, QWidget

from ..shared.wording import count_text, tr

#: Pixels below which file names are broken into pieces.
_WIDTH = 200
#: Letters of a hash that tell two files apart at a glance.
_SHORT_HASH = 12


class FileFacts(QTextBrowser):
    """Shows what the engine tells of a file; everything in it is shown as plain text."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setObjectName("FusionMapperImportFacts")
        self.setAccessibleName(tr("What the file is"))
        self.setOpenLinks(False)
        self.setMinimumWidth(_WIDTH)
        self.setTabChangesFocus(True)

    def show_report(self, path: Path, report: Mapping[str, Any], remarks: Sequence[str] = ()) -> None:
        """Show the engine's report on the file; `remarks` are those that belong to no field of the form."""
        graph = report["graph"]
        size = QLocale().formattedDataSize(report["size"])
        parts = [
            _heading(path.name),
            _line(tr("{size}, SHA-256 {hash}…").format(size=size, hash=_short(report["sha256"]))),
            _heading(tr("Metadata")),
            _line(convention_words(report["convention"])),
            *(_line("◐ " + remark) for remark in remarks),
            _heading(tr("Inputs")),
            *(_tensor(tensor) for tensor in graph["inputs"]),
            _heading(tr("Outputs")),
            *(_tensor(tensor) for tensor in graph["outputs"]),
            _heading(tr("Graph")),
            _line(_size_text(graph)),
        ]
        parts += [_line(text) for text in _geometry(report["card"])]
        if graph["external"]:
            parts.append(_line(tr("Weights in {files}").format(files=", ".join(graph["external"]))))
        self.setHtml("".join(parts))

    def say(self, text: str) -> None:
        """Show one sentence in place of the facts."""
        self.setHtml(_line(text))


def _size_text(graph: dict[str, Any]) -> str:
    operators = count_text(graph["nodes"], tr("1 operator"), tr("{count} operators"))
    return tr("{operators}, opset {opset}").format(operators=operators, opset=graph["opset"])


def _geometry(card: Mapping[str, Any]) -> list[str]:
    """What the graph's own shape asks of the tiles."""
    texts = []
    if card.get("stride", 1) > 1:
        texts.append(tr("Shifts by multiples of {stride} px leave its answer unchanged").format(stride=card["stride"]))
    for output in card["outputs"]:
        if output.get("margin"):
            text = tr("{output} leaves out {margin} px at each side of a tile")
            texts.append(text.format(output=output["name"], margin=output["margin"]))
        if output.get("stride", 1) > 1:
            text = tr("{output} has one pixel for {stride} of the imagery")
            texts.append(text.format(output=output["name"], stride=output["stride"]))
    return texts


def convention_words(convention: str) -> str:
    """Whose metadata the file carries, and what that means for the card."""
    words = {
        "fusion-mapper": tr("Fusion Mapper's own card. It agrees with the graph."),
        "mlm": tr("A STAC MLM item beside the file."),
        "deepness": tr("Deepness's metadata inside the file."),
        "geoai": tr("A geoai sidecar beside the file."),
        "bare": tr("None. The card only holds what the graph tells; the rest has to be filled in."),
    }
    return words.get(convention, convention)


def _short(sha256: str) -> str:
    return sha256.rpartition(":")[2][:_SHORT_HASH]


def _heading(text: str) -> str:
    return f'<p style="margin:6px 0 1px 0"><b>{escape(text)}</b></p>'


def _line(text: str) -> str:
    return f'<p style="margin:0 0 1px 0">{escape(text)}</p>'


def _tensor(tensor: Mapping[str, Any]) -> str:
    return _line(f"{tensor['name']}: {tensor['text']}, {tensor['dtype']}")

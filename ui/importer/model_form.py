"""What the card says about the model as a whole: name, resolution, tiles, licence, source."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Optional

from qgis.PyQt.QtCore import QSignalBlocker
from qgis.PyQt.QtWidgets import QLineEdit, QSpinBox, QWidget

from ..shared.wording import tr
from .draft import CardDraft
from .fields import FieldForm, OptionalNumber


class ModelForm(FieldForm):
    """Edits what is said of the model itself."""

    def __init__(self, draft: CardDraft, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("Model"), draft, parent)
        card = draft.card
        self._title = QLineEdit(card.title, self)
        self._name = QLineEdit(card.name, self)
        self._gsd = OptionalNumber(tr("As the imagery"), 100000, 3, " m", self)
        self._gsd.set_number(card.gsd)
        self._name.setMaxLength(80)
        self._lay_out()
        self._gsd.changed.connect(self._on_gsd)
        take_texts(draft, (self._title, "title"), (self._name, "name"))

    def name_field(self) -> QLineEdit:
        """Where the model's name in the library is written."""
        return self._name

    def _lay_out(self) -> None:
        self.add(tr("Title"), self._title, "Title", "title", tr("What the model is called in lists"))
        hint = tr("Name of the model's folder and file in the library")
        self.add(tr("Name in library"), self._name, "Name", "name", hint)
        hint = tr("Ground sampling distance: metres of ground along a pixel of the imagery it was trained with")
        self.add(tr("GSD"), self._gsd, "Gsd", "gsd", hint)

    def _on_gsd(self, gsd: Optional[float]) -> None:
        self.draft.set("gsd", gsd=gsd or None)


class AboutForm(FieldForm):
    """Edits what others should know of the model."""

    def __init__(self, draft: CardDraft, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("About"), draft, parent)
        card = draft.card
        self._description = QLineEdit(card.description, self)
        self._licence = QLineEdit(card.license, self)
        self._source = QLineEdit(card.source, self)
        self._description.setCursorPosition(0)
        self._licence.setPlaceholderText(tr("For example CC-BY-4.0 or Apache-2.0"))
        self._source.setPlaceholderText(tr("Web address or reference"))
        self.add(tr("Description"), self._description, "Description", "description", tr("One line, shown in lists"))
        hint = tr("What others may do with the model")
        self.add(tr("Licence"), self._licence, "Licence", "license", hint)
        self.add(tr("Source"), self._source, "Source", "source", tr("Where the model comes from"))
        texts = ((self._description, "description"), (self._licence, "license"), (self._source, "source"))
        take_texts(draft, *texts)


def take_texts(draft: CardDraft, *edits: tuple[QLineEdit, str]) -> None:
    """Put what is typed into the card's fields of these names."""
    for edit, name in edits:
        edit.textEdited.connect(partial(_take_text, draft, name))


def _take_text(draft: CardDraft, name: str, text: str) -> None:
    draft.set(name, **{name: text.strip()})


class TileForm(FieldForm):
    """Edits how the map is cut into tiles."""

    def __init__(self, draft: CardDraft, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("Tiles"), draft, parent)
        self._size = QSpinBox(self)
        self._overlap = OptionalNumber(tr("Chosen by the engine"), 8192, 0, " px", self)
        self._radius = OptionalNumber(tr("Not known"), 8192, 0, " px", self)
        self._show()
        self._lay_out()
        self._size.valueChanged.connect(self._on_size)
        self._overlap.changed.connect(self._on_overlap)
        self._radius.changed.connect(self._on_radius)

    def _show(self) -> None:
        card = self.draft.card
        blocker = QSignalBlocker(self._size)
        self._size.setRange(1, 16384)
        self._size.setSuffix(tr(" px"))
        self._size.setValue(card.tiling.size)
        self._size.setEnabled(not card.tiling.fixed)
        self._overlap.set_number(card.tiling.overlap)
        self._radius.set_number(card.receptive_radius)
        del blocker

    def _lay_out(self) -> None:
        fixed = self.draft.card.tiling.fixed
        hint = tr("The graph takes no other size") if fixed else tr("Side of a tile that goes through the model")
        self.add(tr("Tile size"), self._size, "TileSize", "tiling.size", hint)
        hint = tr("Pixels that neighbouring tiles share where no receptive radius is known")
        self.add(tr("Overlap"), self._overlap, "Overlap", "tiling.overlap", hint)
        hint = tr("Pixels from which an output pixel still draws; where it is known, tiles leave no seams")
        self.add(tr("Receptive radius"), self._radius, "Radius", "receptive_radius", hint)

    def _on_size(self, size: int) -> None:
        self.draft.set("tiling.size", tiling=replace(self.draft.card.tiling, size=size))

    def _on_overlap(self, overlap: Optional[float]) -> None:
        pixels = None if overlap is None else int(overlap)
        self.draft.set("tiling.overlap", tiling=replace(self.draft.card.tiling, overlap=pixels))

    def _on_radius(self, radius: Optional[float]) -> None:
        self.draft.set("receptive_radius", receptive_radius=None if radius is None else int(radius))

"""Which class of the labels is which value of the map: by name first, then by value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...models.accuracy.summary import BOUNDARY
from ...models.card import Card, ClassInfo
from ..errors import RequestError

#: Classes of field maps, by the index that the figures know them by.
FIELD_CLASSES = ("background", "field", "boundary")
FIELD = 1
_LISTED = 12


@dataclass(frozen=True)
class Legend:
    """The classes that are judged, in order; figures are kept by their position.

    Attributes:
        classes: the map's classes, those that labels share with it and those that only the map has.
        of_value: value of the map → position.
        of_label: class index of the labels → position; -1 where the map has no such class.
        left_out: names of the labels' classes that the map does not have.
    """

    classes: tuple[ClassInfo, ...]
    of_value: dict[int, int]
    of_label: np.ndarray
    left_out: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return [info.name for info in self.classes]

    def mapped(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Positions (int16, H×W) of map values; -1 where there is none."""
        keys = np.array(sorted(self.of_value), np.int64)
        positions = np.array([self.of_value[key] for key in keys], np.int16)
        at = np.clip(np.searchsorted(keys, values), 0, len(keys) - 1)
        return np.where(valid & (keys[at] == values), positions[at], np.int16(-1))

    def known(self, indices: np.ndarray) -> np.ndarray:
        """Positions (int16, H×W) of the labels' class indices; -1 where nothing is known."""
        return np.where(indices >= 0, self.of_label[np.maximum(indices, 0)], np.int16(-1)).astype(np.int16)


def map_classes(
    values: Iterable[int], named: Sequence[ClassInfo], legend: Sequence[ClassInfo]
) -> tuple[ClassInfo, ...]:
    """The map's classes: those that the job names, else those of its legend.

    Of the `values` that the map has, those without a name are called by their number.
    """
    known = {info.value: info for info in (named or legend)}
    present = [value for value in values if value not in known]
    return (*known.values(), *(ClassInfo(value, str(value)) for value in sorted(present)))


def match_classes(
    of_map: Sequence[ClassInfo],
    of_labels: Sequence[ClassInfo],
    values: Iterable[int],
    by_value: bool,
    title: str,
    labels: str,
) -> Legend:
    """Match the classes of labels and map, by name (whatever its case), then by value.

    Classes of the map that neither a pixel nor a label has are left away.

    Args:
        values: those that the map has.
        by_value: whether the labels' values are their own, as in a class raster; those of a field with words are only
            places in the alphabet, and then a class is matched by value only where its name is a number.
        title, labels: what the map and the labels are called.

    Raises:
        RequestError: not one class goes with another.
    """
    of_value = {info.value: info for info in of_map}
    of_name = {_plain(info.name): info for info in of_map}
    partner = [
        of_name.get(_plain(info.name)) or (of_value.get(info.value) if by_value or _numbered(info) else None)
        for info in of_labels
    ]
    if not any(partner):
        raise RequestError(
            f"The labels '{labels}' ({_listed(info.name for info in of_labels)}) and {title} "
            f"({_listed(info.name for info in of_map)}) share no class by name or value; name the map's values in "
            "'classes' as the labels call them."
        )
    wanted = {info.value for info in partner if info is not None} | set(values)
    classes = tuple(info for info in of_map if info.value in wanted)
    place = {info.value: position for position, info in enumerate(classes)}
    of_label = np.array([place[info.value] if info else -1 for info in partner], np.int16)
    left_out = tuple(info.name for info, found in zip(of_labels, partner, strict=True) if found is None)
    return Legend(classes, place, of_label, left_out)


def field_legend(of_map: Sequence[ClassInfo], of_labels: Sequence[ClassInfo], card: Card | None, title: str) -> Legend:
    """The three classes of field maps, in the order that their figures count on: background, field, boundary.

    Which value is which is told by the card of the map's model, else by the classes' names, else by the values 1 and 2.

    Raises:
        RequestError: the map has no fields or no boundaries.
    """
    output = next((one for one in card.outputs if one.task == "field-boundaries"), None) if card else None
    told = {output.field: FIELD, output.boundary: BOUNDARY} if output else {}
    of_value = {info.value: told.get(info.value, 0 if told else _role(info)) for info in of_map}
    missing = [name for position, name in enumerate(FIELD_CLASSES) if position and position not in of_value.values()]
    if missing:
        raise RequestError(
            f"{title} has no class for {' and '.join(missing)}; name its values in job.classes as background, field "
            "and boundary."
        )
    values = {position: value for value, position in reversed(of_value.items())}
    classes = tuple(ClassInfo(values.get(at, 0), name) for at, name in enumerate(FIELD_CLASSES))
    of_label = np.array([_role(info) for info in of_labels], np.int16)
    return Legend(classes, of_value, of_label, ())


def left_out_sentence(legend: Legend, title: str) -> str:
    """What is told where labels have classes that the map lacks."""
    several = len(legend.left_out) > 1
    return (
        f"The labels' class{'es' if several else ''} {_listed(legend.left_out)} "
        f"{'are' if several else 'is'} none of {title} ({_listed(legend.names)}); "
        f"{'their' if several else 'its'} labels are left out."
    )


def _role(info: ClassInfo) -> int:
    """What a class of a field map is, by its name, or by its value where it has no name."""
    name = _plain(info.name)
    if _numbered(info):
        return info.value if info.value in (FIELD, BOUNDARY) else 0
    if any(word in name for word in ("bound", "border", "edge")):
        return BOUNDARY
    return FIELD if any(word in name for word in ("field", "parcel", "crop", "interior")) else 0


def _numbered(info: ClassInfo) -> bool:
    """Whether a name is a number; values of other names are only their place in the alphabet."""
    return info.name.strip().lstrip("-").isdigit()


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(f"'{name}'" for name in listed[:_LISTED])
    return shown + (f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else "")

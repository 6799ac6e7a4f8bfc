"""From what stands in a label to the index of its class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...models.card import ClassInfo

#: Strange values that a sentence names.
_NAMED = 5


class ClassKeys:
    """From what stands in a label to the index of its class: by name first, whatever its case, then by value."""

    def __init__(self, classes: Sequence[ClassInfo], unlabelled: Sequence[str] = ()) -> None:
        self._names = {info.name.strip().casefold(): index for index, info in enumerate(classes)}
        self._values = {str(info.value): index for index, info in enumerate(classes)}
        self._unknown = {text.strip().casefold() for text in unlabelled}

    def index(self, value: object) -> int:
        """-1 for what is no class, NULL, or stands for "not known"."""
        text = text_of(value)
        if text is None or text.casefold() in self._unknown:
            return -1
        return self._names.get(text.casefold(), self._values.get(text, -1))

    def indices(self, values: np.ndarray) -> np.ndarray:
        """int16, of the shape of `values`; each different value is looked up once."""
        flat = values.ravel()
        if flat.dtype.kind == "O":
            return np.array([self.index(value) for value in flat], np.int16).reshape(values.shape)
        different, where = np.unique(flat, return_inverse=True)
        return np.array([self.index(v) for v in different], np.int16)[where].reshape(values.shape)

    def strange(self, values: np.ndarray, what: str, name: str) -> tuple[str, ...]:
        """A sentence about values that mean something, but none of the classes.

        Args:
            values: what stands in the labels.
            what: what each of them is, in the plural.
            name: the labels'.
        """
        counts = self._strangers(values)
        if not counts:
            return ()
        listed = ", ".join(f"'{text[:40]}'" for text, _ in counts.most_common(_NAMED))
        more = f" and {len(counts) - _NAMED:,} others" if len(counts) > _NAMED else ""
        return (
            f"{counts.total():,} {what} of '{name}' say {listed}{more}, which is none of the classes; they are left "
            "out.",
        )

    def _strangers(self, values: np.ndarray) -> Counter[str]:
        flat = values.ravel()
        if flat.dtype.kind == "O":
            pairs = Counter(text_of(value) for value in flat).items()
        else:
            different, counts = np.unique(flat, return_counts=True)
            pairs = zip(map(text_of, different), counts.tolist(), strict=True)
        found: Counter[str] = Counter()
        for text, count in pairs:
            if text is not None and text.casefold() not in self._unknown and self.index(text) < 0:
                found[text] += count
        return found


def text_of(value: object) -> str | None:
    """A value as one would write it: whole numbers without a point; None for NULL, NaN and empty text."""
    if value is None or (isinstance(value, (float, np.floating)) and not np.isfinite(value)):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip() or None

"""The table of a comparison: a CSV that grows by whole rows and survives being cut off in the middle of one."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ...models.files import write_atomically
from ..errors import RequestError

Row = dict[str, str]


class Table:
    """Rows of text, in a file that other columns may join later."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[Row]:
        """All whole rows; a last line that was cut off is none.

        Raises:
            RequestError: the file is no table of a comparison.
        """
        if not self.path.exists():
            return []
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise RequestError(f"{self.path} cannot be read ({problem}); choose another folder.") from problem
        lines = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
        if lines and "strategy" not in lines[0]:
            raise RequestError(f"{self.path} is no table of a comparison; choose another folder.")
        return [dict(zip(lines[0], line, strict=True)) for line in lines[1:] if len(line) == len(lines[0])]

    def holds(self, wanted: Mapping[str, str], times: int) -> bool:
        """Whether at least so many rows have these values."""
        return sum(wanted.items() <= row.items() for row in self.rows()) >= times

    def add(self, rows: list[Row]) -> None:
        """Write the rows at the end, all of them or none.

        Raises:
            RequestError: the file cannot be written; what it held stays.
        """
        before = self.rows()
        columns = list(dict.fromkeys(name for row in (*before, *rows) for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*before, *rows])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, text.getvalue().encode())

"""The tables of docs/experiments.md, from the rows of the comparisons: mean and standard deviation over seeds.

    python scripts/experiments/summarise.py docs/experiments/simulated-strategies.csv
    python scripts/experiments/summarise.py --against imagery docs/experiments/simulated-*.csv

``--against`` gives differences to that strategy, paired by place, fraction and seed, with their 95 % interval by
Student's t.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
from collections import defaultdict
from pathlib import Path

#: Student's t for a two-sided interval of 95 %, by degrees of freedom.
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
Key = tuple[str, str, str]


def rows_of(paths: list[Path]) -> list[dict[str, str]]:
    """All rows; those of shuffled layers are a strategy of their own."""
    rows = []
    for path in paths:
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            if row["layers"] == "shuffled":
                row["strategy"] += ", layers shuffled"
            rows.append(row)
    return rows


def table(rows: list[dict[str, str]], column: str, against: str | None) -> str:
    """Markdown: a row for each place and strategy, a column for each fraction."""
    scores: dict[Key, dict[float, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row.get(column):
            key = (row["where"], row["place"], row["strategy"])
            scores[key][float(row["fraction"])][row["seed"]] = float(row[column])
    fractions = sorted({fraction for found in scores.values() for fraction in found}, reverse=True)
    lines = ["| place | strategy | " + " | ".join(f"{100 * f:g} %" for f in fractions) + " |"]
    lines.append("|---" * (2 + len(fractions)) + "|")
    for (where, place, strategy), found in scores.items():
        if against is not None and strategy == against:
            continue
        name = place if where == "in place" else f"{place}, never seen"
        base = scores.get((where, place, against or ""), {})
        cells = [_cell(found[f], base.get(f) if against else None) for f in fractions]
        lines.append(f"| {name} | {strategy} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found: dict[str, float], base: dict[str, float] | None) -> str:
    if base is None:
        values = list(found.values())
        if len(values) < 2:
            return f"{values[0]:.3f} (1 seed)" if values else ""
        return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
    pairs = [found[seed] - base[seed] for seed in found if seed in base]
    if len(pairs) < 2:
        return f"{pairs[0]:+.3f} (1 seed)" if pairs else ""
    half = _T.get(len(pairs) - 1, 1.96) * statistics.stdev(pairs) / math.sqrt(len(pairs))
    return f"{statistics.mean(pairs):+.3f} ± {half:.3f}"


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--column", default="miou")
    parser.add_argument("--against", help="give differences to this strategy")
    choice = parser.parse_args()
    print(table(rows_of(choice.tables), choice.column, choice.against))


if __name__ == "__main__":
    main()

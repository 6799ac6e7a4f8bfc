"""How long QGIS keeps its user waiting: by itself, and with the plugin at work. One real QGIS, both in one run.

The promise is that the plugin adds no gap over 50 ms on QGIS's own thread to what QGIS shows without it. QGIS is opened
on a virtual display with the plugin switched off, the layers are drawn and the map is moved; then the plugin is loaded,
its dock opened, and a run is made over all of the Swellendam imagery, with layers that have to be staged. The same
results are loaded a second time without the plugin, to tell QGIS's share of that.

    scripts/bench.sh gui_gaps [--keep FOLDER] [--stacks NUMBER] [--setup [WHEELS]]

With ``--setup`` the engine is set up for the processor instead, in a fresh profile: from the package index, or from a
folder of wheels. That takes minutes, and so belongs to no other run.

The layers come from ``../shared/data/swellendam``, or from below FUSION_MAPPER_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCREEN = "1280x720"
#: The plugin's folder in QGIS, which its lines of a stack name.
PLUGIN = "/plugins/fusion_mapper/"
#: Milliseconds.
NOTICED = 50.0
#: Seconds after which QGIS is ended.
LIMIT, SETUP_LIMIT = 600, 1800


def main() -> int:
    """Measure, and print what was measured; 1 where the plugin broke its promise, 2 where nothing could be measured."""
    arguments = _arguments()
    data = Path(os.environ.get("FUSION_MAPPER_DATA") or ROOT.parent / "shared" / "data") / "swellendam"
    if not data.is_dir() and arguments.setup is None:
        print(f"gui_gaps: the real layers are not in {data}; set FUSION_MAPPER_DATA to the folder that holds them.")
        return 2
    with tempfile.TemporaryDirectory(prefix="fusion_mapper_gaps_") as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        report = visit(folder.resolve(), data, arguments.setup)
    print(table(report))
    for slow in worst(report, arguments.stacks):
        print(stack_text(slow))
    if report["fault"]:
        print(report["fault"])
        return 2
    return 1 if broken(report) else 0


def visit(folder: Path, data: Path, wheels: str | None) -> dict:
    """Open QGIS, let it be measured, and read what was; `wheels`: of a set-up, empty for the package index."""
    told = folder / "report.json"
    told.unlink(missing_ok=True)
    for watched in (True, False):
        code = open_qgis(folder, data, watched, wheels)
        if told.exists():
            return json.loads(told.read_text(encoding="utf-8"))
        print(f"gui_gaps: QGIS ended with {code} and told nothing.")
    raise SystemExit((folder / "qgis.log").read_text(encoding="utf-8")[-2000:])


def open_qgis(folder: Path, data: Path, watched: bool, wheels: str | None) -> int:
    """One visit to QGIS; what it ended with. `watched`: with a look at the stacks in each gap."""
    code = Path(__file__).with_name("in_qgis")
    order = {"folder": str(folder), "data": str(data), "code": str(code), "watched": watched, "wheels": wheels}
    environment = {**os.environ, "FUSION_MAPPER_BENCH": json.dumps(order), "XDG_DATA_HOME": str(folder / "home")}
    visited, limit = ("visit.py", LIMIT) if wheels is None else ("set_up.py", SETUP_LIMIT)
    script = [str(ROOT / "scripts" / "run_qgis.sh"), "--xvfb", SCREEN, "--profiles", str(folder / "profiles")]
    with (folder / "qgis.log").open("w") as log:
        done = subprocess.run(
            [*script, "--off", "--limit", str(limit), "--code", str(code / visited)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return done.returncode


def table(report: dict) -> str:
    """A line a phase: the longest gap, 99.9 %, how many a user may notice; all, and less what was a full CPU."""
    head = f"{'longest':>9}{'99.9 %':>8}{'> 50':>6}"
    lines = [
        f"{'Milliseconds between beats due every 5':<40}{'':>7}{'as it was':>23}{'less waiting for CPU':>25}",
        f"{'':<40}{'beats':>7}{head}  {head}",
    ]
    for phase, gaps in report["gaps"].items():
        whole = sorted(1000 * gap for gap, _ in gaps)
        own = sorted(1000 * (gap - waited) for gap, waited in gaps)
        cells = [f"{values[-1]:>9.0f}{share(values, 0.999):>8.0f}{over(values):>6}" for values in (whole, own)]
        lines.append(f"{phase:<40}{len(gaps):>7}{cells[0]}  {cells[1]}")
    lines.append(f"QGIS alone, idle or panning: {alone(report):.0f} ms at the most. With the plugin, a run included: ")
    lines[-1] += f"{with_plugin(report):.0f} ms."
    lines += [f"The {name} took {seconds:.0f} s." for name, seconds in report.get("seconds", {}).items()]
    return "\n".join(lines)


def share(values: list[float], part: float) -> float:
    """The value below which this part of the sorted values lies."""
    return values[min(len(values) - 1, int(part * len(values)))]


def over(values: list[float]) -> int:
    """How many gaps a user may notice."""
    return sum(value > NOTICED for value in values)


def longest(report: dict, *begins: str) -> float:
    """Milliseconds of the longest gap, waiting for a processor not counted, of phases that begin so."""
    phases = [gaps for phase, gaps in report["gaps"].items() if phase.startswith(begins)]
    return max((1000 * (gap - waited) for gaps in phases for gap, waited in gaps), default=0.0)


def alone(report: dict) -> float:
    """Milliseconds of QGIS's own longest gap while nothing is loaded."""
    return longest(report, "QGIS alone, idle", "QGIS alone, panning")


def with_plugin(report: dict) -> float:
    """The same with the plugin's dock open, while a run goes on, and while the engine is set up."""
    return longest(report, "plugin: dock open", "plugin: run", "plugin: set-up")


def broken(report: dict) -> bool:
    """Whether the plugin adds a gap that a user may notice."""
    return with_plugin(report) > max(alone(report), NOTICED)


def worst(report: dict, count: int) -> list[dict]:
    """The longest gaps with the plugin, the time of a full machine taken off."""
    slow = [slow for slow in report["slow"] if slow["phase"].startswith("plugin") and _own(slow) > NOTICED]
    return sorted(slow, key=_own, reverse=True)[:count]


def stack_text(slow: dict) -> str:
    """A gap and where the plugin's threads were in it, the innermost line first; without the machinery of imports."""
    lines = [line for line in slow["stacks"].splitlines() if "<frozen importlib" not in line and "_import" not in line]
    threads = re.split(r"^(?=Thread )", "\n".join(lines), flags=re.MULTILINE)
    ours = [re.sub(r"^Timeout.*", "", thread, flags=re.MULTILINE).strip() for thread in threads if PLUGIN in thread]
    return "\n".join(["", f"{_own(slow):.0f} ms in '{slow['phase']}'", *(ours or ["(no line of the plugin's Python)"])])


def _own(slow: dict) -> float:
    return 1000 * (slow["gap"] - slow["waited"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="a folder that keeps the profile, the log and the figures")
    parser.add_argument("--setup", nargs="?", const="", metavar="WHEELS", help="set up the engine instead of mapping")
    parser.add_argument(
        "--stacks", type=int, default=6, help="how many of the longest gaps are shown with their stacks"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""What is copied for somebody who helps: versions, devices, the failure and the log's end, without personal paths."""

from __future__ import annotations

import configparser
import getpass
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from qgis.core import Qgis, QgsApplication
from qgis.PyQt.QtCore import QT_VERSION_STR

from ...toolbox.engine.environment import PLUGIN_ROOT
from ...toolbox.scrub import scrubbed
from ...toolbox.setup.planning import Survey
from ...toolbox.setup.state import State, engine_folder, read_stamp
from ...toolbox.setup.verdict import device_lines

#: Lines of the log that go along.
_TAIL = 60


def report_text(
    state: State, problem: str, report: Mapping[str, object], survey: Optional[Survey], lines: list[str]
) -> str:
    """All that is known, as plain text."""
    stamp = read_stamp(engine_folder())
    facts = [
        f"Fusion Mapper {_version()}, QGIS {Qgis.QGIS_VERSION}, Qt {QT_VERSION_STR}",
        f"QGIS's Python {platform.python_version()}",
        f"{platform.platform()}, {platform.machine()}",
        f"Engine: {state.value}" + (f", {stamp.layer}, Python {stamp.version}" if stamp else ""),
    ]
    if stamp and stamp.training:
        facts.append("With training.")
    if survey is not None:
        facts += _machine(survey)
    packages = report.get("packages", {})
    facts.append(", ".join(f"{name} {version}" for name, version in packages.items()))
    facts += [*device_lines(report), problem, *([""] if lines else []), *lines[-_TAIL:]]
    text = "\n".join(scrubbed(fact) for fact in facts if fact or lines)
    return without_paths(text, _personal(), _user())


def without_paths(text: str, folders: Mapping[str, str], user: str = "") -> str:
    """The text with folders in the place of their names, the longest first, and without the user's name.

    Args:
        text: what is to be told.
        folders: what stands for each folder, by its path.
        user: the user's name; one of a few letters, or root, tells nothing and stays.
    """
    for path in sorted(folders, key=len, reverse=True):
        for written in {path, path.replace("\\", "/"), path.replace("/", "\\")}:
            if len(written) > 1:
                text = re.sub(re.escape(written), lambda _found, to=folders[path]: to, text, flags=re.IGNORECASE)
    # Homes of others too: the profile may lie on a share.
    text = re.sub(r"(?i)((?:/home|/Users|[a-z]:\\Users)[/\\])[^/\\\s:;,'\"]+", r"\1<user>", text)
    if len(user) > 3 and user != "root":
        text = re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", "<user>", text)
    return text


def _machine(survey: Survey) -> list[str]:
    cards = [f"{card.name}, driver {card.driver}, {card.memory} MiB" for card in survey.machine.nvidia]
    pythons = [f"Python {found.version}: {found.python}" for found in survey.pythons]
    proposed = f"Proposed: {survey.proposal.layer}. {survey.proposal.reason}"
    return [proposed, *cards, *survey.machine.adapters, *pythons, survey.problem]


def _personal() -> dict[str, str]:
    profile = Path(QgsApplication.qgisSettingsDirPath())
    return {str(profile): "<profile>", str(PLUGIN_ROOT): "<plugin>", str(Path.home()): "~"}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A user without a name, as in a container.
        return ""


def _version() -> str:
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(PLUGIN_ROOT / "metadata.txt", encoding="utf-8")
    return metadata.get("general", "version", fallback="?")

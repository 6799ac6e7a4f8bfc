"""What an installation is given, and what it tells: its plan, its steps, its listener and its failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Protocol

from ...inference.errors import FusionMapperError
from .causes import Cause
from .pythons import Found
from .standalone import Standalone
from .state import Wish

PYTHON_STEP, ENVIRONMENT_STEP, TOOLS_STEP, FETCH_STEP, UNPACK_STEP, CHECK_STEP, REMOVE_STEP = (
    "python", "environment", "tools", "fetch", "unpack", "check", "remove",
)  # fmt: skip
#: Where on a bar of 100 each step begins and ends.
_SHARES = {
    PYTHON_STEP: (0, 3), ENVIRONMENT_STEP: (3, 4), TOOLS_STEP: (4, 6), FETCH_STEP: (6, 60), UNPACK_STEP: (60, 93),
    CHECK_STEP: (93, 100), REMOVE_STEP: (0, 100),
}  # fmt: skip


class SetupFailed(FusionMapperError):
    """An installation failed; the text is the cause with the next step, `details` what pip or the system said."""

    def __init__(self, why: Cause, details: str = "") -> None:
        super().__init__(why.sentence)
        self.cause = why.name
        self.details = details


class SetupBusy(FusionMapperError):
    """Another QGIS is installing into the same folder."""

    def __init__(self) -> None:
        super().__init__("The engine is being set up by another QGIS with this profile; wait until it has ended.")


@dataclass(frozen=True)
class Step:
    """How far an installation is."""

    name: str
    done: int = 0
    total: int = 0
    """Of what the step counts: bytes, packages; 0 where it does not count."""
    what: str = ""
    """The package, where there is one."""

    @property
    def percent(self) -> float:
        """Of the whole installation."""
        first, last = _SHARES[self.name]
        share = min(1.0, self.done / self.total) if self.total else 0.0
        return first + (last - first) * share


class Listener(Protocol):
    """Who follows an installation; called on its thread."""

    def stepped(self, step: Step) -> None:
        """How far it is."""

    def said(self, line: str) -> None:
        """A line for the log."""

    def is_cancelled(self) -> bool:
        """Whether it is to stop."""


@dataclass(frozen=True)
class Plan:
    """What is to be installed, where and how."""

    folder: Path
    """The engine's folder."""
    wish: Wish
    pythons: tuple[Found, ...]
    """The Pythons to try, the best first."""
    requirements: tuple[Path, ...]
    tools: Optional[Path] = None
    """The requirements of the installer itself; None keeps the pip that came with Python."""
    download: int = 0
    """Bytes that are expected to be fetched."""
    packages: int = 0
    room: int = 0
    """Bytes that have to be free."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The environment of pip and venv (`network.pip_environment`)."""
    certificates: bytes = b""
    """What QGIS trusts, in PEM, where the user has added to it and has told pip nothing else."""
    uv: Optional[Path] = None
    """The uv that installs in pip's place; None where the user has none."""
    standalone: Optional[Standalone] = None
    """The Python to fetch where none of `pythons` is there; None where that was not asked for."""

"""Where the commands of an installation run: what they say goes to the log, and what fails is told by its cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Optional

from .causes import cause, explain, explain_os_error
from .child import run_child
from .steps import Listener, Plan, SetupFailed, Step

#: What is kept for the next try, and where pip unpacks; both go with the last step.
DOWNLOADS, TEMPORARY = "downloads", "tmp"


def _nothing() -> None:
    """Look at nothing."""


class Bench:
    """One installation's plan, folder, log and listener."""

    def __init__(self, plan: Plan, listener: Listener, log: IO[str]) -> None:
        self.plan = plan
        self.folder = plan.folder
        self.listener = listener
        self._log = log

    def step(self, name: str, done: int = 0, total: int = 0, what: str = "") -> None:
        """Tell how far it is."""
        self.listener.stepped(Step(name, done, total, what))

    def say(self, line: str) -> None:
        """Write a line into the log."""
        self._log.write(line + "\n")
        self._log.flush()
        self.listener.said(line)

    def call(
        self,
        command: list[str],
        python: Path,
        otherwise: str = "",
        hear: Optional[Callable[[str], None]] = None,
        look: Callable[[], None] = _nothing,
        environment: Optional[Mapping[str, str]] = None,
    ) -> str:
        """Run one command, and answer its last lines.

        Args:
            command: the program and its arguments.
            python: a Python that holds the leash.
            otherwise: the cause where the command's words tell none.
            hear: hears each line.
            look: called while the command is silent.
            environment: of the command; pip's by default.

        Raises:
            SetupFailed: with the cause.
            Cancelled: when the listener said so.
        """
        self.say("$ " + " ".join(command))

        def on_line(line: str) -> None:
            if not line.startswith("Progress "):
                self.say(line)
            if hear is not None:
                hear(line)

        given = self.environment() if environment is None else environment
        try:
            ended = run_child(command, python, given, self.folder, on_line, look, self.listener.is_cancelled)
        except OSError as problem:
            raise SetupFailed(explain_os_error(problem), str(problem)) from problem
        if ended.code != 0:
            self.say(f"It ended with exit code {ended.code}.")
            why = explain(ended.said, ended.code)
            raise SetupFailed(cause(otherwise) if otherwise and why.name == "other" else why, ended.said)
        return ended.said

    def environment(self) -> dict[str, str]:
        """The environment of pip and venv."""
        folder = self.temporary()
        environment = {**self.plan.environment, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
        if self.plan.certificates:
            trusted = folder / "certificates.pem"
            trusted.write_bytes(self.plan.certificates)
            environment.setdefault("PIP_CERT", str(trusted))
        return environment

    def wheels(self) -> Optional[Path]:
        """The folder that the user has filled, where there is no network."""
        return Path(self.plan.wish.wheels) if self.plan.wish.wheels else None

    def downloads(self) -> Path:
        """The folder of what was fetched."""
        folder = self.folder / DOWNLOADS
        folder.mkdir(exist_ok=True)
        return folder

    def temporary(self) -> Path:
        """On the same disk, for a temporary folder in memory is soon full."""
        folder = self.folder / TEMPORARY
        folder.mkdir(exist_ok=True)
        return folder

"""The folder of the user's cache: what is remembered across runs, and may be deleted at any time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: Names a folder other than the user's own.
VARIABLE = "FUSION_MAPPER_CACHE"


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where it is: named by `VARIABLE`, else as the XDG base directory specification or Windows has it. Not made."""
    given = os.environ if environ is None else environ
    home = given.get(VARIABLE) or given.get("XDG_CACHE_HOME") or given.get("LOCALAPPDATA")
    return Path(home or Path.home() / ".cache") / "fusion_mapper"

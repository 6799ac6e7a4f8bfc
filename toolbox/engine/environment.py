"""Where the engine's Python is, and the environment that its process is given."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from ...inference.errors import FusionMapperError
from ..settings import engine_python

PLUGIN_ROOT = Path(__file__).resolve().parents[2]
ENGINE_VARIABLE = "FUSION_MAPPER_ENGINE"
_OPTION = "The option Engine of Fusion Mapper"

#: Variables with which QGIS, or a user, steers a Python or a GDAL that is not the engine's.
_FOREIGN = re.compile(
    r"(PYTHON(HOME|PATH|EXECUTABLE|STARTUP|USERBASE|INSPECT)|__PYVENV_LAUNCHER__|VIRTUAL_ENV|PIP_.*|PROJ_.*|GDAL_.*"
    r"|OGR_.*|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_.*|QT_.*|QGIS_.*|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|SSL_CERT_(FILE|DIR)"
    r"|AWS_CA_BUNDLE)$",
    re.IGNORECASE,  # Windows shouts all of them
)


class EngineMissing(FusionMapperError):
    """No Python with the engine's packages is set up; the sentence says how to set one."""


def find_engine() -> Path:
    """The engine's Python: from the variable, from QGIS's settings, or from the checkout's own environment.

    Raises:
        EngineMissing: when there is none, or when the one that was named does not exist.
    """
    for named, where in ((os.environ.get(ENGINE_VARIABLE), ENGINE_VARIABLE), (engine_python(), _OPTION)):
        if named:
            return _existing(Path(named), where)
    for local in (".venv-engine/bin/python", ".venv-engine/Scripts/python.exe"):
        if (PLUGIN_ROOT / local).is_file():
            return PLUGIN_ROOT / local
    raise EngineMissing(
        "The engine is not set up: make an environment with the packages of Fusion Mapper and name its Python in the "
        f"options of QGIS, under Fusion Mapper, or in the variable {ENGINE_VARIABLE}."
    )


def clean_environment(environ: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """A copy of the environment (of this process by default) without what belongs to QGIS's own Python and GDAL."""
    given = os.environ if environ is None else environ
    kept = {name: value for name, value in given.items() if not _FOREIGN.match(name)}
    # Packages that the user installed for another Python must not shadow the engine's.
    kept["PYTHONNOUSERSITE"] = "1"
    return kept


def _existing(python: Path, where: str) -> Path:
    if not python.is_file():
        raise EngineMissing(f"{where} names {python}, which does not exist; correct it.")
    return python

"""Where the Pythons of the engine and of training are, and the environment that their processes are given."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from ...inference.errors import FusionMapperError
from ..settings import engine_python, trainer_python
from ..setup.state import managed_python

PLUGIN_ROOT = Path(__file__).resolve().parents[2]
ENGINE_VARIABLE = "FUSION_MAPPER_ENGINE"
TRAINER_VARIABLE = "FUSION_MAPPER_TRAINER"
_OPTION = "The option Engine of Fusion Mapper"
_TRAINER_OPTION = "The option Python for training of Fusion Mapper"
#: Where an environment keeps its packages, on Windows and elsewhere (Debian's own Python has another folder).
_PACKAGES = ("Lib/site-packages", "lib/python3*/site-packages", "lib/python3*/dist-packages")

#: Variables with which QGIS, or a user, steers a Python or a GDAL that is not the engine's.
_FOREIGN = re.compile(
    r"(PYTHON(HOME|PATH|EXECUTABLE|STARTUP|USERBASE|INSPECT)|__PYVENV_LAUNCHER__|VIRTUAL_ENV|PIP_.*|PROJ_.*|GDAL_.*"
    r"|OGR_.*|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_.*|QT_.*|QGIS_.*|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|SSL_CERT_(FILE|DIR)"
    r"|AWS_CA_BUNDLE)$",
    re.IGNORECASE,  # Windows shouts all of them
)


class EngineMissing(FusionMapperError):
    """No Python with the engine's packages is set up; the sentence says how to set one."""


class TrainerMissing(EngineMissing):
    """No Python with the packages of training is set up; the sentence says how to get one."""


def find_engine() -> Path:
    """The engine's Python: from the variable, from QGIS's settings, from the environment that Fusion Mapper has set
    up in the profile, or from the checkout's own.

    Raises:
        EngineMissing: when there is none, or when the one that was named does not exist.
    """
    for named, where in ((os.environ.get(ENGINE_VARIABLE), ENGINE_VARIABLE), (engine_python(), _OPTION)):
        if named:
            return _existing(Path(named), where)
    found = managed_python() or _local("engine")
    if found is not None:
        return found
    raise EngineMissing(
        "The engine is not set up: press Set Up Engine in the panel or the options of Fusion Mapper, or run "
        "fusion_mapper:setup; or name the Python of an environment with its packages in the variable "
        f"{ENGINE_VARIABLE}."
    )


def find_trainer() -> Path:
    """The Python that trains models: from the variable, from QGIS's settings, the environment that Fusion Mapper has
    set up where it was asked to train, the checkout's own for training, or the engine's where torch is installed there.
    Starts no process.

    Raises:
        TrainerMissing: when there is none, or when the one that was named does not exist.
    """
    for named, where in ((os.environ.get(TRAINER_VARIABLE), TRAINER_VARIABLE), (trainer_python(), _TRAINER_OPTION)):
        if named:
            return _existing(Path(named), where, TrainerMissing)
    managed, local = managed_python(), _local("train")
    if managed is not None and has_torch(managed):
        return managed
    if local is not None:
        return local
    try:
        engine = find_engine()
    except EngineMissing:
        engine = None
    if engine is not None and has_torch(engine):
        return engine
    raise TrainerMissing(
        "No Python for training was found: set up the engine with training in the options of QGIS, under Fusion "
        "Mapper, or name a Python with torch, segmentation-models-pytorch and timm there or in the variable "
        f"{TRAINER_VARIABLE}; in a checkout, run `make setup-train`."
    )


def has_torch(python: Path) -> bool:
    """Whether torch lies among the packages of that Python's environment; nothing is started."""
    # A virtual environment's Python is a link out of it, so the path is taken as it is.
    homes = (python.absolute().parent, python.absolute().parent.parent)
    return any((found / "torch").is_dir() for home in homes for place in _PACKAGES for found in home.glob(place))


def clean_environment(environ: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """A copy of the environment (of this process by default) without what belongs to QGIS's own Python and GDAL."""
    given = os.environ if environ is None else environ
    kept = {name: value for name, value in given.items() if not _FOREIGN.match(name)}
    # Packages that the user installed for another Python must not shadow the engine's.
    kept["PYTHONNOUSERSITE"] = "1"
    return kept


def _local(name: str) -> Optional[Path]:
    """The Python of an environment in the checkout, or None."""
    places = (PLUGIN_ROOT / f".venv-{name}" / "bin/python", PLUGIN_ROOT / f".venv-{name}" / "Scripts/python.exe")
    return next((python for python in places if python.is_file()), None)


def _existing(python: Path, where: str, missing: type[EngineMissing] = EngineMissing) -> Path:
    if not python.is_file():
        raise missing(f"{where} names {python}, which does not exist; correct it.")
    return python

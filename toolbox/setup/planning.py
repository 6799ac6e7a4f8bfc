"""From the machine, the profile and a wish to a plan: what is installed, with which Python, through which proxy."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication, QgsNetworkAccessManager, QgsSettings

from ...inference.errors import RequestError
from ..settings import setup_python
from .layers import (
    AUTO,
    CPU,
    REQUIREMENTS,
    TOOLS,
    Cost,
    Proposal,
    cost,
    fingerprint,
    possible,
    propose,
    pythons_for,
    requirement_files,
)
from .machine import Machine, look_around
from .network import network_variables, pip_environment
from .pythons import Found, find_pythons, none_found, this_place, version_of
from .standalone import Standalone, offered
from .state import State, Wish, base_python, engine_folder, read_stamp, state_of
from .steps import Plan
from .uv_way import UvPlace, find_uv

#: How many Pythons are kept to fall back on.
_ENOUGH = 3
_PROXY = ("proxyEnabled", "proxyType", "proxyHost", "proxyPort", "proxyUser", "proxyPassword", "noProxyUrls",
          "proxyExcludedUrls")  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What was found on this machine."""

    machine: Machine
    proposal: Proposal
    layers: tuple[str, ...]
    """What can be installed here, the proposed one first."""
    pythons: tuple[Found, ...]
    """Those that can be used, the best first."""
    problem: str
    """Why there is no Python, in a sentence; empty where there is one."""
    free: int
    """Bytes on the disk of the engine's folder."""
    standalone: Optional[Standalone] = None
    """The Python that can be fetched, where there is none."""
    uv: Optional[Path] = None
    """The uv that installs in pip's place."""

    def layer(self, asked: str) -> str:
        """The layer that is meant."""
        return self.proposal.layer if asked == AUTO else asked

    def cost(self, layer: str, training: bool) -> Optional[Cost]:
        """What it takes with the Python that is tried first, or fetched; None where there is none."""
        python = next(iter(self.pythons), self.standalone)
        return cost(layer, training, self.machine.platform, python.series) if python is not None else None

    def problem_of(self, standalone: bool) -> str:
        """What is against an installation, in a sentence; `standalone`: a Python may be fetched."""
        return "" if standalone and self.standalone is not None else self.problem


@dataclass(frozen=True)
class Network:
    """What QGIS's settings say of the network; read where QGIS's objects live."""

    variables: dict[str, str]
    certificates: bytes


def current_state(folder: Optional[Path] = None) -> State:
    """What the engine's folder holds."""
    folder = folder or engine_folder()
    stamp = read_stamp(folder)
    try:
        wanted = fingerprint(requirement_files(stamp.layer, stamp.training)) if stamp else ""
    except OSError:
        # A layer of a version of the plugin that had others.
        wanted = ""
    return state_of(folder, wanted)


def survey(explicit: str = "") -> Survey:
    """Look at the machine and at its Pythons; takes up to some seconds, so it is not called on the GUI thread.

    Args:
        explicit: the Python to use; empty takes the options', or looks for one.
    """
    named, folder = explicit or setup_python(), engine_folder()
    machine = look_around()
    versions = pythons_for(CPU, machine.platform)
    tried: list[Found] = []
    usable: list[Found] = []
    place = this_place(named, str(base_python(folder) or ""))
    for found in find_pythons(place, versions.__contains__):
        tried.append(found)
        usable += [] if found.problem else [found]
        if len(usable) == _ENOUGH:
            break
    problem = "" if usable else none_found(tried, named)
    if not versions:
        problem = f"There are no packages for {machine.platform}; set up an environment by hand and name its Python."
    build = offered(machine.platform, versions.__contains__, bool(usable), bool(named))
    free, uv = _free(folder), find_uv(UvPlace(platform.system(), os.environ, str(Path.home())), version_of)
    return Survey(machine, propose(machine), possible(machine), tuple(usable), problem, free, build, uv)


def read_network() -> Network:
    """QGIS's proxy and certificates; called on the main thread."""
    settings = QgsSettings()
    values = {f"proxy/{name}": settings.value(f"proxy/{name}") for name in _PROXY}
    login = ("", "")
    if settings.value("proxy/authcfg"):
        # QGIS has looked it up in its authentication store when it started.
        known = QgsNetworkAccessManager.instance().fallbackProxy()
        login = (known.user(), known.password())
    return Network(network_variables(values, login), _certificates())


def make_plan(found: Survey, wish: Wish, network: Network, folder: Optional[Path] = None) -> Plan:
    """The plan for a wish.

    Raises:
        RequestError: when it cannot be fulfilled here, with the reason.
    """
    problem = found.problem_of(wish.standalone)
    if problem:
        raise RequestError(problem)
    if wish.layer not in found.layers:
        raise RequestError(
            f"There are no packages of {wish.layer} for {found.machine.platform}; choose another device."
        )
    if wish.wheels and not Path(wish.wheels).is_dir():
        raise RequestError(f"{wish.wheels} is no folder; choose the folder that holds the wheels.")
    wanted = found.cost(wish.layer, wish.training)
    if wanted is None:
        raise RequestError(f"There are no packages for training on {found.machine.platform}; leave training out.")
    return Plan(
        folder=folder or engine_folder(),
        wish=wish,
        pythons=found.pythons,
        requirements=requirement_files(wish.layer, wish.training),
        tools=REQUIREMENTS / f"{TOOLS}.txt",
        download=wanted.download,
        packages=wanted.packages,
        room=wanted.room,
        environment=pip_environment(os.environ, _prefixes(), network.variables),
        certificates=network.certificates,
        uv=found.uv,
        standalone=found.standalone if wish.standalone else None,
    )


def _prefixes() -> tuple[str, ...]:
    """Where QGIS keeps certificates of its own; on Linux they are the system's."""
    if platform.system() == "Linux":
        return ()
    return tuple(filter(None, (os.environ.get("OSGEO4W_ROOT"), QgsApplication.prefixPath(), sys.prefix)))


def _certificates() -> bytes:
    manager = QgsApplication.authManager()
    # Without a certificate of the user's own, pip does better with the system's.
    if manager.isDisabled() or not (manager.databaseCAs() or manager.extraFileCAs()):
        return b""
    return bytes(manager.trustedCaCertsPemText())


def _free(folder: Path) -> int:
    there = next((parent for parent in (folder, *folder.parents) if parent.is_dir()), None)
    return shutil.disk_usage(there).free if there else 0

"""Where a Python may be that can make the engine's environment, by how QGIS and Python are installed.

``sys.executable`` is QGIS itself on Windows and macOS, so the places are known by heart. `candidates` says where to
look, given what a machine is like; `probe` starts one and asks it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess  # nosec B404  # each Python is asked what it is
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..engine.environment import clean_environment

#: In the order in which they are preferred where several stand side by side.
VERSIONS = ("3.12", "3.13", "3.11", "3.14")
#: Seconds that a Python has to say what it is.
_PATIENCE = 60.0
_QUESTION = """
import importlib.util, json, platform, sys, sysconfig
print(json.dumps({
    "version": platform.python_version(), "machine": platform.machine(), "kind": platform.python_implementation(),
    "wide": sys.maxsize > 2**32, "free": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "missing": [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None],
}))
"""


@dataclass(frozen=True)
class Place:
    """What decides where to look."""

    system: str
    """As `platform.system` says: Windows, Darwin, Linux."""
    environ: Mapping[str, str]
    executable: str = ""
    """`sys.executable`, which is QGIS on Windows and macOS."""
    prefix: str = ""
    """`sys.prefix`, the home of QGIS's Python."""
    explicit: str = ""
    """What the user named."""
    managed: str = ""
    """What the environment that is there was made with."""


@dataclass(frozen=True)
class Found:
    """A Python that answered."""

    python: Path
    version: str = ""
    """In full, such as 3.11.7."""
    problem: str = ""
    """Why it cannot be used, for the end of a sentence; empty where it can."""

    @property
    def series(self) -> str:
        """Its version as packages count it, such as 3.11."""
        return ".".join(self.version.split(".")[:2])


def this_place(explicit: str = "", managed: str = "") -> Place:
    """The place in which this QGIS runs."""
    return Place(platform.system(), os.environ, sys.executable or "", sys.prefix, explicit, managed)


def candidates(place: Place, exists: Callable[[str], bool]) -> list[str]:
    """The Pythons that are there, in the order in which they are tried; a named one alone, where one is named."""
    if place.explicit:
        return [place.explicit]
    places = {"Windows": _windows, "Darwin": _macos}.get(place.system, _linux)
    listed = ([place.managed] if place.managed else []) + list(places(place))
    return [python for python in dict.fromkeys(listed) if exists(python)]


def probe(python: str, has_wheels: Callable[[str], bool]) -> Found:
    """Start a Python and ask whether it can make the environment; takes up to some seconds.

    Args:
        python: its path.
        has_wheels: whether there are packages for a version such as ``3.11``.
    """
    path = Path(python)
    try:
        done = _asked([python, "-I", "-c", _QUESTION])
        answer = json.loads(done.stdout.decode("utf-8", "replace"))
        return Found(path, str(answer["version"]), _problem(answer, has_wheels))
    except (OSError, subprocess.TimeoutExpired):
        return Found(path, problem="does not start")
    except (ValueError, KeyError, TypeError):
        return Found(path, problem="does not answer as a Python does")


def version_of(program: str) -> str:
    """What a program says to ``--version``; empty where it does not answer."""
    try:
        done = _asked([program, "--version"])
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def _asked(question: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # nosec B603  # a fixed question, no shell
        question,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_PATIENCE,
        env=clean_environment(),
        creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
        check=False,
    )


def find_pythons(place: Place, has_wheels: Callable[[str], bool]) -> Iterator[Found]:
    """The Pythons of this machine, each asked, in the order in which they are to be tried."""
    for python in candidates(place, lambda path: Path(path).is_file()):
        yield probe(python, has_wheels)


def none_found(tried: list[Found], explicit: str = "") -> str:
    """What is told where no Python can be used, with the next step."""
    if explicit and not tried:
        return f"There is no Python at {explicit}; correct its path in the options of Fusion Mapper."
    told = "; ".join(f"{found.python} {found.problem}" for found in tried)
    step = "Install Python 3.12 from python.org, or name one in the options of Fusion Mapper"
    if any("venv" in found.problem for found in tried):
        step = "Install the package python3-venv of your system, or name another Python in the options of Fusion Mapper"
    head = "No Python from 3.11 to 3.14 that can make environments was found"
    return f"{head} ({told}). {step}." if told else f"{head}. {step}."


def _problem(answer: Mapping[str, object], has_wheels: Callable[[str], bool]) -> str:
    version = str(answer["version"])
    if tuple(int(part) for part in version.split(".")[:2]) < (3, 11):
        return f"is Python {version}, and the engine needs 3.11"
    if answer["kind"] != "CPython" or not answer["wide"] or answer["free"]:
        return "is another kind of Python than packages are made for"
    if answer["missing"]:
        return f"lacks its module {' and '.join(answer['missing'])} (venv)"
    if not has_wheels(".".join(version.split(".")[:2])):
        return f"is Python {version}, for which there are no packages here"
    return ""


def _windows(place: Place) -> Iterator[str]:
    """python.org, then the path, then QGIS's own."""
    local = place.environ.get("LOCALAPPDATA", "")
    programs = place.environ.get("PROGRAMFILES", r"C:\Program Files")
    for version in VERSIONS:
        name = "Python" + version.replace(".", "")
        # python.org's installer, for one user and for all (docs.python.org/3.12/using/windows.html, "Installing Without
        # UI").
        if local:
            yield str(PureWindowsPath(local, "Programs", "Python", name, "python.exe"))
        yield str(PureWindowsPath(programs, name, "python.exe"))
    root = _osgeo4w_root(place)
    for folder in place.environ.get("PATH", "").split(";"):
        # Without Microsoft's stubs, which open the store, and OSGeo4W's bin, whose python.exe needs PYTHONHOME.
        if folder and "windowsapps" not in folder.lower() and not _below(folder, root):
            yield str(PureWindowsPath(folder, "python.exe"))
    # The installer of QGIS and OSGeo4W lay it out alike (GispoCoding/qgis-venv-creator, qgis2web/qgis2web#1131): the
    # root holds bin\qgis-bin.exe and apps\Python312\python.exe, and PYTHONHOME, which is sys.prefix, is
    # apps\Python312. Roots are C:\Program Files\QGIS 3.40.4, C:\OSGeo4W and %LOCALAPPDATA%\Programs\OSGeo4W.
    homes = [place.prefix] if place.prefix else []
    homes += [str(PureWindowsPath(root, "apps", "Python" + version.replace(".", ""))) for version in VERSIONS if root]
    for home in homes:
        yield str(PureWindowsPath(home, "python.exe"))
        yield str(PureWindowsPath(home, "python3.exe"))


def _osgeo4w_root(place: Place) -> str:
    named = place.environ.get("OSGEO4W_ROOT", "")
    if named:
        return named
    program = PureWindowsPath(place.executable)
    return str(program.parent.parent) if program.parent.name.lower() == "bin" else ""


def _macos(place: Place) -> Iterator[str]:
    """Homebrew, python.org, MacPorts, the path, then QGIS's own bundle."""
    for version in VERSIONS:
        # Homebrew on Apple silicon and on Intel (docs.brew.sh/Homebrew-and-Python).
        yield f"/opt/homebrew/bin/python{version}"
        yield f"/opt/homebrew/opt/python@{version}/bin/python{version}"
        # python.org (docs.python.org/3/using/mac.html).
        yield f"/Library/Frameworks/Python.framework/Versions/{version}/bin/python{version}"
        yield f"/usr/local/bin/python{version}"
        yield f"/opt/local/bin/python{version}"
    yield from _on_path(place, ("python3",))
    program = PurePosixPath(place.executable)
    contents = next((parent for parent in program.parents if parent.name == "Contents"), None)
    if contents is not None:
        # Up to QGIS 3.42: Contents/MacOS/bin/python3 and python3.9 (qgis/QGIS-Mac-Packager).
        yield from (str(contents / "MacOS" / "bin" / f"python{version}") for version in VERSIONS)
        yield str(contents / "MacOS" / "bin" / "python3")
        # From 3.44 on: Contents/MacOS/python, a wrapper that sets PYTHONHOME to Contents/Frameworks, beside python3.12
        # (qgis/QGIS platform/macos/python.in, qgis/QGIS#64195).
        yield str(contents / "MacOS" / "python")


def _linux(place: Place) -> Iterator[str]:
    """The distribution's, which QGIS mostly runs in, then the path."""
    yield "/usr/bin/python3"
    program = PurePosixPath(place.executable)
    if program.name.startswith("python"):
        yield str(program)
    yield from _on_path(place, ("python3", *(f"python{version}" for version in VERSIONS)))
    yield from (f"/usr/bin/python{version}" for version in VERSIONS)


def _on_path(place: Place, names: tuple[str, ...]) -> Iterator[str]:
    # macOS's own /usr/bin/python3 is 3.9, and asks to install Apple's tools where they are missing.
    shut = ("/usr/bin", "/bin") if place.system == "Darwin" else ()
    for name in names:
        for folder in place.environ.get("PATH", "").split(":"):
            if folder and folder.rstrip("/") not in shut:
                yield str(PurePosixPath(folder, name))


def _below(folder: str, root: str) -> bool:
    if not root:
        return False
    inner, outer = PureWindowsPath(folder.lower()), PureWindowsPath(root.lower())
    return inner == outer or outer in inner.parents

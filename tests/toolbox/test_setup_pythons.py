"""Where a Python is looked for on each system, and what is asked of one that is there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fusion_mapper.toolbox.setup.pythons import Found, Place, candidates, none_found, probe

HOME = r"C:\Users\Ana"
WINDOWS = {
    "LOCALAPPDATA": rf"{HOME}\AppData\Local",
    "PROGRAMFILES": r"C:\Program Files",
    "PATH": rf"C:\Windows\system32;{HOME}\AppData\Local\Microsoft\WindowsApps",
}


def found(place: Place, *there: str) -> list[str]:
    return candidates(place, there.__contains__)


# The layouts: GispoCoding/qgis-venv-creator, qgis/QGIS#64195, and QGIS's platform/macos/python.in.
@pytest.mark.parametrize(
    "root", [r"C:\Program Files\QGIS 3.44.7", r"C:\OSGeo4W", rf"{HOME}\AppData\Local\Programs\OSGeo4W"]
)
def test_qgis_own_python_on_windows_lies_under_apps(root):
    python = rf"{root}\apps\Python312\python.exe"
    program = rf"{root}\bin\qgis-bin.exe"
    inside = {**WINDOWS, "OSGEO4W_ROOT": root, "PATH": rf"{root}\apps\qgis\bin;{root}\bin;{WINDOWS['PATH']}"}
    prefix = rf"{root}\apps\Python312"
    # OSGeo4W's bin has a python.exe as well, which only works with PYTHONHOME.
    there = (python, rf"{root}\bin\python.exe", rf"{root}\apps\qgis\bin\python.exe")
    assert found(Place("Windows", inside, program, prefix), *there) == [python]
    assert found(Place("Windows", inside, program), *there) == [python]
    assert found(Place("Windows", WINDOWS, program), python) == [python]
    only = rf"{root}\apps\Python312\python3.exe"
    assert found(Place("Windows", inside, program, prefix), only) == [only]


def test_python_org_comes_before_qgis_own_on_windows():
    root = r"C:\Program Files\QGIS 3.44.7"
    own = rf"{root}\apps\Python312\python.exe"
    user = rf"{HOME}\AppData\Local\Programs\Python\Python312\python.exe"
    everybody = r"C:\Program Files\Python313\python.exe"
    place = Place("Windows", WINDOWS, rf"{root}\bin\qgis-ltr-bin.exe", rf"{root}\apps\Python312")
    assert found(place, own, user, everybody) == [user, everybody, own]


def test_the_stubs_of_microsofts_store_are_not_started():
    stub = rf"{HOME}\AppData\Local\Microsoft\WindowsApps\python.exe"
    assert found(Place("Windows", WINDOWS, r"C:\OSGeo4W\bin\qgis-bin.exe"), stub) == []


def test_a_python_on_the_path_of_windows_is_found():
    python = r"D:\Tools\Python\python.exe"
    place = Place("Windows", {**WINDOWS, "PATH": r"D:\Tools\Python;C:\Windows"}, r"C:\OSGeo4W\bin\qgis-bin.exe")
    assert found(place, python) == [python]


@pytest.mark.parametrize(
    ("inside", "there"),
    [
        ("MacOS/bin/python3", ["MacOS/bin/python3"]),  # up to 3.42, Python 3.9
        ("MacOS/bin/python3.12", ["MacOS/bin/python3.12", "MacOS/bin/python3"]),
        ("MacOS/python", ["MacOS/python", "MacOS/python3.12"]),  # from 3.44 on; python3.12 needs PYTHONHOME
    ],
)
@pytest.mark.parametrize("app", ["/Applications/QGIS.app", "/Users/ana/Meine Programme/QGIS-LTR.app"])
def test_the_bundle_on_macos_has_one_of_two_layouts(app, inside, there):
    place = Place("Darwin", {"PATH": "/usr/bin:/bin"}, f"{app}/Contents/MacOS/QGIS", f"{app}/Contents/Frameworks")
    answer = found(place, *(f"{app}/Contents/{path}" for path in there), "/usr/bin/python3")
    assert answer[0] == f"{app}/Contents/{inside}"
    assert "/usr/bin/python3" not in answer
    assert f"{app}/Contents/MacOS/python3.12" not in answer


@pytest.mark.parametrize(
    "python",
    [
        "/opt/homebrew/bin/python3.12",
        "/opt/homebrew/opt/python@3.13/bin/python3.13",
        "/usr/local/bin/python3.11",
        "/Library/Frameworks/Python.framework/Versions/3.12/bin/python3.12",
        "/opt/local/bin/python3.12",
    ],
)
def test_homebrew_python_org_and_macports_come_before_the_bundle(python):
    app = "/Applications/QGIS.app/Contents/MacOS"
    place = Place("Darwin", {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}, f"{app}/QGIS")
    assert found(place, f"{app}/bin/python3", python) == [python, f"{app}/bin/python3"]


def test_on_linux_the_python_of_qgis_is_the_systems():
    place = Place("Linux", {"PATH": "/home/ana/.pyenv/shims:/usr/bin"}, "/usr/bin/python3")
    there = ("/home/ana/.pyenv/shims/python3", "/usr/bin/python3", "/usr/bin/python3.12", "/usr/bin/python3.9")
    assert found(place, *there) == ["/usr/bin/python3", "/home/ana/.pyenv/shims/python3", "/usr/bin/python3.12"]


def test_a_program_that_is_no_python_is_not_taken_for_one():
    assert found(Place("Linux", {"PATH": ""}, "/usr/bin/qgis"), "/usr/bin/qgis") == []


def test_a_named_python_is_the_only_one_and_the_managed_one_comes_first():
    place = Place("Linux", {"PATH": "/usr/bin"}, managed="/opt/python/bin/python3.12")
    assert found(place, "/opt/python/bin/python3.12", "/usr/bin/python3")[0] == "/opt/python/bin/python3.12"
    assert found(Place("Linux", {}, explicit="/mine"), "/usr/bin/python3") == ["/mine"]


def everything(_version: str) -> bool:
    return True


def test_a_python_is_asked_what_it_is():
    python = Path("/usr/bin/python3")
    answer = probe(str(python), everything)
    assert answer == Found(python, ".".join(map(str, sys.version_info[:3])))
    assert answer.series == ".".join(map(str, sys.version_info[:2]))
    assert "no packages" in probe(str(python), lambda _version: False).problem


def test_what_qgis_sets_for_its_own_python_does_not_mislead_another(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    assert probe("/usr/bin/python3", everything).problem == ""


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('{"version": "3.9.5", "kind": "CPython", "wide": true, "free": false, "missing": []}', "needs 3.11"),
        ('{"version": "3.12.1", "kind": "PyPy", "wide": true, "free": false, "missing": []}', "another kind"),
        ('{"version": "3.12.1", "kind": "CPython", "wide": false, "free": false, "missing": []}', "another kind"),
        ('{"version": "3.13.1", "kind": "CPython", "wide": true, "free": true, "missing": []}', "another kind"),
        (
            '{"version": "3.11.2", "kind": "CPython", "wide": true, "free": false, "missing": ["ensurepip"]}',
            "ensurepip",
        ),
        ("Python was not found", "does not answer"),
        ("", "does not answer"),
    ],
)
def test_one_that_cannot_be_used_says_why(tmp_path, said, problem):
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    python.chmod(0o755)
    assert problem in probe(str(python), everything).problem


def test_one_that_does_not_start_says_so(tmp_path):
    python = tmp_path / "python3"
    python.write_bytes(os.urandom(64))
    python.chmod(0o755)
    assert probe(str(python), everything).problem == "does not start"


def test_without_any_the_next_step_is_told():
    old = Found(Path("/usr/bin/python3"), "3.9.2", "is Python 3.9.2, and the engine needs 3.11")
    bare = Found(Path("/usr/bin/python3"), "3.11.2", "lacks its module ensurepip (venv)")
    assert "/usr/bin/python3 is Python 3.9.2" in none_found([old])
    assert "python.org" in none_found([old])
    assert "Install the package python3-venv" in none_found([bare])
    assert "no Python at /mine" in none_found([], "/mine")

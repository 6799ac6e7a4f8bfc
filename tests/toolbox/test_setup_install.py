"""An environment is really made, from an index of tiny wheels on this machine, and what can go wrong does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import Cancelled
from fusion_mapper.toolbox.setup import layers
from fusion_mapper.toolbox.setup.causes import cause
from fusion_mapper.toolbox.setup.installer import install, is_busy, remove
from fusion_mapper.toolbox.setup.layers import fingerprint
from fusion_mapper.toolbox.setup.network import network_variables, pip_environment
from fusion_mapper.toolbox.setup.pythons import Found
from fusion_mapper.toolbox.setup.state import (
    LOG,
    UNFINISHED,
    State,
    Wish,
    base_python,
    managed_python,
    on_this_machine,
    read_stamp,
    read_wish,
    state_of,
    write_record,
)
from fusion_mapper.toolbox.setup.steps import Plan, SetupBusy, SetupFailed
from setup_watch import NAMES, Watcher, held, prove
from wheel_index import WAIT, serve, write_requirements, write_wheel

PYTHON = Path("/usr/bin/python3")
#: As Windows sets them.
ROAMING, LOCAL = r"C:\Users\Ana\AppData\Roaming", r"C:\Users\Ana\AppData\Local"
WINDOWS = {"APPDATA": ROAMING, "LOCALAPPDATA": LOCAL}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for name in NAMES:
        write_wheel(folder, name, ballast=300_000)
    return folder


@pytest.fixture
def index(wheels):
    with serve(wheels) as index:
        yield index


@pytest.fixture
def one_by_one(monkeypatch):
    """Each package is fetched by itself, as large ones are."""
    monkeypatch.setattr(layers, "_BATCH", 1)


@pytest.fixture
def plan(index, wheels, tmp_path, qgis_app) -> Plan:
    """Into a folder whose path has blanks and letters beyond ASCII."""
    asked = write_requirements(tmp_path / "asked.txt", sorted(wheels.glob("*.whl")))
    return Plan(
        folder=tmp_path / "Profil für Ñandú" / "engine",
        wish=Wish("cpu"),
        pythons=(Found(PYTHON, "3.11.2"),),
        requirements=(asked,),
        download=sum(wheel.stat().st_size for wheel in wheels.glob("*.whl")),
        packages=len(NAMES),
        environment=pip_environment({**os.environ, **index.environment()}),
    )


def state(plan: Plan) -> State:
    return state_of(plan.folder, fingerprint(plan.requirements))


def environments(plan: Plan) -> list[Path]:
    return list(plan.folder.glob("env-*"))


def test_an_environment_is_made_and_stamped(plan):
    watcher = Watcher()
    assert install(plan, watcher, prove) == {"python": "alpha"}
    python = managed_python(plan.folder)
    assert python is not None
    assert python.is_relative_to(plan.folder)
    assert state(plan) is State.READY
    assert base_python(plan.folder).resolve() == PYTHON.resolve()
    assert watcher.names == ["environment", "tools", "fetch", "check"] or "unpack" in watcher.names
    percents = [step.percent for step in watcher.steps]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert [step.what for step in watcher.steps if step.what] == list(NAMES)
    assert watcher.lines == (plan.folder / LOG).read_text(encoding="utf-8").splitlines()
    assert sorted(path.name for path in plan.folder.iterdir()) == sorted([python.parts[-3], "ready.json", LOG])


def test_nothing_of_qgis_own_python_reaches_pip(plan, monkeypatch):
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        monkeypatch.setenv(name, str(plan.folder / "elsewhere"))
    theirs = {name: value for name, value in plan.environment.items() if name.startswith("PIP_")}
    install(replace(plan, environment=pip_environment({**os.environ, **theirs})), Watcher(), prove)
    assert not (plan.folder / "elsewhere").exists()


def test_a_folder_of_wheels_needs_no_network(plan, wheels, index):
    away = {**plan.environment, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    install(replace(plan, wish=Wish("cpu", wheels=str(wheels)), environment=away), Watcher(), prove)
    assert state(plan) is State.READY
    assert index.asked == []


def test_a_folder_that_lacks_a_wheel_is_told(plan, wheels, tmp_path):
    some = tmp_path / "some"
    some.mkdir()
    (some / "alpha-1.0-py3-none-any.whl").write_bytes((wheels / "alpha-1.0-py3-none-any.whl").read_bytes())
    with pytest.raises(SetupFailed) as problem:
        install(replace(plan, wish=Wish("cpu", wheels=str(some))), Watcher(), prove)
    assert problem.value.cause == "wheel"


def test_cancel_ends_pip_and_what_was_fetched_is_kept_for_the_next_time(plan, index, one_by_one):
    watcher = Watcher()
    with held(index, plan, watcher) as ended:
        watcher.stop.set()
        assert index.left.wait(WAIT)
    assert isinstance(ended[0], Cancelled)
    assert state(plan) is State.UNFINISHED
    assert read_wish(plan.folder) == plan.wish
    assert environments(plan) == []
    index.held, index.asked = "", []
    install(plan, Watcher(), prove)
    assert state(plan) is State.READY
    assert "/files/beta-1.0-py3-none-any.whl" in index.asked
    assert "/files/alpha-1.0-py3-none-any.whl" not in index.asked


def test_when_qgis_is_killed_pip_goes_with_it_and_the_next_one_goes_on(
    plan, index, repository_root, tmp_path, one_by_one
):
    index.held = "beta"
    code = tmp_path / "session.py"
    code.write_text(f"""
import sys
sys.path[:0] = [{str(repository_root / "tests")!r}, {str(repository_root / "tests" / "support")!r}]
import conftest
from pathlib import Path
from fusion_mapper.toolbox.setup import layers
from fusion_mapper.toolbox.setup.installer import install
from fusion_mapper.toolbox.setup.steps import Plan
from fusion_mapper.toolbox.setup.pythons import Found
from fusion_mapper.toolbox.setup.state import Wish
layers._BATCH = 1
class Watcher:
    def stepped(self, step): pass
    def said(self, line): pass
    def is_cancelled(self): return False
install(Plan(Path({str(plan.folder)!r}), Wish("cpu"), (Found(Path({str(PYTHON)!r}), "3.11.2"),),
    (Path({str(plan.requirements[0])!r}),), environment={dict(plan.environment)!r}), Watcher())
""")
    with subprocess.Popen([sys.executable, code]) as qgis:
        assert index.waiting.wait(WAIT)
        assert is_busy(plan.folder)
        qgis.send_signal(signal.SIGKILL)
    assert index.left.wait(WAIT)
    assert not is_busy(plan.folder)
    assert state(plan) is State.UNFINISHED
    assert managed_python(plan.folder) is None
    left = environments(plan)
    assert len(left) == 1
    index.held, index.asked = "", []
    install(plan, Watcher(), prove)
    assert state(plan) is State.READY
    assert not left[0].exists()
    assert "/files/alpha-1.0-py3-none-any.whl" not in index.asked


def test_two_at_once_are_refused(plan, index):
    watcher = Watcher()
    with held(index, plan, watcher):
        assert is_busy(plan.folder)
        with pytest.raises(SetupBusy, match="another QGIS"):
            install(plan, Watcher(), prove)
        with pytest.raises(SetupBusy):
            remove(plan.folder, Watcher())
    assert not is_busy(plan.folder)


def test_an_update_takes_the_old_ones_place_only_when_it_works(plan, index, tmp_path, wheels):
    install(plan, Watcher(), prove)
    old = managed_python(plan.folder)
    newer = replace(plan, requirements=(write_requirements(tmp_path / "newer.txt", sorted(wheels.glob("[ab]*.whl"))),))
    assert state(newer) is State.OUTDATED
    index.forged = "alpha"
    with pytest.raises(SetupFailed):
        install(replace(newer, requirements=plan.requirements), Watcher(), prove)
    assert managed_python(plan.folder) == old
    assert prove(old, tmp_path, lambda: False)
    index.forged = ""
    install(newer, Watcher(), lambda *_words: {"fine": True})
    assert state(newer) is State.READY
    assert managed_python(plan.folder) != old
    assert not old.parents[1].exists()


def test_what_does_not_work_is_no_engine(plan):
    def refuse(*_words):
        raise SetupFailed(cause("other"))

    with pytest.raises(SetupFailed):
        install(plan, Watcher(), refuse)
    assert managed_python(plan.folder) is None
    assert state(plan) is State.UNFINISHED
    assert environments(plan) == []


def test_remove_leaves_nothing(plan, index):
    install(plan, Watcher(), prove)
    remove(plan.folder, Watcher())
    assert not plan.folder.exists()


def test_remove_takes_an_unfinished_one_along(plan, index):
    watcher = Watcher()
    with held(index, plan, watcher):
        pass
    remove(plan.folder, Watcher())
    assert not plan.folder.exists()


def test_a_python_that_has_gone_is_noticed(plan):
    install(plan, Watcher(), prove)
    managed_python(plan.folder).unlink()
    assert state(plan) is State.BROKEN


def test_a_package_that_was_changed_on_its_way_is_refused(plan, index):
    index.forged = "gamma"
    with pytest.raises(SetupFailed) as problem:
        install(plan, Watcher(), prove)
    assert problem.value.cause == "hash"
    assert "gamma" in problem.value.details


def test_an_index_that_cannot_be_reached_is_told(plan):
    away = {**plan.environment, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    with pytest.raises(SetupFailed) as problem:
        install(replace(plan, environment=away), Watcher(), prove)
    assert problem.value.cause == "network"


@pytest.mark.parametrize("there", [True, False])
def test_a_proxy_that_refuses_or_is_not_there_is_told(plan, index, there):
    host, port = index.proxy.rpartition("/")[2].split(":")
    settings = {"proxy/proxyEnabled": "true", "proxy/proxyType": "HttpProxy", "proxy/proxyHost": host,
                "proxy/proxyPort": port if there else "9"}  # fmt: skip
    asked = {**index.environment(), "PIP_INDEX_URL": "https://packages.invalid/simple"}
    environment = pip_environment({"PATH": os.defpath, **asked}, added=network_variables(settings))
    with pytest.raises(SetupFailed) as problem:
        install(replace(plan, environment=environment), Watcher(), prove)
    assert problem.value.cause == "proxy"


def test_a_python_that_makes_no_environments_gives_way_to_one_that_does(plan, tmp_path):
    # Starts, says what it is, and fails at environments: as in a bundle of QGIS on macOS.
    bundled = tmp_path / "python3"
    refuse = 'for word; do [ "$word" = venv ] && { echo "No module named ensurepip"; exit 1; }; done'
    bundled.write_text(f'#!/bin/sh\n{refuse}\nexec {PYTHON} "$@"\n')
    bundled.chmod(0o755)
    install(replace(plan, pythons=(Found(bundled, "3.11.2"), *plan.pythons)), Watcher(), prove)
    assert base_python(plan.folder).resolve() == PYTHON.resolve()


def test_too_little_room_is_told_before_anything_is_fetched(plan, index):
    with pytest.raises(SetupFailed, match=r"not enough room.*needed.*free") as problem:
        install(replace(plan, room=2**60), Watcher(), prove)
    assert problem.value.cause == "disk"
    assert index.asked == []


@pytest.fixture
def mounted(tmp_path):
    """Mounts small disks; only root may, elsewhere the test is skipped."""
    places = []

    def mount(name: str, options: str) -> Path:
        place = tmp_path / name
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("size", ["6m", "40m"])
def test_a_disk_that_is_full_in_the_middle_is_told(plan, mounted, tmp_path, size):
    heavy = tmp_path / "heavy"
    heavy.mkdir()
    wheel = write_wheel(heavy, "alpha", ballast=60 * 2**20)
    asked = write_requirements(tmp_path / "heavy.txt", [wheel])
    plan = replace(plan, folder=mounted("disk", f"size={size}") / "engine", requirements=(asked,))
    plan = replace(plan, wish=Wish("cpu", wheels=str(heavy)))
    with pytest.raises(SetupFailed) as problem:
        install(plan, Watcher(), prove)
    assert problem.value.cause == "disk"
    assert environments(plan) == []


def test_a_folder_that_cannot_be_written_is_told(plan, mounted):
    with pytest.raises(SetupFailed) as problem:
        install(replace(plan, folder=mounted("shut", "ro") / "engine"), Watcher(), prove)
    assert problem.value.cause == "permission"


def test_a_file_in_the_folders_place_is_told(plan):
    plan.folder.parent.mkdir(parents=True)
    plan.folder.write_text("in the way")
    with pytest.raises(SetupFailed):
        install(plan, Watcher(), prove)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2}', '{"schema": 1, "environment": 7}'])
def test_a_stamp_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "ready.json").write_text(text)
    assert read_stamp(tmp_path) is None
    assert managed_python(tmp_path) is None
    assert state_of(tmp_path, "") is State.ABSENT


def test_a_wish_is_read_as_it_was_written(tmp_path):
    wish = Wish("cuda13", True, "/usr/bin/python3", "/räder")
    write_record(tmp_path, UNFINISHED, wish)
    assert read_wish(tmp_path) == wish


def test_a_wish_of_a_version_before_is_read(tmp_path):
    (tmp_path / UNFINISHED).write_text('{"schema": 1, "layer": "cpu", "training": true, "python": "", "wheels": ""}')
    assert read_wish(tmp_path) == Wish("cpu", True)


@pytest.mark.parametrize(
    ("system", "environ", "folder", "there"),
    [
        ("Windows", WINDOWS, rf"{ROAMING}\QGIS\QGIS3\profiles\default\fusion_mapper\engine",
         rf"{LOCAL}\QGIS\QGIS3\profiles\default\fusion_mapper\engine"),
        ("Windows", WINDOWS, rf"{ROAMING}/QGIS/QGIS3/engine".replace("\\", "/").upper(),
         rf"{LOCAL}\QGIS\QGIS3\ENGINE"),
        ("Windows", WINDOWS, r"D:\profiles\default\fusion_mapper\engine",
         r"D:\profiles\default\fusion_mapper\engine"),
        ("Windows", {}, rf"{ROAMING}\QGIS\engine", rf"{ROAMING}\QGIS\engine"),
        ("Linux", {"APPDATA": "/a", "LOCALAPPDATA": "/b"}, "/a/engine", "/a/engine"),
    ],
)  # fmt: skip
def test_on_windows_the_engine_does_not_travel_with_its_user(system, environ, folder, there):
    assert on_this_machine(folder, system, environ) == there

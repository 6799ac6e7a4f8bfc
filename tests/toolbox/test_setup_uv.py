"""uv in pip's place: where it is found, what it is told, what it says; and really, where this machine has one."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import Cancelled
from fusion_mapper.toolbox.setup.causes import explain
from fusion_mapper.toolbox.setup.installer import install
from fusion_mapper.toolbox.setup.layers import fingerprint
from fusion_mapper.toolbox.setup.network import network_variables, pip_environment
from fusion_mapper.toolbox.setup.pythons import Found, version_of
from fusion_mapper.toolbox.setup.state import State, Wish, managed_python, state_of
from fusion_mapper.toolbox.setup.steps import Plan, SetupFailed
from fusion_mapper.toolbox.setup.uv_way import UvPlace, bytes_below, find_uv, uv_candidates
from fusion_mapper.toolbox.setup.uv_words import UvListener, read_settings, uv_environment
from setup_watch import NAMES, Watcher, held, prove
from wheel_index import WAIT, serve, write_requirements, write_wheel

PYTHON = Path("/usr/bin/python3")
#: The uv to test with: that of the tests' environment, where none is named.
UV = (
    os.environ.get("FUSION_MAPPER_UV")
    or shutil.which("uv", path=str(Path(sys.executable).parent))
    or shutil.which("uv")
)
needs_uv = pytest.mark.skipif(not UV, reason="there is no uv here; FUSION_MAPPER_UV names one")
#: What uv 0.13.9 said.
SAID = """Using Python 3.11.2 environment at: /tmp/e
Resolved 3 packages in 35ms
Downloading beta (2.9MiB)
Downloading gamma (512.0KiB)
 Downloaded beta
 Downloaded gamma
Prepared 3 packages in 71ms
Installed 3 packages in 11ms
Bytecode compiled 3 files in 103ms
 + alpha==1.0"""


class TestPlaces:
    def test_the_path_comes_first_then_where_installers_put_it(self):
        place = UvPlace("Linux", {"PATH": "/a:/b", "XDG_BIN_HOME": "/x"}, "/home/ana")
        found = list(uv_candidates(place))
        assert found[:3] == ["/a/uv", "/b/uv", "/x/uv"]
        assert {"/home/ana/.local/bin/uv", "/home/ana/.cargo/bin/uv", "/opt/homebrew/bin/uv"} <= set(found)

    def test_on_windows_it_is_a_program_of_windows(self):
        environ = {"PATH": r"C:\Tools;C:\Windows", "LOCALAPPDATA": r"C:\Users\Ana\AppData\Local"}
        found = list(uv_candidates(UvPlace("Windows", environ, r"C:\Users\Ana")))
        assert found[:2] == [r"C:\Tools\uv.exe", r"C:\Windows\uv.exe"]
        assert r"C:\Users\Ana\.local\bin\uv.exe" in found
        assert r"C:\Users\Ana\AppData\Local\Microsoft\WinGet\Links\uv.exe" in found

    @pytest.mark.parametrize(
        ("said", "taken"),
        [("uv 0.13.9 (x86_64-unknown-linux-gnu)", True), ("uv 1.0.0", True), ("uv 0.4.30", False), ("", False),
         ("uvicorn 0.5", False)],
    )  # fmt: skip
    def test_an_old_one_and_another_program_are_passed_over(self, tmp_path, said, taken):
        program = tmp_path / "uv"
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
        place = UvPlace("Linux", {"PATH": str(tmp_path)}, str(tmp_path))
        found = find_uv(place, lambda path: version_of(path) if path == str(program) else "")
        assert found == (program if taken else None)

    def test_a_program_that_does_not_start_says_nothing(self, tmp_path):
        assert version_of(str(tmp_path / "nowhere")) == ""


class TestWords:
    def test_large_packages_are_counted_as_they_come(self):
        heard, seen = UvListener(), []
        for line in SAID.splitlines():
            if heard.hear(line):
                seen.append((heard.package, heard.done, heard.is_unpacking))
        beta, gamma = int(2.9 * 2**20), 512 * 2**10
        assert seen == [("beta", 0, False), ("gamma", 0, False), ("gamma", beta, False), ("", beta + gamma, False),
                        ("", beta + gamma, True)]  # fmt: skip

    @pytest.mark.parametrize(
        ("said", "cause"),
        [
            ("error: Failed to download `x==1`\n  cause: Hash mismatch for `x==1`", "hash"),
            ("  cause: Invalid zip file structure\n  cause: ZIP structure was truncated", "hash"),
            ("  cause: client error (Connect)\n  cause: tunnel error: proxy authorization required", "proxy"),
            ("  cause: tunnel error: failed to create underlying connection\n  cause: tcp connect error", "proxy"),
            ("  cause: client error (Connect)\n  cause: invalid peer certificate: UnknownIssuer", "certificate"),
            ("  cause: tcp connect error\n  cause: Connection refused (os error 111)", "network"),
            ("  cause: dns error\n  cause: error resolving DNS", "network"),
            ("  cause: HTTP status server error (503 Service Unavailable) for url (http://x/)", "network"),
            ("  cause: Failed to extract archive\n  cause: No space left on device (os error 28)", "disk"),
            ("  cause: failed to create directory\n  cause: Permission denied (os error 13)", "permission"),
            ("  cause: failed to rename file\n  cause: Access is denied. (os error 5)", "permission"),
            ("  cause: The process cannot access the file (os error 32)", "lock"),
            ("error: No solution found when resolving dependencies\n  cause: beta was not found", "wheel"),
            ("  cause: Because numpy==1.19.0 has no usable wheels and you require numpy==1.19.0", "wheel"),
            ("error: unexpected argument '--new' found", "other"),
        ],
    )
    def test_its_failures_are_told_by_cause(self, said, cause):
        assert explain(said, 2).name == cause


class TestEnvironment:
    def test_what_pip_says_of_itself_is_read_and_the_later_section_counts(self):
        said = "global.index-url='https://a/simple'\nglobal.cert='/a.pem'\ninstall.cert='/b.pem'\n"
        said += ":env:.index-url='https://b/simple'\nWARNING: something = else\nfreeze.cert='/c.pem'\n"
        assert read_settings(said) == {"index-url": "https://b/simple", "cert": "/b.pem"}

    def test_pips_settings_of_the_network_are_handed_on(self):
        said = "\n".join([
            "global.index-url='https://user:word@index/simple'", "global.extra-index-url='https://a/s\\nhttps://b/s'",
            "global.find-links='/wheels /more'", "global.trusted-host='a b'", "global.timeout='60'",
            "global.proxy='http://proxy:8080'", "global.constraint='/constraints.txt'",
        ])  # fmt: skip
        told = uv_environment({"PATH": "/bin"}, said)
        assert told["UV_DEFAULT_INDEX"] == "https://user:word@index/simple"
        assert told["UV_INDEX"] == "https://a/s https://b/s"
        assert told["UV_FIND_LINKS"] == "/wheels,/more"
        assert told["UV_INSECURE_HOST"] == "a b"
        assert told["UV_HTTP_TIMEOUT"] == "60"
        assert told["HTTPS_PROXY"] == told["HTTP_PROXY"] == "http://proxy:8080"
        assert told["UV_SYSTEM_CERTS"] == "1"

    def test_what_the_user_has_told_uv_or_qgis_counts_more(self):
        given = {"UV_INDEX_URL": "https://mine/simple", "HTTPS_PROXY": "http://qgis:1", "SSL_CERT_FILE": "/mine.pem"}
        said = "global.index-url='https://a/s'\nglobal.proxy='http://b:2'\nglobal.cert='/b.pem'"
        told = uv_environment(given, said)
        assert {name: told[name] for name in given} == given
        assert "UV_DEFAULT_INDEX" not in told
        assert "UV_SYSTEM_CERTS" not in told

    def test_what_would_lead_it_astray_is_dropped(self):
        given = dict.fromkeys(("UV_TARGET", "UV_PYTHON", "UV_OFFLINE", "UV_CACHE_DIR", "uv_no_binary"), "1")
        assert set(uv_environment({**given, "UV_HTTP_RETRIES": "5"}, "")) & set(given) == set()
        assert uv_environment({"UV_HTTP_RETRIES": "5"}, "global.retries='1'")["UV_HTTP_RETRIES"] == "5"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    """Large enough for uv to tell of them."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in NAMES:
        write_wheel(folder, name, ballast=3_000_000)
    return folder


@pytest.fixture
def index(wheels):
    with serve(wheels) as index:
        yield index


@pytest.fixture
def plan(index, wheels, tmp_path, qgis_app) -> Plan:
    asked = write_requirements(tmp_path / "asked.txt", sorted(wheels.glob("*.whl")))
    return Plan(
        folder=tmp_path / "Profil für Ñandú" / "engine",
        wish=Wish("cpu"),
        pythons=(Found(PYTHON, "3.11.2"),),
        requirements=(asked,),
        download=sum(wheel.stat().st_size for wheel in wheels.glob("*.whl")),
        packages=len(NAMES),
        environment=pip_environment({**os.environ, **index.environment()}),
        uv=Path(UV) if UV else None,
    )


def test_what_is_moved_away_while_it_is_counted_does_no_harm(tmp_path):
    over = threading.Event()

    def churn() -> None:
        for number in range(200):
            part = tmp_path / f".tmp{number}" / "deep"
            part.mkdir(parents=True)
            for file in range(5):
                (part / str(file)).write_bytes(bytes(10))
            shutil.rmtree(part.parent)
        over.set()

    thread = threading.Thread(target=churn)
    thread.start()
    while not over.is_set():
        assert 0 <= bytes_below(tmp_path, ".tmp*") <= 50
    thread.join()
    (tmp_path / ".tmp" / "deep").mkdir(parents=True)
    (tmp_path / ".tmp" / "deep" / "file").write_bytes(bytes(10))
    assert bytes_below(tmp_path, ".tmp*") == 10


def ready(plan: Plan) -> bool:
    return state_of(plan.folder, fingerprint(plan.requirements)) is State.READY


@needs_uv
class TestInstalling:
    def test_an_environment_is_made_by_uv_from_pips_index(self, plan, index):
        watcher = Watcher()
        assert install(plan, watcher, prove) == {"python": "alpha"}
        assert ready(plan)
        assert any(line.startswith(f"$ {UV} pip install") for line in watcher.lines)
        assert not any("-m pip download" in line for line in watcher.lines)
        percents = [step.percent for step in watcher.steps]
        assert percents == sorted(percents)
        assert {"fetch", "check"} <= set(watcher.names)
        assert {step.what for step in watcher.steps} & set(NAMES)
        compiled = managed_python(plan.folder).parents[1].glob("lib/python3*/site-packages/__pycache__/alpha.*.pyc")
        assert list(compiled)
        assert sorted(path.name[:4] for path in plan.folder.iterdir()) == ["env-", "read", "setu"]

    def test_a_folder_of_wheels_needs_no_network(self, plan, wheels, index):
        away = {**plan.environment, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
        watcher = Watcher()
        install(replace(plan, wish=Wish("cpu", wheels=str(wheels)), environment=away), watcher, prove)
        assert ready(plan)
        assert index.asked == []
        assert "uv could not do it; pip is tried." not in watcher.lines

    def test_a_cancelled_one_goes_on_from_what_was_fetched(self, plan, index):
        watcher = Watcher()
        with held(index, plan, watcher) as ended:
            # Others may still be on their way.
            while not any(line == " Downloaded alpha" for line in watcher.lines):
                assert not watcher.stop.wait(0.05)
            watcher.stop.set()
            assert index.left.wait(WAIT)
        assert isinstance(ended[0], Cancelled)
        index.held, index.asked = "", []
        install(plan, Watcher(), prove)
        assert ready(plan)
        assert "/files/beta-1.0-py3-none-any.whl" in index.asked
        assert "/files/alpha-1.0-py3-none-any.whl" not in index.asked

    def test_a_package_that_was_changed_is_refused_and_pip_is_not_tried(self, plan, index, wheels, tmp_path):
        asked = tmp_path / "asked.txt"
        lines = asked.read_text().splitlines()
        asked.write_text("\n".join([*lines[:-1], lines[-1].replace("sha256:", "sha256:00")[: len(lines[-1])]]))
        watcher = Watcher()
        with pytest.raises(SetupFailed) as problem:
            install(plan, watcher, prove)
        assert problem.value.cause == "hash"
        assert not any("-m pip download" in line for line in watcher.lines)

    def test_qgis_proxy_is_used(self, plan, index):
        host, port = index.proxy.rpartition("/")[2].split(":")
        settings = {"proxy/proxyEnabled": "true", "proxy/proxyType": "HttpProxy", "proxy/proxyHost": host,
                    "proxy/proxyPort": port}  # fmt: skip
        asked = {**index.environment(), "PIP_INDEX_URL": "https://packages.invalid/simple", "UV_HTTP_RETRIES": "0"}
        environment = pip_environment({"PATH": os.defpath, **asked}, added=network_variables(settings))
        watcher = Watcher()
        with pytest.raises(SetupFailed) as problem:
            install(replace(plan, environment=environment), watcher, prove)
        assert problem.value.cause == "proxy"
        assert any("tunnel error" in line for line in watcher.lines)

    def test_no_network_is_told_at_once(self, plan):
        away = {**plan.environment, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
        with pytest.raises(SetupFailed) as problem:
            install(replace(plan, environment=away), Watcher(), prove)
        assert problem.value.cause == "network"


def test_where_uv_fails_in_its_own_way_pip_does_it(plan, tmp_path):
    other = tmp_path / "uv"
    other.write_text("#!/bin/sh\necho \"error: unexpected argument '--color' found\"\nexit 2\n")
    other.chmod(0o755)
    watcher = Watcher()
    install(replace(plan, uv=other), watcher, prove)
    assert ready(plan)
    assert "uv could not do it; pip is tried." in watcher.lines

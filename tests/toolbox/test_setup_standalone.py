"""A Python that is fetched where there is none: which, how, and that nothing of it lands outside its folder."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.toolbox.setup import fetch as fetching
from fusion_mapper.toolbox.setup.fetch import fetch, sha256_of
from fusion_mapper.toolbox.setup.installer import install, remove
from fusion_mapper.toolbox.setup.layers import CPU, Proposal, fingerprint, pythons_for
from fusion_mapper.toolbox.setup.machine import Machine
from fusion_mapper.toolbox.setup.network import pip_environment
from fusion_mapper.toolbox.setup.planning import Network, Survey, make_plan
from fusion_mapper.toolbox.setup.pythons import probe
from fusion_mapper.toolbox.setup.standalone import TABLE, Standalone, offered, python_of, read_table
from fusion_mapper.toolbox.setup.state import State, Wish, base_python, managed_python, state_of
from fusion_mapper.toolbox.setup.steps import Plan, SetupFailed
from fusion_mapper.toolbox.setup.unpack import unpack
from python_server import PYTHON, VERSION, needs_layout, packed_python, sending
from qgis.core import QgsNetworkAccessManager, QgsSettings
from setup_watch import NAMES, Watcher, prove
from wheel_index import write_requirements, write_wheel


class TestOffer:
    @pytest.mark.parametrize("platform", ["linux-x86_64", "linux-aarch64", "macos-arm64", "windows-amd64"])
    def test_each_platform_with_packages_has_a_build_that_they_fit(self, platform):
        build = offered(platform, pythons_for(CPU, platform).__contains__, found=False, named=False)
        assert build.series == "3.12"
        assert build.url.startswith("https://github.com/astral-sh/python-build-standalone/releases/download/")
        assert build.release in build.url
        assert build.version in build.url
        assert build.url.endswith("-install_only_stripped.tar.gz")

    def test_the_builds_are_the_platforms_own(self):
        words = {"linux-x86_64": "x86_64-unknown-linux-gnu", "linux-aarch64": "aarch64-unknown-linux-gnu",
                 "macos-arm64": "aarch64-apple-darwin", "macos-x86_64": "x86_64-apple-darwin",
                 "windows-amd64": "x86_64-pc-windows-msvc"}  # fmt: skip
        table = read_table(TABLE)
        assert set(table) == set(words)
        assert all(words[platform] in build.url for platform, build in table.items())
        assert all(build.hash.startswith("sha256:") and len(build.hash) == 71 for build in table.values())
        assert len({build.hash for build in table.values()}) == len(table)

    def test_none_is_offered_where_one_is_there_or_named_or_no_packages_fit(self):
        assert offered("linux-x86_64", lambda _series: True, found=True, named=False) is None
        assert offered("linux-x86_64", lambda _series: True, found=False, named=True) is None
        assert offered("linux-x86_64", lambda _series: False, found=False, named=False) is None
        assert offered("linux-riscv64", lambda _series: True, found=False, named=False) is None

    def test_a_table_of_another_version_is_refused(self, tmp_path):
        other = tmp_path / "python.json"
        other.write_text(json.dumps({"schema": 2}))
        with pytest.raises(ValueError, match="another version"):
            read_table(other)

    def test_only_with_a_press_does_it_lift_the_problem(self, qgis_app):
        build = read_table(TABLE)["linux-x86_64"]
        survey = Survey(
            Machine("linux-x86_64"), Proposal(CPU, ""), (CPU,), (), "No Python was found.", 2**40, standalone=build
        )
        assert survey.cost(CPU, False) is not None
        with pytest.raises(RequestError, match="No Python was found"):
            make_plan(survey, Wish(CPU), Network({}, b""))
        plan = make_plan(survey, Wish(CPU, standalone=True), Network({}, b""))
        assert plan.standalone == build
        assert plan.pythons == ()


@pytest.fixture
def server(qgis_app):
    with sending() as told:
        yield told


def never() -> bool:
    return False


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(fetching, "PIECE", 1000)


class TestFetching:
    @pytest.mark.parametrize("ranges", [True, False])
    def test_it_comes_in_pieces_or_at_once(self, server, tmp_path, small_pieces, ranges):
        server.content, server.ranges, heard = os.urandom(4500), ranges, []
        fetch(server.url, tmp_path / "file", server.hash, lambda done, total: heard.append((done, total)), never)
        assert (tmp_path / "file").read_bytes() == server.content
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert heard[-1] == (4500, 4500)
        wanted = [wanted for path, wanted in server.asked if path == "/real"]
        # QGIS 3.40 asks a server that knows no pieces once more, for the whole.
        assert len(wanted) == (5 if ranges else 1) or (not ranges and wanted == ["bytes=0-999", None])

    def test_one_that_was_stopped_goes_on(self, server, tmp_path, small_pieces):
        server.content, heard = os.urandom(4500), []

        def count(done: int, total: int) -> None:
            heard.append(done)

        with pytest.raises(Cancelled):
            fetch(server.url, tmp_path / "file", server.hash, count, lambda: any(done >= 2000 for done in heard))
        assert not (tmp_path / "file").exists()
        there = (tmp_path / "file.part").stat().st_size
        assert 0 < there < 4500
        server.asked.clear()
        fetch(server.url, tmp_path / "file", server.hash, count, never)
        assert "bytes=0-999" not in [wanted for _, wanted in server.asked]
        assert ("/real", f"bytes={there}-{there + 999}") in server.asked
        assert (tmp_path / "file").read_bytes() == server.content

    def test_one_that_is_whole_already_is_not_fetched_again(self, server, tmp_path):
        server.content = os.urandom(4500)
        (tmp_path / "file.part").write_bytes(server.content)
        fetch(server.url, tmp_path / "file", server.hash, lambda *_told: None, never)
        assert (tmp_path / "file").read_bytes() == server.content

    def test_another_file_is_refused_and_nothing_of_it_stays(self, server, tmp_path):
        server.content = os.urandom(4500)
        wanted, server.content = server.hash, os.urandom(4500)
        with pytest.raises(SetupFailed) as problem:
            fetch(server.url, tmp_path / "file", wanted, lambda *_told: None, never)
        assert problem.value.cause == "hash"
        assert list(tmp_path.iterdir()) == []

    def test_nobody_there_is_told(self, qgis_app, tmp_path):
        with pytest.raises(SetupFailed) as problem:
            fetch("http://127.0.0.1:9/file", tmp_path / "file", "sha256:", lambda *_told: None, never)
        assert problem.value.cause == "network"
        assert str(problem.value).startswith("127.0.0.1 cannot be reached")

    def test_it_goes_through_the_proxy_that_qgis_is_told(self, server, tmp_path, proxied):
        server.content = os.urandom(4500)
        proxied(server.url)
        fetch("http://python.invalid/python.tar.gz", tmp_path / "file", server.hash, lambda *_told: None, never)
        assert (tmp_path / "file").read_bytes() == server.content
        assert server.asked[0][0] == "http://python.invalid/python.tar.gz"

    def test_a_proxy_that_refuses_is_told(self, server, tmp_path, proxied):
        proxied(server.url)
        with pytest.raises(SetupFailed) as problem:
            fetch("https://python.invalid/file", tmp_path / "file", "sha256:", lambda *_told: None, never)
        assert problem.value.cause == "proxy"


@pytest.fixture
def proxied(qgis_app):
    """Tells QGIS of a proxy, as its options do."""
    manager, names = QgsNetworkAccessManager.instance(), ("proxyEnabled", "proxyType", "proxyHost", "proxyPort")

    def tell(url: str) -> None:
        host, port = url.split("/")[2].split(":")
        for name, value in zip(names, (True, "HttpProxy", host, port)):
            QgsSettings().setValue(f"proxy/{name}", value)
        manager.setupDefaultProxyAndCache()

    yield tell
    for name in names:
        QgsSettings().remove(f"proxy/{name}")
    manager.setupDefaultProxyAndCache()


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


class TestUnpacking:
    def test_files_links_and_modes_are_kept(self, tmp_path):
        archive = tar_of(
            tmp_path / "a.tar.gz",
            (entry("python/bin/python3.12", mode=0o7777), b"#!"),
            (entry("python/bin/python3", tarfile.SYMTYPE, "python3.12"), b""),
            (entry("python/lib/same", tarfile.LNKTYPE, "python/bin/python3.12"), b""),
            (entry("python/share/up", tarfile.SYMTYPE, "../bin/python3"), b""),
        )
        unpack(archive, tmp_path / "home", never)
        python = tmp_path / "home" / "python" / "bin" / "python3"
        assert python_of(tmp_path / "home") == python
        assert python.read_bytes() == (tmp_path / "home/python/lib/same").read_bytes() == b"#!"
        assert python.stat().st_mode & 0o7777 == 0o755
        assert (tmp_path / "home/python/share/up").read_bytes() == b"#!"

    @pytest.mark.parametrize(
        "members",
        [
            [(entry("../outside"), b"x")],
            [(entry("python/../../outside"), b"x")],
            [(entry("/tmp/fusion-mapper-outside"), b"x")],
            [(entry("python\\..\\..\\outside"), b"x")],
            [(entry("C:/outside"), b"x")],
            [(entry("python/link", tarfile.SYMTYPE, "/etc"), b"")],
            [(entry("python/link", tarfile.SYMTYPE, "../../outside"), b"")],
            [(entry("python/link", tarfile.LNKTYPE, "../outside"), b"")],
            [(entry("python/a", tarfile.SYMTYPE, "."), b""), (entry("python/a/b", tarfile.SYMTYPE, "../../.."), b"")],
            [(entry("python/pipe", tarfile.FIFOTYPE), b"")],
            [(entry("python/device", tarfile.CHRTYPE), b"")],
        ],
        ids=lambda members: members[-1][0].name,
    )
    def test_what_leads_outside_is_refused_and_nothing_stays(self, tmp_path, members):
        home = tmp_path / "inner" / "home"
        home.parent.mkdir()
        archive = tar_of(tmp_path / "a.tar.gz", (entry("python/first"), b"1"), *members)
        with pytest.raises(SetupFailed) as problem:
            unpack(archive, home, never)
        assert problem.value.cause == "hash"
        assert list(home.parent.iterdir()) == []
        assert not (tmp_path / "outside").exists()
        assert not Path("/tmp/fusion-mapper-outside").exists()

    def test_a_file_through_a_link_is_refused(self, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        home = tmp_path / "home"
        archive = tar_of(
            tmp_path / "a.tar.gz",
            (entry("python/a", tarfile.SYMTYPE, "b"), b""),
            (entry("python/b", tarfile.SYMTYPE, "../../outside"), b""),
            (entry("python/a/file"), b"x"),
        )
        with pytest.raises(SetupFailed):
            unpack(archive, home, never)
        assert list(outside.iterdir()) == []

    @pytest.mark.parametrize("content", [b"", b"no tar at all", b"\x1f\x8b\x08 cut off"])
    def test_what_is_no_tar_is_refused(self, tmp_path, content):
        (tmp_path / "a.tar.gz").write_bytes(content)
        with pytest.raises(SetupFailed):
            unpack(tmp_path / "a.tar.gz", tmp_path / "home", never)
        assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]

    def test_a_cancelled_one_leaves_nothing(self, tmp_path):
        archive = tar_of(tmp_path / "a.tar.gz", (entry("python/first"), b"1"))
        with pytest.raises(Cancelled):
            unpack(archive, tmp_path / "home", lambda: True)
        assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> bytes:
    return packed_python(tmp_path_factory.mktemp("layout"))


@pytest.fixture
def plan(server, archive, tmp_path) -> Plan:
    """Without any Python, and a build that can be fetched."""
    server.content = archive
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    asked = write_requirements(tmp_path / "asked.txt", [write_wheel(wheels, name) for name in NAMES])
    return Plan(
        folder=tmp_path / "Profil für Ñandú" / "engine",
        wish=Wish("cpu", wheels=str(wheels), standalone=True),
        pythons=(),
        requirements=(asked,),
        packages=len(NAMES),
        environment=pip_environment(os.environ),
        standalone=Standalone(VERSION, "20260101", server.url, server.hash),
    )


@needs_layout
class TestInstalling:
    def test_the_environment_stands_on_the_python_that_was_fetched(self, plan, server):
        watcher = Watcher()
        install(plan, watcher, prove)
        assert state_of(plan.folder, fingerprint(plan.requirements)) is State.READY
        home = plan.folder / plan.standalone.folder
        assert base_python(plan.folder).is_relative_to(home.resolve())
        code = "import sys; print(sys.base_prefix)"
        said = subprocess.run(
            [managed_python(plan.folder), "-I", "-c", code], capture_output=True, text=True, check=True
        )
        assert Path(said.stdout.strip()) == home / "python"
        assert probe(str(python_of(home)), lambda _series: True).problem == ""
        assert not (plan.folder / "downloads").exists()
        assert "python" in watcher.names
        percents = [step.percent for step in watcher.steps]
        assert percents == sorted(percents)
        assert any(plan.standalone.hash in line for line in watcher.lines)

        server.asked.clear()
        install(plan, Watcher(), prove)
        assert server.asked == []
        assert home.is_dir()

        remove(plan.folder, Watcher())
        assert not plan.folder.exists()

    def test_one_that_is_used_no_more_goes(self, plan):
        install(plan, Watcher(), prove)
        other = replace(plan, pythons=(probe(str(PYTHON), lambda _series: True),), standalone=None)
        install(other, Watcher(), prove)
        assert not list(plan.folder.glob("python-*"))

    def test_a_stopped_one_is_fetched_on(self, plan, server, monkeypatch):
        monkeypatch.setattr(fetching, "PIECE", 2**20)
        watcher = Watcher()
        heard = watcher.stepped

        def stepped(step):
            heard(step)
            if step.name == "python" and step.done >= 2 * 2**20:
                watcher.stop.set()

        watcher.stepped = stepped
        with pytest.raises(Cancelled):
            install(plan, watcher, prove)
        (part,) = (plan.folder / "downloads").iterdir()
        there = part.stat().st_size
        assert 0 < there < len(server.content)
        server.asked.clear()
        install(plan, Watcher(), prove)
        spans = [wanted for _, wanted in server.asked]
        assert f"bytes={there}-{there + 2**20 - 1}" in spans
        assert not any(wanted.startswith("bytes=0-") for wanted in spans)

    def test_a_forged_one_is_never_unpacked(self, plan, server):
        server.content = server.content[:-1] + b"!"
        with pytest.raises(SetupFailed) as problem:
            install(plan, Watcher(), prove)
        assert problem.value.cause == "hash"
        assert not list(plan.folder.glob("python-*"))
        assert sha256_of(plan.requirements[0])

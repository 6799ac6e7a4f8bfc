"""Temporary folders go when their use ends, also where it ends badly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fusion_mapper.toolbox.engine.scratch import ScratchFolder, sweep

#: Makes a folder with a file in it, tells its name, and waits to be killed.
CHILD = """
import sys, tempfile
sys.path.insert(0, sys.argv[1])
import conftest
from fusion_mapper.toolbox.engine.scratch import ScratchFolder
tempfile.tempdir = sys.argv[2]
with ScratchFolder() as folder:
    (folder / "block.png").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_goes_with_its_use(place):
    with ScratchFolder() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"x")
    assert list(place.iterdir()) == []


def test_a_folder_goes_with_a_failure(place):
    with pytest.raises(KeyError), ScratchFolder() as folder:
        (folder / "file").write_bytes(b"x")
        raise KeyError
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_deleted_and_what_a_living_one_uses_is_not(place, repository_root):
    arguments = [sys.executable, "-c", CHILD, str(repository_root / "tests"), str(place)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        folder = Path(child.stdout.readline().strip())
        assert (folder / "block.png").exists()
        sweep()
        assert (folder / "block.png").exists()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert (folder / "block.png").exists()
    with ScratchFolder() as own:
        sweep()
        assert own.exists()
        assert not folder.exists()
    assert list(place.iterdir()) == []

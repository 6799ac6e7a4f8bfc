"""The scripts behind `make`: environments are made once and mended when broken; both test runs always run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def checkout(repository_root, tmp_path) -> Path:
    """A bare checkout that has only the scripts."""
    (tmp_path / "scripts").mkdir()
    for script in (repository_root / "scripts").glob("*.sh"):
        shutil.copy(script, tmp_path / "scripts")
    return tmp_path


class TestEnvironment:
    """`ensure_environment`, with a requirements file that asks for nothing, so that no network is needed."""

    @pytest.fixture
    def ensure(self, checkout):
        requirements = checkout / "scripts" / "requirements-none.txt"
        requirements.write_text("# nothing\n")
        code = f"""
            set -euo pipefail
            source scripts/environments.sh
            this_python() {{ printf '%s\\n' {sys.executable}; }}
            ensure_environment .venv-none this_python requirements-none.txt
        """

        def run() -> str:
            done = subprocess.run(["bash", "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
            return done.stderr

        return run

    def test_is_made_once(self, ensure, checkout):
        assert "Making .venv-none" in ensure()
        assert (checkout / ".venv-none/bin/python").exists()
        assert ensure() == ""

    def test_is_installed_again_when_its_requirements_change(self, ensure, checkout):
        ensure()
        (checkout / "scripts/requirements-none.txt").write_text("# still nothing\n")
        told = ensure()
        assert "Installing requirements-none.txt" in told
        assert "Making" not in told

    def test_is_made_again_when_it_was_left_half_made(self, ensure, checkout):
        ensure()
        (checkout / ".venv-none/.unfinished").touch()
        assert "Making .venv-none" in ensure()
        assert ensure() == ""

    def test_that_somebody_else_made_is_kept(self, ensure, checkout):
        subprocess.run([sys.executable, "-m", "venv", checkout / ".venv-none"], check=True)
        (checkout / ".venv-none/mine").touch()
        assert "Making" not in ensure()
        assert (checkout / ".venv-none/mine").exists()


class TestBothRuns:
    """`test.sh`, with this very interpreter standing in both environments' places."""

    @pytest.fixture
    def run(self, checkout):
        for name in (".venv-engine", ".venv-qgis"):
            (checkout / name / "bin").mkdir(parents=True)
            python = checkout / name / "bin" / "python"
            python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            python.chmod(0o755)

        def test_sh(engine: str = "", qgis: str = "", words: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
            for folder, body in (("models", engine), ("ui", qgis)):
                (checkout / "tests" / folder).mkdir(parents=True, exist_ok=True)
                if body:
                    (checkout / "tests" / folder / f"test_{folder}.py").write_text(body)
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
            return subprocess.run(
                [checkout / "scripts/test.sh", *words], env=environment, capture_output=True, text=True
            )

        return test_sh

    PASS = "def test_fine(): pass\n"
    FAIL = "def test_broken(): assert False\n"

    def test_pass_together(self, run):
        done = run(self.PASS, self.PASS)
        assert done.returncode == 0
        assert done.stdout.count("1 passed") == 2

    def test_the_second_runs_though_the_first_fails_and_the_end_says_so(self, run):
        done = run(self.FAIL, self.PASS)
        assert done.returncode != 0
        assert "1 passed" in done.stdout
        assert "1 failed" in done.stdout.strip().splitlines()[-1]

    def test_a_failure_in_the_second_fails(self, run):
        done = run(self.PASS, self.FAIL)
        assert done.returncode != 0
        assert "1 failed" in done.stdout.strip().splitlines()[-1]

    def test_a_room_without_tests_is_no_failure(self, run):
        assert run(self.PASS, "").returncode == 0

    def test_a_test_file_in_which_nothing_is_found_is_a_failure(self, run):
        assert run(self.PASS, "x = 1\n").returncode != 0

    def test_a_selection_that_lies_in_one_run_only_passes(self, run):
        assert run(self.PASS, "def test_other(): pass\n", ("-k", "fine")).returncode == 0


def test_without_a_graphics_card_its_check_ends_well_with_one_sentence(repository_root, tmp_path):
    for program in ("bash", "dirname", "grep", "timeout"):
        (tmp_path / program).symlink_to(shutil.which(program))
    environment = {"PATH": str(tmp_path)}
    done = subprocess.run(
        [repository_root / "scripts" / "check_gpu.sh"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr == "No graphics card of NVIDIA answers here, so the GPU part was not checked.\n"

"""The figures of a check are shown at its end; without a graphics card every check is skipped, with one sentence."""

from __future__ import annotations

import shutil
import sys

import pytest
from gpu_check import devices_to_check, is_asked_for

NO_CARD = "no graphics card that models run on answers here, so its part was not checked"
_figures: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def card() -> None:
    """A graphics card, or the devices that were named in its place."""
    from fusion_mapper.inference.cuda import cuda_facts
    from fusion_mapper.inference.sessions import present

    facts = cuda_facts() if shutil.which("nvidia-smi") else None
    directml = sys.platform == "win32" and "directml" in present("directml")
    if not (is_asked_for() or (facts and facts["cards"]) or directml):
        pytest.skip(f"{NO_CARD}.")


@pytest.fixture
def tell():
    """Notes a figure for the end of the run."""
    return _figures.append


def pytest_terminal_summary(terminalreporter) -> None:
    if _figures:
        terminalreporter.section(f"Measured on {', '.join(devices_to_check())}")
        for figure in _figures:
            terminalreporter.write_line(figure)

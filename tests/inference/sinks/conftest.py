"""What the sinks' tests share: a head's card, and a volume that fills up."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from classmaps import NAMES
from fusion_mapper.models.card import ClassInfo, Output


@pytest.fixture
def land_cover() -> Output:
    infos = tuple(ClassInfo(value, name) for value, name in enumerate(NAMES))
    return Output("landcover", "semantic-segmentation", classes=infos, title="Land cover")


@pytest.fixture
def small_disk(tmp_path):
    """A volume of 2 MiB of its own; mounting one takes Linux and root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]).returncode:
        pytest.skip("a small volume cannot be mounted here")
    yield folder
    subprocess.run([shutil.which("umount"), "--lazy", str(folder)], check=True)

"""The plugin's zip: made of what is committed, and refused where the plugin site would refuse it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SHIPPED = {
    "__init__.py", "plugin.py", "metadata.txt", "LICENSE", "README.md", "ui", "toolbox", "inference", "models",
    "resources",
}  # fmt: skip


@pytest.fixture(scope="module")
def package(repository_root, tmp_path_factory) -> Path:
    """The zip that `make package` makes of HEAD."""
    if not (repository_root / ".git").exists():
        pytest.skip("the package is made of a git commit, and this is not a git checkout")
    folder = tmp_path_factory.mktemp("package")
    subprocess.run([repository_root / "scripts" / "package.sh", folder], check=True)
    (built,) = folder.iterdir()
    return built


def check(repository_root: Path, package: Path) -> subprocess.CompletedProcess:
    script = repository_root / "scripts" / "check_package.py"
    return subprocess.run([sys.executable, script, package], capture_output=True, text=True)


def changed(package: Path, folder: Path, *, add: dict[str, bytes] | None = None, drop: str = "") -> Path:
    """A copy of the zip with entries added, and with the entry `drop` left out."""
    copy = folder / package.name
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            if name != drop:
                new.writestr(name, old.read(name))
        for name, content in (add or {}).items():
            new.writestr(name, content)
    return copy


def test_the_package_holds_the_plugin_in_one_folder_and_nothing_else(package):
    paths = [Path(name) for name in zipfile.ZipFile(package).namelist()]
    assert {path.parts[0] for path in paths} == {"fusion_mapper"}
    assert {path.parts[1] for path in paths if len(path.parts) > 1} == SHIPPED


def test_the_package_is_small_enough_for_the_plugin_site(package):
    assert package.stat().st_size < 25 * 1024**2


def test_the_unpacked_package_is_importable_without_qgis(package, tmp_path):
    shutil.unpack_archive(package, tmp_path)
    code = "import fusion_mapper; fusion_mapper.classFactory"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, check=True)


def test_placeholders_are_a_warning_and_no_fault(repository_root, package):
    checked = check(repository_root, package)
    assert checked.returncode == 0, checked.stderr
    assert "warning: tracker in metadata.txt is a placeholder" in checked.stderr


@pytest.mark.parametrize(
    ("entry", "content", "complaint"),
    [
        ("fusion_mapper/tests/test_x.py", b"", "is none of the plugin's files"),
        ("other/file.py", b"", "lies outside the folder fusion_mapper"),
        ("fusion_mapper/models/fast.so", b"", "is a binary"),
        ("fusion_mapper/models/innocent.txt", b"\x7fELF\x02\x01", "is a binary"),
        ("fusion_mapper/models/__pycache__/x.py", b"", "is none of the plugin's files"),
    ],
)
def test_what_the_plugin_site_refuses_is_a_fault(repository_root, package, tmp_path, entry, content, complaint):
    checked = check(repository_root, changed(package, tmp_path, add={entry: content}))
    assert checked.returncode == 1
    assert f"{entry} {complaint}" in checked.stderr


def test_a_missing_licence_is_a_fault(repository_root, package, tmp_path):
    checked = check(repository_root, changed(package, tmp_path, drop="fusion_mapper/LICENSE"))
    assert checked.returncode == 1
    assert "LICENSE is missing" in checked.stderr


def test_a_package_too_big_for_the_plugin_site_is_a_fault(repository_root, package, tmp_path):
    big = changed(package, tmp_path, add={"fusion_mapper/resources/models/big.onnx": bytes(26 * 1024**2)})
    checked = check(repository_root, big)
    assert checked.returncode == 1
    assert "the plugin site takes 25" in checked.stderr

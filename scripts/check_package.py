"""Checks a zip of the plugin as the plugin site does, before the site has to: ``check_package.py ZIP``.

Every fault is a line on standard error, and the exit code is 1 if there is one. Placeholders in metadata.txt are told
as warnings: the package is sound without a tracker, but the site wants one.
"""

from __future__ import annotations

import configparser
import sys
import zipfile
from pathlib import Path, PurePosixPath

PACKAGE = "fusion_mapper"
MAX_BYTES = 25 * 1024 * 1024
WANTED = ["__init__.py", "plugin.py", "metadata.txt", "LICENSE", "README.md", "resources/icon.svg"]
ROOMS = ["ui", "toolbox", "inference", "models", "resources"]
REQUIRED_FIELDS = [
    "name", "qgisMinimumVersion", "description", "version", "author", "email", "about", "tracker", "repository",
    "homepage", "hasProcessingProvider", "category", "icon",
]  # fmt: skip
PLACEHOLDER_FIELDS = ["email", "tracker", "repository", "homepage"]
PLACEHOLDER = "example.org"
FOREIGN_FOLDERS = {"tests", "test", "__pycache__", "__MACOSX", ".git", ".ci", "scripts", "benchmarks", "build"}
BINARY_SUFFIXES = {".so", ".dll", ".dylib", ".pyd", ".exe", ".pyc", ".pyo", ".bin", ".o", ".a", ".whl", ".zip"}
# Linux, Windows and macOS executables begin like this, whatever their names.
BINARY_HEADS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def read_metadata(text: str) -> dict[str, str]:
    """The fields of metadata.txt, read as the plugin site reads them: a bare ``%`` raises."""
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read_string(text)
    return dict(parser["general"])


def metadata_faults(fields: dict[str, str]) -> list[str]:
    """What the plugin site would refuse in metadata.txt."""
    faults = [f"metadata.txt has no {name}" for name in REQUIRED_FIELDS if not fields.get(name, "").strip()]
    if not all(part.isdigit() for part in fields.get("version", "").split(".")):
        faults.append(f"metadata.txt has the version '{fields.get('version')}'; it must be digits and dots")
    return faults


def placeholders(fields: dict[str, str]) -> list[str]:
    """The fields that still hold a placeholder."""
    return [name for name in PLACEHOLDER_FIELDS if PLACEHOLDER in fields.get(name, "")]


def content_faults(package: zipfile.ZipFile) -> list[str]:
    """Entries that must not be in the zip, and those that are missing."""
    names = [name for name in package.namelist() if not name.endswith("/")]
    faults = [f"{name} lies outside the folder {PACKAGE}" for name in names if not name.startswith(f"{PACKAGE}/")]
    faults += [f"{name} is missing" for name in WANTED if f"{PACKAGE}/{name}" not in names]
    faults += [
        f"the room {room} is missing" for room in ROOMS if not any(n.startswith(f"{PACKAGE}/{room}/") for n in names)
    ]
    for name in names:
        path = PurePosixPath(name)
        if FOREIGN_FOLDERS.intersection(path.parts):
            faults.append(f"{name} is none of the plugin's files")
        elif path.suffix.lower() in BINARY_SUFFIXES or package.read(name).startswith(BINARY_HEADS):
            faults.append(f"{name} is a binary")
    return faults


def package_faults(path: Path) -> list[str]:
    """Everything that is wrong with the zip, one sentence each; empty if it is sound."""
    with zipfile.ZipFile(path) as package:
        faults = content_faults(package)
        if f"{PACKAGE}/metadata.txt" in package.namelist():
            faults += metadata_faults(read_metadata(package.read(f"{PACKAGE}/metadata.txt").decode("utf-8")))
    size = path.stat().st_size
    if size > MAX_BYTES:
        faults.append(f"it has {size / 1024**2:.1f} MB, and the plugin site takes {MAX_BYTES // 1024**2}")
    return faults


def main() -> int:
    """Check the zip named on the command line; return the exit code."""
    path = Path(sys.argv[1])
    faults = package_faults(path)
    for fault in faults:
        print(f"{path.name}: {fault}", file=sys.stderr)
    if faults:
        return 1
    with zipfile.ZipFile(path) as package:
        fields = read_metadata(package.read(f"{PACKAGE}/metadata.txt").decode("utf-8"))
        files = len(package.namelist())
    for name in placeholders(fields):
        print(f"warning: {name} in metadata.txt is a placeholder ({fields[name]})", file=sys.stderr)
    print(f"{path.name}: {files} entries, {path.stat().st_size / 1024**2:.2f} MB, sound")
    return 0


if __name__ == "__main__":
    sys.exit(main())

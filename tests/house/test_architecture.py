"""The arrows between the rooms, read from the source: plugin → ui → toolbox → inference → models."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ORDER = ["models", "inference", "toolbox", "ui", "plugin"]
ENGINE_ROOMS = ["models", "inference"]
QGIS_ROOMS = ["toolbox", "ui"]
# `processing` is part of QGIS. Qt comes through qgis.PyQt only.
QGIS_PACKAGES = {"qgis", "processing"}
QT_PACKAGES = {"PyQt5", "PyQt6", "PySide2", "PySide6", "sip"}
# What both processes read; `fields` and `errors` are what the others are written with.
CONTRACTS = [
    "models.card", "models.errors", "models.fields", "models.library", "models.palette", "models.trainplan",
    "inference.errors", "inference.events", "inference.job", "inference.learnjob", "inference.nvidia",
    "inference.record",
]  # fmt: skip


def source_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def engine_files() -> list[Path]:
    return [path for room in ENGINE_ROOMS for path in source_files(room)]


def qgis_files() -> list[Path]:
    return [path for room in QGIS_ROOMS for path in source_files(room)] + [ROOT / "plugin.py", ROOT / "__init__.py"]


def name_of(path: Path) -> str:
    """The dotted name of a file inside the package: ``inference.sources.raster``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def room_of(name: str) -> str:
    return name.split(".")[0]


def imports(path: Path) -> tuple[set[str], set[str]]:
    """What a file imports, at any depth: top-level packages from outside, and dotted names inside the package."""
    outside, inside = set(), set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            outside.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            outside.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(
                [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            )
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            inside.update(name if is_module(name) else base for name in names)
    return outside, inside


def contract_files() -> list[Path]:
    """The contract modules and the ``__init__`` of their rooms, which is imported along with them."""
    modules = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in CONTRACTS]
    return [path for path in [*modules, ROOT / "models/__init__.py", ROOT / "inference/__init__.py"] if path.exists()]


def offenders(files: list[Path], offence: Callable[[Path], Iterable]) -> dict[str, list]:
    """For each file that breaks a rule, what it breaks it with."""
    found = {str(path.relative_to(ROOT)): sorted(offence(path)) for path in files}
    return {path: what for path, what in found.items() if what}


def test_every_room_has_files():
    """The other tests would hold on nothing at all."""
    assert [room for room in ENGINE_ROOMS + QGIS_ROOMS if not source_files(room)] == []


def test_the_engine_knows_no_qgis():
    assert offenders(engine_files(), lambda path: imports(path)[0] & (QGIS_PACKAGES | QT_PACKAGES)) == {}


def test_qgis_imports_only_itself_and_the_standard_library():
    allowed = sys.stdlib_module_names | QGIS_PACKAGES
    assert offenders(qgis_files(), lambda path: imports(path)[0] - allowed) == {}


def test_no_room_imports_a_room_above_it():
    def upward(path: Path) -> set[str]:
        above = ORDER[ORDER.index(room_of(name_of(path))) + 1 :]
        return {name for name in imports(path)[1] if room_of(name) in above}

    # The package's root is no room: its classFactory brings the plugin in when QGIS asks for it.
    files = [path for path in engine_files() + qgis_files() if path != ROOT / "__init__.py"]
    assert offenders(files, upward) == {}


def test_the_folders_of_the_interface_import_in_one_direction():
    """Peel off the folders that import no other; what is left over at the end imports in a circle."""
    folders = {path.parent.name for path in (ROOT / "ui").glob("*/__init__.py")}

    def arrows(folder: str) -> set[str]:
        names = {name for path in source_files(f"ui/{folder}") for name in imports(path)[1]}
        inside = {name.split(".")[1] for name in names if name.startswith("ui.")}
        # A file of the room itself stands above all folders.
        return {name if name in folders else "ui" for name in inside} - {folder}

    left = {folder: arrows(folder) for folder in folders}
    while free := {folder for folder, others in left.items() if not others & (left.keys() | {"ui"})}:
        left = {folder: others for folder, others in left.items() if folder not in free}
    assert left == {}


def test_imports_inside_the_package_are_relative():
    # `python inference` starts __main__.py outside any package; it is what gives the package its name.
    files = [path for path in engine_files() + qgis_files() if path != ROOT / "inference" / "__main__.py"]
    assert offenders(files, lambda path: imports(path)[0] & {"fusion_mapper", *ORDER}) == {}


def test_qgis_reads_the_engine_s_rooms_through_contract_modules_only():
    def below(path: Path) -> set[str]:
        return {name for name in imports(path)[1] if room_of(name) in ENGINE_ROOMS} - set(CONTRACTS)

    assert offenders(qgis_files(), below) == {}


def test_a_contract_imports_only_contracts_and_the_standard_library():
    def foreign(path: Path) -> set[str]:
        outside, inside = imports(path)
        return (outside - sys.stdlib_module_names) | (inside - {*CONTRACTS, "models", "inference"})

    assert offenders(contract_files(), foreign) == {}


def test_what_qgis_imports_is_python_3_9():
    newer = {"slots", "kw_only", "strict"}  # dataclass(slots=, kw_only=), zip(strict=)

    def too_new(path: Path) -> Iterable[int]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))):
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if called in {"dataclass", "zip"} and newer & {word.arg for word in node.keywords}:
                yield node.lineno

    assert offenders(contract_files() + qgis_files(), too_new) == {}


def test_the_contracts_fields_can_be_evaluated_on_python_3_9():
    """The contracts read their own annotations at run time, where 3.9 knows no ``X | None``."""

    def unions(path: Path) -> Iterable[int]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for field in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(field, ast.AnnAssign) and isinstance(field.annotation, ast.BinOp):
                    yield field.lineno

    assert offenders(contract_files(), unions) == {}


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_imports_where_there_is_nothing_but_the_standard_library(name):
    code = f"""
import importlib, importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "fusion_mapper", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
sys.modules["fusion_mapper"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
importlib.import_module("fusion_mapper.{name}")
"""
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], check=True)

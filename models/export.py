"""Giving a model away: a copy with its card inside, and a STAC MLM item beside it that other tools read."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .embed import embed_card
from .errors import CardError
from .install import write_sidecar
from .library import Installed
from .load import load_model, require_complete
from .readers.defaults import safe_name


def export_model(path: Path, folder: Path) -> Installed:
    """Copy the model `path` into `folder` as ``<name>.onnx``, its STAC MLM item beside it as ``<name>.json``.

    The original is only read, and nothing that stands in `folder` is written over. All files of the model appear under
    their names at the end, weights before the model.

    Raises:
        CardError: the file is no model or its card lacks what a run needs, the folder cannot be written, or one of the
            files exists there already.
    """
    loaded = load_model(path)
    require_complete(loaded.card)
    name = safe_name(loaded.card.name)
    names = (*loaded.graph.external, f"{name}.onnx", f"{name}.json")
    _refuse_overwriting(folder, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as draft:
            copy = Path(draft, f"{name}.onnx")
            embed_card(path, loaded.card, copy)
            write_sidecar(copy, loaded.card, path)
            for part in names:
                (folder / part).parent.mkdir(parents=True, exist_ok=True)
                _move(Path(draft, part), folder / part)
    except OSError as problem:
        raise CardError(f"The model cannot be written to {folder}: {problem.strerror}.") from problem
    return Installed(folder / f"{name}.onnx", folder / f"{name}.json", loaded.card)


def _refuse_overwriting(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if (folder / name).exists():
            raise CardError(f"{folder / name} exists already; choose another folder or move it away.")


def _move(draft: Path, target: Path) -> None:
    """A link is refused where the name was taken meanwhile; a file system without links is trusted."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:
        shutil.move(draft, target)

"""Taking a model into the library: copied whole, with its card inside and beside it, and every file hashed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .card import Card
from .embed import embed_card
from .errors import CardError
from .files import model_hash, sha256_of, write_atomically
from .graph import Graph, read_graph
from .library import FILES_BLOCK, Installed, strangers
from .load import load_model
from .mlm import card_to_item
from .mlm_schema import validate_item
from .readers.defaults import safe_name

_DRAFT, _OLD = ".install-", ".old-"
#: Seconds after which an installation that has not come to an end never will.
_STALE = 24 * 3600


def install_model(path: Path, folder: Path, card: Card | None = None, replace: bool = True) -> Installed:
    """Copy a model into a folder of its own inside the library `folder`, under its card's name.

    `card` replaces what the file itself tells, for example after a dialog has filled in what was unknown. A model of
    the same name is replaced, or refused without `replace`. The new folder appears whole or not at all, and the file
    at `path` is only read.

    Raises:
        CardError: the file is no model, its card contradicts it, the folder cannot be written, or the name is taken.
    """
    path = Path(path)
    card = card or load_model(path).card
    name = safe_name(card.name)
    if (folder / name).exists():
        _refuse_to_replace(folder / name / f"{name}.onnx", replace)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder))
    except OSError as problem:
        raise CardError(f"The library folder {folder} cannot be written: {problem.strerror}.") from problem
    try:
        _fill(draft, name, path, card)
        _put_in_place(draft, folder / name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Installed(folder / name / f"{name}.onnx", folder / name / f"{name}.json", card)


def write_sidecar(model: Path, card: Card, source: Path | None = None) -> Path:
    """Write the card as ``<stem>.json`` beside `model`, with the hashes of the model's files and of the original's.

    Raises:
        CardError: the model cannot be read, or the sidecar cannot be written.
    """
    graph = read_graph(model)
    item = card_to_item(card)
    item["properties"][FILES_BLOCK] = _hashes(graph, read_graph(source) if source else graph)
    item["assets"]["model"]["href"] = f"./{quote(model.name)}"
    validate_item(item, f"The card '{card.name}'")
    sidecar = model.with_suffix(".json")
    text = json.dumps(item, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomically(sidecar, f"{text}\n".encode())
    return sidecar


def _refuse_to_replace(installed: Path, replace: bool) -> None:
    """Replacing takes the whole folder away, so nothing else may lie in it."""
    name, others = installed.stem, strangers(installed)
    if not replace:
        raise CardError(f"A model called '{name}' is already installed; replace it, or give this one another name.")
    if others:
        what = f"'{others[0].name}', which is no part of the model '{name}'"
        raise CardError(f"The folder {installed.parent} also holds {what}; give this model another name.")


def _fill(draft: Path, name: str, path: Path, card: Card) -> None:
    copy = draft / f"{name}.onnx"
    embed_card(path, card, copy)
    write_sidecar(copy, card, path)


def _hashes(copy: Graph, source: Graph) -> dict[str, Any]:
    """Copied data files must equal their originals; the ONNX file does not, since the card is written into it."""
    files = {}
    for name in source.external:
        original, copied = sha256_of(source.path.parent / name), sha256_of(copy.path.parent / name)
        if original != copied:
            raise CardError(f"'{name}' changed while {source.path.name} was being copied; try again.")
        files[name] = copied
    return {
        "model": model_hash(copy.path, copy.external),
        "source": model_hash(source.path, source.external),
        "external": files,
    }


def _sweep(folder: Path) -> None:
    """Delete what installations that were killed left behind; one that is under way is younger."""
    for left in (*folder.glob(f"{_DRAFT}*"), *folder.glob(f"{_OLD}*")):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)


def _put_in_place(draft: Path, target: Path) -> None:
    old = target.with_name(f"{_OLD}{secrets.token_hex(4)}")
    try:
        if target.exists():
            os.replace(target, old)
        try:
            os.replace(draft, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
    except OSError as problem:
        raise CardError(f"The model cannot be put into {target}: {problem.strerror}.") from problem
    shutil.rmtree(old, ignore_errors=True)

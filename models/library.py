"""The library: folders of installed models, each an ONNX file with its card as a JSON sidecar of the same name.

A model lies in the folder itself, as the starter models do, or in a folder of its own there, as installed ones do.
A contract module (standard library only, Python 3.9): QGIS reads sidecars alone, never an ONNX file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from .card import Card, card_from_dict, read_json
from .errors import CardError

#: Property of a sidecar's item that holds the hashes of the model's files.
FILES_BLOCK = "fusion:files"
#: Starter models that come with the plugin.
STARTERS = Path(__file__).resolve().parents[1] / "resources" / "models"


@dataclass(frozen=True)
class Installed:
    """A model in a library folder."""

    path: Path
    """The ONNX file."""
    sidecar: Path
    card: Optional[Card] = None
    """None when the sidecar cannot be read."""
    problem: str = ""
    """One sentence why not."""

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def label(self) -> str:
        return self.card.label if self.card else self.name


def list_models(folder: Path) -> list[Installed]:
    """All models in `folder`, by name; a broken sidecar is reported in its entry and hides no other model."""
    if not folder.is_dir():
        return []
    paths = [*folder.glob("*.onnx"), *folder.glob("*/*.onnx")]
    models = [path for path in paths if path.is_file() and not _hidden(path.relative_to(folder))]
    return [_installed(path) for path in sorted(models, key=lambda path: path.name.lower())]


def find_model(folders: Iterable[Path], name_or_path: str) -> Installed:
    """The model that a user means: a path of an ONNX file, a file's name, or a card's name or title.

    Raises:
        CardError: when none fits.
    """
    path = Path(name_or_path)
    if path.suffix.lower() == ".onnx" and path.is_file():
        return _installed(path)
    known = [model for folder in folders for model in list_models(folder)]
    for model in known:
        names = {model.name, model.path.name}
        if model.card:
            names |= {model.card.name, model.card.title} - {""}
        if name_or_path in names:
            return model
    listed = ", ".join(model.name for model in known) or "none"
    raise CardError(f"There is no model '{name_or_path}'; installed models: {listed}. Give a path or one of these.")


def file_hashes(sidecar: Path) -> Mapping[str, Any]:
    """Hashes that the sidecar keeps: of the ``model``, its ``source`` and its ``external`` files; empty if none.

    Raises:
        CardError: when the sidecar cannot be read.
    """
    data = read_json(sidecar)
    properties = data.get("properties") if isinstance(data, dict) else None
    facts = properties.get(FILES_BLOCK) if isinstance(properties, dict) else None
    return facts if isinstance(facts, dict) else {}


def strangers(model: Path) -> list[Path]:
    """Files in the folder of a model that do not belong to it: neither the model, nor its card or external data.

    A library folder is one of the user's choice, and may hold more than was installed into it.
    """
    sidecar = model.with_suffix(".json")
    try:
        external = file_hashes(sidecar).get("external")
    except CardError:
        external = None
    own = {model, sidecar, *(model.parent / name for name in external or ())}
    return sorted(path for path in model.parent.rglob("*") if path.is_file() and path not in own)


def _hidden(path: Path) -> bool:
    """Folders that are still being written begin with a dot."""
    return any(part.startswith(".") for part in path.parts)


def _installed(path: Path) -> Installed:
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return Installed(path, sidecar, None, f"{path.name} has no card beside it; import it to give it one.")
    try:
        return Installed(path, sidecar, card_from_dict(read_json(sidecar), sidecar.name))
    except CardError as problem:
        return Installed(path, sidecar, None, str(problem))

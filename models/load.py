"""The one way from an ONNX file to a model that can run: find the convention it follows, read its card, check it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from .card import BLOCK, ONNX_KEY, Card, card_from_dict, read_json
from .consistency import check_card
from .embed import embedded_card
from .errors import CardError
from .files import model_hash
from .graph import Graph, Tensor, read_graph
from .library import FILES_BLOCK
from .mlm import is_item, read_item
from .readers import bare, deepness, geoai
from .remarks import Remark, Remarks
from .repair import repair

Convention = Literal["fusion-mapper", "deepness", "geoai", "mlm", "bare"]


@dataclass(frozen=True)
class LoadedModel:
    """An ONNX file with the card that agrees with it."""

    path: Path
    card: Card
    graph: Graph
    convention: Convention
    remarks: tuple[Remark, ...] = ()
    """What has to be said about the metadata, each with the card's field that it is about."""
    sha256: str = ""
    """``sha256:<hex>`` of the ONNX file; with external data, of the list of all its files' hashes."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The remarks' sentences alone."""
        return tuple(remark.text for remark in self.remarks)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(
            path.stat().st_size for path in (self.path, *(self.path.parent / name for name in self.graph.external))
        )


@dataclass
class _Found:
    """Metadata beside the model, by kind, and what has to be said about them."""

    own: tuple[str, Mapping[str, Any]] | None = None
    item: tuple[str, Mapping[str, Any]] | None = None
    geoai: tuple[str, Mapping[str, Any]] | None = None
    remarks: Remarks = field(default_factory=Remarks)


def load_model(path: Path) -> LoadedModel:
    """Read the model `path` by whichever convention it follows.

    Looked for in this order: our card beside it (``<stem>.json``, ``<file>.json``) and in its metadata, an MLM item
    beside it, Deepness's metadata keys, a geoai sidecar, the bare graph. Our own cards must agree with their graph;
    others are repaired from it.

    Raises:
        CardError: the file is no model that can run, or its card contradicts it.
    """
    path = Path(path)
    graph = read_graph(path)
    digest = model_hash(path, graph.external)
    found = _look_beside(path)
    if found.own or ONNX_KEY in graph.metadata:
        card, convention, remarks = _read_own(graph, found, digest)
    else:
        card, convention, remarks = _read_foreign(graph, found)
    return LoadedModel(path, card, graph, convention, (*found.remarks, *remarks), digest)


def sidecars(path: Path) -> tuple[Path, Path]:
    """Where metadata beside the model `path` may lie."""
    return path.with_suffix(".json"), path.with_name(f"{path.name}.json")


def require_complete(card: Card) -> None:
    """Refuse a card that lacks what a run needs; raises CardError listing the fields."""
    if card.blocking:
        raise CardError(
            f"The model '{card.label}' does not tell {', '.join(card.blocking)}; import it first and fill these in."
        )


def describe(loaded: LoadedModel) -> dict[str, Any]:
    """Everything about a loaded model as plain JSON values; ``size`` counts the bytes of all its files."""
    external = loaded.graph.external
    return {
        "file": loaded.path.name,
        "sha256": loaded.sha256,
        "convention": loaded.convention,
        "card": loaded.card.to_dict(),
        "graph": {
            "opset": loaded.graph.opset,
            "nodes": loaded.graph.nodes,
            "inputs": [_tensor(tensor) for tensor in loaded.graph.inputs],
            "outputs": [_tensor(tensor) for tensor in loaded.graph.outputs],
            "external": list(external),
        },
        "unknown": list(loaded.card.unknown),
        "warnings": list(loaded.warnings),
        "remarks": [{"field": remark.field, "text": remark.text} for remark in loaded.remarks],
        "size": loaded.size,
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.dims), "text": tensor.said}


def _look_beside(path: Path) -> _Found:
    found = _Found()
    for sidecar in sidecars(path):
        if not sidecar.is_file():
            continue
        try:
            data = read_json(sidecar)
        except CardError as problem:
            found.remarks.say(f"{problem} It was left out.")
            continue
        _sort_in(found, sidecar.name, data)
    return found


def _sort_in(found: _Found, name: str, data: object) -> None:
    if is_item(data) and BLOCK not in data["properties"]:  # type: ignore[index]
        found.item = found.item or (name, data)  # type: ignore[assignment]
    elif isinstance(data, Mapping) and (is_item(data) or "slots" in data):
        found.own = found.own or (name, data)
    elif geoai.is_sidecar(data):
        found.geoai = found.geoai or (name, data)  # type: ignore[assignment]
    else:
        found.remarks.say(f"{name} beside the model is no model card and was left out.")


def _read_own(graph: Graph, found: _Found, digest: str) -> tuple[Card, Convention, Remarks]:
    """The sidecar is what QGIS shows, so it is what runs; a card inside the file that says otherwise is told."""
    inside = embedded_card(graph)
    card, said = inside, Remarks()
    if found.own:
        name, data = found.own
        card = read_item(data, name)
        _check_files(data, name, digest)
        if inside is not None and inside != card:
            parts = [part.name for part in fields(Card) if getattr(inside, part.name) != getattr(card, part.name)]
            said.say(f"{name} differs from the card inside {graph.path.name} in {', '.join(parts)}; {name} counts.")
    if card is None:
        raise CardError(f"{graph.path.name} has no card.")
    check_card(card, graph)
    return card, "fusion-mapper", said


def _check_files(data: Mapping[str, Any], name: str, digest: str) -> None:
    facts = data.get("properties", {}).get(FILES_BLOCK) if is_item(data) else None
    expected = facts.get("model") if isinstance(facts, Mapping) else None
    if isinstance(expected, str) and expected != digest:
        raise CardError(f"{name} was written for another model file than the one beside it; install the model again.")


def _with_graph_facts(card: Card, graph: Graph) -> Card:
    """MLM has no word for a network's stride, nor for what has still to be applied to an output: the graph decides."""
    told = bare.read(graph)
    outputs = list(card.outputs)
    for i, true in enumerate(told.outputs[: len(outputs)]):
        if outputs[i].task != "pixel-regression":
            outputs[i] = replace(outputs[i], activation=true.activation)
    return replace(card, outputs=tuple(outputs), stride=told.stride)


def _read_foreign(graph: Graph, found: _Found) -> tuple[Card, Convention, Remarks]:
    reader: Callable[[], tuple[Card, Remarks]]
    convention: Convention
    if found.item:
        name, item = found.item
        convention, reader = "mlm", lambda: (_with_graph_facts(read_item(item, name), graph), Remarks())
    elif deepness.follows(graph):
        convention, reader = "deepness", lambda: deepness.read(graph)
    elif found.geoai:
        name, sidecar = found.geoai
        convention, reader = "geoai", lambda: geoai.read(graph, sidecar, name)
    else:
        return bare.read(graph), "bare", Remarks()
    card, said = reader()
    card, repairs = repair(card, graph)
    card = card_from_dict(card.to_dict(), graph.path.name)
    return card, convention, Remarks([*said, *repairs])

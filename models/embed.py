"""A card inside its ONNX file: the whole STAC MLM item as one entry of the file's metadata."""

from __future__ import annotations

import json
from pathlib import Path

from .card import MAX_BYTES, ONNX_KEY, Card
from .consistency import check_card
from .errors import CardError
from .files import copy_beside, sha256_of, writing
from .graph import Graph, read_graph
from .mlm import card_to_item, read_item
from .mlm_schema import validate_item
from .wire import copy_with_metadata


def embed_card(model: Path, card: Card, out: Path) -> None:
    """Write the ONNX file `model` to `out` with `card` in its metadata, and its external data whole beside it.

    Equal model and card give equal bytes. `out` may be `model` itself. Nothing half-written ever stands under a final
    name: data files first, the ONNX file last.

    Raises:
        CardError: the card contradicts the graph, or another file already stands where external data has to go.
    """
    graph = read_graph(model)
    check_card(card, graph)
    text = item_text(card)
    out.parent.mkdir(parents=True, exist_ok=True)
    for name in graph.external:
        _copy_weights(model.parent / name, out.parent / name)
    with writing(out) as stream:
        copy_with_metadata(model, stream, ONNX_KEY, text)


def embedded_card(graph: Graph) -> Card | None:
    """The card inside the file's metadata, or None; raises CardError when there is one that cannot be read."""
    text = graph.metadata.get(ONNX_KEY)
    if text is None:
        return None
    return read_item(parse_json(text, f"The card inside {graph.path.name}"), f"{graph.path.name}: card")


def read_embedded_card(path: Path) -> Card | None:
    """The card inside the ONNX file `path`, or None when it holds none; raises CardError."""
    return embedded_card(read_graph(path))


def item_text(card: Card) -> str:
    """The card's STAC MLM item, validated, as one line of JSON; the same for the same card."""
    item = card_to_item(card)
    validate_item(item, f"The card '{card.name}'")
    return json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse_json(text: str, where: str) -> object:
    """Parsed JSON of untrusted text; raises CardError naming `where`."""
    if len(text) > MAX_BYTES:
        raise CardError(f"{where} is larger than {MAX_BYTES // 2**20} MiB, which no model card is.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise CardError(f"{where} is not valid JSON.") from problem


def _copy_weights(source: Path, target: Path) -> None:
    if target.exists():
        if target.samefile(source) or sha256_of(target) == sha256_of(source):
            return
        raise CardError(f"{target} exists and holds other data than the model's weights; choose another folder.")
    copy_beside(source, target)

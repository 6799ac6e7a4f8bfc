"""A trained network's files: the ONNX model with its card, and variants of lower precision with what they lose."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...models.card import Card
from ...models.embed import embed_card
from ...models.errors import RequestError
from ...models.install import write_sidecar
from ...models.training.blocks import Split
from ...models.training.scenes import Scene
from ...models.trainplan import Precision

if TYPE_CHECKING:
    from ...models.training.course import Learned
    from ...models.training.windows import Window

#: Windows with which int8 is calibrated, and those on which a variant's loss is measured.
_CALIBRATION, _MEASURED = 24, 48


def export_trained(
    learned: Learned, card: Card, variants: tuple[Precision, ...], scenes: list[Scene], parts: Split, folder: Path
) -> dict[str, Path]:
    """Write the model, its card beside it, and its variants.

    The ONNX file's answers equal torch's to 1e-4, which is checked here.

    Raises:
        RequestError: the files cannot be written, or the answers differ.
    """
    from ...models.training.export import export_onnx
    from ...models.training.product import mapping_network

    path = folder / f"{card.name}.onnx"
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as scratch:
            bare = Path(scratch, "bare.onnx")
            difference = export_onnx(mapping_network(learned), learned.course.channels, bare)
            told = replace(card, training={**card.training, "onnx_against_torch": float(f"{difference:.2g}")})
            products = _finish(bare, told, path)
            if variants:
                products |= _variants(learned, told, variants, scenes, parts, bare, folder)
    except OSError as problem:
        raise RequestError(
            f"The model cannot be written into {folder}: {problem.strerror or problem}; the training is kept there, "
            "and started again goes on from its last epoch."
        ) from problem
    return products


def _finish(bare: Path, card: Card, path: Path) -> dict[str, Path]:
    draft = bare.with_name(path.name)
    embed_card(bare, card, draft)
    os.replace(draft, path)
    return {"model": path, "card": write_sidecar(path, card)}


def _variants(
    learned: Learned,
    card: Card,
    variants: tuple[Precision, ...],
    scenes: list[Scene],
    parts: Split,
    bare: Path,
    folder: Path,
) -> dict[str, Path]:
    from ...models.training.variants import agreement, make_variant

    made = {}
    for kind in dict.fromkeys(variants):
        lower = bare.with_name(f"{kind}.onnx")
        make_variant(bare, kind, lower, _feeds(learned, scenes, parts.training, _CALIBRATION))
        loss = agreement(bare, lower, _feeds(learned, scenes, parts.validation, _MEASURED))
        facts = {
            "precision": kind,
            ("values_within_1_percent" if learned.course.regression else "classes_as_in_f32"): round(loss.classes, 6),
            "largest_difference": float(f"{loss.largest:.3g}"),
        }
        title = f"{card.title} ({kind})"
        named = replace(card, name=f"{card.name}-{kind}", title=title, training={**card.training, "variant": facts})
        made[kind] = _finish(lower, named, folder / f"{named.name}.onnx")["model"]
    return made


def _feeds(
    learned: Learned, scenes: list[Scene], truths: list[np.ndarray], most: int
) -> Iterator[dict[str, np.ndarray]]:
    """ONNX inputs of windows that hold labels, as the model is fed."""
    from ...models.training.windows import square_of, windows_with_truth

    looking = learned.course.looking(learned.network)
    larger = [replace(s, truth=t).at_least(looking.side) for s, t in zip(scenes, truths, strict=True)]
    inputs = [learned.normalisation.apply(scene) for scene in larger]
    windows: list[Window] = windows_with_truth([scene.truth for scene in larger], looking.side, most)
    for window in windows:
        feed = {"input": square_of(inputs[window.scene], window, looking)[None]}
        if learned.network.takes_location:
            where = larger[window.scene].middle(window.row, window.col, looking.side)
            feed["location"] = learned.network.location_feed(where)
        yield feed

"""Cards from ONNX files without metadata: what the graph tells is filled in, the rest is listed as missing."""

from __future__ import annotations

from ..anatomy import stride_of
from ..card import Activation, Card, Channel, LocationRecipe, Output, Slot, Tiling
from ..errors import CardError
from ..graph import Graph
from ..survey import FREE_SIZE, InputShape, OutputShape, Survey, probability_outputs, survey
from .defaults import default_classes, safe_name

#: Tile size for graphs that take any.
_DEFAULT_TILE = 2 * FREE_SIZE


def read(graph: Graph, found: Survey | None = None) -> Card:
    """The card that a graph alone can tell.

    Each input becomes a slot (each date of an N×C×T×H×W input too), the first image the role ``imagery``; each output
    becomes a segmentation head with numbered classes. Everything that is a guess is listed in ``unknown``.
    `found` spares a second survey.

    Raises:
        CardError: the graph has inputs or outputs that no layers fit.
    """
    found = found or survey(graph)
    slots = _slots(found, graph)
    sure = probability_outputs(graph, found)
    outputs = tuple(_output(shape, shape.name in sure) for shape in found.outputs)
    return Card(
        name=safe_name(graph.path.stem),
        slots=slots,
        outputs=outputs,
        title=graph.path.stem,
        tiling=tiling_of(found),
        stride=stride_of(graph),
        unknown=("gsd", *_unknown_slots(slots, found), *_unknown_outputs(found, sure)),
    )


def tiling_of(found: Survey) -> Tiling:
    """The tiling that a graph asks for."""
    return Tiling(size=found.size if found.fixed else _DEFAULT_TILE, fixed=found.fixed, batch=found.batch)


def activation_of(shape: OutputShape, probabilities: bool) -> Activation:
    """What has still to be applied to a classifying output: nothing where it gives probabilities."""
    if shape.ending == "labels":
        return "labels"
    if probabilities:
        return "none"
    return "sigmoid" if shape.channels == 1 else "softmax"


def _slots(found: Survey, graph: Graph) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    for shape in found.inputs:
        imagery = shape.layout != "vector" and not any(slot.role == "imagery" for slot in slots)
        for time in range(shape.times):
            slots.append(_slot(shape, time, graph, imagery))
    return tuple(slots)


def _slot(shape: InputShape, time: int, graph: Graph, imagery: bool) -> Slot:
    name = safe_name(shape.name) if shape.times == 1 else f"{safe_name(shape.name)}_{time + 1}"
    location = _location(shape, graph) if shape.layout == "vector" else None
    word = "value" if location else "band"
    return Slot(
        name=name,
        role="location" if location else "imagery" if imagery else "raster",
        channels=tuple(Channel(f"{word} {i + 1}") for i in range(shape.channels or 3)),
        input=shape.name,
        layout=shape.layout,
        time=time,
        grid_ratio=shape.ratio,
        location=location,
    )


def _location(shape: InputShape, graph: Graph) -> LocationRecipe:
    """A vector input is taken for a location: two values for longitude and latitude, L² for spherical harmonics."""
    degree = round((shape.channels or 0) ** 0.5)
    if shape.channels == 2:
        return LocationRecipe("lonlat")
    if degree >= 1 and degree**2 == shape.channels:
        return LocationRecipe("spherical_harmonics", degree)
    raise CardError(
        f"The input '{shape.name}' of {graph.path.name} takes {shape.channels or 'some'} values a tile, and no layer "
        "gives these."
    )


def _output(shape: OutputShape, probabilities: bool) -> Output:
    return Output(
        name=shape.name,
        task="semantic-segmentation",
        classes=default_classes(shape.channels),
        activation=activation_of(shape, probabilities),
        grid=shape.grid,
        stride=shape.stride,
        margin=shape.margin,
    )


def _unknown_slots(slots: tuple[Slot, ...], found: Survey) -> list[str]:
    missing: list[str] = []
    for i, slot in enumerate(slots):
        shape = found.input(slot.input)
        facts = {
            "role": slot.role == "raster",
            "channels": shape.channels is None,
            "layout": slot.layout == "NCTHW",
            "scaling": slot.location is None,
            "location": slot.location is not None,
        }
        missing += [f"slots[{i}].{fact}" for fact, open_ in facts.items() if open_]
    return missing


def _unknown_outputs(found: Survey, sure: frozenset[str]) -> list[str]:
    missing: list[str] = []
    for i, shape in enumerate(found.outputs):
        missing += [f"outputs[{i}].task", f"outputs[{i}].classes"]
        if shape.ending == "other" and shape.name not in sure:
            missing.append(f"outputs[{i}].activation")
    return missing

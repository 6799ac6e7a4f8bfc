"""Does a card agree with its graph? Our own cards must; what foreign metadata gets wrong is repaired from the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from .card import Card, Output, Slot
from .errors import CardError
from .graph import Graph
from .remarks import Remark
from .survey import InputShape, OutputShape, Survey, survey

_RANKS = {"NCHW": 4, "NCTHW": 5, "vector": 2}


def check_card(card: Card, graph: Graph) -> None:
    """Refuse a card that contradicts its graph.

    Raises:
        CardError: names what the card says and what the graph says.
    """
    for contradiction in contradictions(card, graph):
        raise CardError(contradiction.text)


def contradictions(card: Card, graph: Graph) -> Iterator[Remark]:
    """Everything in which the card contradicts its graph; the finer checks follow once the coarse ones are passed."""
    coarse = list(_caught(_coarse_checks(card, graph)))
    yield from coarse
    if coarse:
        return
    try:
        found = survey(graph, card)
    except CardError as problem:
        yield Remark(str(problem), "tiling.size")
        return
    yield from _caught(_fine_checks(card, graph, found))


Check = tuple[str, Callable[[], object]]


def _caught(checks: Iterable[Check]) -> Iterator[Remark]:
    for field, check in checks:
        try:
            check()
        except CardError as problem:
            yield Remark(str(problem), field)


def _coarse_checks(card: Card, graph: Graph) -> Iterator[Check]:
    for i, slot in enumerate(card.slots):
        yield f"slots[{i}].layout", partial(_check_layout, slot, graph)
    for tensor in graph.inputs:
        yield "slots", partial(_check_bound, card, tensor.name, graph)
    for i, output in enumerate(card.outputs):
        yield f"outputs[{i}].name", partial(graph.output, output.name)
    yield "tiling.size", partial(_check_tiling, card, graph)


def _fine_checks(card: Card, graph: Graph, found: Survey) -> Iterator[Check]:
    yield "tiling.batch", partial(_check_batch, card, found, graph)
    for shape in found.inputs:
        own = [slot for slot in card.slots if slot.input == shape.name]
        yield f"slots[{card.slots.index(own[-1])}].channels", partial(_check_channels, own, shape, graph)
    for i, output in enumerate(card.outputs):
        shape = found.output(output.name)
        yield f"outputs[{i}].classes", partial(_check_output, output, shape, found, graph)


def _check_bound(card: Card, name: str, graph: Graph) -> None:
    if not any(slot.input == name for slot in card.slots):
        raise CardError(f"The card '{card.name}' has no slot for the input '{name}' of {graph.path.name}.")


def channel_plan(slots: Iterable[Slot]) -> str:
    """Who takes which channels, for messages: ``imagery 0-2, osm 3-6``."""
    ordered = sorted(slots, key=lambda slot: (slot.time, slot.offset))
    return ", ".join(f"{slot.name} {slot.offset}-{slot.offset + slot.width - 1}" for slot in ordered)


def _check_layout(slot: Slot, graph: Graph) -> None:
    tensor = graph.input(slot.input)
    if len(tensor.dims) != _RANKS[slot.layout]:
        raise CardError(
            f"The slot '{slot.name}' has the layout {slot.layout}, but the input '{tensor.name}' of {graph.path.name} "
            f"is {tensor.said}."
        )
    if slot.location is not None:
        values = 2 if slot.location.basis == "lonlat" else slot.location.degree**2
        if values != len(slot.channels):
            raise CardError(
                f"The slot '{slot.name}' has {len(slot.channels)} channels, but its location recipe gives {values}."
            )


def _check_tiling(card: Card, graph: Graph) -> None:
    for slot in card.slots:
        sides = {side for side in graph.input(slot.input).dims[-2:] if side} if slot.layout != "vector" else set()
        for side in sides:
            if not card.tiling.fixed or card.tiling.size != side * slot.grid_ratio:
                said = "fixed" if card.tiling.fixed else "free"
                raise CardError(
                    f"The card's tiling is {card.tiling.size} pixels ({said}) and the slot '{slot.name}' has the "
                    f"grid ratio {slot.grid_ratio}, but the input '{slot.input}' of {graph.path.name} takes exactly "
                    f"{side} pixels."
                )


def _check_batch(card: Card, found: Survey, graph: Graph) -> None:
    if found.batch is not None and card.tiling.batch != found.batch:
        said = "free" if card.tiling.batch is None else str(card.tiling.batch)
        raise CardError(f"The card's tiling.batch is {said}, but {graph.path.name} takes only {found.batch} at once.")


def _check_channels(slots: list[Slot], shape: InputShape, graph: Graph) -> None:
    where = f"the input '{shape.name}' of {graph.path.name}"
    if len({slot.grid_ratio for slot in slots}) > 1:
        raise CardError(f"The slots {channel_plan(slots)} share {where}, but have different grid ratios.")
    times = sorted({slot.time for slot in slots})
    if times != list(range(shape.times)):
        raise CardError(f"The card has the times {times} for {where}, which has {shape.times}, counted from 0.")
    for time in times:
        at_time = sorted((slot for slot in slots if slot.time == time), key=lambda slot: slot.offset)
        end = 0
        for slot in at_time:
            if slot.offset != end:
                fault = "overlap" if slot.offset < end else "leave a hole"
                raise CardError(f"The slots of {where} {fault} at channel {slot.offset}: {channel_plan(at_time)}.")
            end += slot.width
        if shape.channels is not None and end != shape.channels:
            raise CardError(
                f"The card's slots give {end} channels ({channel_plan(at_time)}), but {where} has {shape.channels}."
            )


def _check_footprint(output: Output, shape: OutputShape, found: Survey, where: str) -> None:
    """For one fixed size several pairs of stride and margin fit the same output; the card then chooses."""
    fits = (output.stride, output.margin) == (shape.stride, shape.margin)
    if found.fixed:
        fits = found.size == output.stride * shape.side + 2 * output.margin
    if shape.grid == "pixel" and not fits:
        raise CardError(
            f"The card says stride {output.stride} and margin {output.margin} for {where}, but a tile of {found.size} "
            f"pixels gives {shape.side}."
        )


def _check_output(output: Output, shape: OutputShape, found: Survey, graph: Graph) -> None:
    where = f"the output '{output.name}' of {graph.path.name}"
    if output.grid != shape.grid:
        raise CardError(f"The card says grid '{output.grid}' for {where}, but the graph gives '{shape.grid}'.")
    _check_footprint(output, shape, found, where)
    if output.task != "pixel-regression" and (shape.ending == "labels") != (output.activation == "labels"):
        truth = "class indices" if shape.ending == "labels" else "one value per class"
        raise CardError(f"The card says activation '{output.activation}' for {where}, but the graph gives {truth}.")
    expected = expected_channels(output)
    if shape.channels not in expected:
        wanted = " or ".join(map(str, expected))
        kind = f"{len(output.classes)} classes" if output.classes else f"the task {output.task}"
        raise CardError(f"The card's {kind} need {wanted} channel(s), but {where} has {shape.channels}.")
    if shape.rank == 3 and output.activation == "softmax":
        raise CardError(f"The card asks for a softmax over {where}, which has no channel axis.")


def expected_channels(output: Output) -> tuple[int, ...]:
    """Numbers of channels that an output of this description may have in the graph."""
    if output.activation == "labels" or output.task == "pixel-regression":
        return (1,)
    return (1, 2) if len(output.classes) == 2 else (len(output.classes),)

"""Foreign metadata made true: where a card from another convention contradicts its graph, the graph wins."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .card import Card, Channel, ClassInfo, Output, Slot, Tiling
from .consistency import check_card, expected_channels
from .errors import CardError
from .graph import Graph
from .readers.bare import activation_of, tiling_of
from .readers.defaults import default_classes
from .remarks import Remarks, Say
from .survey import InputShape, OutputShape, Survey, survey


def repair(card: Card, graph: Graph) -> tuple[Card, Remarks]:
    """Bring a foreign card into agreement with its graph.

    Returns the card and a sentence for each change.

    Raises:
        CardError: the graph cannot be run with any card, or the contradiction cannot be settled from the graph.
    """
    found = survey(graph)
    said = Remarks()
    slots = _repair_slots(card, found, said.say)
    outputs = _repair_outputs(card, found, said.say)
    tiling = _repair_tiling(card.tiling, found, said.say)
    repaired = replace(card, slots=slots, outputs=outputs, tiling=tiling)
    check_card(repaired, graph)
    return repaired, said


def _repair_tiling(tiling: Tiling, found: Survey, say: Say) -> Tiling:
    true = tiling_of(found)
    size = true.size if found.fixed else tiling.size
    overlap = tiling.overlap
    if size != tiling.size:
        told = f"The metadata ask for tiles of {tiling.size} pixels, but the graph takes only {size}; tiles are {size}."
        say(told, "tiling.size")
        overlap = None if overlap is None else round(overlap * size / tiling.size)
    if tiling.batch not in (None, found.batch):
        say(
            f"The metadata ask for batches of {tiling.batch}, but the graph takes {found.batch or 'any'}.",
            "tiling.batch",
        )
    return Tiling(size, found.fixed, found.batch, overlap)


def _repair_slots(card: Card, found: Survey, say: Say) -> tuple[Slot, ...]:
    """Slots of the graph's inputs: matched by input name, else by order."""
    names = {shape.name for shape in found.inputs}
    strays = [slot for slot in card.slots if slot.input not in names]
    slots: list[Slot] = []
    for shape in found.inputs:
        matching = [slot for slot in card.slots if slot.input == shape.name]
        if not matching and strays:
            stray = strays.pop(0)
            told = f"The metadata name an input '{stray.input}', which the graph calls '{shape.name}'; renamed."
            say(told, f"slots[{len(slots)}]")
            matching = [replace(stray, input=shape.name)]
        if not matching:
            raise CardError(f"The metadata of '{card.name}' do not describe the graph's input '{shape.name}'.")
        slots += _repair_input(matching, shape, f"slots[{len(slots)}].channels", say)
    for stray in strays:
        say(f"The metadata name an input '{stray.input}', which the graph does not have; left out.", "slots")
    return tuple(slots)


def _repair_input(slots: list[Slot], shape: InputShape, field: str, say: Say) -> list[Slot]:
    if len(slots) > 1:
        return slots
    slot = replace(slots[0], layout=shape.layout, grid_ratio=shape.ratio)
    have, want = len(slot.channels), shape.channels
    if want is None or have == want:
        return [slot]
    told = f"The metadata give the input '{shape.name}' {have} channels, but the graph has {want}; channels are {want}."
    say(told, field)
    scaling = slot.channels[-1].scaling
    extra = tuple(Channel(f"band {i + 1}", scaling) for i in range(have, want))
    return [replace(slot, channels=(slot.channels + extra)[:want])]


def _repair_outputs(card: Card, found: Survey, say: Say) -> tuple[Output, ...]:
    names = {shape.name for shape in found.outputs}
    strays = [output for output in card.outputs if output.name not in names]
    outputs: list[Output] = []
    for shape in found.outputs:
        output = next((output for output in card.outputs if output.name == shape.name), None)
        if output is None and strays:
            output = strays.pop(0)
            told = f"The metadata name an output '{output.name}', which the graph calls '{shape.name}'; renamed."
            say(told, f"outputs[{len(outputs)}].name")
        if output is None:
            say(f"The metadata do not describe the graph's output '{shape.name}'; it is left out.", "outputs")
            continue
        about_classes = partial(say, field=f"outputs[{len(outputs)}].classes")
        outputs.append(_repair_output(output, shape, about_classes))
    for stray in strays:
        say(f"The metadata name an output '{stray.name}', which the graph does not have; left out.", "outputs")
    if not outputs:
        raise CardError(f"The metadata of '{card.name}' describe none of the graph's outputs.")
    return tuple(outputs)


def _repair_output(output: Output, shape: OutputShape, say: Say) -> Output:
    output = replace(output, name=shape.name, grid=shape.grid, stride=shape.stride, margin=shape.margin)
    if output.task == "pixel-regression":
        return _repair_regression(output, shape, say)
    if (shape.ending == "labels") != (output.activation == "labels"):
        output = replace(output, activation=activation_of(shape, shape.ending != "other"))
    if shape.channels in expected_channels(output):
        return output
    return replace(output, classes=_repair_classes(output.classes, shape, say))


def _repair_regression(output: Output, shape: OutputShape, say: Say) -> Output:
    if shape.channels != 1:
        raise CardError(
            f"The output '{shape.name}' is said to be a regression, but the graph gives {shape.channels} channels; "
            "only one works."
        )
    if output.classes:
        names = ", ".join(info.name for info in output.classes)
        say(f"The metadata name {len(output.classes)} classes ({names}) for the regression '{shape.name}'; left out.")
    return replace(output, classes=())


def _repair_classes(classes: tuple[ClassInfo, ...], shape: OutputShape, say: Say) -> tuple[ClassInfo, ...]:
    count, want = len(classes), shape.channels
    names = ", ".join(info.name for info in classes)
    head = f"The metadata name {count} classes ({names}), but the output '{shape.name}' has {want} channel(s)"
    if want == 1:
        say(f"{head}; it is taken for a binary head of background and object.")
        return default_classes(1)
    if count > want:
        left_out = ", ".join(info.name for info in classes[want:])
        say(f"{head}; left out: {left_out}.")
        return classes[:want]
    free = (value for value in range(65535) if value not in {info.value for info in classes})
    extra = tuple(ClassInfo(next(free), f"class {i}") for i in range(count, want))
    say(f"{head}; added: {', '.join(info.name for info in extra)}.")
    return classes + extra

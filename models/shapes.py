"""True shapes of a graph's outputs.

Declared output dimensions may lie (a batch called ``batch_size`` that is 1 for ever), so they are never believed:
shapes are inferred from the operators, and where that does not settle them, a run on zeros tells.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from .errors import CardError
from .graph import Graph, read_graph, skeleton

Shape = tuple[int, ...]
Array = np.ndarray[Any, Any]

#: A trial run on more input values than this is refused rather than risking the machine's memory.
_TRIAL_VALUES = 2**26
#: A graph that asks for more memory, or more time, for one small tile is refused.
_TRIAL_BYTES = 4 * 2**30
_TRIAL_SECONDS = 60.0


def infer_output_shapes(graph: Graph | Path, input_shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes of all graph outputs for given shapes of all graph inputs.

    Args:
        graph: the graph, or the ONNX file.
        input_shapes: for each graph input, its full shape.

    Raises:
        CardError: the graph does not take these shapes.
    """
    graph = graph if isinstance(graph, Graph) else read_graph(graph)
    for tensor in graph.inputs:
        _check_input(tensor.name, tensor.dims, input_shapes, graph)
    inferred = _by_inference(graph, input_shapes)
    if inferred is None:
        return _by_trial(graph, input_shapes)
    return inferred


def _check_input(name: str, dims: tuple[int | None, ...], shapes: Mapping[str, Shape], graph: Graph) -> None:
    if name not in shapes:
        raise CardError(f"{graph.path.name} has an input '{name}' that nothing is bound to.")
    shape = shapes[name]
    fits = len(shape) == len(dims) and all(want in (None, have) for want, have in zip(dims, shape, strict=True))
    if not fits:
        said = "×".join(map(str, shape))
        raise CardError(f"The input '{name}' of {graph.path.name} is {graph.input(name).said} and takes no {said}.")


def _by_inference(graph: Graph, input_shapes: Mapping[str, Shape]) -> dict[str, Shape] | None:
    """Shapes by ONNX's own rules, or None where these leave a dimension open."""
    model = onnx.ModelProto()
    model.CopyFrom(skeleton(graph.path))
    _forget_shapes(model)
    for value in model.graph.input:
        if value.name in input_shapes:
            _set_shape(value, input_shapes[value.name])
    try:
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError):
        return None
    shapes = {value.name: _known_shape(value) for value in model.graph.output}
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    return known if len(known) == len(shapes) else None


def _forget_shapes(model: onnx.ModelProto) -> None:
    """Drop what the file claims of shapes beyond its inputs."""
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _set_shape(value: onnx.ValueInfoProto, shape: Shape) -> None:
    value.type.tensor_type.ClearField("shape")
    for size in shape:
        value.type.tensor_type.shape.dim.add(dim_value=size)


def _known_shape(value: onnx.ValueInfoProto) -> Shape | None:
    kind = value.type.tensor_type
    sizes = tuple(dim.dim_value for dim in kind.shape.dim)
    return sizes if kind.HasField("shape") and all(size > 0 for size in sizes) else None


def _by_trial(graph: Graph, input_shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    facts = graph.path.stat()
    return dict(_tried(graph.path, facts.st_mtime_ns, facts.st_size, tuple(sorted(input_shapes.items()))))


@lru_cache(maxsize=64)
def _tried(path: Path, _changed: int, _size: int, shapes: tuple[tuple[str, Shape], ...]) -> dict[str, Shape]:
    """Remembered, because a card that is being completed is looked over at every change, and large graphs are slow."""
    return {name: tuple(np.shape(answer)) for name, answer in try_out(read_graph(path), dict(shapes), fill=0).items()}


def try_out(graph: Graph, input_shapes: Mapping[str, Shape], fill: float | None = None) -> dict[str, Array]:
    """One run on the CPU: the graph's answers to inputs filled with `fill`, or with the same noise every time.

    Raises:
        CardError: the graph does not take these shapes, or they are too large to be tried.
    """
    if sum(math.prod(shape) for shape in input_shapes.values()) > _TRIAL_VALUES:
        raise CardError(f"{graph.path.name} asks for inputs too large to be tried out.")
    noise = np.random.default_rng(0)
    feed = {}
    for tensor in graph.inputs:
        shape = input_shapes[tensor.name]
        values = noise.random(shape) if fill is None else np.full(shape, fill)
        feed[tensor.name] = values.astype(tensor.dtype)
    try:
        session = _trial_session(graph.path)
        with _time_limit(onnxruntime.RunOptions()) as limited:
            answers = session.run(None, feed, limited)
    except Exception as problem:  # ONNX Runtime's errors share no other base
        said = " and ".join("×".join(map(str, shape)) for shape in input_shapes.values())
        raise CardError(f"{graph.path.name} does not run on inputs of {said}: {_first_line(problem)}") from problem
    return {tensor.name: np.asarray(answer) for tensor, answer in zip(session.get_outputs(), answers, strict=True)}


def _trial_session(path: Path) -> onnxruntime.InferenceSession:
    """A session that folds nothing beforehand and takes its memory from a limited store: the graph is not trusted."""
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Without its fall-back, which prints on standard output, where only events may stand.
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"], enable_fallback=0)


@cache
def _limit_memory() -> None:
    """Make the limited store; ONNX Runtime keeps one for the process, and only sessions that ask for it use it."""
    kind = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    grow_as_needed = {"max_mem": _TRIAL_BYTES, "arena_extend_strategy": 1}
    onnxruntime.create_and_register_allocator(kind, onnxruntime.OrtArenaCfg(grow_as_needed))


@contextmanager
def _time_limit(options: onnxruntime.RunOptions) -> Iterator[onnxruntime.RunOptions]:
    """Run options that end the run after `_TRIAL_SECONDS`, and give its memory back."""
    options.log_severity_level = 4
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    clock = threading.Timer(_TRIAL_SECONDS, setattr, (options, "terminate", True))
    clock.daemon = True
    clock.start()
    try:
        yield options
    finally:
        clock.cancel()


def _first_line(problem: Exception) -> str:
    text = str(problem).strip().splitlines()
    return (text[0] if text else type(problem).__name__)[:200]

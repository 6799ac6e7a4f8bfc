"""What an untrusted ONNX file says about itself, read without executing anything in it.

The file is parsed as a protobuf; weights that lie in files of their own are looked up, never loaded. Whatever ONNX
Runtime could be led astray by is refused here, with a sentence: data files outside the model's folder, operators of
other makers (which would need a library to be loaded), files cut short.
"""

from __future__ import annotations

import math
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from google.protobuf.message import DecodeError, Message

from .errors import CardError
from .wire import TooLarge, WireError, without_weights

#: Protobuf cannot hold more; larger weights lie in external data files.
MAX_BYTES = 2**31
#: Operators, names and metadata of the largest published graphs take a few MiB; parsed, they take some ten times that.
MAX_GRAPH_BYTES = 32 * 2**20
#: The largest published graphs have some ten thousand nodes, with those of their functions wherever one is called.
MAX_NODES = 50_000
#: Inputs and outputs together; a model of a hundred would be a monster.
MAX_PORTS = 1000
#: Operator sets that ONNX Runtime itself implements.
KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})

#: Values of larger weights decide neither shapes nor strides.
_DECISIVE_VALUES = 4096

_NUMPY_NAMES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT16: "uint16",
    onnx.TensorProto.INT16: "int16",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.UINT32: "uint32",
    onnx.TensorProto.UINT64: "uint64",
}


@dataclass(frozen=True)
class Tensor:
    """One input or output of the graph, as the file declares it; declared output dimensions may lie."""

    name: str
    dtype: str
    """NumPy's name of the element type."""
    dims: tuple[int | None, ...]
    """Sizes of the axes; None where the size is free."""
    symbols: tuple[str, ...] = ()
    """Names of the free axes (``batch_size``), empty text for a fixed or nameless one."""

    @property
    def said(self) -> str:
        """The shape as people write it: ``N×3×512×512``."""
        names = self.symbols or ("",) * len(self.dims)
        return "×".join(str(dim or name or "?") for dim, name in zip(self.dims, names, strict=True))


@dataclass(frozen=True)
class Graph:
    """An ONNX file, seen from outside."""

    path: Path
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    opset: int
    """Version of the standard operator set; 0 when the file uses none of its operators."""
    metadata: dict[str, str] = field(default_factory=dict)
    """The file's ``metadata_props``."""
    external: tuple[str, ...] = ()
    """External data files that hold weights, relative to the model's folder, sorted."""
    nodes: int = 0
    producer: str = ""

    def input(self, name: str) -> Tensor:
        """The graph input called `name`; raises CardError when there is none."""
        return _named(self.inputs, name, f"{self.path.name} has no input")

    def output(self, name: str) -> Tensor:
        """The graph output called `name`; raises CardError when there is none."""
        return _named(self.outputs, name, f"{self.path.name} has no output")


def read_graph(path: Path) -> Graph:
    """Read an ONNX file's inputs, outputs and metadata.

    Raises:
        CardError: the file cannot be read, is not ONNX, is cut short, is too large, uses operators that Fusion Mapper
            does not run, or names data files that are missing or lie outside its folder.
    """
    path = Path(path)
    return graph_of(load_proto(path), path)


def graph_of(model: onnx.ModelProto, path: Path) -> Graph:
    """Describe a parsed model that lies, or will lie, at `path`; raises CardError as `read_graph` does."""
    _refuse_foreign_operators(model, path)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if not inputs or not model.graph.output:
        raise CardError(f"{path.name} has no {'outputs' if inputs else 'inputs'}, so no layer can go through it.")
    if len(inputs) + len(model.graph.output) > MAX_PORTS:
        raise CardError(f"{path.name} has more than {MAX_PORTS:,} inputs and outputs, which no model needs.")
    return Graph(
        path=path,
        inputs=tuple(_tensor(value, path, "input") for value in inputs),
        outputs=tuple(_tensor(value, path, "output") for value in model.graph.output),
        opset=next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0),
        metadata={entry.key: entry.value for entry in model.metadata_props},
        external=_external_files(model, path),
        nodes=sum(1 for _ in _nodes(model)),
        producer=model.producer_name,
    )


def load_proto(path: Path) -> onnx.ModelProto:
    """Parse an ONNX file without the values of its large weights; raises CardError with one sentence."""
    content = _content(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as problem:
        raise CardError(f"{path.name} is not an ONNX model, or is cut short.") from problem
    if not model.HasField("graph") or not model.opset_import:
        raise CardError(f"{path.name} is not an ONNX model, or is cut short.")
    return model


def skeleton(path: Path) -> onnx.ModelProto:
    """The parsed model without the values of its large weights, for looking at operators and shapes.

    The last one is remembered, since several questions are asked of one file; it must not be changed.
    """
    facts = path.stat()
    return _skeleton(path, facts.st_mtime_ns, facts.st_size)


def proto_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node of a graph and of the graphs inside its nodes."""
    waiting: list[Message] = [graph]
    while waiting:
        for node in waiting.pop().node:
            yield node
            for attribute in node.attribute:
                waiting.extend(attribute.graphs)
                if attribute.HasField("g"):
                    waiting.append(attribute.g)


def number_of(node: onnx.NodeProto, name: str, default: int) -> int:
    """A whole number among a node's attributes."""
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


@lru_cache(maxsize=1)
def _skeleton(path: Path, _changed: int, _size: int) -> onnx.ModelProto:
    model = load_proto(path)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) > _DECISIVE_VALUES:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    return model


def _content(path: Path) -> bytes:
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise CardError(f"{path} is not a file.")
        if facts.st_size >= MAX_BYTES:
            raise CardError(f"{path.name} is larger than 2 GiB, which no ONNX file can be; save it with external data.")
        return without_weights(path, MAX_GRAPH_BYTES)
    except OSError as problem:
        raise CardError(f"The model {path} cannot be read: {problem.strerror}.") from problem
    except TooLarge as problem:
        raise CardError(
            f"{path.name} holds more than {MAX_GRAPH_BYTES // 2**20} MiB, or millions of parts, besides its weights, "
            "which is more than Fusion Mapper reads."
        ) from problem
    except WireError as problem:
        raise CardError(f"{path.name} is not an ONNX model, or is cut short.") from problem


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from proto_nodes(model.graph)
    for function in model.functions:
        yield from proto_nodes(function)


def _refuse_foreign_operators(model: onnx.ModelProto, path: Path) -> None:
    """A function defined in the file is made of known operators, so its domain is as good as they are."""
    own = {(function.domain, function.name) for function in model.functions}
    for count, node in enumerate(_nodes(model)):
        if count >= MAX_NODES:
            raise CardError(_too_many(path))
        if node.domain not in KNOWN_DOMAINS and (node.domain, node.op_type) not in own:
            raise CardError(
                f"{path.name} uses the operator '{node.op_type}' of the domain '{node.domain}', which needs a library "
                "of its own; export the model with standard ONNX operators only."
            )
    _refuse_swelling(model, path)


def _refuse_swelling(model: onnx.ModelProto, path: Path) -> None:
    """ONNX Runtime puts a function's nodes in the place of each call: some that call one another twice, twenty deep,
    are a million nodes, and one that calls itself never ends.
    """
    bodies = {(function.domain, function.name): function for function in model.functions}
    calls = {
        key: Counter(called for node in proto_nodes(body) if (called := (node.domain, node.op_type)) in bodies)
        for key, body in bodies.items()
    }
    sizes = {key: sum(1 for _ in proto_nodes(body)) for key, body in bodies.items()}
    try:
        for key in TopologicalSorter(calls).static_order():
            sizes[key] += sum(count * sizes[called] for called, count in calls[key].items())
    except CycleError:
        raise CardError(f"{path.name} has a function that calls itself, which ONNX does not allow.") from None
    if sum(sizes.get((node.domain, node.op_type), 1) for node in proto_nodes(model.graph)) > MAX_NODES:
        raise CardError(_too_many(path))


def _too_many(path: Path) -> str:
    return f"{path.name} has more than {MAX_NODES:,} nodes, which is more than Fusion Mapper reads."


def _tensor(value: onnx.ValueInfoProto, path: Path, kind: str) -> Tensor:
    dtype = _NUMPY_NAMES.get(value.type.tensor_type.elem_type) if value.type.HasField("tensor_type") else None
    if dtype is None:
        raise CardError(f"The {kind} '{value.name}' of {path.name} is not a tensor of numbers.")
    shape = value.type.tensor_type.shape.dim
    return Tensor(
        name=value.name,
        dtype=dtype,
        dims=tuple(dim.dim_value if dim.dim_value > 0 else None for dim in shape),
        symbols=tuple(dim.dim_param for dim in shape),
    )


def _external_files(model: onnx.ModelProto, path: Path) -> tuple[str, ...]:
    needed: dict[str, int] = {}
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            location = entries.get("location", "")
            needed[location] = max(needed.get(location, 0), _end(entries, path))
    for location, size in needed.items():
        _check_external(location, size, path)
    return tuple(sorted(needed))


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    graphs = [model.graph]
    for node in _nodes(model):
        for attribute in node.attribute:
            graphs.extend([attribute.g, *attribute.graphs])
            yield from [attribute.t, *attribute.tensors]
            for sparse in [attribute.sparse_tensor, *attribute.sparse_tensors]:
                yield from (sparse.values, sparse.indices)
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def _end(entries: dict[str, str], path: Path) -> int:
    """First byte after the weights that `entries` point at, as far as they say."""
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or 0)
    except ValueError as problem:
        raise CardError(f"{path.name} points at weights in another file with an offset that is no number.") from problem
    if offset < 0 or length < 0:
        raise CardError(f"{path.name} points at weights in another file with a negative offset or length.")
    return offset + length


def _check_external(location: str, size: int, path: Path) -> None:
    parts = PurePosixPath(location).parts
    if (
        not parts
        or ".." in parts
        or "\\" in location
        or "\0" in location
        or PurePosixPath(location).is_absolute()
        or PureWindowsPath(location).drive
    ):
        raise CardError(
            f"{path.name} keeps weights in '{location}', which is not a file inside the model's folder; refused."
        )
    target = path.parent / location
    home = path.parent.resolve()
    if not target.resolve().is_relative_to(home):
        raise CardError(f"{path.name} keeps weights in '{location}', a link that leaves the model's folder; refused.")
    if not target.is_file():
        raise CardError(f"{path.name} keeps weights in '{location}', which is missing; copy it beside the model.")
    if target.stat().st_size < size:
        raise CardError(f"'{location}', which holds the weights of {path.name}, is cut short; copy it again.")


def _named(tensors: tuple[Tensor, ...], name: str, complaint: str) -> Tensor:
    for tensor in tensors:
        if tensor.name == name:
            return tensor
    known = ", ".join(f"'{tensor.name}'" for tensor in tensors)
    raise CardError(f"{complaint} '{name}'; it has {known}.")

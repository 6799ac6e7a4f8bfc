"""Files that somebody has spoiled: seeded changes of small valid models, cards and jobs. Equal seeds, equal files."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

#: What a number, a text or anything else may turn into.
NUMBERS = [0, 1, -1, 2, 7, 255, 256, 2**15, 2**31 - 1, 2**31, 2**40, 2**62, -(2**63), 1e308, -1e308, 0.5, 1e-300]
TEXTS = [
    "", "x", "y", "..", "/etc/passwd", "../../x", "ä" * 300, "a" * 100_000, "\n", "%s%n", "{}", "NaN", "con", "'; --",
    "http://localhost:9/a", "/vsicurl/http://localhost:9/a", "\U0001d518", "batch", "Conv", "N'O'P'E",
]  # fmt: skip
OTHERS: list[Any] = [None, True, False, [], {}, [[]], [None], {"": 0}, "\x00", "\ud800"]
OPERATORS = [
    "Conv", "Relu", "Softmax", "Concat", "Slice", "Reshape", "Resize", "Gather", "Split", "Pad", "Tile", "Expand",
    "Transpose", "Loop", "If", "Scan", "ConstantOfShape", "Range", "MatMul", "Gemm", "BatchNormalization", "MaxPool",
    "ConvTranspose", "DepthToSpace", "Einsum", "LSTM", "NonZero", "TopK", "OneHot", "Squeeze", "Unsqueeze", "Constant",
    "QuantizeLinear", "Upsample", "Shape", "Size", "Cast", "Where", "ScatterND", "GridSample", "ArgMax", "Sum", "Nope",
]  # fmt: skip
_INTEGERS = [-1, 0, 1, 2, 3, 7, 100, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63)]


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flipped, cut, doubled, removed or strange bytes, a few at a time."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        place = rng.randrange(len(data))
        end = min(place + rng.choice((1, 2, 4, 16, 200)), len(data))
        what = rng.randrange(6)
        if what == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what == 2:
            del data[place:end]
        elif what == 3:
            data[place:place] = data[place:end]
        elif what == 4:
            del data[place:]
        else:
            data[place:end] = rng.randbytes(end - place)
    return bytes(data)


def mutated_json(value: Any, rng: random.Random) -> Any:
    """A copy with one to three of its values changed, removed, doubled, renamed or nested."""
    changed = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(changed))
        if not places:
            break
        holder, key = rng.choice(places)
        _spoil(holder, key, rng)
    return changed


def mutated_model(content: bytes, rng: random.Random) -> bytes:
    """The model with one to three fields of its messages changed: still an ONNX file, but not a right one."""
    model = onnx.ModelProto.FromString(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        messages = list(_messages(model))
        _spoil_message(rng.choice(messages), rng)
    return model.SerializeToString()


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


def _spoil(holder: Any, key: Any, rng: random.Random) -> None:
    what = rng.randrange(9)
    if what <= 3:
        old = holder[key]
        kin = NUMBERS if isinstance(old, (int, float)) else TEXTS if isinstance(old, str) else OTHERS
        holder[key] = rng.choice(rng.choice((kin, kin, NUMBERS, TEXTS, OTHERS)))
    elif what == 4:
        del holder[key]
    elif what == 5:
        holder[key] = [holder[key]] * rng.choice((1, 2, 50))
    elif what == 6:
        holder[key] = _nested(holder[key], rng.choice((3, 40, 400)), rng)
    elif isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key) if what == 7 else 1
    else:
        holder.append(holder[key])


def _nested(value: Any, depth: int, rng: random.Random) -> Any:
    wrap: Callable[[Any], Any] = rng.choice((lambda inner: [inner], lambda inner: {"a": inner}))
    for _ in range(depth):
        value = wrap(value)
    return value


def _messages(message: Message) -> Any:
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                yield from _messages(inner)


def _spoil_message(message: Message, rng: random.Random) -> None:
    fields = list(message.DESCRIPTOR.fields)
    present = [field for field, _ in message.ListFields()]
    field = rng.choice(present if present and rng.random() < 0.8 else fields)
    if field.is_repeated:
        _spoil_list(message, field, rng)
    elif rng.random() < 0.25:
        message.ClearField(field.name)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, _scalar(field, rng))


def _spoil_list(message: Message, field: FieldDescriptor, rng: random.Random) -> None:
    values = getattr(message, field.name)
    what = rng.randrange(5)
    if values and what == 0:
        del values[rng.randrange(len(values))]
    elif values and what == 1:
        values.append(values[rng.randrange(len(values))])
    elif values and what == 2:
        kept = list(values)
        rng.shuffle(kept)
        del values[:]
        values.extend(kept)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        values.add() if not values or what == 3 else values.extend([values[-1]] * rng.choice((1, 100)))
    elif values and what == 3:
        values[rng.randrange(len(values))] = _scalar(field, rng)
    else:
        values.extend([_scalar(field, rng)] * rng.choice((1, 1, 30)))


def _scalar(field: FieldDescriptor, rng: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(OPERATORS if field.name == "op_type" else TEXTS).encode("utf-8", "replace").decode()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice((0, 1, 4, 8, 64)))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return rng.choice(field.enum_type.values).number
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf")))
    if field.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32):
        return max(-(2**31), min(rng.choice(_INTEGERS), 2**31 - 1)) if rng.random() < 0.5 else rng.randrange(-1, 40)
    if field.type in (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_UINT32):
        return rng.choice((0, 1, 2**31))
    return rng.choice(_INTEGERS)

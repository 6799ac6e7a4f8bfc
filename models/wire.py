"""An ONNX file on the level of its bytes: seen without its weights, and copied with another entry of metadata.

Protobuf's encoding (https://protobuf.dev/programming-guides/encoding) is a list of fields, each with its number and,
where it holds a message, its length. So weights can be stepped over, and an entry can be appended, whatever a file's
size, with little memory. The parser proper sees only what is left.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: Payloads up to this size are kept: they may be shapes and sizes, and are cheap.
_SMALL = 2**16
#: Fields of one message; the largest published graphs have some ten thousand nodes.
_MOST_FIELDS = 2**20
#: Protobuf's own limit.
_DEPTH = 100
_CHUNK = 2**20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: Which fields of a message hold messages in which weights may lie, by field number (onnx.proto3).
_INNER = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
#: The fields of a tensor that hold its values, in any of the types that ONNX knows.
_VALUES = frozenset({4, 5, 6, 7, 9, 10, 11})
_METADATA = 14
_KEY = 1


class WireError(ValueError):
    """The bytes are no protobuf message."""


class TooLarge(WireError):
    """Weights aside, there is more of the message than was asked for."""


class Field(NamedTuple):
    """One field: where its tag begins, where its payload begins and ends."""

    number: int
    kind: int
    start: int
    payload: int
    end: int


def without_weights(path: Path, most: int) -> bytes:
    """The ONNX file `path` as bytes that parse to the same model without the values of its large tensors.

    Raises:
        TooLarge: what is left of it is more than `most` bytes.
        WireError: the file is no protobuf message.
        OSError: the file cannot be read.
    """
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return b"".join(_slim(content, 0, len(content), "model", most, 0))


def copy_with_metadata(source: Path, out: BinaryIO, key: str, value: str) -> None:
    """Write the ONNX file `source` to `out` with that one entry of metadata in place of others of its key.

    Raises:
        WireError: the file is no protobuf message.
        OSError: a file cannot be read or written.
    """
    entry = _message(_KEY, key.encode()) + _message(2, value.encode())
    with source.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for field in _fields(content, 0, len(content)):
            if field.number == _METADATA and _text(content, field, _KEY) == key:
                continue
            _copy(stream, field.start, field.end, out)
    out.write(_message(_METADATA, entry))


def _slim(content: mmap.mmap, start: int, end: int, kind: str, most: int, depth: int) -> list[bytes]:
    """The message's fields, with the values of tensors left out and large messages gone through in turn."""
    if depth > _DEPTH:
        raise WireError("nested too deeply")
    kept: list[bytes] = []
    size = 0
    begin = start
    for count, field in enumerate(_fields(content, start, end)):
        if count > _MOST_FIELDS:
            raise TooLarge("too many fields")
        large = field.kind == _BYTES and field.end - field.payload > _SMALL
        inner = _INNER[kind].get(field.number)
        if not large or (inner is None and not (kind == "tensor" and field.number in _VALUES)):
            continue
        parts = [content[begin : field.start]]
        if inner is not None:
            body = b"".join(_slim(content, field.payload, field.end, inner, most, depth + 1))
            parts.append(_message(field.number, body))
        begin = field.end
        kept += parts
        size += sum(map(len, parts))
        if size > most:
            break
    if size + end - begin > most:
        raise TooLarge("too much besides weights")
    kept.append(content[begin:end])
    return kept


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[Field]:
    place = start
    while place < end:
        tag, payload = _varint(content, place, end)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            length, payload = _varint(content, payload, end)
            after = payload + length
        elif kind == _VARINT:
            after = _varint(content, payload, end)[1]
        elif kind in (_FIXED64, _FIXED32):
            after = payload + (8 if kind == _FIXED64 else 4)
        else:
            raise WireError("unknown wire type")
        if after > end or number == 0:
            raise WireError("cut short")
        yield Field(number, kind, place, payload, after)
        place = after


def _varint(content: mmap.mmap, place: int, end: int) -> tuple[int, int]:
    """The number that begins at `place`, and where it ends; seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            break
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise WireError("cut short")


def _message(number: int, body: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(body)) + body


def _encoded(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _text(content: mmap.mmap, field: Field, number: int) -> str:
    """The text in that field of a message; the last one counts, as protobuf has it."""
    texts = [
        content[inner.payload : inner.end]
        for inner in _fields(content, field.payload, field.end)
        if inner.number == number and inner.kind == _BYTES
    ]
    return texts[-1].decode("utf-8", "replace") if texts else ""


def _copy(stream: BinaryIO, start: int, end: int, out: BinaryIO) -> None:
    """Not by the map, whose pages would count as this process's memory until the system takes them back."""
    stream.seek(start)
    while start < end:
        part = stream.read(min(_CHUNK, end - start))
        if not part:
            raise WireError("cut short")
        out.write(part)
        start += len(part)

"""Strict JSON ⇄ dataclass conversion for the contracts (card, job, events).

Untrusted JSON becomes typed, frozen dataclasses, or one sentence that names the field. Understood types: ``bool, int,
float, str, Literal, Optional, tuple[X, ...], dict[str, X]``, ``object`` (any JSON) and other dataclasses.
A contract module: standard library only, Python 3.9.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import RequestError

T = TypeVar("T")

#: Deepest nesting that a contract needs is 8; more is refused before Python's own recursion limit is met.
MAX_DEPTH = 32
#: ``Optional[X]``, and ``X | None`` where Python knows it.
_UNIONS = (Union, getattr(types, "UnionType", Union))


def decode(cls: type[T], data: object, where: str, error: type[RequestError] = RequestError) -> T:
    """Build the dataclass `cls` from parsed JSON.

    `where` names the document in messages, for example ``card`` or ``job``.

    Raises:
        RequestError (or the subclass `error`): with the path of the first field that is unknown, missing or of the
            wrong type.
    """
    try:
        return _value(cls, data, where, 0)
    except _FieldError as problem:
        raise error(str(problem)) from None


def encode(value: object) -> Any:
    """Turn a contract dataclass into plain JSON values; fields that hold their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if not _is_default(field, getattr(value, field.name))
        }
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value


class _FieldError(Exception):
    pass


def _is_default(field: dataclasses.Field[Any], value: object) -> bool:
    if field.metadata.get("always"):
        return False
    if field.default is not dataclasses.MISSING:
        return bool(field.default == value)
    if field.default_factory is not dataclasses.MISSING:
        return bool(field.default_factory() == value)
    return False


def _value(kind: Any, data: object, where: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _FieldError(f"{where} is nested too deeply.")
    if kind is Any or kind is object:
        return _free(data, where, depth)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, data, where, depth)
    origin = get_origin(kind)
    if origin in _UNIONS:
        return _optional(kind, data, where, depth)
    if origin is Literal:
        return _literal(kind, data, where)
    if origin is tuple:
        return _tuple(kind, data, where, depth)
    if origin is dict:
        return _dict(kind, data, where, depth)
    return _scalar(kind, data, where)


def _dataclass(kind: Any, data: object, where: str, depth: int) -> Any:
    if not isinstance(data, Mapping):
        raise _FieldError(f"{where} must be an object, not {_say(data)}.")
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in data:
        if key not in fields:
            known = ", ".join(sorted(fields))
            raise _FieldError(f"{where} has an unknown field {_say(key)}; the fields are {known}.")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _value(hints[name], data[name], f"{where}.{name}", depth + 1)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _FieldError(f"{where} lacks the field '{name}'.")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields; looking them up takes longer than all the rest of decoding."""
    return get_type_hints(kind)


def _optional(kind: Any, data: object, where: str, depth: int) -> Any:
    inner = [arm for arm in get_args(kind) if arm is not type(None)]
    if data is None and len(inner) < len(get_args(kind)):
        return None
    if len(inner) == 1:
        return _value(inner[0], data, where, depth)
    for arm in inner:
        try:
            return _value(arm, data, where, depth)
        except _FieldError:
            continue
    raise _FieldError(f"{where} cannot be {_say(data)}.")


def _literal(kind: Any, data: object, where: str) -> Any:
    allowed = get_args(kind)
    if isinstance(data, str) and data in allowed:
        return data
    raise _FieldError(f"{where} must be one of {', '.join(map(str, allowed))}, not {_say(data)}.")


def _tuple(kind: Any, data: object, where: str, depth: int) -> tuple[Any, ...]:
    if not isinstance(data, (list, tuple)):
        raise _FieldError(f"{where} must be a list, not {_say(data)}.")
    args = get_args(kind)
    if args[-1] is not Ellipsis and len(args) != len(data):
        raise _FieldError(f"{where} must have {len(args)} values, not {len(data)}.")
    arms = [args[0]] * len(data) if args[-1] is Ellipsis else list(args)
    return tuple(_value(arm, item, f"{where}[{i}]", depth + 1) for i, (arm, item) in enumerate(zip(arms, data)))


def _dict(kind: Any, data: object, where: str, depth: int) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise _FieldError(f"{where} must be an object, not {_say(data)}.")
    arm = get_args(kind)[1]
    return {
        _text(str(key), f"A name in {where}"): _value(arm, item, f"{where}.{key}", depth + 1)
        for key, item in data.items()
    }


def _free(data: object, where: str, depth: int) -> object:
    """Any JSON that can be written again: no deeper than a contract, of real texts and finite numbers."""
    if depth > MAX_DEPTH:
        raise _FieldError(f"{where} is nested too deeply.")
    if isinstance(data, Mapping):
        return {_text(str(key), f"A name in {where}"): _free(item, where, depth + 1) for key, item in data.items()}
    if isinstance(data, (list, tuple)):
        return [_free(item, where, depth + 1) for item in data]
    if isinstance(data, str):
        return _text(data, where)
    if isinstance(data, float) and not math.isfinite(data):
        raise _FieldError(f"{where} holds a number that is not finite.")
    return data


def _scalar(kind: Any, data: object, where: str) -> Any:
    if kind is bool and isinstance(data, bool):
        return data
    if kind is str and isinstance(data, str):
        return _text(data, where)
    if kind is int and _is_number(data) and float(data) == int(data):  # type: ignore[arg-type]
        return int(data)  # type: ignore[call-overload]
    if kind is float and _is_number(data):
        return float(data)  # type: ignore[arg-type]
    word = {bool: "true or false", str: "a text", int: "a whole number", float: "a finite number"}[kind]
    raise _FieldError(f"{where} must be {word}, not {_say(data)}.")


def _text(data: str, where: str) -> str:
    """A text that any file name, tag or log can take: JSON may hold NUL characters and halves of surrogate pairs."""
    if "\0" in data or any("\ud800" <= letter <= "\udfff" for letter in data):
        raise _FieldError(f"{where} holds a character that is no text (NUL or half of a surrogate pair).")
    return data


def _is_number(data: object) -> bool:
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        return False
    try:
        return math.isfinite(data)
    except OverflowError:
        return False


def _say(data: object) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."

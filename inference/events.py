"""What the engine says while it works: one JSON object a line on standard output.

A contract module: standard library only, Python 3.9. `CONTRACT` is raised whenever an event or a command changes its
meaning; QGIS restarts an engine that answers with another one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Optional, Union

from .errors import RequestError

SCHEMA = 1
CONTRACT = 3
#: How a command ends, as its exit code and as `Failed.code`: done; a fault of ours; the request is wrong; stopped.
OK, FAULT, WRONG, CANCELLED = 0, 1, 2, 3


@dataclass(frozen=True)
class Started:
    """The session lives: what really runs, and why when it is not what was asked for."""

    engine: str
    contract: int = CONTRACT
    backend: str = ""
    device: str = ""
    precision: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Progress:
    """`done` of `total` pixels in a `stage`; `rate` in pixels a second; `remaining` in seconds."""

    done: int
    total: int
    stage: str
    rate: Optional[float] = None
    remaining: Optional[float] = None


@dataclass(frozen=True)
class Warn:
    """One sentence that the user should read; the work goes on."""

    text: str


@dataclass(frozen=True)
class Block:
    """A finished block can be looked at while the run goes on."""

    index: int
    picture: str
    """Absolute path of a small PNG with the block's classes or values in their colours; nodata is transparent."""
    bounds: tuple[float, float, float, float]
    """xmin, ymin, xmax, ymax that the picture covers, in `crs`."""
    crs: str
    """The run grid's CRS, as an authority code or WKT."""
    product: str
    """What is shown: classes, regression, fields."""


@dataclass(frozen=True)
class Epoch:
    """A finished epoch of a training, for its curve."""

    index: int
    """Counted from 1."""
    total: int
    """Epochs after which the training ends at the latest."""
    loss: float
    """Mean loss of the epoch's batches."""
    score: float
    """What is maximised, on the validation blocks."""
    metric: str
    """What the score is: mIoU, R², accuracy."""
    best: bool
    """Whether it is the best so far, and so the one that is kept."""
    remaining: Optional[float] = None
    """Seconds until `total` is reached."""


@dataclass(frozen=True)
class Result:
    """The work is done. `products` maps product names to absolute paths; `report` is what `check` and others answer."""

    products: dict[str, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The work ended without a result; `code` is the exit code."""

    text: str
    code: int = 1
    details: str = ""


Event = Union[Started, Progress, Warn, Block, Epoch, Result, Failed]
_KINDS: dict[str, Any] = {
    "started": Started,
    "progress": Progress,
    "warning": Warn,
    "block": Block,
    "epoch": Epoch,
    "result": Result,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_line(event: Event, request: Optional[str] = None) -> str:
    """The event as one line of JSON, without the line's end; `request` is the id of a `serve` request."""
    head: dict[str, Any] = {"schema": SCHEMA, "event": _NAMES[type(event)]}
    if request is not None:
        head["id"] = request
    return json.dumps({**head, **asdict(event)}, ensure_ascii=True, allow_nan=False, default=str)


def from_line(line: str) -> Event:
    """Read one line of the engine.

    Raises:
        RequestError: when the line is not an event of this schema.
    """
    try:
        data = json.loads(line)
        kind = _KINDS[data.pop("event")]
        version = data.pop("schema")
        data.pop("id", None)
    except (ValueError, KeyError, AttributeError, TypeError) as problem:
        raise RequestError(f"The engine said something that is not an event: {line[:200]!r}.") from problem
    if version != SCHEMA:
        raise RequestError(
            f"The engine speaks event version {version}, not {SCHEMA}; restart QGIS and update the engine."
        )
    known = {name: value for name, value in data.items() if name in kind.__dataclass_fields__}
    event: Event = kind(**known)
    return event

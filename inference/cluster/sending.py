"""One call of a function on one worker of a Dask cluster."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from . import bootstrap

if TYPE_CHECKING:
    from distributed import Client


class LostError(Exception):
    """The worker is gone, or the way to it."""


async def ask(client: Client, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` answers on the worker at `address`; waits for ever where the worker dies, and may be cancelled.

    Raises:
        LostError: when Dask gave the call up.
        Exception: what the function raised.
    """
    from distributed import CancelledError, KilledWorker

    future = client.submit(
        _sent(function),
        *arguments,
        workers=[address],
        allow_other_workers=False,
        pure=False,
        key=f"fusion-mapper-{function.__name__}-{secrets.token_hex(8)}",
    )
    try:
        return await future
    except (CancelledError, KilledWorker, OSError) as problem:
        raise LostError(address) from problem
    finally:
        future.release()


class _Sent:
    """A function that carries its module along, because neither the scheduler nor a fresh worker has the package."""

    def __init__(self, function: Callable[..., Any]) -> None:
        import cloudpickle

        cloudpickle.register_pickle_by_value(bootstrap)
        self._function = function
        self._content = cloudpickle.loads, (cloudpickle.dumps(function),)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return self._content


_sent = cache(_Sent)

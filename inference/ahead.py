"""Work on several things at once, answered in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def worked_ahead(work: Callable[[Item], Answer], items: Iterable[Item], threads: int) -> Iterator[Answer]:
    """``map(work, items)`` on so many threads. Items are taken by the caller's own thread, and no more than one for
    each thread and one to spare are in hand.

    Raises:
        Exception: the first error of `work` in the order of the items.
    """
    with ThreadPoolExecutor(threads, "ahead") as pool:
        begun: deque[Future[Answer]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def asked(items: Iterable[Item], checkpoint: Callable[[], None]) -> Iterator[Item]:
    """The items, with `checkpoint` called before each; what it raises ends them."""
    for item in items:
        checkpoint()
        yield item

"""A device whose memory is too small for a batch: how that is recognised, and smaller batches instead."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import RequestError

#: How runtimes say it: ONNX Runtime's arenas, CUDA, cuDNN and TensorRT, DirectML, OpenVINO and the C++ library.
_WORDS = (
    "failed to allocate memory",
    "smaller than requested bytes",
    "out of memory",
    "out_of_memory",
    "status_alloc_failed",
    "outofmemory",
    "8007000e",
    "bad_alloc",
    "bad allocation",
    "cannot allocate memory",
)


def is_exhaustion(problem: BaseException) -> bool:
    """Whether a runtime's error says that there was too little memory."""
    text = str(problem).lower()
    return isinstance(problem, MemoryError) or any(words in text for words in _WORDS)


class Batch:
    """How many tiles a session is given at once, by all workers; halved when the device's memory does not take them.

    Args:
        size: tiles at first.
        fixed: the graph, or how it was compiled, takes no other number.
        tell: hears of each halving.
    """

    def __init__(self, size: int, fixed: bool = False, tell: Callable[[str], None] = lambda _: None) -> None:
        self.size = size
        self._fixed = fixed
        self._tell = tell
        self._lock = threading.Lock()

    def shrink(self, problem: Exception, tried: int) -> None:
        """After a failure with `tried` tiles: make batches smaller, or raise.

        Raises:
            RequestError: when not even one tile fits.
            Exception: `problem` itself, where it is of another kind.
        """
        if not is_exhaustion(problem):
            raise problem
        if self._fixed or tried == 1:
            number = "one tile" if tried == 1 else f"the {tried} tiles that this model takes at once"
            raise RequestError(
                f"The memory of the device does not take {number}; set compute.tile lower, or compute.device to 'cpu'."
            ) from problem
        with self._lock:
            # Another worker may have halved it meanwhile.
            if self.size >= tried:
                self.size = tried // 2
                self._tell(f"The memory of the device does not take {tried} tiles at once; {self.size} are tried.")

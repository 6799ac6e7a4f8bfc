"""A short trial of the backends and precisions that are present, on tiles of the map itself.

Its verdict is remembered for the model and the machine, so the next run of the model starts at once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..models.card import Output
from ..models.files import write_atomically
from .activation import highest, probabilities
from .ahead import worked_ahead
from .batching import fastest_batch
from .blocks import tile_feed
from .plan import device_named
from .prepare import Prepared
from .sessions import BackendError, Session, open_session, present, runtime_versions
from .sources import Context
from .user_cache import cache_folder
from .workers import cores, worker_count

#: Pixels of tiles that a run has to compute for a trial to be worth its few seconds.
WORTH = 24e6
#: Tiles, spread over the map, on which reduced precision has to prove itself; the first of them are timed.
TRIED = 4
#: Share of pixels whose class has to stay under reduced precision ...
SAME_CLASSES = 0.9990
#: ... or whose value may change by no more than this share of the spread of all values.
SAME_VALUE = 0.005
#: How much faster reduced precision has to be to be worth any difference.
WORTH_REDUCING = 1.2
_KEPT = 200
#: Devices that gain by several tiles at once and take any number. TensorRT would build an engine for each.
_BATCHING = frozenset({"cuda", "directml"})


@dataclass(frozen=True)
class Verdict:
    """What to run on, and why, in a sentence for the run's log."""

    device: str
    precision: str
    reason: str = ""
    batch: int | None = None
    """Tiles at once, on a device with memory of its own; None leaves it open."""
    warning: str = ""
    """A device that is installed and does not run the model here, with its own reason."""


def is_open(prepared: Prepared) -> bool:
    """Whether the job leaves open what its model runs on."""
    compute = prepared.job.compute
    return prepared.model is not None and compute.device in ("auto", "cpu") and compute.precision == "auto"


def choose(prepared: Prepared, context: Context, checkpoint: Callable[[], None]) -> Verdict | None:
    """The fastest way to run the job's model here, remembered or tried; None where nothing is left to choose, or the
    map is too small for a trial to be worth its time. `checkpoint` is called between attempts.

    Precisions below 32 bits are tried only where the job leaves both device and precision open, and taken only where
    they keep `SAME_CLASSES` of the classes (regression: of the values, within `SAME_VALUE` of their spread).
    """
    batch = prepared.card.tiling.batch or prepared.job.compute.batch or 1
    memory = _Memory(_key(prepared, batch))
    known = memory.verdict()
    tiles = _places(prepared)
    if known is not None or len(tiles) * prepared.lattice.size**2 < WORTH:
        return known
    feeds = _feeds(prepared, context, tiles[:: max(len(tiles) // TRIED, 1)][:TRIED], batch)
    verdict = _tried(prepared, feeds, batch, checkpoint)
    # What kept a device from running may be gone tomorrow.
    if verdict is not None and not verdict.warning:
        memory.keep(verdict)
    return verdict


def _feeds(
    prepared: Prepared, context: Context, tiles: Sequence[tuple[int, int]], batch: int
) -> list[dict[str, np.ndarray]]:
    sources = prepared.open_sources(context)
    try:
        return [tile_feed(prepared, tile, sources, batch) for tile in tiles]
    finally:
        for source in sources.values():
            source.close()


def _places(prepared: Prepared) -> list[tuple[int, int]]:
    """Origins of the tiles that have something to map."""
    lattice, grid = prepared.lattice, prepared.grid
    held = np.ones((lattice.count(grid.height), lattice.count(grid.width)), bool)
    if prepared.held is not None:
        held &= prepared.held.squares(lattice.step)
    return [(lattice.origin(int(i)), lattice.origin(int(j))) for i, j in np.argwhere(held)]


@dataclass
class _Attempt:
    """One way to run the model, and the seconds that as many tiles took as there are workers, one for each."""

    device: str
    precision: str
    session: Session | None
    at_once: int
    seconds: float = 0.0

    @property
    def milliseconds(self) -> int:
        """For one tile."""
        return round(self.seconds / self.at_once * 1000)

    def answers(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """What the model says to each tile."""

        def run(feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: array.copy() for name, array in self.session.run(feed).items()}

        return list(worked_ahead(run, feeds, self.at_once))


def _tried(
    prepared: Prepared, feeds: Sequence[Mapping[str, np.ndarray]], batch: int, checkpoint: Callable[[], None]
) -> Verdict | None:
    full: list[_Attempt] = []
    refused: list[str] = []
    for device in present(prepared.job.compute.device):
        checkpoint()
        try:
            full.append(_attempt(prepared, device, "f32", feeds, batch))
            _let_go(full)
        except BackendError as problem:
            refused.append(f"{device} is installed and does not run the model here ({str(problem).rstrip('.')}).")
    if not full:
        return None
    best = min(full, key=lambda attempt: attempt.seconds)
    others = [attempt for attempt in full if attempt is not best]
    said = [f"{best.device} took {best.milliseconds} ms a tile"]
    said += [f"{other.device} {other.milliseconds} ms" for other in others]
    reason = f"Chosen by a trial: {', '.join(said)}."
    verdict = Verdict(best.device, "f32", reason, _batch(prepared, best, feeds[0], checkpoint), " ".join(refused))
    for device, precision in _reduced(prepared.job.compute.device):
        checkpoint()
        try:
            attempt = _attempt(prepared, device, precision, feeds, batch)
        except BackendError:
            # Reduced precision that is not to be had is no loss that anybody asked about.
            continue
        if attempt.seconds * WORTH_REDUCING > best.seconds:
            continue
        kept = min(
            _kept(output, one[output.name][0], other[output.name][0])
            for output in prepared.card.outputs
            for one, other in zip(best.answers(feeds), attempt.answers(feeds), strict=True)
        )
        text = f"{device} in {precision} took {attempt.milliseconds} ms and keeps {kept:.2%} of the answers"
        if kept >= SAME_CLASSES:
            told = f"{verdict.reason[:-1]}; {text}."
            return replace(verdict, device=device, precision=precision, reason=told, batch=None)
        verdict = replace(verdict, reason=f"{verdict.reason[:-1]}; {text}, which is too few.")
    return verdict


def _let_go(attempts: list[_Attempt]) -> None:
    """Close the sessions of all but the fastest: two networks beside one another may be one too many."""
    fastest = min(attempts, key=lambda attempt: attempt.seconds)
    for attempt in attempts:
        if attempt is not fastest:
            attempt.session = None


def _batch(
    prepared: Prepared, best: _Attempt, feed: Mapping[str, np.ndarray], checkpoint: Callable[[], None]
) -> int | None:
    """Tiles at once, where graph and job leave it open and the device gains by more than one."""
    if best.device not in _BATCHING or prepared.card.tiling.batch or prepared.job.compute.batch:
        return None
    return fastest_batch(best.session.run, feed, checkpoint)


def _reduced(device: str) -> list[tuple[str, str]]:
    from .sessions.open_vino import reduced_precisions

    gpu = [("tensorrt", "f16")] if device == "auto" and "tensorrt" in present(device) else []
    return [*gpu, *(("openvino", precision) for precision in reduced_precisions())]


def _attempt(
    prepared: Prepared, device: str, precision: str, feeds: Sequence[Mapping[str, np.ndarray]], batch: int
) -> _Attempt:
    """Tiles on that device, as many at once as there are workers.

    Raises:
        BackendError: where it does not run there, or in another precision.
    """
    compute = replace(prepared.job.compute, device=device, precision=precision)
    session = open_session(prepared.model.path, prepared.card, compute, batch, prepared.lattice.size)
    info = session.info
    if (device_named(asdict(info)), info.precision) != (device, precision):
        raise BackendError(info.reason or f"it runs on {info.device} in {info.precision}.")
    attempt = _Attempt(device, precision, session, min(worker_count(compute), len(feeds)))
    try:
        session.run(feeds[0])
        began = time.perf_counter()
        attempt.answers(feeds[: attempt.at_once])
    except Exception as problem:  # whatever a runtime raises, it does not run the model here
        raise BackendError((str(problem).splitlines() or [type(problem).__name__])[0][:300]) from problem
    attempt.seconds = time.perf_counter() - began
    return attempt


def _kept(output: Output, one: np.ndarray, other: np.ndarray) -> float:
    """Share of a tile's pixels that are the same to whoever looks at the map."""
    if output.task == "pixel-regression":
        known = np.isfinite(one)
        spread = float(np.ptp(np.percentile(one[known], (2, 98)))) if known.any() else 0.0
        apart = np.abs(one - other)[known]
        return float((apart <= SAME_VALUE * spread).mean()) if apart.size else 1.0
    return float((_classes(output, one) == _classes(output, other)).mean())


def _classes(output: Output, scores: np.ndarray) -> np.ndarray:
    scores = scores[None] if scores.ndim == 2 else scores
    if len(scores) == 1 and output.activation != "labels":
        return probabilities(output, scores)[0] >= (0.5 if output.threshold is None else output.threshold)
    return highest(np.float32(scores))[0] if output.activation != "labels" else np.rint(scores)


def _key(prepared: Prepared, batch: int) -> str:
    """The model as the run uses it, and the machine with its libraries."""
    compute = prepared.job.compute
    about = {
        "model": prepared.model.sha256 if prepared.model else None,
        "card": prepared.card.to_dict(),
        "tile": prepared.lattice.size,
        "batch": batch,
        "device": compute.device,
        "workers": worker_count(compute),
        "cores": cores(),
        "machine": _machine(),
        "libraries": runtime_versions(),
    }
    text = json.dumps(about, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _machine() -> list[str]:
    """The processor in its own words; which graphics cards there are shows in what is present."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return sorted(line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features")))


class _Memory:
    """Verdicts of earlier trials, in a file of the user's cache. One that cannot be read or written is no fault:
    the trial is made again.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._path = cache_folder() / "trials.json"

    def verdict(self) -> Verdict | None:
        try:
            return Verdict(**self._all()[self._key])
        except (KeyError, TypeError):
            return None

    def keep(self, verdict: Verdict) -> None:
        others = {key: value for key, value in self._all().items() if key != self._key}
        recent = dict(list(others.items())[-_KEPT:])
        text = json.dumps({**recent, self._key: asdict(verdict)}, indent=1)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, text.encode())
        except OSError:
            return

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

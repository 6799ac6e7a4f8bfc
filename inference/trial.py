"""A short trial of the backends and precisions that are present, on tiles of the map itself.

Its verdict is remembered for the model and the machine, so the next run of the model starts at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

import numpy as np

from ..models.card import Output
from ..models.quantised import Recipe
from .activation import highest, probabilities
from .ahead import worked_ahead
from .batching import fastest_batch
from .blocks import tile_feed
from .events import Progress
from .plan import device_named
from .prepare import Prepared
from .sessions import BackendError, Session, open_session, present
from .sessions.open_vino import reduced_precisions
from .sessions.quantising import PRECISION, open_quantised, recipes
from .sources import Context
from .verdict import Memory, Verdict
from .voice import Voice
from .workers import worker_count

STAGE = "trying devices"
#: Pixels of tiles that a run has to compute for a trial to be worth its few seconds.
WORTH = 16e6
#: Tiles, spread over the map, on which reduced precision has to prove itself; the first of them are timed. As many
#: others, where there are, show the ranges by which a model is quantised.
TRIED = 4
#: Share of pixels whose class has to stay under reduced precision ...
SAME_CLASSES = 0.9990
#: ... or whose value may change by no more than this share of the spread of all values.
SAME_VALUE = 0.005
#: How much faster reduced precision has to be to be worth any difference.
WORTH_REDUCING = 1.2
#: Devices that gain by several tiles at once and take any number. TensorRT would build an engine for each.
_BATCHING = frozenset({"cuda", "directml"})


def is_open(prepared: Prepared) -> bool:
    """Whether the job leaves open what its model runs on."""
    compute = prepared.job.compute
    return prepared.model is not None and compute.device in ("auto", "cpu") and compute.precision == "auto"


def choose(prepared: Prepared, context: Context, voice: Voice) -> Verdict | None:
    """The fastest way to run the job's model here, remembered or tried; None where nothing is left to choose, or the
    map is too small for a trial to be worth its time. `voice` tells of it, and is asked to stop between attempts.

    Precisions below 32 bits are tried only where the job leaves both device and precision open, and taken only where
    they keep `SAME_CLASSES` of the classes (regression: of the values, within `SAME_VALUE` of their spread).
    """
    batch, memory = _batch(prepared), Memory(prepared, _batch(prepared))
    known = memory.verdict()
    tiles = _places(prepared)
    if known is not None or len(tiles) * prepared.lattice.size**2 < WORTH:
        return known
    voice.say(Progress(0, 1, STAGE))
    verdict = _Trial(prepared, _feeds(prepared, context, tiles, batch), batch, voice.checkpoint).verdict()
    # What kept a device from running may be gone tomorrow.
    if verdict is not None and not verdict.warning:
        memory.keep(verdict)
    return verdict


def remembered(prepared: Prepared) -> Verdict | None:
    """What an earlier trial found; none is made."""
    return Memory(prepared, _batch(prepared)).verdict()


def _batch(prepared: Prepared) -> int:
    return prepared.card.tiling.batch or prepared.job.compute.batch or 1


@dataclass(frozen=True)
class _Feeds:
    """What the model is shown: `judged` on these, and where there are more tiles, quantised by others."""

    judged: Sequence[Mapping[str, np.ndarray]]
    seen: Sequence[Mapping[str, np.ndarray]]


def _feeds(prepared: Prepared, context: Context, tiles: Sequence[tuple[int, int]], batch: int) -> _Feeds:
    # By chance, but always the same: any regular choice may follow a column of the map.
    chosen = [tiles[i] for i in np.random.default_rng(0).permutation(len(tiles))[: 2 * TRIED]]
    judged, seen = chosen[:TRIED], chosen[TRIED:] or chosen
    sources = prepared.open_sources(context)
    try:
        return _Feeds(*([tile_feed(prepared, tile, sources, batch) for tile in part] for part in (judged, seen)))
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
    recipe: Recipe | None = None

    @property
    def milliseconds(self) -> int:
        """For one tile."""
        return round(self.seconds / self.at_once * 1000)

    def measured(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> float:
        """Seconds that a tile takes in each worker while the others run theirs, the second time: the first is also for
        memory.
        """

        def timed(feed: Mapping[str, np.ndarray]) -> float:
            self.session.run(feed)
            began = time.perf_counter()
            self.session.run(feed)
            return time.perf_counter() - began

        return max(worked_ahead(timed, feeds[: self.at_once], self.at_once))

    def answers(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """What the model says to each tile."""

        def run(feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: array.copy() for name, array in self.session.run(feed).items()}

        return list(worked_ahead(run, feeds, self.at_once))


class _Trial:
    """All attempts at one model."""

    def __init__(self, prepared: Prepared, feeds: _Feeds, batch: int, checkpoint: Callable[[], None]) -> None:
        self._prepared, self._feeds, self._batch, self._checkpoint = prepared, feeds, batch, checkpoint

    def verdict(self) -> Verdict | None:
        """The fastest way that is good enough; None where nothing runs the model."""
        full, refused = self._full()
        if not full:
            return None
        best = min(full, key=lambda attempt: attempt.seconds)
        others = [attempt for attempt in full if attempt is not best]
        said = [f"{best.device} took {best.milliseconds} ms a tile"]
        said += [f"{other.device} {other.milliseconds} ms" for other in others]
        batch = self._tiles_at_once(best)
        verdict = Verdict(best.device, "f32", f"Chosen by a trial: {', '.join(said)}.", batch, " ".join(refused))
        return self._reduced(best, verdict)

    def _full(self) -> tuple[list[_Attempt], list[str]]:
        """Attempts in full precision, of which the fastest keeps its session, and what did not run."""
        full: list[_Attempt] = []
        refused: list[str] = []
        for device in present(self._prepared.job.compute.device):
            self._checkpoint()
            try:
                full.append(self._attempt(device, "f32"))
                _let_go(full)
            except BackendError as problem:
                refused.append(f"{device} is installed and does not run the model here ({str(problem).rstrip('.')}).")
        return full, refused

    def _reduced(self, best: _Attempt, verdict: Verdict) -> Verdict:
        """The first reduced precision that is faster than `best` and keeps its answers, else `verdict`, which then
        tells of those that do not.
        """
        answers = best.answers(self._feeds.judged)
        best.session = None
        for attempt in self._reductions(best):
            kept = self._kept(answers, attempt)
            text = f"{attempt.device} in {attempt.precision} took {attempt.milliseconds} ms and keeps "
            text += f"{kept:.2%} of the answers"
            if kept >= SAME_CLASSES:
                reason = f"{verdict.reason[:-1]}; {text}."
                found = replace(verdict, device=attempt.device, precision=attempt.precision, recipe=attempt.recipe)
                return replace(found, reason=reason, batch=None)
            verdict = replace(verdict, reason=f"{verdict.reason[:-1]}; {text}, which is too few.")
        return verdict

    def _reductions(self, best: _Attempt) -> Iterator[_Attempt]:
        """Attempts in reduced precision that are worth it by their speed. One that is not to be had is no loss that
        anybody asked about.
        """
        asked = self._prepared.job.compute.device
        wanted: list[tuple[str, str, Recipe | None]] = []
        if asked == "auto" and "tensorrt" in present(asked):
            wanted.append(("tensorrt", "f16", None))
        wanted += [("openvino", PRECISION, recipe) for recipe in self._recipes()]
        wanted += [("openvino", precision, None) for precision in reduced_precisions()]
        for device, precision, recipe in wanted:
            self._checkpoint()
            with suppress(BackendError):
                attempt = self._attempt(device, precision, recipe)
                if attempt.seconds * WORTH_REDUCING <= best.seconds:
                    yield attempt

    def _recipes(self) -> list[Recipe]:
        try:
            return list(recipes(self._prepared.model.path, self._feeds.seen, self._prepared.job.compute))
        except BackendError:
            return []

    def _kept(self, answers: Sequence[Mapping[str, np.ndarray]], attempt: _Attempt) -> float:
        """Share of all pixels whose answer the attempt keeps, of the head that suffers most."""
        reduced = attempt.answers(self._feeds.judged)
        return min(
            float(np.mean([_kept(head, one[head.name][0], other[head.name][0]) for one, other in pairs]))
            for head in self._prepared.card.outputs
            for pairs in [list(zip(answers, reduced, strict=True))]
        )

    def _tiles_at_once(self, best: _Attempt) -> int | None:
        """Where graph and job leave it open and the device gains by more than one."""
        prepared = self._prepared
        if best.device not in _BATCHING or prepared.card.tiling.batch or prepared.job.compute.batch:
            return None
        return fastest_batch(best.session.run, self._feeds.judged[0], self._checkpoint)

    def _attempt(self, device: str, precision: str, recipe: Recipe | None = None) -> _Attempt:
        """Tiles on that device, as many at once as there are workers.

        Raises:
            BackendError: where it does not run there, or in another precision.
        """
        prepared, feeds = self._prepared, self._feeds.judged
        compute = replace(prepared.job.compute, device=device, precision=precision)
        size = self._batch, prepared.lattice.size
        if recipe is not None:
            session = open_quantised(prepared.model.path, recipe, prepared.card, compute, *size)
        else:
            session = open_session(prepared.model.path, prepared.card, compute, *size)
        info = session.info
        if (device_named(asdict(info)), info.precision) != (device, precision):
            raise BackendError(info.reason or f"it runs on {info.device} in {info.precision}.")
        attempt = _Attempt(device, precision, session, min(worker_count(compute), len(feeds)), recipe=recipe)
        try:
            attempt.seconds = attempt.measured(feeds)
        except Exception as problem:  # whatever a runtime raises, it does not run the model here
            raise BackendError((str(problem).splitlines() or [type(problem).__name__])[0][:300]) from problem
        return attempt


def _let_go(attempts: list[_Attempt]) -> None:
    """Close the sessions of all but the fastest: two networks beside one another may be one too many."""
    fastest = min(attempts, key=lambda attempt: attempt.seconds)
    for attempt in attempts:
        if attempt is not fastest:
            attempt.session = None


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

"""A short trial of the backends and precisions that are present, on tiles of the map itself.

Its verdict is remembered for the model and the machine, so the next run of the model starts at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

import numpy as np

from ..models.quantised.recipe import Recipe
from .ahead import asked, worked_ahead
from .batching import fastest_batch
from .events import Progress
from .judging import share_kept
from .plan import device_named
from .prepare import Prepared
from .sessions import BackendError, Session, open_session, present
from .sessions.open_vino import reduced_precisions
from .sessions.quantising import PRECISION, open_quantised, recipes
from .showing import Showing, places, show
from .sources import Context
from .verdict import Memory, Verdict
from .voice import Voice
from .workers import worker_count

STAGE = "trying devices"
#: Pixels of tiles that a run has to compute for a trial to be worth its few seconds.
WORTH = 16e6
#: Seconds that a run would take in full precision for reduced precision to be worth its trial.
WORTH_SECONDS = 8.0
#: Share of pixels whose answer has to stay under reduced precision (`judging.share_kept`).
SAME_CLASSES = 0.9990
#: Times as many lost answers with which sparing a few more layers is not tried: measured, it saves half of them.
HOPELESS = 2.5
#: How much faster reduced precision has to be to be worth any difference.
WORTH_REDUCING = 1.2
#: Devices that gain by several tiles at once and take any number. TensorRT would build an engine for each.
_BATCHING = frozenset({"cuda", "directml"})
#: Maps that are remembered of one model.
_MAPS = 50
_PROCESSOR = frozenset({"openvino", "onnxruntime-cpu"})
#: OpenVINO computes on threads of its own, to which every tile goes and comes back from. Of two that took as long in a
#: trial, where nothing else was to be done, it took a tenth longer in runs.
_HANDED_OVER = {"openvino": 1.1}


def is_open(prepared: Prepared) -> bool:
    """Whether the job leaves open what its model runs on."""
    compute = prepared.job.compute
    return prepared.model is not None and compute.device in ("auto", "cpu") and compute.precision == "auto"


def choose(prepared: Prepared, context: Context, voice: Voice, place: str) -> Verdict | None:
    """The fastest way to run the job's model here, remembered or tried; None where nothing is left to choose, or the
    map is too small for a trial to be worth its time. `voice` tells of it, and is asked to stop between attempts;
    `place` names the map.

    Precisions below 32 bits are tried only where the job leaves both device and precision open, and taken only where
    they keep `SAME_CLASSES` of the answers on this map.
    """
    batch, memory = _batch(prepared), Memory(prepared, _batch(prepared))
    known, pixels = memory.verdict(), len(places(prepared)) * prepared.lattice.size**2
    if known is None and pixels < WORTH:
        return None
    if known is not None and (pixels < WORTH or not _is_long(known, pixels) or _all_known(known, place)):
        return known if holds_on(known, place) else in_full(known)
    voice.say(Progress(0, 1, STAGE))
    # A card is not filled by a small tile, and is to show how many of the run's own its memory takes.
    cards = set(present(prepared.job.compute.device)) - _PROCESSOR
    trial = _Trial(prepared, show(prepared, context, batch, small=not cards), batch, voice.checkpoint)
    verdict = (trial.confirmed(known) if known is not None else None) or trial.verdict(pixels)
    # What kept a device from running may be gone tomorrow.
    if verdict is not None and not verdict.warning:
        memory.keep(_with_map(verdict, known, place))
    return verdict


def _with_map(verdict: Verdict, known: Verdict | None, place: str) -> Verdict:
    """What is to be remembered after a trial on that map, where `known` was before: in reduced precision its maps, too;
    what proved itself on others is not lost on one on which it does not.
    """
    if verdict.precision != "f32":
        same = known is not None and known.recipe == verdict.recipe
        return replace(verdict, judged=(*(known.judged if same else ()), place)[-_MAPS:])
    if known is not None and known.precision != "f32" and verdict.all_tried:
        return replace(known, refused=(*known.refused, place)[-_MAPS:])
    return verdict


def remembered(prepared: Prepared) -> Verdict | None:
    """What an earlier trial found; none is made."""
    return Memory(prepared, _batch(prepared)).verdict()


def holds_on(verdict: Verdict, place: str) -> bool:
    """Whether it may be followed on that map: in full precision always."""
    return verdict.precision == "f32" or place in verdict.judged


def _all_known(verdict: Verdict, place: str) -> bool:
    return verdict.all_tried and (holds_on(verdict, place) or place in verdict.refused)


def in_full(verdict: Verdict) -> Verdict:
    """The same in full precision, for a map on which reduced precision has not proved itself."""
    if verdict.precision == "f32":
        return verdict
    reason = f"{verdict.reason} That has not proved itself on this map, which is run in f32."
    return replace(verdict, device=verdict.in_full or verdict.device, precision="f32", recipe=None, reason=reason)


def _is_long(verdict: Verdict, pixels: int) -> bool:
    return verdict.pace * pixels >= WORTH_SECONDS


def _batch(prepared: Prepared) -> int:
    return prepared.card.tiling.batch or prepared.job.compute.batch or 1


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

    def answers(
        self, feeds: Sequence[Mapping[str, np.ndarray]], checkpoint: Callable[[], None]
    ) -> list[dict[str, np.ndarray]]:
        """What the model says to each tile; `checkpoint` is called before each."""

        def run(feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: array.copy() for name, array in self.session.run(feed).items()}

        return list(worked_ahead(run, asked(feeds, checkpoint), self.at_once))


class _Trial:
    """All attempts at one model."""

    def __init__(self, prepared: Prepared, showing: Showing, batch: int, checkpoint: Callable[[], None]) -> None:
        self._prepared, self._showing, self._batch, self._checkpoint = prepared, showing, batch, checkpoint

    def verdict(self, pixels: int) -> Verdict | None:
        """The fastest way that is good enough for so many pixels of tiles; None where nothing runs the model."""
        full, refused = self._full()
        if not full:
            return None
        best = min(full, key=_in_a_run)
        others = [attempt for attempt in full if attempt is not best]
        said = [f"{best.device} took {best.milliseconds} ms for {self._showing.side} pixels square"]
        said += [f"{other.device} {other.milliseconds} ms" for other in others]
        verdict = Verdict(
            best.device,
            "f32",
            self._tiles_at_once(best),
            reason=f"Chosen by a trial: {', '.join(said)}.",
            warning=" ".join(refused),
            in_full=best.device,
            pace=best.seconds / best.at_once / self._batch / self._showing.side**2,
        )
        if not _is_long(verdict, pixels):
            return verdict
        return replace(self._reduced(best, verdict), all_tried=True)

    def confirmed(self, known: Verdict) -> Verdict | None:
        """What another map's trial found in reduced precision, where it is as good on this one; else None."""
        if known.precision == "f32":
            return None
        try:
            full = self._attempt(known.in_full or known.device, "f32")
            answers = full.answers(self._showing.judged, self._checkpoint)
            full.session = None
            self._checkpoint()
            attempt = self._attempt(known.device, known.precision, known.recipe)
        except BackendError:
            return None
        kept = self._kept(answers, attempt)
        if kept < SAME_CLASSES:
            return None
        said = f"{known.device} in {known.precision} was chosen by a trial on another map, and keeps {kept:.2%} of the "
        return replace(known, reason=f"{said}answers on this one.")

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
        answers = best.answers(self._showing.judged, self._checkpoint)
        best.session = None
        hopeless = False
        for device, precision, recipe in self._wanted(best.device):
            self._checkpoint()
            attempt = None if hopeless and recipe else self._faster(best, device, precision, recipe)
            if attempt is None:
                continue
            kept = self._kept(answers, attempt)
            text = f"{device} in {precision} took {attempt.milliseconds} ms and keeps {kept:.2%} of the answers"
            if kept >= SAME_CLASSES:
                reason = f"{verdict.reason[:-1]}; {text}."
                return replace(verdict, device=device, precision=precision, recipe=recipe, reason=reason, batch=None)
            verdict = replace(verdict, reason=f"{verdict.reason[:-1]}; {text}, which is too few.")
            hopeless |= 1 - kept > HOPELESS * (1 - SAME_CLASSES)
        return verdict

    def _wanted(self, best: str) -> list[tuple[str, str, Recipe | None]]:
        """Reduced precisions, the fastest first: device, precision, and what the model is quantised by."""
        device = self._prepared.job.compute.device
        wanted: list[tuple[str, str, Recipe | None]] = []
        if device == "auto" and "tensorrt" in present(device):
            wanted.append(("tensorrt", "f16", None))
        if best not in _PROCESSOR:
            return wanted
        wanted += [("openvino", PRECISION, recipe) for recipe in self._recipes()]
        return [*wanted, *(("openvino", precision, None) for precision in reduced_precisions())]

    def _faster(self, best: _Attempt, device: str, precision: str, recipe: Recipe | None) -> _Attempt | None:
        """An attempt that is worth it by its speed. Reduced precision that is not to be had is no loss that anybody
        asked about.
        """
        with suppress(BackendError):
            attempt = self._attempt(device, precision, recipe)
            if _in_a_run(attempt) * WORTH_REDUCING <= _in_a_run(best):
                return attempt
        return None

    def _recipes(self) -> list[Recipe]:
        try:
            seen, compute = self._showing.seen, self._prepared.job.compute
            return list(recipes(self._prepared.model, seen, compute, self._checkpoint))
        except BackendError:
            return []

    def _kept(self, answers: Sequence[Mapping[str, np.ndarray]], attempt: _Attempt) -> float:
        reduced = attempt.answers(self._showing.judged, self._checkpoint)
        return share_kept(self._prepared.card, self._showing.valid, answers, reduced)

    def _tiles_at_once(self, best: _Attempt) -> int | None:
        """Where graph and job leave it open and the device gains by more than one."""
        prepared = self._prepared
        if best.device not in _BATCHING or prepared.card.tiling.batch or prepared.job.compute.batch:
            return None
        return fastest_batch(best.session.run, self._showing.judged[0], self._checkpoint)

    def _attempt(self, device: str, precision: str, recipe: Recipe | None = None) -> _Attempt:
        """Tiles on that device, as many at once as there are workers.

        Raises:
            BackendError: where it does not run there, or in another precision.
        """
        prepared, feeds = self._prepared, self._showing.judged
        compute = replace(prepared.job.compute, device=device, precision=precision)
        size = self._batch, self._showing.side
        if recipe is not None:
            session = open_quantised(prepared.model, recipe, compute, *size)
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


def _in_a_run(attempt: _Attempt) -> float:
    """What its seconds come to where the machine has more to do."""
    return attempt.seconds * _HANDED_OVER.get(attempt.device, 1.0)


def _let_go(attempts: list[_Attempt]) -> None:
    """Close the sessions of all but the fastest: two networks beside one another may be one too many."""
    fastest = min(attempts, key=_in_a_run)
    for attempt in attempts:
        if attempt is not fastest:
            attempt.session = None

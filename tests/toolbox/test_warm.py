"""The warm engine client against real processes: several threads ask at once, processes die, hang and are closed."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import Cancelled
from fusion_mapper.inference.events import CONTRACT, Progress, Started
from fusion_mapper.toolbox.engine.environment import EngineMissing
from fusion_mapper.toolbox.engine.once import EngineCrashed, EngineFailed
from fusion_mapper.toolbox.engine.warm import WarmEngine

PATIENCE = 20
#: A program that serves: `reply(request, event, **fields)` speaks, `ask()` waits for the next request; whatever it
#: does with a request stands in the test. Each process writes its id down.
SERVE = f"""
import json, os, sys, threading
open({{pids!r}}, "a").write(str(os.getpid()) + "\\n")
def say(**fields):
    sys.stdout.write(json.dumps({{{{"schema": 1, **fields}}}}) + "\\n"); sys.stdout.flush()
def reply(request, event, **fields):
    say(event=event, id=request["id"], **fields)
def ask():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)
say(event="started", engine="1", contract={CONTRACT})
"""


def never() -> bool:
    return False


def deaf(_event) -> None:
    return None


class Serving:
    """A warm engine whose program the test writes, and the processes that it has started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engines: list[WarmEngine] = []
        self._pids = folder / "pids"

    def engine(self, *lines: str, start: str = SERVE, **options: float) -> WarmEngine:
        program = self._folder / "program.py"
        program.write_text(start.format(pids=str(self._pids)) + "\n".join(lines))
        engine = WarmEngine(Path(sys.executable), program, **options)
        self._engines.append(engine)
        return engine

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in self._pids.read_text().split()] if self._pids.exists() else []

    def close(self) -> None:
        for engine in self._engines:
            engine.close_down()


@pytest.fixture
def serving(tmp_path) -> Iterator[Serving]:
    serving = Serving(tmp_path)
    yield serving
    serving.close()
    for pid in serving.pids:
        gone(pid)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def gone(pid: int) -> None:
    """Wait until there is no such process."""
    wait_until(lambda: not Path(f"/proc/{pid}").exists() if Path("/proc").exists() else not _answers(pid))


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(true: Callable[[], bool]) -> None:
    """What another process does has no event to wait for."""
    limit = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < limit, "it never came true"
        threading.Event().wait(0.01)


ECHO = 'reply(r, "result", report={"asked": r, "pid": os.getpid()})'
FOREVER = ["while True:", "    r = ask()"]


def test_one_process_answers_question_after_question(serving, tmp_path):
    engine = serving.engine(*FOREVER, f"    {ECHO}")
    first = engine.inspect(Path("/a.onnx"), tmp_path, deaf, never).report
    second = engine.doctor(tmp_path, deaf, never).report
    assert (first["asked"]["command"], first["asked"]["model"]) == ("inspect", "/a.onnx")
    assert second["asked"]["command"] == "doctor"
    assert first["pid"] == second["pid"]
    assert serving.pids == [first["pid"]]


def test_many_threads_each_get_their_own_answer(serving, tmp_path, pool):
    """The program answers in turns, with other requests' events in between."""
    engine = serving.engine(
        "asked = [ask() for _ in range(8)]",
        "for step in range(3):",
        "    for r in asked:",
        "        reply(r, 'progress', done=step, total=3, stage=r['model'])",
        "for r in asked:",
        "    reply(r, 'result', report={'model': r['model']})",
        "ask()",
    )

    def question(number: int) -> tuple[list, dict]:
        heard = []
        return heard, engine.inspect(Path(f"/{number}.onnx"), tmp_path, heard.append, never).report

    for number, (heard, report) in enumerate(pool.map(question, range(8))):
        assert report == {"model": f"/{number}.onnx"}
        assert heard == [Progress(step, 3, f"/{number}.onnx") for step in range(3)]
    assert len(serving.pids) == 1


def test_a_refusal_is_the_engines_sentence_and_the_next_question_goes_to_the_same_process(serving, tmp_path):
    engine = serving.engine(
        "r = ask(); reply(r, 'failed', text='a.onnx cannot be read.', code=2)", f"r = ask(); {ECHO}", "ask()"
    )
    with pytest.raises(EngineFailed, match=r"a\.onnx cannot be read\.") as problem:
        engine.doctor(tmp_path, deaf, never)
    assert problem.value.code == 2
    assert engine.doctor(tmp_path, deaf, never).report["pid"] == serving.pids[0]


def test_a_crash_is_told_with_its_last_words_and_the_next_question_starts_another(serving, tmp_path):
    engine = serving.engine(
        "r = ask()",
        "if r['command'] == 'inspect':",
        "    sys.stderr.write('Segmentation fault in libfoo'); sys.stderr.flush(); os._exit(9)",
        ECHO,
        "ask()",
    )
    with pytest.raises(EngineCrashed, match="exit code 9") as problem:
        engine.inspect(Path("/a.onnx"), tmp_path, deaf, never)
    assert "libfoo" in problem.value.details
    assert engine.doctor(tmp_path, deaf, never).report["pid"] == serving.pids[1]


def test_a_crash_is_put_down_to_the_request_at_work_and_the_others_are_asked_again(serving, tmp_path, pool):
    """Three wait behind one that brings the process down."""
    engine = serving.engine(
        "while True:",
        "    r = ask()",
        "    if r['command'] == 'inspect':",
        "        reply(r, 'progress', done=0, total=1, stage='x')",
        "        others = [ask() for _ in range(3)]",
        "        os._exit(1)",
        f"    {ECHO}",
    )
    began = threading.Event()
    first = pool.submit(engine.inspect, Path("/a.onnx"), tmp_path, lambda _event: began.set(), never)
    assert began.wait(PATIENCE)
    others = [pool.submit(engine.doctor, tmp_path, deaf, never) for _ in range(3)]
    assert {other.result(PATIENCE).report["pid"] for other in others} == {serving.pids[1]}
    with pytest.raises(EngineCrashed):
        first.result(PATIENCE)


def test_cancel_reaches_the_engine_and_leaves_it_warm(serving, tmp_path):
    asked = threading.Event()
    engine = serving.engine(
        "r = ask(); reply(r, 'progress', done=0, total=1, stage='x')",
        "stop = ask()",
        "reply(stop, 'failed', text='It was cancelled.', code=3) if stop.get('cancel') else None",
        f"r = ask(); {ECHO}",
        "ask()",
    )
    with pytest.raises(Cancelled):
        engine.doctor(tmp_path, lambda _event: asked.set(), asked.is_set)
    engine.doctor(tmp_path, deaf, never)
    assert len(serving.pids) == 1


def test_an_engine_deaf_to_cancel_is_killed_and_who_waited_behind_is_answered(serving, tmp_path, pool):
    began, stop = threading.Event(), threading.Event()
    engine = serving.engine(
        "r = ask()",
        "if r['command'] == 'inspect':",
        "    reply(r, 'progress', done=0, total=1, stage='x'); threading.Event().wait()",
        ECHO,
        "ask()",
        grace=0.2,
    )
    first = pool.submit(engine.inspect, Path("/a.onnx"), tmp_path, lambda _event: began.set(), stop.is_set)
    assert began.wait(PATIENCE)
    second = pool.submit(engine.doctor, tmp_path, deaf, never)
    stop.set()
    with pytest.raises(Cancelled):
        first.result(PATIENCE)
    assert second.result(PATIENCE).report["pid"] == serving.pids[1]
    gone(serving.pids[0])


def test_a_listener_that_fails_stops_its_request(serving, tmp_path):
    engine = serving.engine(
        "r = ask(); reply(r, 'warning', text='now')",
        "stop = ask()",
        "r = ask(); reply(r, 'result', report={'stopped': stop})",
        "ask()",
    )

    def hear(_event):
        raise KeyError("a fault of the listener")

    with pytest.raises(KeyError):
        engine.doctor(tmp_path, hear, never)
    assert engine.doctor(tmp_path, deaf, never).report["stopped"]["cancel"] is True


def test_another_contract_is_refused_and_asked_anew_the_next_time(serving, tmp_path):
    other = SERVE.replace(f"contract={CONTRACT}", f"contract={CONTRACT + 1}")
    engine = serving.engine(*FOREVER, f"    {ECHO}", start=other)
    with pytest.raises(EngineFailed, match=f"contract {CONTRACT + 1}"):
        engine.doctor(tmp_path, deaf, never)
    serving.engine(*FOREVER, f"    {ECHO}")  # the program is updated
    assert engine.doctor(tmp_path, deaf, never).report["pid"] == serving.pids[1]


def test_lines_that_are_no_events_disturb_nobody(serving, tmp_path):
    engine = serving.engine(
        "print('libtiff: hello', flush=True); print('[1]', flush=True); say(event='failed', text='no id', code=2)",
        f"r = ask(); say(event='result', id='999'); {ECHO}",
        "ask()",
    )
    assert engine.doctor(tmp_path, deaf, never).report["asked"]["command"] == "doctor"


def test_closing_leaves_nobody_waiting_and_no_process(serving, tmp_path, pool):
    """Neither the one at work, though its process is deaf, nor those behind it; and nothing is started any more."""
    engine = serving.engine("r = ask(); reply(r, 'progress', done=0, total=1, stage='x')", "threading.Event().wait()")
    began = threading.Event()
    asked: list[Future] = [pool.submit(engine.doctor, tmp_path, lambda _event: began.set(), never)]
    assert began.wait(PATIENCE)
    asked += [pool.submit(engine.doctor, tmp_path, deaf, never) for _ in range(3)]
    engine.close_down()
    for question in asked:
        with pytest.raises(Cancelled):
            question.result(PATIENCE)
    wait_until(lambda: not engine.working())
    gone(serving.pids[0])
    with pytest.raises(Cancelled):
        engine.doctor(tmp_path, deaf, never)
    assert len(serving.pids) == 1


def test_a_process_that_nobody_asks_ends_and_the_next_question_starts_another(serving, tmp_path):
    engine = serving.engine(*FOREVER, f"    {ECHO}", idle=0.2)
    engine.doctor(tmp_path, deaf, never)
    gone(serving.pids[0])
    engine.doctor(tmp_path, deaf, never)
    assert len(serving.pids) == 2


def test_the_session_that_ran_last_is_known(serving, tmp_path):
    engine = serving.engine(
        "r = ask(); reply(r, 'started', engine='1', backend='openvino', device='CPU', precision='f32')",
        "reply(r, 'result')",
        "ask()",
    )
    assert engine.session is None
    engine.doctor(tmp_path, deaf, never)
    assert engine.session == Started("1", CONTRACT, "openvino", "CPU", "f32")


def test_a_request_that_the_engine_would_not_read_is_refused_here(serving, tmp_path):
    engine = serving.engine(*FOREVER, f"    {ECHO}")
    with pytest.raises(EngineFailed, match="larger than 16 MiB"):
        engine.inspect(Path("/" + "x" * 2**24), tmp_path, deaf, never)
    assert engine.doctor(tmp_path, deaf, never).report["pid"] == serving.pids[0]


def test_an_engine_that_is_not_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_MAPPER_ENGINE", str(tmp_path / "none"))
    engine = WarmEngine()
    with pytest.raises(EngineMissing, match="which does not exist"):
        engine.doctor(tmp_path, deaf, never)
    engine.close_down()


def test_a_python_that_cannot_be_started_is_a_sentence(tmp_path):
    python = tmp_path / "python"
    python.write_text("no program")
    engine = WarmEngine(python)
    with pytest.raises(EngineFailed, match="cannot be started"):
        engine.doctor(tmp_path, deaf, never)
    engine.close_down()


def test_the_real_engine_answers_twice(engine_python, tmp_path):
    engine = WarmEngine(engine_python)
    try:
        assert engine.doctor(tmp_path, deaf, never).report["devices"]
        with pytest.raises(EngineFailed, match=r"none\.onnx"):
            engine.inspect(tmp_path / "none.onnx", tmp_path, deaf, never)
        assert engine.doctor(tmp_path, deaf, never).report["devices"]
    finally:
        engine.close_down()

"""The engine client against real child processes that speak the event protocol."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.inference.events import CONTRACT, Failed, Progress, Result, Started, Warn, to_line
from fusion_mapper.inference.job import Job, Outputs
from fusion_mapper.toolbox.engine.environment import EngineMissing, clean_environment, find_engine
from fusion_mapper.toolbox.engine.once import Engine, EngineCrashed, EngineFailed

JOB = Job({}, Outputs("out"), model="m.onnx")
SAY = "import sys\ndef say(line): sys.stdout.write(line + '\\n'); sys.stdout.flush()\n"


def never() -> bool:
    return False


def deaf(_event) -> None:
    return None


@pytest.fixture
def engine_of(tmp_path):
    """Builds an engine whose program is the given Python text."""

    def build(*lines: str, grace: float = 10.0) -> Engine:
        program = tmp_path / "program.py"
        program.write_text(SAY + "\n".join(lines))
        return Engine(Path(sys.executable), program, grace)

    return build


def say(event) -> str:
    return f"say({to_line(event)!r})"


def test_a_run_tells_its_events_in_order_and_answers_the_result(engine_of, tmp_path):
    heard = []
    events = [Started("1", CONTRACT, "onnxruntime", "CPU", "f32"), Progress(1, 2, "mapping"), Warn("Mind the gap.")]
    engine = engine_of(*map(say, events), say(Result({"classes": "/x/classes.tif"}, {"warnings": []})))
    result = engine.run(JOB, tmp_path, heard.append, never)
    assert heard == events
    assert result.products == {"classes": "/x/classes.tif"}


def test_a_job_is_written_beside_the_one_that_it_takes_the_place_of(engine_of, tmp_path):
    engine = engine_of(say(Result()))
    engine.run(JOB, tmp_path / "run", deaf, never)
    job, kept = tmp_path / "run" / "run.job.json", tmp_path / "kept.json"
    os.link(job, kept)
    before = kept.read_text()
    engine.run(Job({}, Outputs("out"), model="other.onnx"), tmp_path / "run", deaf, never)
    assert kept.read_text() == before != job.read_text()
    assert not list((tmp_path / "run").glob(".*"))


def test_the_job_stands_in_the_run_folder_as_the_engine_reads_it(engine_of, tmp_path):
    engine = engine_of(
        "import json", "say(json.dumps({'schema': 1, 'event': 'result', 'report': {'argv': sys.argv[1:]}}))"
    )
    run = tmp_path / "run"
    command, path, control = engine.run(JOB, run, deaf, never).report["argv"]
    assert (command, control) == ("request", "--control")
    assert json.loads(Path(path).read_text()) == {"command": "run", "job": str(run / "run.job.json")}
    assert json.loads((run / "run.job.json").read_text()) == JOB.to_dict()


def test_a_refusal_is_the_engines_own_sentence(engine_of, tmp_path):
    sentence = "sources.dem: srtm.tif has no CRS; set one."
    engine = engine_of(say(Failed(sentence, 2)), "sys.exit(2)")
    with pytest.raises(EngineFailed) as problem:
        engine.run(JOB, tmp_path, deaf, never)
    assert (str(problem.value), problem.value.code) == (sentence, 2)


def test_a_crash_is_a_message_with_the_last_words_in_the_details(engine_of, tmp_path):
    engine = engine_of(
        "sys.stderr.write('Segmentation fault in libfoo\\n'); sys.stderr.flush()", "import os; os._exit(9)"
    )
    with pytest.raises(EngineCrashed, match="exit code 9") as problem:
        engine.run(JOB, tmp_path, deaf, never)
    assert "libfoo" in problem.value.details
    assert "libfoo" in (tmp_path / "engine.log").read_text()


def test_an_engine_that_is_killed_in_mid_work_is_a_crash(engine_of, tmp_path):
    engine = engine_of(say(Progress(1, 9, "mapping")), "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(EngineCrashed, match=r"signal 9.*want of memory"):
        engine.run(JOB, tmp_path, deaf, never)


def test_a_fault_of_the_engine_is_not_told_as_want_of_memory(engine_of, tmp_path):
    engine = engine_of(say(Progress(1, 9, "mapping")), "import os; os.abort()")
    with pytest.raises(EngineCrashed, match=r"crashed \(signal 6\).*Run again in the same folder"):
        engine.run(JOB, tmp_path, deaf, never)


def test_a_result_without_a_clean_end_is_no_result(engine_of, tmp_path):
    engine = engine_of(say(Result({"classes": "x"})), "sys.exit(1)")
    with pytest.raises(EngineCrashed):
        engine.run(JOB, tmp_path, deaf, never)


def test_an_engine_that_hangs_on_its_way_out_is_ended_and_its_result_stands(engine_of, tmp_path, monkeypatch):
    monkeypatch.setattr("fusion_mapper.toolbox.engine.once.GRACE", 0.3)
    engine = engine_of(say(Result({"classes": "x"})), "import threading; threading.Event().wait()", grace=0.3)
    assert engine.run(JOB, tmp_path, deaf, never).products == {"classes": "x"}


def test_lines_that_are_no_events_are_kept_and_counted(engine_of, tmp_path):
    heard = []
    engine = engine_of("say('libtiff: hello')", "say('second')", say(Result()))
    engine.run(JOB, tmp_path, heard.append, never)
    assert [event.text for event in heard] == ["The engine printed 2 lines that are no events; they are in engine.log."]
    assert "libtiff: hello" in (tmp_path / "engine.log").read_text()


def test_another_event_schema_is_refused(engine_of, tmp_path):
    engine = engine_of("""say('{"schema": 7, "event": "result"}')""")
    with pytest.raises(RequestError, match="version 7"):
        engine.run(JOB, tmp_path, deaf, never)


def test_another_contract_is_refused(engine_of, tmp_path):
    engine = engine_of(say(Started("1", CONTRACT + 1)), "sys.stdin.read()", say(Result()))
    with pytest.raises(EngineFailed, match=f"contract {CONTRACT + 1}"):
        engine.run(JOB, tmp_path, deaf, never)


def test_cancel_reaches_the_engine_as_the_end_of_its_standard_input(engine_of, tmp_path):
    asked = threading.Event()
    engine = engine_of(
        say(Progress(0, 9, "mapping")),
        "sys.stdin.read()",
        "open('stopped', 'w').close()",
        say(Failed("The run was cancelled.", 3)),
        "sys.exit(3)",
    )
    with pytest.raises(Cancelled):
        engine.run(JOB, tmp_path, lambda _event: asked.set(), asked.is_set)
    assert (tmp_path / "stopped").exists()


def test_an_engine_deaf_to_cancel_is_killed(engine_of, tmp_path):
    asked = threading.Event()
    engine = engine_of(
        say(Warn(f"my id is {0}")), "import os, threading", "open('pid', 'w').write(str(os.getpid()))",
        say(Progress(0, 9, "mapping")), "threading.Event().wait()", grace=0.2,
    )  # fmt: skip

    def hear(event):
        if isinstance(event, Progress):
            asked.set()

    with pytest.raises(Cancelled):
        engine.run(JOB, tmp_path, hear, asked.is_set)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_listener_that_raises_leaves_no_process_behind(engine_of, tmp_path):
    engine = engine_of(
        "import os", "open('pid', 'w').write(str(os.getpid()))", say(Warn("now")), "sys.stdin.read()", say(Result())
    )

    def hear(_event):
        raise KeyError("a fault of the listener")

    with pytest.raises(KeyError):
        engine.run(JOB, tmp_path, hear, never)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_python_that_does_not_start_is_a_sentence(tmp_path):
    python = tmp_path / "python"
    python.write_text("not a program")
    with pytest.raises(EngineFailed, match="cannot be started"):
        Engine(python).run(JOB, tmp_path, deaf, never)


def test_the_child_sees_nothing_of_qgis_own_python_and_gdal(engine_of, tmp_path, monkeypatch):
    foreign = {"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "GDAL_DATA": "/nowhere", "PROJ_LIB": "/nowhere"}
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    engine = engine_of(
        "import os, json", "say(json.dumps({'schema': 1, 'event': 'result', 'report': dict(os.environ)}))"
    )
    seen = engine.run(JOB, tmp_path, deaf, never).report
    assert not set(foreign) & set(seen)
    assert seen["HTTPS_PROXY"] == "http://proxy:1"


def test_what_windows_and_macos_add_is_dropped_too():
    given = {"pythonpath": "a", "Curl_Ca_Bundle": "b", "__PYVENV_LAUNCHER__": "c", "PIP_INDEX_URL": "d", "Path": "e"}
    assert clean_environment(given) == {"Path": "e", "PYTHONNOUSERSITE": "1"}


def test_the_variable_names_the_engine_and_a_wrong_one_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("FUSION_MAPPER_ENGINE", sys.executable)
    assert find_engine() == Path(sys.executable)
    monkeypatch.setenv("FUSION_MAPPER_ENGINE", str(tmp_path / "none"))
    with pytest.raises(EngineMissing, match="FUSION_MAPPER_ENGINE names"):
        find_engine()


def test_the_real_engine_says_what_it_is(engine_python, tmp_path):
    report = Engine(engine_python).doctor(tmp_path, deaf, never).report
    assert report

"""Which of a graphics card's devices really run, how fast, and that their answers are the processor's."""

from __future__ import annotations

import time

import pytest
from fusion_mapper.inference.cuda import cuda_facts
from fusion_mapper.inference.doctor import examine
from fusion_mapper.inference.sessions import BackendError
from fusion_mapper.inference.sessions.provider_options import BOUND
from fusion_mapper.inference.user_cache import VARIABLE
from gpu_check import REFERENCE, Asked, devices_to_check, difference, is_asked_for, opened, rate, starter, tiles

#: Probabilities in 32 bits: another order of summation than the processor's, through 20 layers. In 16 bits there are
#: three digits, and what counts is that maps stay the same (`inference.trial.SAME_CLASSES`).
TOLERANCE = {"f32": 1e-4, "f16": 5e-2}
SAME_CLASSES = {"f32": 1.0, "f16": 0.999}
STARTERS = ("landcover-rgb-1m", "fields-10m", "treecover-10m")
ASKED = [Asked(device) for device in devices_to_check()] + [
    Asked(device, "f16") for device in devices_to_check() if device == "tensorrt"
]
#: With these the engine is set up for a card; the others are there where their libraries are.
EXPECTED = ("cuda",)


def session_or_skip(name: str, asked: Asked, batch: int = 1):
    """A session, or a skipped test with the device's own reason."""
    try:
        return opened(starter(name), asked, batch)
    except BackendError as problem:
        pytest.skip(f"{asked} does not load: {problem}")


@pytest.fixture(scope="module")
def report():
    return examine()


def test_the_doctor_tells_of_every_device_that_it_runs_or_why_not(report, tell):
    for name, found in report["devices"].items():
        assert found["works"] or found["reason"], name
        tell(f"{name}: {found['rate']} Mpixel/s, the doctor's network" if found["works"] else f"{name}: {found}")


@pytest.mark.skipif(is_asked_for(), reason="the devices were named, and a card need not be here.")
def test_the_card_is_used(report, tell):
    facts = cuda_facts()
    tell(f"CUDA: {facts}")
    if facts and facts["cards"]:
        for device in EXPECTED:
            assert report["devices"][device]["works"], report["devices"][device]["reason"]


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("name", STARTERS)
def test_answers_equal_the_processors(name, asked, tell):
    model = starter(name)
    session = session_or_skip(name, asked)
    fed = tiles(model)
    largest, same = difference(model, opened(model, Asked(REFERENCE)).run(fed), session.run(fed))
    tell(f"{name} on {asked}: differs by {largest:.1e} at the most, {same:.4%} of the classes are the same")
    assert largest <= TOLERANCE[asked.precision]
    assert same >= SAME_CLASSES[asked.precision]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_same_tiles_give_the_same_bytes(asked):
    model = starter(STARTERS[0])
    session = session_or_skip(STARTERS[0], asked)
    fed = tiles(model)
    first = {name: array.copy() for name, array in session.run(fed).items()}
    for name, array in session.run(fed).items():
        assert array.tobytes() == first[name].tobytes()


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_bound_and_unbound_give_the_same_answers(asked):
    if asked.device not in BOUND:
        pytest.skip(f"nothing is bound on {asked.device}")
    session, fed = session_or_skip(STARTERS[0], asked), tiles(starter(STARTERS[0]))
    bound = session.run(fed)
    session._memory = ""
    assert difference(starter(STARTERS[0]), bound, session.run(fed)) == (0.0, 1.0)


def test_tensorrts_engines_are_built_once(tmp_path, monkeypatch, tell):
    if "tensorrt" not in devices_to_check():
        pytest.skip("TensorRT is not checked")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    model, seconds = starter(STARTERS[0]), []
    for _ in range(2):
        begun = time.perf_counter()
        session_or_skip(STARTERS[0], Asked("tensorrt", "f16")).run(tiles(model))
        seconds.append(time.perf_counter() - begun)
    assert list(tmp_path.glob("fusion_mapper/tensorrt/*/*.engine"))
    tell(f"TensorRT, f16: {seconds[0]:.1f} s to open and run the first time, {seconds[1]:.1f} s the second")
    assert seconds[1] < seconds[0]


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("asked", [Asked(REFERENCE), *ASKED], ids=str)
def test_rates(asked, batch, tell):
    model = starter(STARTERS[0])
    session = session_or_skip(STARTERS[0], asked, batch)
    measured = rate(session, tiles(model, batch))
    tell(f"{STARTERS[0]} on {asked}, batch {batch}: {measured:.1f} Mpixel/s on {session.info.device}")
    assert measured > 0

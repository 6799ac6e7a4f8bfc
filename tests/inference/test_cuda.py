"""What is told of CUDA, with a program in the place of nvidia-smi that answers as it does."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from fusion_mapper.inference import nvidia
from fusion_mapper.inference.cuda import built_for, cuda_facts, why_not
from fusion_mapper.inference.nvidia import NvidiaCard, ask_cards, read_cards

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in nvidia-smi's place")

H200 = "NVIDIA H200, 580.95.05, 143771, 143160"
T4 = "Tesla T4, 580.95.05, 15360, 15101"
#: A card that shares the system's memory.
GB10 = "NVIDIA GB10, 580.95.05, [N/A], [N/A]"


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Puts a program named nvidia-smi on the path, alone with the shell's own; its body is a shell script."""

    def put(body: str) -> Path:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        return program

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(nvidia, "_SMI", str(tmp_path / "nowhere"))
    return put


def answering(*cards: str, capabilities: tuple[str, ...] = ()) -> str:
    """Answers as a driver does; without capabilities as one before 470, which refuses the whole question."""
    lines = [f"echo '{card}'" for card in cards]
    newer = [f"echo '{card}, {capability}'" for card, capability in zip(cards, capabilities, strict=False)]
    refusal = ["""echo 'Field "compute_cap" is not a valid field to query.'""", "exit 2"]
    return "\n".join(
        ['case "$1" in', "*compute_cap*)", *(newer or refusal), ";;", "--query-gpu=*)", *lines, ";;", "esac"]
    )


def test_a_new_driver_tells_all(smi):
    smi(answering(H200, T4, capabilities=("9.0", "7.5")))
    assert ask_cards() == (
        NvidiaCard("NVIDIA H200", "580.95.05", 9.0, 143771, 143160),
        NvidiaCard("Tesla T4", "580.95.05", 7.5, 15360, 15101),
    )


def test_an_old_driver_is_asked_again_without_the_capability(smi):
    smi(answering("GeForce GTX 960, 450.80.02, 4043, 3900"))
    (card,) = ask_cards()
    assert (card.name, card.driver_number, card.capability, card.free) == ("GeForce GTX 960", 450, None, 3900)


def test_the_facts_hold_the_cards_as_plain_values(smi):
    smi(answering(H200, GB10, capabilities=("9.0", "12.1")))
    facts = cuda_facts()
    assert facts["cards"] == [
        {"name": "NVIDIA H200", "driver": "580.95.05", "capability": 9.0, "total": 143771, "free": 143160},
        {"name": "NVIDIA GB10", "driver": "580.95.05", "capability": 12.1, "total": None, "free": None},
    ]
    assert facts["wanted"] == built_for()


@pytest.mark.parametrize(
    "body",
    [
        "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9",
        "echo 'No devices were found'; exit 6",
        "echo 'No devices were found'",
        "kill -9 $$",
        "printf '\\377\\376, 5, 1, 1\\n'",
        ":",
    ],
)
def test_a_driver_that_has_nothing_to_say_has_no_card(smi, body):
    smi(body)
    assert ask_cards() == ()


def test_one_that_hangs_is_given_up(smi):
    smi("exec sleep 60")
    begun = time.monotonic()
    assert ask_cards(patience=0.5) == ()
    assert time.monotonic() - begun < 10


def test_one_that_cannot_be_started_is_none(smi):
    smi("").write_bytes(b"\x7fELF nothing")
    assert ask_cards() == ()


def test_its_environment_can_be_another(smi):
    smi('[ -n "$LD_LIBRARY_PATH" ] && exit 1\n' + answering(T4, capabilities=("7.5",)))
    assert ask_cards({"PATH": "/usr/bin:/bin"})[0].name == "Tesla T4"


@pytest.mark.skipif(bool(built_for()), reason="this ONNX Runtime was built for CUDA")
def test_without_a_card_and_a_build_for_one_there_are_no_facts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nvidia, "_SMI", str(tmp_path / "nowhere"))
    assert cuda_facts() is None
    assert why_not() == ""


def test_an_answer_is_read_line_by_line():
    text = f"{H200}, 9.0\n{GB10}, 12.1\n\nsomething else\n"
    assert [(card.name, card.memory) for card in read_cards(text)] == [("NVIDIA H200", 143771), ("NVIDIA GB10", None)]
    assert read_cards('Field "compute_cap" is not a valid field to query.\n') == ()
    assert read_cards("No devices were found\n") == ()


def test_why_it_does_not_load_is_the_systems_own_word(tmp_path, monkeypatch):
    capi = tmp_path / "capi"
    capi.mkdir()
    for part in ("shared", "cuda"):
        (capi / f"libonnxruntime_providers_{part}.so").write_bytes(b"no library")
    monkeypatch.setattr(onnxruntime, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert str(capi) in why_not()

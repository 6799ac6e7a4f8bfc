"""What is proposed for which machine, what it takes, and that the pinned files are those of the engine's tests."""

from __future__ import annotations

import re

import pytest
from fusion_mapper.inference.nvidia import NvidiaCard
from fusion_mapper.toolbox.setup import layers
from fusion_mapper.toolbox.setup.layers import (
    CPU,
    CUDA12,
    CUDA13,
    DIRECTML,
    LAYERS,
    REQUIREMENTS,
    cost,
    fingerprint,
    package_table,
    possible,
    propose,
    pythons_for,
    requirement_files,
)
from fusion_mapper.toolbox.setup.machine import Machine, platform_name, read_instructions, real_adapters

LINUX, WINDOWS, MAC = "linux-x86_64", "windows-amd64", "macos-arm64"
TURING = NvidiaCard("NVIDIA T4", "580.65.06", 7.5, 15360)


@pytest.mark.parametrize(
    ("driver", "capability", "layer"),
    [
        ("580.65.06", 7.5, CUDA13),
        ("590.12", 12.0, CUDA13),
        ("575.57.08", 8.9, CUDA12),  # a driver before CUDA 13
        ("580.65.06", 6.1, CUDA12),  # Pascal, which CUDA 13 has left behind
        ("580.65.06", 7.0, CUDA12),  # Volta too
        ("535.183.01", None, CUDA12),  # does not tell
        ("525.60.13", 5.0, CUDA12),
        ("470.256.02", 3.5, CPU),
        ("535.183.01", 3.7, CPU),
    ],
)
@pytest.mark.parametrize("platform", [LINUX, WINDOWS])
def test_the_nvidia_driver_and_card_decide_between_cuda_13_and_12(platform, driver, capability, layer):
    assert propose(Machine(platform, (NvidiaCard("NVIDIA", driver, capability),))).layer == layer


def test_the_best_of_several_cards_decides():
    old = NvidiaCard("NVIDIA GTX 1080", "580.65.06", 6.1)
    assert propose(Machine(LINUX, (old, TURING))).layer == CUDA13


def test_on_windows_another_card_runs_directml_and_an_nvidia_card_runs_cuda():
    assert propose(Machine(WINDOWS, adapters=("AMD Radeon RX 6600",))).layer == DIRECTML
    assert propose(Machine(WINDOWS, (TURING,), ("NVIDIA T4",))).layer == CUDA13
    assert propose(Machine(WINDOWS)).layer == CPU


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (Machine(LINUX, (TURING,)), "NVIDIA T4 with driver 580.65.06 runs CUDA 13."),
        (Machine(LINUX, (NvidiaCard("NVIDIA K80", "470.256.02", 3.7),)), "too old for CUDA 12; update it"),
        (Machine(LINUX, instructions=frozenset({"amx", "avx512"})), "AMX"),
        (Machine(LINUX, instructions=frozenset({"avx512"})), "AVX-512"),
        (Machine(MAC), "Apple silicon"),
        (Machine(LINUX), "they run on the processor"),
    ],
)
def test_the_proposal_says_why(machine, said):
    assert said in propose(machine).reason


@pytest.mark.parametrize(
    ("platform", "layers"),
    [
        (LINUX, {CPU, CUDA13, CUDA12}),
        ("linux-aarch64", {CPU, CUDA13}),
        (WINDOWS, {CPU, CUDA13, CUDA12, DIRECTML}),
        (MAC, {CPU}),
        ("macos-x86_64", {CPU}),  # told by the survey: it has no packages at all
    ],
)
def test_only_what_there_are_packages_for_can_be_chosen(platform, layers):
    machine = Machine(platform)
    assert possible(machine)[0] == CPU
    assert set(possible(machine)) == layers


def test_every_python_that_the_engine_runs_on_has_wheels():
    for platform in (LINUX, "linux-aarch64", WINDOWS, MAC):
        assert pythons_for(CPU, platform) == ("3.11", "3.12", "3.13", "3.14")
    assert pythons_for(CPU, "macos-x86_64") == ()


def test_the_cost_adds_up_what_the_files_ask_for():
    table = package_table()
    small, large = (cost(layer, False, LINUX, "3.12") for layer in (CPU, CUDA13))
    assert small.download == sum(table[name][LINUX]["3.12"][0] for name in ("tools", "engine", "cpu"))
    assert small.packages < large.packages
    assert 4 * small.download < large.download
    assert small.download < small.disk < small.room
    assert cost(CPU, True, LINUX, "3.12").download > large.download
    assert cost(CPU, False, LINUX, "3.10") is None
    assert cost(DIRECTML, False, LINUX, "3.12") is None


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_exactly_one_onnx_runtime(layer, training):
    text = "\n".join(file.read_text(encoding="utf-8") for file in requirement_files(layer, training))
    names = [name.lower() for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)]
    assert len([name for name in names if name.startswith("onnxruntime")]) == 1
    assert "openvino" in names
    assert ("torch" in names) == training
    # One more requirement of the same package would be refused by pip.
    once = [line.split("==")[0] for line in text.splitlines() if "==" in line and ";" not in line]
    assert len(once) == len(set(once))


def test_training_fits_the_cuda_of_its_layer():
    for layer, generation, other in ((CUDA13, "cu13", "cu12"), (CUDA12, "cu12", "cu13")):
        text = "\n".join(file.read_text(encoding="utf-8") for file in requirement_files(layer, True))
        assert f"nvidia-cudnn-{generation}==" in text
        assert f"-{other}==" not in text


def test_every_requirement_is_pinned_and_hashed_and_names_no_host():
    for file in REQUIREMENTS.glob("*.txt"):
        text = file.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert lines
        for line in lines:
            assert re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; [^#]+?)?\s+(--hash=sha256:[0-9a-f]{64}\s*)+", line), line
        assert "://" not in text


def test_users_get_the_versions_that_the_engine_is_tested_with(repository_root):
    def pins(text: str) -> dict[str, str]:
        found = re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)
        return {name.lower().replace("_", "-"): version for name, version in found}

    tested = pins((repository_root / "scripts" / "requirements-engine.txt").read_text(encoding="utf-8"))
    given = pins("\n".join(file.read_text(encoding="utf-8") for file in requirement_files(CPU, False)))
    assert {name: given.get(name) for name in tested} == tested, "run scripts/pin_requirements.py"


def test_large_packages_are_fetched_alone_and_nothing_is_left_out():
    files = requirement_files(CUDA13, True)
    texts = layers.batches(files)
    lines = [line for text in texts for line in text.splitlines()]
    asked = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if "==" in line]
    assert sorted(line.split()[0] for line in lines) == sorted(line.split()[0] for line in asked)
    assert all(line.count("--hash=sha256:") >= 1 for line in lines)
    for name in ("torch", "openvino", "onnxruntime-gpu", "nvidia-cublas"):
        (text,) = [text for text in texts if any(line.startswith(f"{name}==") for line in text.splitlines())]
        assert len(text.splitlines()) == 1


def test_the_fingerprint_follows_what_is_asked_for_alone(tmp_path):
    file = tmp_path / "asked.txt"
    file.write_bytes(b"# now\nnumpy==1.0 \\\n    --hash=sha256:aa\n")
    before = fingerprint((file,))
    file.write_bytes(b"# later\r\nnumpy==1.0 \\\r\n    --hash=sha256:aa\r\n")
    assert fingerprint((file,)) == before
    file.write_bytes(b"numpy==1.1 \\\n    --hash=sha256:aa\n")
    assert fingerprint((file,)) != before


def test_the_processors_flags_are_read():
    assert read_instructions("flags\t\t: fpu avx512f amx_tile amx_bf16\n") == {"avx512", "amx"}
    assert read_instructions("flags : fpu avx2\nflags : fpu avx2\n") == frozenset()
    assert read_instructions("Features : fp asimd\n") == frozenset()


def test_windows_stand_ins_for_a_card_are_no_cards():
    card = "Intel(R) Arc(TM) A380 Graphics"
    others = ["Microsoft Basic Display Adapter", "", "Microsoft Remote Display Adapter", "VMware SVGA 3D"]
    assert real_adapters([*others, card, *others, card]) == (card,)


@pytest.mark.parametrize(
    ("system", "processor", "name"),
    [
        ("Linux", "x86_64", LINUX), ("Linux", "aarch64", "linux-aarch64"), ("Windows", "AMD64", WINDOWS),
        ("Darwin", "arm64", MAC), ("Darwin", "x86_64", "macos-x86_64"),
    ],
)  # fmt: skip
def test_platforms_are_named_alike(system, processor, name):
    assert platform_name(system, processor) == name


def test_a_table_without_a_layer_proposes_none_of_it():
    table = {name: sizes for name, sizes in package_table().items() if not name.startswith("cuda13")}
    assert propose(Machine(LINUX, (TURING,)), table).layer == CUDA12
    assert layers.possible(Machine(LINUX, (TURING,)), table) == (CUDA12, CPU)

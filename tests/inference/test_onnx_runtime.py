"""ONNX Runtime's sessions: what each device is told, binding, and that nothing falls back without a word."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from fusion_mapper.inference.job import Compute
from fusion_mapper.inference.sessions import BackendError, open_session
from fusion_mapper.inference.sessions import onnx_runtime as module
from fusion_mapper.inference.sessions.onnx_runtime import (
    PROVIDERS,
    RECORD,
    OnnxRuntimeSession,
    assigned,
    open_on,
    run_bound,
)
from fusion_mapper.inference.sessions.provider_options import (
    cuda_options,
    engine_folder,
    left_behind,
    memory_pattern,
    provider_chain,
    tensorrt_options,
)
from fusion_mapper.inference.user_cache import VARIABLE, cache_folder
from gpu_check import starter, tiles

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
GIB = 1024


def options_of(chain: list, device: str) -> dict[str, str]:
    return dict(next(one for one in chain if isinstance(one, tuple) and one[0] == PROVIDERS[device])[1])


class TestOptions:
    def test_every_chain_ends_on_the_processor_and_begins_with_the_device(self):
        for device, provider in PROVIDERS.items():
            names = [one if isinstance(one, str) else one[0] for one in provider_chain(device, Compute())]
            assert (names[0], names[-1]) == (provider, PROVIDERS["cpu"])
            assert len(set(names)) == len(names)

    def test_cuda_computes_in_full_precision_and_the_same_way_at_every_start(self):
        assert cuda_options(Compute()) == {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}

    def test_the_jobs_memory_limits_the_cards(self):
        limited = cuda_options(Compute(memory=2 * GIB))
        assert limited["gpu_mem_limit"] == str(2 * 2**30)
        assert limited["arena_extend_strategy"] == "kSameAsRequested"
        assert tensorrt_options(Compute(memory=GIB), None)["trt_max_workspace_size"] == str(2**30)
        assert "trt_max_workspace_size" not in tensorrt_options(Compute(), None)

    def test_tensorrt_takes_16_bits_only_when_asked_and_keeps_its_engines(self, tmp_path):
        assert tensorrt_options(Compute(), None) == {"trt_fp16_enable": "False"}
        kept = tensorrt_options(Compute(precision="f16"), tmp_path)
        assert kept["trt_fp16_enable"] == kept["trt_engine_cache_enable"] == kept["trt_timing_cache_enable"] == "True"
        assert kept["trt_engine_cache_path"] == kept["trt_timing_cache_path"] == str(tmp_path)
        chain = provider_chain("tensorrt", Compute(memory=GIB), tmp_path)
        assert options_of(chain, "cuda") == cuda_options(Compute(memory=GIB))

    def test_directml_lays_no_memory_out_in_advance(self):
        assert [device for device in PROVIDERS if not memory_pattern(device)] == ["directml"]

    def test_engines_of_another_model_version_or_card_lie_elsewhere(self, tmp_path):
        folders = {
            engine_folder(tmp_path, "sha256:aa", {"onnxruntime-gpu": "1.31.1"}, ["NVIDIA T4 580.95"]),
            engine_folder(tmp_path, "sha256:ab", {"onnxruntime-gpu": "1.31.1"}, ["NVIDIA T4 580.95"]),
            engine_folder(tmp_path, "sha256:aa", {"onnxruntime-gpu": "1.31.2"}, ["NVIDIA T4 580.95"]),
            engine_folder(tmp_path, "sha256:aa", {"onnxruntime-gpu": "1.31.1"}, ["NVIDIA H200 580.95"]),
        }
        assert len(folders) == 4
        again = engine_folder(tmp_path, "sha256:aa", {"onnxruntime-gpu": "1.31.1"}, ("NVIDIA T4 580.95",))
        assert again in folders
        assert again.parent == tmp_path / "tensorrt"

    def test_heavy_work_that_stays_on_the_processor_is_told(self):
        cuda, cpu = PROVIDERS["cuda"], PROVIDERS["cpu"]
        assert left_behind({cuda: ["Conv", "Relu"], cpu: ["Shape", "Gather"]}, cuda) == ""
        assert left_behind({}, cuda) == ""
        assert left_behind({cpu: ["Conv"]}, cpu) == ""
        said = left_behind({cuda: ["Conv", "Relu"], cpu: ["Shape", "Resize", "MatMul"]}, cuda)
        assert said.startswith("2 of 3 heavy operators (MatMul, Resize) run on the processor")


class TestCache:
    def test_it_lies_where_the_user_keeps_caches(self, tmp_path):
        assert cache_folder({VARIABLE: str(tmp_path), "XDG_CACHE_HOME": "/x"}) == tmp_path / "fusion_mapper"
        assert cache_folder({"XDG_CACHE_HOME": "/x", "LOCALAPPDATA": "/l"}) == Path("/x/fusion_mapper")
        assert cache_folder({"LOCALAPPDATA": "/l"}) == Path("/l/fusion_mapper")
        assert cache_folder({}) == Path.home() / ".cache" / "fusion_mapper"

    def test_old_engines_give_way(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        monkeypatch.setattr(module, "_ENGINES", 3)
        model = starter("landcover-rgb-1m").path
        folder = module._engines(model)
        assert folder == module._engines(model)
        for number in range(5):
            old = folder.with_name(f"old{number}")
            old.mkdir()
            os.utime(old, (number, number))
        assert module._engines(model) == folder
        assert sorted(one.name for one in folder.parent.iterdir()) == sorted([folder.name, "old3", "old4"])

    def test_a_folder_that_cannot_be_made_keeps_no_engines(self, tmp_path, monkeypatch):
        (tmp_path / "fusion_mapper").write_text("in the way")
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        assert module._engines(starter("landcover-rgb-1m").path) is None


class TestBinding:
    @pytest.mark.parametrize("name", ["landcover-rgb-1m", "treecover-10m"])
    def test_bound_and_unbound_give_the_same_bytes(self, name):
        model = starter(name)
        session = onnxruntime.InferenceSession(str(model.path), providers=[PROVIDERS["cpu"]])
        fed = tiles(model, batch=2, tile=128)
        bound = run_bound(session, fed, "cpu")
        names = [output.name for output in session.get_outputs()]
        assert list(bound) == names
        for output, plain in zip(names, session.run(None, fed), strict=True):
            np.testing.assert_array_equal(bound[output], plain)

    def test_a_bound_session_is_fed_the_graphs_types_and_takes_any_batch(self):
        model = starter("landcover-rgb-1m")
        plain = open_on("cpu", model.path, {}, Compute())
        bound = OnnxRuntimeSession(plain._session, plain.info, 1, "cpu")
        for batch in (4, 1, 2):
            fed = {name: array.astype(np.float64) for name, array in tiles(model, batch, 64).items()}
            for name, answer in plain.run(fed).items():
                np.testing.assert_array_equal(bound.run(fed)[name], answer)

    def test_an_answer_stays_when_the_session_runs_again(self):
        model = starter("landcover-rgb-1m")
        session = onnxruntime.InferenceSession(str(model.path), providers=[PROVIDERS["cpu"]])
        first = run_bound(session, tiles(model, tile=64), "cpu")
        kept = {name: array.copy() for name, array in first.items()}
        run_bound(session, {name: -array for name, array in tiles(model, tile=64).items()}, "cpu")
        for name, array in first.items():
            np.testing.assert_array_equal(array, kept[name])


class TestFallback:
    def test_the_operators_of_a_session_are_told_by_provider(self):
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry(RECORD, "1")
        path = str(starter("landcover-rgb-1m").path)
        session = onnxruntime.InferenceSession(path, options, providers=[PROVIDERS["cpu"]])
        found = assigned(session)
        assert list(found) == [PROVIDERS["cpu"]]
        assert "Conv" in found[PROVIDERS["cpu"]]
        assert "of" in left_behind(found, PROVIDERS["cuda"])

    def test_a_session_that_does_not_tell_its_operators_is_no_failure(self):
        path = str(starter("landcover-rgb-1m").path)
        assert assigned(onnxruntime.InferenceSession(path, providers=[PROVIDERS["cpu"]])) == {}

    def test_one_that_was_asked_for_and_is_not_there_is_told(self):
        absent = next(name for name, provider in PROVIDERS.items()
                      if provider not in onnxruntime.get_available_providers())  # fmt: skip
        model = starter("landcover-rgb-1m")
        with pytest.raises(BackendError, match=f"has no {PROVIDERS[absent]}"):
            open_on(absent, model.path, {}, Compute())
        session = open_session(model.path, model.card, Compute(device=absent), 1, 64)
        assert PROVIDERS[absent] in session.info.reason

    def test_a_precision_that_cannot_be_had_is_told(self):
        session = open_on("cpu", starter("landcover-rgb-1m").path, {}, Compute(precision="f16"))
        assert session.info.precision == "f32"
        assert "runs this model as it is stored" in session.info.reason
        assert open_on("cpu", starter("landcover-rgb-1m").path, {}, Compute()).info.reason == ""

    def test_a_graph_that_it_cannot_read_is_told_in_its_own_words(self, tmp_path):
        broken = tmp_path / "broken.onnx"
        broken.write_bytes(b"no graph")
        with pytest.raises(BackendError, match=r"broken\.onnx"):
            open_on("cpu", broken, {}, Compute())

    def test_a_place_in_its_source_is_no_reason(self):
        said = (
            "/onnxruntime_src/python/state.cc:729 void onnxruntime::Register(Options&, const Other&) Please install it."
        )
        assert module._words(RuntimeError(said)) == "Please install it."
        assert module._words(RuntimeError("[ONNXRuntimeError] : 1 : FAIL : no")) == "[ONNXRuntimeError] : 1 : FAIL : no"
        assert module._words(RuntimeError()) == "RuntimeError"

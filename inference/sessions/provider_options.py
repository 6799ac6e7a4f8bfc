"""What ONNX Runtime is told of each device. Every decision is a pure function, with the page that documents it.

- CUDA: https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#configuration-options
- TensorRT: https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html#configurations
- DirectML: https://onnxruntime.ai/docs/execution-providers/DirectML-ExecutionProvider.html#configuration-options
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..job import Compute

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
}
#: Devices whose inputs and outputs are bound, by the name of their memory. DirectML's are left to ONNX Runtime, which
#: copies them at each run: its binding has not been tried on a card.
BOUND = {"cuda": "cuda", "tensorrt": "cuda"}
#: NVIDIA's libraries compute 32 bits with 10 bits of mantissa where they may. TensorRT has no option against it in ONNX
#: Runtime, but heeds this (TensorRT's guide, "Control of computational precision"; cuBLAS and cuDNN heed it as well).
FULL_PRECISION = ("NVIDIA_TF32_OVERRIDE", "0")
#: Operators whose work is worth a card. Others (shapes, indices) ONNX Runtime puts on the processor on purpose.
HEAVY = frozenset(("Conv", "ConvTranspose", "FusedConv", "NhwcConv", "MatMul", "FusedMatMul", "Gemm", "FusedGemm",
                   "Attention", "MultiHeadAttention", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul",
                   "InstanceNormalization", "GroupNorm", "LayerNormalization", "Resize"))  # fmt: skip


def provider_chain(device: str, compute: Compute, cache: Path | None = None) -> list[Any]:
    """The providers of a session on that device, in the order in which they are offered each operator.

    Args:
        device: a key of `PROVIDERS`.
        compute: its precision and its memory count.
        cache: where TensorRT's engines are kept; None keeps none.
    """
    cuda = (PROVIDERS["cuda"], cuda_options(compute))
    chains: dict[str, list[Any]] = {
        "cpu": [],
        "cuda": [cuda],
        # CUDA takes what TensorRT does not know ("it is recommended you also register CUDAExecutionProvider").
        "tensorrt": [(PROVIDERS["tensorrt"], tensorrt_options(compute, cache)), cuda],
        "directml": [PROVIDERS["directml"]],
    }
    return [*chains[device], PROVIDERS["cpu"]]


def cuda_options(compute: Compute) -> dict[str, str]:
    """CUDA's: the same answers at every start, in full precision, within the job's memory."""
    options = {
        # Off: 32 bits are what the session says it computes in.
        "use_tf32": "0",
        # EXHAUSTIVE, the default, takes the fastest in a race, which may be another one at the next start, and with it
        # other last digits; a run that is resumed has to end in the same bytes.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    if compute.memory is None:
        return options
    # The limit is of the arena; in steps of what is asked, it is not passed by doubling.
    limited = {"gpu_mem_limit": str(_bytes(compute.memory)), "arena_extend_strategy": "kSameAsRequested"}
    return {**options, **limited}


def tensorrt_options(compute: Compute, cache: Path | None) -> dict[str, str]:
    """TensorRT's: 16 bits where they are asked for, and engines that are built once."""
    options = {"trt_fp16_enable": str(compute.precision == "f16")}
    if cache is not None:
        # Building an engine takes minutes; the timing cache spares most of it where shapes differ.
        options |= {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(cache),
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": str(cache),
        }
    if compute.memory is not None:
        options["trt_max_workspace_size"] = str(_bytes(compute.memory))
    return options


def memory_pattern(device: str) -> bool:
    """Whether memory may be laid out in advance; DirectML "does not support" it."""
    return device != "directml"


def engine_folder(home: Path, model: str, versions: Mapping[str, str], cards: Sequence[str]) -> Path:
    """Where a model's TensorRT engines are kept, below the user's cache.

    They "must be invalidated if there are any changes to the model, ORT version, TensorRT version or if the underlying
    hardware changes", and TensorRT notices none of that, so each combination has a folder of its own.
    """
    text = json.dumps([model, dict(sorted(versions.items())), list(cards)])
    return home / "tensorrt" / hashlib.sha256(text.encode()).hexdigest()[:16]


def left_behind(assigned: Mapping[str, Sequence[str]], provider: str) -> str:
    """What of a model's heavy work runs on the processor though the session is a card's; empty where nothing does.

    Args:
        assigned: operators by the provider that runs them.
        provider: the card's.
    """
    heavy = {name: [one for one in kinds if one in HEAVY] for name, kinds in assigned.items()}
    total, away = sum(map(len, heavy.values())), heavy.get(PROVIDERS["cpu"], [])
    if provider == PROVIDERS["cpu"] or not away:
        return ""
    kinds = ", ".join(sorted(set(away)))
    return (
        f"{len(away)} of {total} heavy operators ({kinds}) run on the processor, because {provider} does not take them."
    )


def _bytes(mebibytes: int) -> int:
    return mebibytes * 2**20

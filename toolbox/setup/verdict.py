"""What the doctor's report comes to."""

from __future__ import annotations

from collections.abc import Mapping

from ..faults import tr

#: In the order in which the engine tries them when no device is asked for.
_PREFERRED = ("cuda", "directml", "openvino", "onnxruntime-cpu")


def device_lines(report: Mapping[str, object]) -> list[str]:
    """A line for each device that works, or was to be expected and does not."""
    devices = report.get("devices", {})
    lines = []
    for name in (*_PREFERRED, *sorted(set(devices) - set(_PREFERRED))):
        found = devices.get(name)
        if found is None:
            continue
        if found.get("works"):
            text = tr("{name} runs on {device}, {precision}.")
            told = text.format(name=name, device=found.get("device", ""), precision=found.get("precision", ""))
            if "rate" in found:
                told += " " + tr("{rate} Mpixel/s through a small network.").format(rate=found["rate"])
        else:
            told = tr("{name} does not run: {reason}").format(name=name, reason=found.get("reason", ""))
        lines.append(told)
    return [*lines, *_cuda_lines(report.get("cuda"))]


def _cuda_lines(cuda: object) -> list[str]:
    if not isinstance(cuda, dict):
        return []
    lines = []
    for card in cuda.get("cards", []):
        text = tr("{name}: driver {driver}, {free} of {total} MiB free.")
        if card.get("total") is None or card.get("free") is None:
            text = tr("{name}: driver {driver}, which does not tell the memory.")
        lines.append(text.format(**{name: card.get(name) for name in ("name", "driver", "free", "total")}))
    if cuda.get("wanted"):
        found = ", ".join(f"{name} {version}" for name, version in cuda.get("found", {}).items()) or tr("nothing")
        lines.append(
            tr("ONNX Runtime was built for CUDA {wanted}; found {found}.").format(wanted=cuda["wanted"], found=found)
        )
    return lines

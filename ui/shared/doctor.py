"""The doctor's report in words."""

from __future__ import annotations

from .engine_line import first_working, session_text
from .wording import tr

#: The packages whose versions tell the most, as people call them.
_TOLD = {
    "onnxruntime": "ONNX Runtime",
    "onnxruntime-gpu": "ONNX Runtime (CUDA)",
    "onnxruntime-directml": "ONNX Runtime (DirectML)",
    "openvino": "OpenVINO",
}


def doctor_text(report: dict[str, object]) -> str:
    """What the doctor found, in two sentences."""
    packages = report.get("packages", {})
    versions = [f"{title} {packages[name]}" for name, title in _TOLD.items() if name in packages]
    text = tr("Engine {engine} with {versions}.").format(
        engine=report.get("engine", ""), versions=", ".join([f"Python {report.get('python', '')}", *versions])
    )
    best = first_working(report)
    if best is None:
        return text + " " + tr("It works on no device of this machine.")
    return text + " " + tr("Models run on {device}.").format(device=session_text(best))


def reasons_text(report: dict[str, object]) -> str:
    """Each device that cannot be used, with the reason."""
    devices = report.get("devices", {})
    idle = {name: found.get("reason", "") for name, found in devices.items() if not found.get("works")}
    return "\n".join(f"{name}: {reason}" for name, reason in idle.items())

"""The doctor's report in lines, for those who have no window."""

from __future__ import annotations

from fusion_mapper.toolbox.setup.verdict import device_lines


def test_every_device_is_told_in_the_order_in_which_it_is_taken():
    devices = {
        "tensorrt": {"works": False, "reason": "no libraries."},
        "onnxruntime-cpu": {"works": True, "device": "CPU", "precision": "f32", "rate": 4.2},
        "cuda": {"works": True, "device": "CUDA", "precision": "f32", "rate": 310.0},
    }
    cards = [{"name": "NVIDIA H200", "driver": "580.95.05", "total": 143771, "free": 143000}]
    cuda = {"wanted": "13.0", "found": {"nvidia-cudnn-cu13": "9.28.1.4"}, "cards": cards}
    assert device_lines({"devices": devices, "cuda": cuda}) == [
        "cuda runs on CUDA, f32. 310.0 Mpixel/s through a small network.",
        "onnxruntime-cpu runs on CPU, f32. 4.2 Mpixel/s through a small network.",
        "tensorrt does not run: no libraries.",
        "NVIDIA H200: driver 580.95.05, 143000 of 143771 MiB free.",
        "ONNX Runtime was built for CUDA 13.0; found nvidia-cudnn-cu13 9.28.1.4.",
    ]


def test_a_report_without_devices_tells_nothing():
    assert device_lines({}) == []


def test_a_card_that_shares_the_systems_memory_is_told_without_figures():
    card = {"name": "NVIDIA GB10", "driver": "580.95.05", "total": None, "free": None}
    assert device_lines({"cuda": {"wanted": "", "cards": [card]}}) == [
        "NVIDIA GB10: driver 580.95.05, which does not tell the memory."
    ]

"""Which units of imagery the pre-flight takes for which scaling, on real scenes and the scalings that cards have."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.inference.check import check_job
from fusion_mapper.inference.job import Job, Outputs, RasterFile, Source
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Channel, Scaling, Slot

#: Scene → files and bands of red, green and blue, and what the numbers are.
SCENES = {
    "swellendam": (("swellendam/3420B_2010_328_RGB_LATLNG.tif",), (1, 2, 3), "bytes"),
    "swellendam north": (("swellendam/3320D_2010_315_RGB_LATLNG.tif",), (1, 2, 3), "bytes"),
    "laos": (tuple(f"laos_s2/{band}.tif" for band in ("B04", "B03", "B02")), (), "numbers"),
    "inn": (("inn_valley_s2/inference-img.tif",), (1, 2, 3), "numbers"),
    "amazon": (("amazon_s2/sen2.tif",), (4, 3, 2), "reflectance"),
}
#: Name → a card's scaling, and the numbers that it was made for.
SCALINGS = {
    "divided by 255": (Scaling(scale=255.0), "bytes"),
    "ImageNet's bytes": (Scaling(123.7, 58.4), "bytes"),
    "clipped bytes": (Scaling(95.6, 37.5, minimum=-129.7, maximum=320.9), "bytes"),
    "divided by 10000": (Scaling(scale=10_000.0), "numbers"),
    "numbers' mean": (Scaling(800.0, 500.0), "numbers"),
    "numbers' mean with an offset": (Scaling(1_400.0, 900.0), "numbers"),
    "as it is": (Scaling(), "reflectance"),
    "reflectance's mean": (Scaling(0.08, 0.05), "reflectance"),
}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_is_remarked_on_exactly_when_its_numbers_are_of_another_kind(
    scene: str, scaling: str, shared_data: Path, tmp_path: Path
) -> None:
    files, bands, kind = SCENES[scene]
    rule, wanted = SCALINGS[scaling]
    slot = Slot("imagery", "imagery", tuple(Channel(name, rule) for name in ("red", "green", "blue")), "x")
    paths = [str(shared_data / file) for file in files]
    source = Source(paths[0], bands) if len(paths) == 1 else Source(stack=tuple(map(RasterFile, paths)))
    job = Job({"imagery": source}, Outputs(str(tmp_path), {"stack": None}), slots=(slot,))
    entry = check_job(job, tmp_path, Voice(lambda _event: None, lambda: False)).report["slots"]["imagery"]
    assert ("values" in entry["about"]) == (kind != wanted)

"""A disk that fills up, in whatever is being written: one sentence that says so, and nothing half-written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_runs import WarmEngine
from small_scene import PRODUCTS, Job, products_in, thorough

FULL_DISK = re.compile(r"disk is full|No space left on device")
#: One of each kind of file.
QUICK = ("confidence", "polygons", "summary")
#: More pages than any run of these tests needs.
AMPLE = 4096


@pytest.fixture
def small(job: Job) -> Job:
    """The job on a corner of the place, so that it can be run again and again."""
    job["grid"] = {"extent": [500000, 6199900, 500150, 6200000]}
    del job["pictures"]
    return job


def run(warm: WarmEngine, job: Job, place: Path) -> dict[str, Any]:
    answer = warm.ask(command="run", job=job, base=str(place))
    if answer["event"] == "failed":
        assert answer["code"] == 2, answer["details"]
        assert FULL_DISK.search(answer["text"]), answer["text"]
        assert "damaged" not in answer["text"]
        assert "\n" not in answer["text"]
    return answer


def pages_of(files: dict[str, bytes]) -> int:
    return sum(-(-len(content) // os.sysconf("SC_PAGE_SIZE")) for content in files.values())


@pytest.mark.parametrize("product", [name if name in QUICK else thorough(name) for name in PRODUCTS])
def test_a_product_on_a_full_disk(
    place: Path, small: Job, warm: WarmEngine, mounted: Callable[..., Path], rounds: Callable[[int, int], int], product
) -> None:
    """Disks from empty to nearly large enough; on a large enough one the resumed run makes the product."""
    ample = mounted(AMPLE, "ample")
    small["outputs"]["products"] = {product: str(ample / PRODUCTS[product])}
    assert run(warm, small, place)["event"] == "result"
    wanted = products_in(ample)
    need = pages_of(wanted)
    sizes = sorted({max(1, need * number // rounds(4, 12)) for number in range(rounds(4, 12))})
    for size in sizes:
        disk = mounted(size, f"disk{size}")
        small["outputs"]["products"] = {product: str(disk / PRODUCTS[product])}
        old = {PRODUCTS[product]: b"old"}
        (disk / PRODUCTS[product]).write_bytes(b"old")
        answer = run(warm, small, place)
        # Where one head's file found room and the next one's did not, the first is there, whole.
        found = products_in(disk)
        assert {name: old[name] if content == b"old" else wanted[name] for name, content in found.items()} == found
        assert [path.name for path in disk.iterdir() if path.is_dir()] == []
        assert answer["event"] == "failed" or found == wanted
        assert answer["event"] == "failed" or size > 1
    disk = mounted(AMPLE, "enough")
    small["outputs"]["products"] = {product: str(disk / PRODUCTS[product])}
    assert run(warm, small, place)["event"] == "result"
    assert products_in(disk) == wanted


def test_a_run_folder_on_a_full_disk(
    place: Path, small: Job, warm: WarmEngine, mounted: Callable[..., Path], tmp_path: Path
) -> None:
    """Page by page larger, the disk fills in the copy of the vectors, the plan, a block, its picture, the record."""
    small["grid"] = {"extent": [500000, 6199940, 500060, 6200000]}
    small["pictures"] = "watch"
    told: list[str] = []
    for pages in range(1, AMPLE):
        product, folder = tmp_path / f"classes{pages}.tif", mounted(pages, f"run{pages}")
        small["outputs"] = {"folder": str(folder), "products": {"classes": str(product)}}
        answer = run(warm, small, place)
        if answer["event"] == "result":
            break
        told.append(answer["text"])
        assert not (folder / "run.json").exists()
        assert list(folder.rglob("*.part*")) == []
    assert product.stat().st_size > 0
    for name in ("roads", "plan.json", ".npz", "run.json"):
        assert any(name in text for text in told), f"{name} never met the full disk: {set(told)}"

"""Layers on a network that stalls, and local files that would send the engine there unasked.

The network is a socket of this machine: nothing leaves it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely
from engine_runs import PATIENCE, WarmEngine, refusal
from fusion_mapper.inference.events import Failed
from fusion_mapper.inference.sources.raster_env import SETTINGS
from small_scene import HEIGHT, NORTH, WEST, WIDTH, Job, save_job, thorough

#: What the engine promises after a cancel, and what a machine with more to do may take on top.
SOON = 2 + 8


class Silent:
    """A server that takes every connection and answers none: it holds the line, or hangs up at once."""

    def __init__(self, hold: bool = True) -> None:
        self._hold = hold
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.heard = threading.Semaphore(0)
        self._held: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._held.append(connection)
            if not self._hold:
                connection.close()
            self.heard.release()

    @property
    def connections(self) -> int:
        return len(self._held)

    def close(self) -> None:
        self._socket.close()
        for connection in self._held:
            connection.close()


@pytest.fixture
def server() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


@pytest.fixture
def tripwire() -> Iterator[Silent]:
    server = Silent(hold=False)
    yield server
    server.close()


@pytest.fixture
def remote(job: Job, server: Silent) -> Job:
    """The job with its imagery on the network, under an address with a key in it."""
    job["sources"]["imagery"]["path"] = f"{server.address}/far/ortho.tif?key=secret"  # pragma: allowlist secret
    return job


def test_the_engine_waits_for_the_network_a_known_time() -> None:
    waits = [int(SETTINGS[f"GDAL_HTTP_{name}"]) for name in ("CONNECTTIMEOUT", "TIMEOUT", "MAX_RETRY", "RETRY_DELAY")]
    assert all(0 < wait <= 30 for wait in waits)


def test_a_network_that_stalls_is_given_up_with_a_sentence(
    place: Path, remote: Job, server: Silent, start, tmp_path: Path
) -> None:
    """With GDAL's own settings file the waits are made short; how long they are otherwise is held above."""
    settings = tmp_path / "gdalrc"
    options = {**SETTINGS, "GDAL_HTTP_TIMEOUT": "1", "GDAL_HTTP_RETRY_DELAY": "0.1"}
    lines = [f"{name}={value}" for name, value in options.items()]
    settings.write_text("\n".join(["[directives]", "ignore-env-vars=yes", "[configoptions]", *lines, ""]))
    run = start("run", str(save_job(place, remote)), env={"GDAL_CONFIG_FILE": str(settings)})
    sentence = refusal(*run.end())
    assert "127.0.0.1" in sentence
    assert "ortho.tif" in sentence
    assert "secret" not in sentence + run.errors
    assert server.connections > 1, "a stalling network is tried again"


@pytest.mark.parametrize("way", ["line", thorough("end")])
def test_a_cancel_reaches_an_engine_that_waits_for_the_network(
    place: Path, remote: Job, server: Silent, start: Callable, way: str
) -> None:
    run = start("run", str(save_job(place, remote)), "--control")
    assert server.heard.acquire(timeout=PATIENCE)
    asked = time.monotonic()
    if way == "line":
        run.tell('{"cancel": true}')
    else:
        run.process.stdin.close()
    code = run.process.wait(PATIENCE)
    assert time.monotonic() - asked < SOON
    assert code == 3
    assert not any(isinstance(event, Failed) and event.code == 1 for event in run.listen())


def write_pyramid_note(place: Path, address: str) -> str:
    """Statistics and the like lie in such a file beside a raster; it may also say where its pyramids are."""
    domain = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{address}</MDI></Metadata>'
    (place / "ortho.tif.aux.xml").write_text(f"<PAMDataset>{domain}</PAMDataset>")
    return "ortho.tif"


def write_tile_index(place: Path, address: str) -> str:
    outline = shapely.to_wkb(shapely.box(WEST, NORTH - HEIGHT, WEST + WIDTH, NORTH))
    pyogrio.raw.write(
        str(place / "index.gti.gpkg"), np.array([outline], object), [np.array([address], object)], ["location"],
        layer="index", driver="GPKG", geometry_type="Polygon", crs="EPSG:32634",
        layer_metadata={"RESX": "1", "RESY": "1"},
    )  # fmt: skip
    return "index.gti.gpkg"


def write_index_of_an_index(place: Path, address: str) -> str:
    (place / "index.gti").write_text(
        f"<GDALTileIndexDataset><IndexDataset>{address}</IndexDataset><LocationField>location</LocationField>"
        "</GDALTileIndexDataset>"
    )
    return "index.gti"


def write_cached_copy(place: Path, address: str) -> str:
    (place / "cached.mrf").write_text(
        f"<MRF_META><CachedSource><Source>{address}</Source></CachedSource><Raster>"
        f'<Size x="{WIDTH}" y="{HEIGHT}" c="3"/><PageSize x="64" y="64" c="3"/><DataType>Byte</DataType></Raster>'
        f'<GeoTags><BoundingBox minx="{WEST}" miny="{NORTH - HEIGHT}" maxx="{WEST + WIDTH}" maxy="{NORTH}"/>'
        "<Projection>EPSG:32634</Projection></GeoTags></MRF_META>"
    )
    return "cached.mrf"


@pytest.mark.parametrize("prefix", ["/vsicurl/", thorough("/vsicurl_streaming/")])
@pytest.mark.parametrize("write", [write_pyramid_note, write_tile_index, write_index_of_an_index, write_cached_copy])
def test_no_local_file_sends_the_engine_to_the_network(
    place: Path, job: Job, tripwire: Silent, warm: WarmEngine, write: Callable[[Path, str], str], prefix: str
) -> None:
    """Whether the file is read without its far part or refused, nobody is asked for it."""
    job["sources"]["imagery"]["path"] = write(place, f"{prefix}{tripwire.address}/far.tif")
    job["grid"] = {"resolution": 8}
    answer = warm.ask(command="run", job=str(save_job(place, job)))
    assert answer["event"] == "result" or answer["code"] == 2, answer
    assert tripwire.connections == 0


def test_a_layer_on_the_network_is_asked_for_where_the_job_names_it(
    place: Path, remote: Job, server: Silent, start
) -> None:
    """After a job without one, too: an engine that stays warm is held back for no longer than that job."""
    warm = start("serve")
    warm.tell('{"id": "1", "command": "check", "job": "%s"}' % place)  # noqa: UP031 - braces stand for themselves
    warm.until(lambda event: isinstance(event, Failed))
    file = save_job(place, remote)
    warm.tell('{"id": "2", "command": "check", "job": "%s"}' % file)  # noqa: UP031
    assert server.heard.acquire(timeout=PATIENCE)

"""The Python of this machine as a build to fetch, and a server that sends it as github.com does."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from wheel_index import serving

PYTHON = Path("/usr/bin/python3").resolve()
VERSION = platform.python_version()
#: Its library, and what of that no environment needs, to keep the tar small.
_LIBRARY = Path("/usr/lib/python{}.{}".format(*sys.version_info))
_LEFT_OUT = ("test", "idlelib", "lib2to3", "tkinter", "turtledemo", "pydoc_data", "dist-packages", "site-packages",
             "__pycache__", "config-*", "unittest")  # fmt: skip

needs_layout = pytest.mark.skipif(
    not (_LIBRARY / "ensurepip").is_dir(),
    reason="a Python of the system with ensurepip stands in the place of the fetched one",
)


def packed_python(folder: Path) -> bytes:
    """The Python of this machine, laid out as python-build-standalone does, and packed."""
    home, name = folder / "python", f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (home / "bin").mkdir(parents=True)
    shutil.copy2(PYTHON, home / "bin" / name)
    (home / "bin" / "python3").symlink_to(name)
    shutil.copytree(_LIBRARY, home / "lib" / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    with tarfile.open(folder / "python.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(home, "python")
    return (folder / "python.tar.gz").read_bytes()


class Server(BaseHTTPRequestHandler):
    """Sends one file, in ranges where it knows them, by way of a redirection as github.com does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = self.server.told
        told.asked.append((self.path, self.headers.get("Range")))
        if self.path == "/file":
            self._answer(302, b"", {"Location": told.url.replace("/file", "/real")})
            return
        content, wanted = told.content, self.headers.get("Range")
        if not (told.ranges and wanted):
            self._answer(200, content)
            return
        first, last = (int(part) for part in wanted.partition("=")[2].split("-"))
        if first >= len(content):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        part = content[first : last + 1]
        span = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        self._answer(206, part, {"Content-Range": span})

    def do_CONNECT(self) -> None:
        self._answer(407, b"", {"Proxy-Authenticate": 'Basic realm="office"'})

    def _answer(self, status: int, content: bytes, headers=None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        # Who is sent on, or stops, may have gone.
        with contextlib.suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_words: object) -> None:
        """Nothing is printed."""


class Told:
    """What a server sends, and what it was asked."""

    def __init__(self) -> None:
        self.content = b""
        self.ranges = True
        self.asked: list = []
        self.url = ""

    @property
    def hash(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@contextlib.contextmanager
def sending():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.told = Told()
    server.told.url = f"http://127.0.0.1:{server.server_address[1]}/file"
    with serving(server):
        yield server.told

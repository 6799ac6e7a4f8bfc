"""A package index on this machine: tiny wheels, and a server that can make pip wait, lie to it or refuse it."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WAIT = 300


def write_wheel(folder: Path, name: str, ballast: int = 0) -> Path:
    """A package of one module, with as many bytes of ballast that cannot be packed."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"name = '{name}'\n")
        if ballast:
            wheel.writestr(f"{name}.bin", bytes(ballast))
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def write_requirements(path: Path, wheels: list[Path]) -> Path:
    """A requirements file that asks for exactly these wheels."""
    lines = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Index:
    """The index; what is asked of it is remembered."""

    def __init__(self, wheels: Path, port: int) -> None:
        self._wheels = wheels
        self.url = f"http://127.0.0.1:{port}/simple"
        self.proxy = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        self.held = ""
        """A package whose bytes are kept back from their middle on."""
        self.forged = ""
        """A package in whose place another one is sent."""
        self.waiting = threading.Event()
        """Somebody waits for the bytes that are kept back."""
        self.left = threading.Event()
        """Who waited has gone."""

    def environment(self) -> dict[str, str]:
        """With which pip asks this index alone, and soon gives up. It keeps only what trusted hosts have sent."""
        return {"PIP_INDEX_URL": self.url, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1",
                "PIP_TRUSTED_HOST": "127.0.0.1",
                "PIP_CONFIG_FILE": "/dev/null", "PIP_TIMEOUT": str(WAIT)}  # fmt: skip

    def page(self, name: str) -> bytes:
        links = [f'<a href="/files/{wheel.name}">{wheel.name}</a>' for wheel in self._wheels.glob(f"{name}-*.whl")]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()

    def file(self, name: str) -> bytes:
        content = (self._wheels / name).read_bytes()
        return content[:-1] + b"!" if self.forged and name.startswith(self.forged) else content


@contextmanager
def serve(wheels: Path) -> Iterator[Index]:
    """An index of the wheels in a folder, as long as the ``with`` lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.index = Index(wheels, server.server_address[1])
    with serving(server):
        yield server.index


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """A server at work in a thread, as long as the ``with`` lasts."""
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(WAIT)
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        index = self.server.index
        index.asked.append(self.path)
        part = self.path.strip("/").split("/")[-1]
        if self.path.startswith("/simple/"):
            self._answer(index.page(part), "text/html")
            return
        content = index.file(part)
        if not (index.held and part.startswith(index.held)):
            self._answer(content, "application/zip")
            return
        self._head(len(content), "application/zip")
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        index.waiting.set()
        # The other side sends no more; its end is the end of what can be read, or a reset.
        self.connection.settimeout(WAIT)
        with contextlib.suppress(ConnectionError):
            self.connection.recv(1)
        index.left.set()
        self.close_connection = True

    def do_CONNECT(self) -> None:
        self.send_error(407, "Proxy Authentication Required")

    def _answer(self, content: bytes, kind: str) -> None:
        self._head(len(content), kind)
        self.wfile.write(content)

    def _head(self, size: int, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        # Without this pip does not keep what it was sent.
        self.send_header("Cache-Control", "max-age=365000000, immutable")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Nothing is printed."""

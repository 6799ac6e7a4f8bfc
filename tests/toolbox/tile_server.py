"""A map service on the loopback: 256-pixel tiles whose colour tells zoom, column and row."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from qgis.PyQt.QtCore import QBuffer, QByteArray, QIODevice
from qgis.PyQt.QtGui import QColor, QImage


def tile_color(zoom: int, column: int, row: int) -> tuple[int, int, int]:
    return zoom * 10 % 256, column * 37 % 256, row * 53 % 256


class TileServer:
    """Serves until closed; `asked` lists the tiles. A silent one answers nothing before that, and tells by `reached`
    that it was asked.
    """

    def __init__(self, refuse: bool = False, silent: bool = False) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self.reached = threading.Event()
        self._refuse = refuse or silent
        self._speaks = threading.Event()
        if not silent:
            self._speaks.set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner._answer(self)

            def log_message(self, *_arguments):
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        port = self._server.server_address[1]
        return f"type=xyz&url=http://127.0.0.1:{port}/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=19&zmin=0"

    def close(self) -> None:
        self._speaks.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        zoom, column, row = (int(part) for part in handler.path.removesuffix(".png").strip("/").split("/"))
        self.asked.append((zoom, column, row))
        self.reached.set()
        self._speaks.wait()
        if self._refuse:
            handler.send_error(404)
            return
        body = _png(QColor(*tile_color(zoom, column, row)))
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _png(color: QColor) -> bytes:
    image = QImage(256, 256, QImage.Format.Format_RGB32)
    image.fill(color)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data)

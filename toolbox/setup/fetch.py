"""One large file over QGIS's own network, its proxy and certificates included: in pieces, so that it can go on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import QgsBlockingNetworkRequest, QgsFeedback, QgsNetworkReplyContent
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkReply, QNetworkRequest

from ...inference.errors import Cancelled
from ..cancelling import cancelled_with
from .causes import CERTIFICATE, HASH, NETWORK, PROXY, cause
from .steps import SetupFailed

#: Bytes that are asked for at once, and held in memory.
PIECE = 4 * 2**20
_OK, _PARTIAL, _NO_SUCH_RANGE, _PROXY_LOGIN = 200, 206, 416, 407
_NETWORK_ERROR = QNetworkReply.NetworkError
_PROXY_ERRORS = frozenset((
    _NETWORK_ERROR.ProxyConnectionRefusedError, _NETWORK_ERROR.ProxyConnectionClosedError,
    _NETWORK_ERROR.ProxyNotFoundError, _NETWORK_ERROR.ProxyTimeoutError,
    _NETWORK_ERROR.ProxyAuthenticationRequiredError, _NETWORK_ERROR.UnknownProxyError,
))  # fmt: skip

#: Called with the bytes that are there, and those of the whole; 0 where that is not known.
OnBytes = Callable[[int, int], None]


def fetch(url: str, target: Path, wanted: str, on_bytes: OnBytes, is_cancelled: Callable[[], bool]) -> None:
    """Fetch a file, or go on with one that was begun, and check it; it stands under its name only if it is right.

    Args:
        url: where it lies.
        target: its name here; what is fetched so far lies beside it.
        wanted: its ``sha256:<hex>``.
        on_bytes: hears how much is there.
        is_cancelled: tells that nobody waits any more.

    Raises:
        SetupFailed: with the cause.
        Cancelled: when `is_cancelled` said so; what was fetched stays.
        OSError: when it cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    size = -1
    while size < 0 or part.stat().st_size < size:
        size = _next_piece(url, part, on_bytes, is_cancelled)
    if sha256_of(part) != wanted:
        part.unlink()
        raise SetupFailed(cause(HASH), f"{url} is not the file with {wanted}.")
    os.replace(part, target)


def sha256_of(path: Path) -> str:
    """Hash of a file as ``sha256:<hex>``."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(2**20), b""):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _next_piece(url: str, part: Path, on_bytes: OnBytes, is_cancelled: Callable[[], bool]) -> int:
    """Fetch the next piece; the size of the whole."""
    there = part.stat().st_size if part.exists() else 0
    status, whole, content = _ask(url, there, on_bytes, is_cancelled)
    if status == _NO_SUCH_RANGE and there:
        # It was whole already, or another file lies there now, which the hash tells.
        return there
    # A server that knows no ranges sends all.
    with part.open("ab" if status == _PARTIAL and there else "wb") as stream:
        stream.write(content)
    size = part.stat().st_size
    total = size if whole is None else whole
    if not content and size < total:
        raise SetupFailed(cause(NETWORK, _host(url)), f"{url} ended after {size} of {total} bytes.")
    on_bytes(size, total)
    return total


def _ask(url: str, there: int, on_bytes: OnBytes, is_cancelled: Callable[[], bool]) -> tuple[int, Optional[int], bytes]:
    """The status, the size of the whole where it is told, and what was sent: a piece, or all of a server that knows no
    pieces.
    """
    wanted = f"bytes={there}-{there + PIECE - 1}"
    asked = _get(url, wanted, lambda done: on_bytes(there + done, 0), is_cancelled)
    if asked.failed and asked.status == _OK:
        # QGIS 3.40 refuses what it did not ask for.
        asked = _get(url, "", lambda done: on_bytes(done, 0), is_cancelled)
    if asked.failed and asked.status != _NO_SUCH_RANGE:
        raise SetupFailed(cause(_why(asked.reply.error(), asked.status), _host(url)), f"{url}: {asked.message}")
    told = bytes(asked.reply.rawHeader(b"Content-Range")).decode("ascii", "replace")
    return asked.status, _whole(told), bytes(asked.reply.content())


@dataclass(frozen=True)
class _Asked:
    """How one request went."""

    failed: bool
    status: int
    message: str
    reply: QgsNetworkReplyContent


def _get(url: str, piece: str, on_bytes: Callable[[int], None], is_cancelled: Callable[[], bool]) -> _Asked:
    """Ask for a piece (as ``Range`` names it), or for all."""
    request = QNetworkRequest(QUrl(url))
    # Followed by Qt: QGIS 3.22 asks for the whole where it is sent on.
    policy = QNetworkRequest.RedirectPolicy.NoLessSafeRedirectPolicy
    request.setAttribute(QNetworkRequest.Attribute.RedirectPolicyAttribute, policy)
    if piece:
        request.setRawHeader(b"Range", piece.encode())
    feedback, asking = QgsFeedback(), QgsBlockingNetworkRequest()
    asking.downloadProgress.connect(lambda received, _total: on_bytes(max(received, 0)))
    if is_cancelled():
        raise Cancelled("The installation was cancelled.")
    with cancelled_with(is_cancelled, feedback):
        code = asking.get(request, True, feedback)
    if is_cancelled():
        raise Cancelled("The installation was cancelled.")
    reply = asking.reply()
    status = int(reply.attribute(QNetworkRequest.Attribute.HttpStatusCodeAttribute) or 0)
    return _Asked(code != QgsBlockingNetworkRequest.ErrorCode.NoError, status, asking.errorMessage(), reply)


def _host(url: str) -> str:
    return QUrl(url).host()


def _why(error: int, status: int) -> str:
    if error in _PROXY_ERRORS or status == _PROXY_LOGIN:
        return PROXY
    return CERTIFICATE if error == _NETWORK_ERROR.SslHandshakeFailedError else NETWORK


def _whole(told: str) -> Optional[int]:
    """The size of the whole file in ``bytes 0-99/1234``."""
    size = told.rpartition("/")[2].strip()
    return int(size) if told.startswith("bytes") and size.isdigit() else None

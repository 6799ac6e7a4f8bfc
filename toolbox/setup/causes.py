"""Why an installation failed, told from what pip and the system said: the cause, and the next step."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Cause:
    """A cause's name, and one sentence with the next step."""

    name: str
    sentence: str


HASH, DISK, PROXY, CERTIFICATE, NETWORK, LOCK, LONG_PATH, PERMISSION, WHEEL, VENV, MEMORY, OTHER = (
    "hash", "disk", "proxy", "certificate", "network", "lock", "long path", "permission", "wheel", "venv", "memory",
    "other",
)  # fmt: skip

_SENTENCES = {
    HASH: "A downloaded package is not the one that Fusion Mapper was tested with, so it was refused; try again, and "
    "if it happens again, ask who runs the package index or proxy here whether it changes files.",
    DISK: "The disk is full; free some space and go on.",
    PROXY: "The proxy refused the connection; check it in QGIS's options under Network, with its user name and "
    "password, and go on.",
    CERTIFICATE: "{where}'s certificate is not trusted, as where a company's firewall looks into "
    "connections; add its certificate to QGIS's options under Authentication, or name it in pip's settings, and go on.",
    NETWORK: "{where} cannot be reached; check the network, or QGIS's proxy in its options, and go on. "
    "Without a network, install from a folder of wheels.",
    LOCK: "Another program, often an antivirus, holds a file that was just written; let it leave the folder of Fusion "
    "Mapper alone, or wait a minute, and go on.",
    LONG_PATH: "A path is longer than Windows allows; allow long paths in Windows, or use a QGIS profile in a shorter "
    "folder.",
    PERMISSION: "The folder cannot be written; make it writable and go on.",
    WHEEL: "There is no ready package for this Python on this system; choose another Python, 3.11 to 3.14, and try "
    "again.",
    VENV: "This Python cannot make environments; on Debian and Ubuntu install python3-venv, elsewhere choose a Python "
    "from python.org, and try again.",
    MEMORY: "The system ended the installation for want of memory; close other programs and go on.",
    OTHER: "The installation failed in a way that is not known; the log has the details.",
}

#: In this order, because one failure drags others along: behind a proxy that refuses, pip ends by finding no version.
_SIGNS = (
    (HASH, r"DO NOT MATCH THE HASHES|HashMismatch|Hash mismatch for|Invalid zip file structure"),
    (DISK, r"No space left on device|\[Errno 28\]|Disk quota exceeded|\[Errno 122\]|WinError 112\b|enough space on"
           r"|os error (28|122|112)\)"),
    (PROXY, r"ProxyError|Cannot connect to proxy|Tunnel connection failed|407 Proxy|Missing dependencies for SOCKS"
     r"|tunnel error|proxy authorization required"),
    (
        CERTIFICATE,
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|certificate verify failed|unable to get local issuer"
        r"|TLS CA certificate bundle|SSLError|invalid peer certificate",
    ),
    (
        NETWORK,
        r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|getaddrinfo failed"
        r"|Name or service not known|Network is unreachable|ConnectTimeoutError|ReadTimeoutError|Read timed out"
        r"|Connection refused|ConnectionResetError|IncompleteRead|RemoteDisconnected|Max retries exceeded"
        r"|\b50[0234] (Server Error|Bad Gateway|Service|Gateway)"
        r"|error sending request|error decoding response body|HTTP status (client|server) error|dns error"
        r"|tcp connect error|operation timed out",
    ),
    (LOCK, r"WinError 32\b|os error (32|225|1392)\)|being used by another process|WinError 225\b|WinError 1392\b"),
    (LONG_PATH, r"Windows Long Path|filename or extension is too long|WinError 206\b|\[Errno 36\]|os error (206|36)\)"),
    (PERMISSION, r"\[Errno 13\]|Permission denied|WinError 5\b|Access is denied|Read-only file system|\[Errno 30\]"
                 r"|os error (13|30|5)\)"),
    (VENV, r"ensurepip is not available|No module named '?(ensurepip|venv)|ensurepip.*returned non-zero exit status"
           r"|returned non-zero exit status.*ensurepip|Unable to copy.*venvlauncher"),
    (WHEEL, r"No matching distribution found|Could not find a version that satisfies|is not a supported wheel"
            r"|No solution found when resolving|has no usable wheels"),
    (MEMORY, r"MemoryError|\[Errno 12\]|Cannot allocate memory|os error 12\)"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _SIGNS)
_ERRNO = {
    errno.ENOSPC: DISK, errno.EDQUOT: DISK, errno.EACCES: PERMISSION, errno.EPERM: PERMISSION, errno.EROFS: PERMISSION,
    errno.ENAMETOOLONG: LONG_PATH, errno.ENOMEM: MEMORY,
}  # fmt: skip
#: Windows: sharing violation, disk full, access denied, path too long.
_WINERROR = {32: LOCK, 33: LOCK, 112: DISK, 5: PERMISSION, 206: LONG_PATH}
#: The signal with which Linux ends a process that takes too much memory.
_KILLED = -9


def cause(name: str, where: str = "The package index") -> Cause:
    """A cause by its name; `where` is what was asked for something, at the beginning of a sentence."""
    return Cause(name, _SENTENCES[name].format(where=where))


def explain(said: str, code: Optional[int] = None) -> Cause:
    """The cause of a command that failed: `said` is what it wrote (pip, venv or uv), `code` its exit code."""
    for name, pattern in _COMPILED:
        if pattern.search(said):
            return cause(name)
    return cause(MEMORY if code in (_KILLED, 128 - _KILLED) else OTHER)


def explain_os_error(problem: OSError) -> Cause:
    """The cause of an error of the system."""
    windows = _WINERROR.get(getattr(problem, "winerror", None) or 0)
    return cause(windows or _ERRNO.get(problem.errno or 0, OTHER))

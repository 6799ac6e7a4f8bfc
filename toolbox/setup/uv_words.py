"""What uv says while it works, as facts; and what the user has told pip, in uv's words.

uv reads neither pip's variables nor its files, so what they say of the network is handed on, except where the user has
told uv something else (docs.astral.sh/uv/reference/environment, docs.astral.sh/uv/pip/compatibility).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

_DOWNLOADING = re.compile(r"^\s*Downloading (?P<package>\S+) \((?P<size>[\d.]+)(?P<unit>\w+)\)$")
_DOWNLOADED = re.compile(r"^\s*Downloaded (?P<package>\S+)$")
_PREPARED = re.compile(r"^\s*Prepared \d+ packages? in ")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
#: With these uv would install elsewhere, otherwise, or something else than what is pinned here.
_ASTRAY = re.compile(
    r"UV_(PYTHON.*|PROJECT.*|SYSTEM_PYTHON|BREAK_SYSTEM_PACKAGES|TARGET|PREFIX|CACHE_DIR|NO_CACHE|OFFLINE|CONSTRAINT"
    r"|BUILD_CONSTRAINT|OVERRIDE|EXCLUDE.*|PRERELEASE|RESOLUTION|NO_BINARY.*|NO_BUILD.*|NO_DEPS|REQUIRE_HASHES"
    r"|NO_VERIFY_HASHES|INDEX_STRATEGY|LINK_MODE|COMPILE_BYTECODE|NO_PROGRESS|WORKING_DIR.*|ENV_FILE|TORCH_BACKEND"
    r"|LOG_CONTEXT|DRY_RUN)$",
    re.IGNORECASE,
)
#: pip's setting → uv's variable, for those whose value is one word.
_SINGLE = {
    "index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT", "retries": "UV_HTTP_RETRIES",
}  # fmt: skip
#: pip's setting → uv's variable and what stands between its values, for those that are lists.
_LISTS = {
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
}
#: Older names that count as much, if the user has set them.
_ALSO = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
#: pip's sections, the later the stronger.
_SECTIONS = ("global", "install", ":env:")


class UvListener:
    """Hears uv's lines and adds up what it has fetched; it tells of large packages only."""

    def __init__(self) -> None:
        self.package = ""
        """The one that was begun last and is not there yet."""
        self.done = 0
        """Bytes of those that are there."""
        self.is_unpacking = False
        self._open: dict[str, int] = {}

    @property
    def under_way(self) -> int:
        """Bytes of those that were begun."""
        return sum(self._open.values())

    def hear(self, line: str) -> bool:
        """Whether the line tells how far it is."""
        begun, ended = _DOWNLOADING.match(line), _DOWNLOADED.match(line)
        if begun:
            self._open[begun["package"]] = int(float(begun["size"]) * _UNITS.get(begun["unit"], 1))
        elif ended:
            self.done += self._open.pop(ended["package"], 0)
        elif _PREPARED.match(line):
            self.is_unpacking = True
        else:
            return False
        self.package = next(reversed(self._open), "")
        return True


def uv_environment(environment: Mapping[str, str], said: str) -> dict[str, str]:
    """The environment for uv.

    Args:
        environment: the one for pip (`network.pip_environment`).
        said: what ``pip config list`` says in it.
    """
    kept = {name: value for name, value in environment.items() if not _ASTRAY.match(name)}
    settings, added = read_settings(said), {}
    added.update({_SINGLE[name]: value for name, value in settings.items() if name in _SINGLE and value})
    for name, (variable, between) in _LISTS.items():
        if settings.get(name):
            added[variable] = between.join(settings[name].split())
    if settings.get("proxy"):
        added.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), settings["proxy"]))
    there = {name.upper() for name in kept}
    mine = {name: value for name, value in added.items() if not {name, _ALSO.get(name, name)} & there}
    result = {**kept, **mine}
    if not any(name.upper() in ("SSL_CERT_FILE", "SSL_CERT_DIR") for name in result):
        # As pip does: what the system trusts. The second is the first's name before 0.12.
        result.update(dict.fromkeys(("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"), "1"))
    return result


def read_settings(said: str) -> dict[str, str]:
    """pip's settings by name, from what ``pip config list`` says: ``section.name='value'``, a line each."""
    found: dict[str, dict[str, str]] = {}
    for line in said.splitlines():
        key, equals, value = line.strip().partition("=")
        section, dot, name = key.rpartition(".")
        if equals and dot and section in _SECTIONS:
            found.setdefault(section, {})[name] = _plain(value)
    merged: dict[str, str] = {}
    for section in _SECTIONS:
        merged.update(found.get(section, {}))
    return merged


def _plain(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return value

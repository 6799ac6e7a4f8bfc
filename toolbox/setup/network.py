"""The environment of the installer's processes: the user's own settings for pip, QGIS's proxy.

Everything of QGIS's own Python is dropped, as for the engine. What the user has set for pip stays, in the environment
as in pip's files, for an index of a company is reached by that alone; only what would lead pip out of the environment
is taken away. Proxies travel in variables and not among the arguments, which other users of a machine can read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Optional
from urllib.parse import quote, urlsplit

from ..engine.environment import clean_environment

#: With these pip would install elsewhere, ask, build, or refuse what is pinned here.
_ASTRAY = re.compile(
    r"PIP_(TARGET|PREFIX|ROOT|USER|PYTHON|SRC|EDITABLE|REQUIREMENT|CONSTRAINT|NO_BINARY|ONLY_BINARY|DRY_RUN|REPORT|LOG"
    r"|QUIET|VERBOSE|PROGRESS_BAR|CACHE_DIR|NO_CACHE_DIR|REQUIRE_VIRTUALENV|ISOLATED|IGNORE_INSTALLED|NO_DEPS"
    r"|REQUIRE_HASHES|BREAK_SYSTEM_PACKAGES)$",
    re.IGNORECASE,
)
_CERTIFICATES = re.compile(r"(CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|SSL_CERT_(FILE|DIR))$", re.IGNORECASE)
_PROXIES = {"HttpProxy": "http", "HttpCachingProxy": "http", "Socks5Proxy": "socks5h"}


def pip_environment(
    environ: Mapping[str, str], prefixes: Iterable[str] = (), added: Optional[Mapping[str, str]] = None
) -> dict[str, str]:
    """The environment for pip.

    Args:
        environ: this process's environment.
        prefixes: folders of the QGIS installation; certificates that it names in there are not the user's.
        added: of `network_variables`; whatever the user has set already stays.
    """
    kept = clean_environment(environ)
    for name, value in environ.items():
        own = name.upper().startswith("PIP_") and not _ASTRAY.match(name)
        if own or (_CERTIFICATES.match(name) and not _is_below(value, prefixes)):
            kept[name] = value
    there = {name.upper() for name in kept}
    kept.update({name: value for name, value in (added or {}).items() if name.upper() not in there})
    # A pip that asks would wait for ever.
    return {**kept, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUTF8": "1"}


def network_variables(settings: Mapping[str, object], login: tuple[str, str] = ("", "")) -> dict[str, str]:
    """QGIS's proxy as variables that pip heeds.

    Args:
        settings: values of QGIS's settings by key, such as ``proxy/proxyHost``.
        login: user and password from QGIS's authentication store, where the proxy refers to it.
    """
    proxy = proxy_url(settings, login)
    if not proxy:
        return {}
    variables = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    excluded = [_host(url) for key in ("noProxyUrls", "proxyExcludedUrls") for url in _list(settings, key)]
    if any(excluded):
        variables["NO_PROXY"] = ",".join(dict.fromkeys(filter(None, excluded)))
    return variables


def proxy_url(settings: Mapping[str, object], login: tuple[str, str] = ("", "")) -> str:
    """QGIS's proxy as an address; empty where it uses none, or the system's, which pip finds by itself."""
    scheme = _PROXIES.get(str(settings.get("proxy/proxyType", "")))
    host = str(settings.get("proxy/proxyHost") or "").strip()
    if not _is_on(settings.get("proxy/proxyEnabled")) or scheme is None or not host:
        return ""
    user = login[0] or str(settings.get("proxy/proxyUser") or "")
    word = login[1] or str(settings.get("proxy/proxyPassword") or "")
    known = f"{quote(user, safe='')}:{quote(word, safe='')}@" if user else ""
    port = str(settings.get("proxy/proxyPort") or "").strip()
    return f"{scheme}://{known}{host}{':' + port if port else ''}"


def _is_on(value: object) -> bool:
    """QGIS's settings file holds words."""
    return value is True or str(value).lower() in ("true", "1")


def _list(settings: Mapping[str, object], name: str) -> list[str]:
    value = settings.get(f"proxy/{name}") or []
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else str(value).split("|")


def _host(url: str) -> str:
    """Proxies are left out by host; QGIS's list holds beginnings of addresses."""
    return urlsplit(url if "://" in url else f"//{url}").hostname or ""


def _is_below(path: str, prefixes: Iterable[str]) -> bool:
    def plain(text: str) -> str:
        return PurePath(text.replace("\\", "/")).as_posix().lower().rstrip("/")

    return any(prefix and plain(path).startswith(plain(prefix) + "/") for prefix in prefixes)

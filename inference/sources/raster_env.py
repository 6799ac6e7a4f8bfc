"""GDAL's settings for every raster that is read, and how a job's paths become names that GDAL opens."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

#: Set for the whole engine process. GDAL reads them from the environment, and so do spawned workers.
SETTINGS = {
    # Files are data: a VRT never runs Python, neither inline nor from a module.
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    # Bounded and the same on every machine. It holds the full-width strips under one row of blocks of a large
    # mosaic (100,000 columns × 512 rows × 4 bands of uint8), so that strips are not decoded again for every block.
    "GDAL_CACHEMAX": "256",
    # A source on the network answers within a known time or fails.
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_RETRY_DELAY": "1",
    # Drivers through which a small local file could reach out to the network; web maps are staged by QGIS instead.
    "GDAL_SKIP": "HTTP,WMS,WMTS,WCS,OGCAPI,STACIT,STACTA,DAAS,EEDA,EEDAI,PLMOSAIC,NGW",
}
#: GDAL's word for the one address that it may open. Notes of pyramids and indexes of tiles on this disk may name more.
_ALLOWED = "CPL_VSIL_CURL_ALLOWED_FILENAME"
#: The fields of a job that say where a layer lies.
_PLACES = frozenset({"path", "mosaic", "map", "fields"})
_SCHEMES = {
    "http://": "/vsicurl/http://",
    "https://": "/vsicurl/https://",
    "s3://": "/vsis3/",
    "gs://": "/vsigs/",
    "az://": "/vsiaz/",
}
_NETWORK = ("/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsiadls", "/vsioss", "/vsiswift", "/vsihdfs", "/vsiwebhdfs")
#: A driver's own way of naming a part of a file, as `NETCDF:"file.nc":variable`; one letter is a Windows drive.
_SUBDATASET = re.compile(r"[A-Za-z][A-Za-z0-9_]+:")


def configure() -> None:
    """Apply `SETTINGS` to this process and its children.

    Drivers are left out only when this runs before GDAL registers them, that is before the first raster is opened;
    so the command line calls it at its start.
    """
    # Worker threads come by as well, and the environment is nothing to write while others read it.
    os.environ.update({name: value for name, value in SETTINGS.items() if os.environ.get(name) != value})


def mind_the_network(job: object) -> None:
    """Keep GDAL off the network for a job (as JSON values) that names no layer there.

    Where it names one, GDAL's setting is of no use: it allows a single file, and no sidecar.
    """
    if names_network(job):
        os.environ.pop(_ALLOWED, None)
    else:
        os.environ[_ALLOWED] = "none"


def names_network(job: object) -> bool:
    """Whether a job (as JSON values) names a layer on the network."""
    return any(is_network(place) for place in _places(job))


def _places(value: object, named: bool = False) -> Iterator[str]:
    if isinstance(value, str) and named:
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _places(inner, key in _PLACES)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _places(inner, named)


def gdal_name(path: str, base: Path) -> str:
    """The name under which GDAL opens a job's path; relative files resolve against `base`."""
    for scheme, prefix in _SCHEMES.items():
        if path.startswith(scheme):
            return prefix + path.removeprefix(scheme)
    if path.startswith("/vsi") or (_SUBDATASET.match(path) and not (base / path).exists()):
        return path
    return str((base / path).absolute())


def is_network(name: str) -> bool:
    """True when GDAL would open a connection to read `name`, chained file systems (/vsizip//vsicurl/) included."""
    lowered = name.lower()
    return lowered.startswith(tuple(_SCHEMES)) or any(prefix in lowered for prefix in _NETWORK) or "://" in lowered


def label(name: str) -> str:
    """A name for messages and products: no folder of this machine, no password, no key."""
    if is_network(name):
        address = re.sub(r"^/vsi\w+/", "", name)
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        return f"{host}{parts.path}" if host else parts.path
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1]

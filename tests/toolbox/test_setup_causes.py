"""A failure is told by its cause, and pip's words are understood."""

from __future__ import annotations

import errno

import pytest
from fusion_mapper.toolbox.setup.causes import _SENTENCES, cause, explain, explain_os_error
from fusion_mapper.toolbox.setup.pip_words import Fetched, PipListener

# As pip 23 to 26 say it.
RETRYING = "WARNING: Retrying (Retry(total=4)) after connection broken by"
NONE = "ERROR: No matching distribution found for numpy==2.4.6"
FAILED = "ERROR: Could not install packages due to an OSError:"
SAID = {
    "hash": "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
    "disk": f"{FAILED} [Errno 28] No space left on device",
    "proxy": f"{RETRYING} 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))'\n{NONE}",
    "certificate": "Could not fetch URL: SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
    f"certificate verify failed'))\n{NONE}",
    "network": f"{RETRYING} 'NewConnectionError('[Errno -3] Temporary failure in name resolution')'\n{NONE}",
    "wheel": f"ERROR: Could not find a version that satisfies the requirement numpy==2.4.6\n{NONE}",
    "permission": f"{FAILED} [Errno 13] Permission denied: '/srv/x'",
    "lock": f"{FAILED} [WinError 32] The process cannot access the file because it is being used by another process",
    "long path": f"{FAILED} [Errno 2] No such file or directory: 'C:\\x'\nHINT: This error might have occurred since "
    "this system does not have Windows Long Path support enabled.",
    "venv": "The virtual environment was not created successfully because ensurepip is not available.  On "
    "Debian/Ubuntu systems, you need to install the python3-venv package",
    "memory": "MemoryError",
    "other": "ERROR: something that nobody has seen",
}


@pytest.mark.parametrize("name", SAID)
def test_the_cause_is_told_with_the_next_step(name):
    found = explain(SAID[name], 1)
    assert found == cause(name)
    assert found.name == name
    assert "{" not in found.sentence
    assert found.sentence.endswith(".")


def test_every_cause_has_a_sign_in_pips_words():
    assert set(SAID) == set(_SENTENCES)


def test_the_system_ends_what_takes_too_much_memory():
    assert explain("", -9).name == "memory"


@pytest.mark.parametrize(
    ("number", "name"),
    [(errno.ENOSPC, "disk"), (errno.EROFS, "permission"), (errno.EACCES, "permission"), (errno.ENOENT, "other")],
)
def test_an_error_of_the_system_is_told_by_its_number(number, name):
    assert explain_os_error(OSError(number, "x")).name == name


def test_bytes_add_up_over_what_is_downloaded_cached_and_lies_on_this_machine():
    pip = PipListener({"/wheels/scipy-1.17.1-cp311-cp311-manylinux_2_28_x86_64.whl": 35_000_000}.__getitem__)
    lines = [
        "Collecting numpy==2.4.6 (from -r /x/engine.txt (line 3))",
        "  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.9 MB)",
        "Progress 0 of 16900123",
        "Progress 8000000 of 16900123",
        "Progress 16900123 of 16900123",
        "  Using cached affine-3.0.1-py3-none-any.whl (10 kB)",
        "Processing /wheels/scipy-1.17.1-cp311-cp311-manylinux_2_28_x86_64.whl (from -r /x/engine.txt (line 9))",
        "  File was already downloaded /wheels/scipy-1.17.1-cp311-cp311-manylinux_2_28_x86_64.whl",
        "  Downloading ml_dtypes-0.6.0-cp311-cp311-manylinux_2_28_x86_64.whl (5.0 MB)",
    ]
    assert [pip.hear(line) for line in lines] == [
        None,
        Fetched("numpy", 0),
        Fetched("numpy", 0),
        Fetched("numpy", 8_000_000),
        Fetched("numpy", 16_900_123),
        Fetched("affine", 16_910_123),
        Fetched("scipy", 51_910_123),
        Fetched("scipy", 86_910_123),
        Fetched("ml-dtypes", 86_910_123),
    ]


@pytest.mark.parametrize(
    "line", ["", "Looking in links: /opt/wheels", "Progress 5 of 10", "  Downloading x.metadata (5 kB)"]
)
def test_other_lines_tell_nothing(line):
    assert PipListener().hear(line) is None

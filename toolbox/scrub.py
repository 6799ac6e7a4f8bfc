"""Passwords and keys in what names a layer: recognised, and taken out of what is told."""

from __future__ import annotations

import re

_NAMES = r"password|passwd|pwd|authcfg|username|user|token|api_?key|key|secret|signature|sig|sas|authorization"
#: Signs of a password or key. In the address of a map service the equals sign may be written as %3D.
_SECRET = re.compile(rf"({_NAMES})\s*(=|%3D)\s*[^&\s]|://[^/\s]*:[^/\s]*@", re.IGNORECASE)
#: The same with all of the value, which a database's URI puts in quotes.
_VALUE = re.compile(rf"\b(\w*({_NAMES}))\s*(=|%3D)\s*('(\\.|[^'\\])*'|\"(\\.|[^\"\\])*\"|[^&\s'\"]+)", re.IGNORECASE)
_LOGIN = re.compile(r"://[^/\s]*:[^/\s]*@")


def carries_secret(source: str) -> bool:
    """Whether a source's text holds a password, a key or a reference to stored credentials."""
    return bool(_SECRET.search(source))


def scrubbed(text: str) -> str:
    """The text with "(hidden)" in the place of passwords and keys; it never `carries_secret`."""
    if not carries_secret(text):
        return text
    hidden = _LOGIN.sub("://(hidden)@", _VALUE.sub(r"\1 (hidden)", text))
    # Written in a way that is not known: then nothing of it is told.
    return "A sentence that held a password or a key was left out." if carries_secret(hidden) else hidden

"""How a failure is told: always in one sentence, whatever failed."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from ..inference.errors import FusionMapperError
from .scrub import scrubbed


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("FusionMapper", text)


def sentence_of(problem: BaseException) -> str:
    """What a user is told of an exception, without passwords; a fault of ours is named so that it can be reported."""
    return scrubbed(_sentence(problem))


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, FusionMapperError) and str(problem).strip():
        return str(problem)
    if isinstance(problem, OSError) and problem.strerror:
        # A full disk is told by the system without the file.
        text = tr("{path} cannot be read or written: {reason}.")
        return text.format(path=problem.filename or tr("A file"), reason=problem.strerror)
    if isinstance(problem, MemoryError):
        return tr("There is not enough memory; close other programs or map a smaller area.")
    # On one line: a sentence ends up in a list and in a message bar.
    return tr("Fusion Mapper met a fault of its own; please report {problem}.").format(problem=repr(problem)[:300])

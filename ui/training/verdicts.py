"""What a count of labels means for a training: what keeps it from starting, and what should be known before."""

from __future__ import annotations

from ..shared.wording import count_text, tr
from .survey import Survey

#: With fewer polygons or points than this, training and validation may not both see a class.
FEW = 3
#: With fewer pixels than this, of a label raster.
FEW_PIXELS = 100
#: A field with more different values than this is hardly one of classes.
MOST_CLASSES = 100
#: Classes that are named in one sentence.
_NAMED = 3

CLASSES, FIELDS, VALUES, CHIPS = "semantic-segmentation", "field-boundaries", "pixel-regression", "chip-regression"


def problem_of(survey: Survey, task: str) -> str:
    """Why these labels cannot be learned from, in one sentence; empty where they can."""
    if survey.total == 0:
        return tr("The labels are empty; draw some polygons or points first.")
    if task == FIELDS and survey.kind != "pixels":
        return "" if survey.kind == "polygons" else tr("Fields are learned from polygons; choose a polygon layer.")
    if task in (VALUES, CHIPS):
        return "" if survey.numbers is not None else tr("The values are to be numbers; choose another field.")
    if not survey.classes:
        return tr("None of the labels has a class; fill in the field, or choose another one.")
    if len(survey.classes) == 1:
        text = tr("All labels are '{name}'; a model needs at least two classes to tell apart.")
        return text.format(name=survey.classes[0].name)
    if len(survey.classes) > MOST_CLASSES:
        text = tr("The field has {count} different values, which are hardly classes; choose another field.")
        return text.format(count=f"{len(survey.classes):,}")
    return ""


def notes_of(survey: Survey, task: str) -> list[str]:
    """What should be known of these labels, a sentence each."""
    notes = []
    if survey.without and task != FIELDS:
        one, several = tr("1 label has no class, and is passed over."), tr("{count} labels have no class.")
        notes.append(count_text(survey.without, one, several + " " + tr("They are passed over.")))
    if task == CLASSES:
        notes += _few(survey)
    if survey.numbers is not None and task in (VALUES, CHIPS):
        low, high = survey.numbers
        text = tr("{count} labels with values from {low} to {high}.")
        notes.append(text.format(count=f"{survey.total - survey.without:,}", low=f"{low:g}", high=f"{high:g}"))
    if survey.partial:
        notes.append(tr("Only a part of the labels was counted here; all of them are learned from."))
    return notes


def _few(survey: Survey) -> list[str]:
    least = FEW_PIXELS if survey.kind == "pixels" else FEW
    few = [one for one in survey.classes if one.count < least]
    if not few:
        return []
    named = ", ".join(f"'{one.name}' ({one.count})" for one in few[:_NAMED])
    if len(few) > _NAMED:
        named = tr("{names} and {count} more").format(names=named, count=len(few) - _NAMED)
    text = tr("Very few labels: {names}. Such a class may be missing from training or from validation.")
    return [text.format(names=named)]

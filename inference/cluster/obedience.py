"""Whether a worker can obey a plan: what it would plan itself, against what it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..job import Job
from ..plan import way_of

#: Differences that one sentence names.
_TOLD = 3
_ANY = object()


def obedient(job: Job, plan: Mapping[str, Any], threads: int) -> Job:
    """The job as the plan has it, whatever this machine would choose: blocks, backend and precision.

    `threads`: blocks that are computed at once here; they share the cores.
    """
    compute = replace(job.compute, block=plan["block"], workers=threads)
    if plan["session"] is None:
        return replace(job, compute=compute)
    way = way_of(plan)
    return replace(job, compute=replace(compute, device=way.device, precision=way.as_stored))


def differences(plan: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """In what the worker's `own` plan differs from `plan`, as the end of a sentence; empty where they are equal."""
    found = list(_differences(plan, json.loads(json.dumps(own))))
    more = f" (and {len(found) - _TOLD} more)" if len(found) > _TOLD else ""
    return "; ".join(found[:_TOLD]) + more


def _differences(plan: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    if own["engine"] != plan["engine"]:
        yield f"it has engine {own['engine']}, not {plan['engine']}"
    for name, here, asked in _unequal(plan["libraries"], own["libraries"]):
        yield f"its {name} is {here}, not {asked}"
    for name, here, asked in _unequal(plan["session"] or {}, own["session"] or {}):
        yield f"its {name} is {here}, not {asked}"
    for name, _, _ in _unequal(plan["inputs"], own["inputs"]):
        yield f"the layer for '{name}' is not the same file there, or was changed"
    if own["model"] != plan["model"]:
        yield "the model is not the same file there"
    told = {"engine", "libraries", "session", "inputs", "model"}
    for name, _, _ in _unequal(_without(plan, told), _without(own, told)):
        yield f"it comes to another {name}"


def _unequal(plan: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*plan, *own}):
        here, asked = own.get(name, _ANY), plan.get(name, _ANY)
        if here != asked:
            yield name, "missing" if here is _ANY else here, "missing" if asked is _ANY else asked


def _without(plan: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in plan.items() if name not in names}

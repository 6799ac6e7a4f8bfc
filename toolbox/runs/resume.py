"""Going on with a run from its folder: its job names files alone, so that no layer of the project is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional

from ...inference.errors import RequestError
from ...inference.job import Job, Source, read_job, resolve
from ..engine.commands import RUN_JOB, EngineCommands
from .execute import FinishedRun, Listener, hearer


def can_resume(folder: Path) -> bool:
    """Whether the run got as far as having a job; before, only its layers tell what it is."""
    return (folder / RUN_JOB).is_file()


def resume(folder: Path, engine: EngineCommands, listener: Listener) -> FinishedRun:
    """Go on where the run in `folder` ended: finished blocks and staged layers are used again.

    Raises:
        RequestError: when the folder holds no job of its own.
        EngineFailed: with the engine's sentence.
        Cancelled: when the user stopped it.
    """
    return _run(_own_job(folder), folder, engine, listener)


def repeat(origin: Path, folder: Path, engine: EngineCommands, listener: Listener) -> FinishedRun:
    """Do the run of the folder `origin` again, from the same files, into `folder`; raises as `resume`."""
    job = _own_job(origin)
    products = {name: _moved(path, folder) for name, path in job.outputs.products.items()}
    outputs = replace(job.outputs, folder=str(folder), products=products)
    return _run(replace(job, outputs=outputs), folder, engine, listener)


def _run(job: Job, folder: Path, engine: EngineCommands, listener: Listener) -> FinishedRun:
    result = engine.run(job, folder, hearer(listener), listener.is_cancelled)
    return FinishedRun(dict(result.products), tuple(result.report.get("attribution", ())), folder)


def _own_job(folder: Path) -> Job:
    """The job in the folder, with absolute paths; one that writes elsewhere is not the folder's."""
    job, base = read_job(folder / RUN_JOB)
    if Path(resolve(job.outputs.folder, base)).resolve() != folder.resolve():
        raise RequestError(f"The job in {folder} belongs to another folder; run again instead.")
    sources = {name: _absolute(source, base) for name, source in job.sources.items()}
    area = job.grid.area and replace(job.grid.area, path=resolve(job.grid.area.path, base))
    products = {name: path and resolve(path, base) for name, path in job.outputs.products.items()}
    return replace(
        job,
        model=job.model and resolve(job.model, base),
        sources=sources,
        grid=replace(job.grid, area=area),
        outputs=replace(job.outputs, folder=str(folder.absolute()), products=products),
    )


def _absolute(source: Source, base: Path) -> Source:
    return replace(
        source,
        path=source.path and resolve(source.path, base),
        mosaic=tuple(resolve(path, base) for path in source.mosaic),
        stack=tuple(replace(file, path=resolve(file.path, base)) for file in source.stack),
        layers=tuple(replace(layer, path=resolve(layer.path, base)) for layer in source.layers),
    )


def _moved(path: Optional[str], folder: Path) -> Optional[str]:
    return str(folder / Path(path).name) if path else None

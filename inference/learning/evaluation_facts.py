"""What was judged against what, in plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """What was judged against what.

    Attributes:
        title: of the report.
        map, labels: what they are called.
        kind: what the labels are: polygons, points, raster.
        groups: number of reference features, or of spatial blocks.
        blocks: side in metres of a spatial block where those are the groups; None where features are.
        simple_random: whether the labels were drawn at random within each mapped class.
        model, model_hash, notice: of the model that made the map; empty where it is not known.
        grid: the map's grid in one line.
        units: of a regression.
        versions: of the engine and its libraries.
        warnings: sentences that were told.
        attribution: what the layers' licences ask for.
    """

    title: str
    map: str
    labels: str
    kind: str
    groups: int
    blocks: float | None
    simple_random: bool
    model: str = ""
    model_hash: str = ""
    notice: str = ""
    grid: str = ""
    units: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    attribution: Sequence[str] = ()

    @property
    def drawn(self) -> str:
        """What pixels are drawn together in."""
        return "feature" if self.blocks is None else "block"

    @property
    def grouped(self) -> str:
        """How many groups there are, in words."""
        return f"{self.groups:,} {self.drawn}{'s' * (self.groups != 1)}"

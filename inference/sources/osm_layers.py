"""The vector layers of one source, and the features in a box that any recipe asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pyproj import CRS

from ...models.card import OsmRecipe
from ..credits import OSM_CREDIT, credits_osm
from ..errors import SourceError
from ..job import Source as SourceSpec
from . import Context
from .osm_burn import kinds_of
from .osm_tags import TagReader, keys_of, looks_like_osm, match_rules
from .vector import Features, Rows, VectorReader
from .vector_files import find_layers
from .vector_place import Bounds

_ALL_KINDS = frozenset(("point", "line", "polygon"))


@dataclass(frozen=True)
class Matches:
    """Features that at least one recipe wants.

    Attributes:
        shapes: N shapely geometries in the grid's CRS.
        rules: R×N int16; row r holds the rule of recipe r that fits each feature, -1 for none.
    """

    shapes: np.ndarray
    rules: np.ndarray


@dataclass(frozen=True)
class Survey:
    """One pass over all features within a box.

    Attributes:
        digest: a hash of geometries and wanted attributes that does not depend on their order.
        features: how many there are.
        dropped: how many have no usable geometry.
        matched: for each recipe, how many of its features there are.
    """

    digest: str
    features: int
    dropped: int
    matched: tuple[int, ...]


class OsmLayers:
    """All layers of a source, open."""

    def __init__(self, recipes: tuple[OsmRecipe, ...], spec: SourceSpec, crs: CRS, context: Context) -> None:
        """Open (and, where they have no index, convert) the layers.

        Raises:
            SourceError: a layer is missing, broken, or without a CRS.
        """
        if not spec.layers:
            raise SourceError("An OSM source needs 'layers': vector layers with roads, buildings, water and the like.")
        self._recipes = recipes
        self._context = context
        self.parts: list[tuple[VectorReader, TagReader]] = []
        skip = spec.unreadable == "skip"
        for asked in spec.layers:
            several: list[str] = []
            for file in find_layers(asked, context.base, _kinds_wanted(recipes), several):
                tags = TagReader(file, keys_of(recipes), asked.tags)
                if tags.assumption:
                    context.warn(tags.assumption)
                self.parts.append((VectorReader(file, tags.columns, asked.where, skip, crs, context), tags))
            for sentence in several:
                context.warn(sentence)

    def attribution(self, told: tuple[str, ...]) -> tuple[str, ...]:
        """What was told of the layers' licences, and OpenStreetMap's credit where a layer looks like its data.

        One layer's credit does not stand for its neighbours': OpenStreetMap's is left out only where it was told.
        """
        if credits_osm(told) or not any(looks_like_osm(reader.original) for reader, _ in self.parts):
            return told
        return (*told, OSM_CREDIT)

    def read(self, bounds: Bounds, most: int | None = None) -> Matches | None:
        """Features within `bounds` (grid CRS) that any recipe wants, each read once for all of them.

        None where a layer has more than `most` there.
        """
        found = []
        for reader, tags in self.parts:
            features = reader.read(bounds, most)
            if features is None:
                return None
            found.append(self._match(features, tags))
        rules = np.concatenate([match.rules for match in found], axis=1)
        return Matches(np.concatenate([match.shapes for match in found]), rules)

    def survey(self, bounds: Bounds) -> Survey:
        """Pass once over all features within `bounds`, in bounded memory, and warn of those that cannot be used."""
        total = features = 0
        dropped = []
        matched = np.zeros(len(self._recipes), np.int64)
        for number, (reader, tags) in enumerate(self.parts):
            lost = 0
            for rows in reader.survey(bounds):
                usable = reader.features(rows)
                matched += (self._match(usable, tags).rules >= 0).sum(axis=1)
                features += len(rows.ids)
                lost += usable.dropped
                total += sum(_digests(rows, number))
            if lost:
                name = reader.original.name
                self._context.warn(f"{lost} features of '{name}' have no usable geometry and are left out.")
            dropped.append(lost)
        frame = repr([(reader.original.crs, reader.file.layer) for reader, _ in self.parts])
        digest = hashlib.sha256(f"{total % 2**256:064x}{frame}".encode()).hexdigest()
        return Survey(f"sha256:{digest}", features, sum(dropped), tuple(int(count) for count in matched))

    def _match(self, features: Features, tags: TagReader) -> Matches:
        kinds = kinds_of(features.shapes)
        values = tags.tags(features.columns, kinds)
        rules = np.stack([match_rules(recipe, values, kinds) for recipe in self._recipes])
        wanted = (rules >= 0).any(axis=0)
        return Matches(features.shapes[wanted], rules[:, wanted])


def _digests(rows: Rows, number: int) -> Iterator[int]:
    """A number for each feature; their sum recognises the features in whatever order they come."""
    names = sorted(rows.columns)
    columns = [rows.columns[name] for name in names]
    for shape, *values in zip(rows.shapes, *columns, strict=True):
        digest = hashlib.sha256(shape or b"")
        digest.update(repr((number, rows.shift, [str(value) for value in values])).encode())
        yield int.from_bytes(digest.digest(), "big")


def _kinds_wanted(recipes: tuple[OsmRecipe, ...]) -> frozenset[str]:
    wanted: set[str] = set()
    for recipe in recipes:
        for rule in recipe.rules:
            wanted |= set(rule.geometry) or _ALL_KINDS
    return frozenset(wanted)

"""OSM tags from whatever columns a layer keeps them in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ...models.card import OsmRecipe, TagRule
from .osm_fclass import fclass_tags, name_tag
from .vector_files import LayerFile

#: Columns that hold many tags as text: hstore (`"key"=>"value"`) or JSON.
_BAGS = ("other_tags", "all_tags", "tags")
_HSTORE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*=>\s*(?:"((?:[^"\\]|\\.)*)"|NULL)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
#: Columns that only OSM extracts have.
_MARKS = frozenset(("osm_id", "osm_type", "osm_way_id", "full_id", "other_tags", "fclass", "@id"))


def keys_of(recipes: Iterable[OsmRecipe]) -> tuple[str, ...]:
    """Tag keys that the recipes ask for, each once."""
    return tuple(dict.fromkeys(rule.key for recipe in recipes for rule in recipe.rules))


def looks_like_osm(file: LayerFile) -> bool:
    """True for OSM's own formats and for layers with columns that only OSM extracts have."""
    return file.driver == "OSM" or any(field.lower() in _MARKS for field in file.fields)


def parse_bag(text: str | None) -> Mapping[str, str]:
    """Tags of one `other_tags` (hstore) or JSON text; what is neither has none.

    The hstore text is what GDAL's OSM driver and PostgreSQL write: quotes and backslashes are escaped by a backslash.
    """
    if not text:
        return {}
    if text.lstrip().startswith("{"):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in parsed.items()}
    return {_plain(key): _plain(value) for key, value in _HSTORE.findall(text)}


class TagReader:
    """Knows where one layer keeps the wanted tags."""

    def __init__(self, file: LayerFile, keys: tuple[str, ...], constant: Mapping[str, str]) -> None:
        """Look for each key among the layer's fields; where none is found, ask the layer's name.

        Attributes:
            columns: attributes to read.
            assumption: a sentence about what was guessed, or empty.
        """
        fields = {field.lower(): field for field in reversed(file.fields)}
        short = file.driver == "ESRI Shapefile"
        self._own = {key: found for key in keys if (found := _field_of(key, fields, short)) is not None}
        self._bags = tuple(fields[name] for name in _BAGS if name in fields)
        self._fclass = fields.get("fclass")
        self._type = fields.get("type")
        self._keys = keys
        self._constant = {key: value for key, value in constant.items() if key in keys}
        self._guess: tuple[str, str] | None = None
        self.assumption = ""
        if not (self._own or self._bags or self._fclass or constant):
            self._assume(file)
        needed = [*self._own.values(), *self._bags]
        needed += [self._fclass] if self._fclass else []
        needed += [self._type] if self._type and (self._fclass or self._guess) else []
        self.columns = tuple(dict.fromkeys(needed))

    def tags(self, columns: Mapping[str, np.ndarray], kinds: np.ndarray) -> dict[str, np.ndarray]:
        """Wanted key → one value (str or None) for each feature.

        A column of the key's own name comes first, then tags in text columns, `fclass`, the name's guess, and last the
        tags that the job gives to the whole layer.
        """
        found: dict[str, np.ndarray] = {}
        for key, field in self._own.items():
            found[key] = np.array([_text(value) for value in columns[field]], object)
        for field in self._bags:
            self._merge(found, [self._parsed(text) for text in columns[field]])
        if self._fclass:
            types = columns[self._type] if self._type else [None] * len(kinds)
            rows = zip(columns[self._fclass], kinds, types, strict=True)
            self._merge(found, [fclass_tags(_text(value) or "", kind, _text(type_)) for value, kind, type_ in rows])
        if self._guess:
            key, value = self._guess
            types = columns[self._type] if self._type else [None] * len(kinds)
            self._merge(found, [{key: value or (_text(type_) or "yes").lower()} for type_ in types])
        self._merge(found, [self._constant] * len(kinds) if self._constant else [])
        return found

    def _parsed(self, text: object) -> Mapping[str, str]:
        """Tags of one text column; texts without any wanted key, which most are, are not taken apart."""
        if not isinstance(text, str) or not any(key in text for key in self._keys):
            return {}
        return parse_bag(text)

    def _merge(self, found: dict[str, np.ndarray], rows: list[Mapping[str, str]]) -> None:
        """Fill what `found` does not have yet from one mapping for each feature."""
        for key in self._keys if any(rows) else ():
            fresh = np.array([row.get(key) for row in rows], object)
            known = found.get(key)
            found[key] = fresh if known is None else np.where(np.equal(known, None), fresh, known)

    def _assume(self, file: LayerFile) -> None:
        layer = file.layer
        self._guess = name_tag(layer) or name_tag(Path(file.path).stem)
        say = f'say otherwise by "tags" on this layer in the source, for example {{"{self._keys[0]}": "yes"}}'
        if self._guess is None:
            self.assumption = (
                f"The layer '{file.name}' has none of the OSM tags that the model asks for "
                f"({', '.join(self._keys)}), so none of its features counts; {say}."
            )
            return
        key, value = self._guess
        shown = f"{key}={value}" if value else f"{key}=* by its column '{self._type}'" if self._type else f"{key}=yes"
        self.assumption = (
            f"The layer '{file.name}' has no OSM tags; by its name, its features are taken for {shown}; {say}."
        )


def match_rules(recipe: OsmRecipe, tags: Mapping[str, np.ndarray], kinds: np.ndarray) -> np.ndarray:
    """Index of the first rule of a recipe that fits each feature, -1 where none does (int16)."""
    chosen = np.full(len(kinds), -1, np.int16)
    for number, rule in enumerate(recipe.rules):
        values = tags.get(rule.key)
        open_ = chosen < 0
        if rule.geometry:
            open_ &= np.isin(kinds, rule.geometry)
        if values is not None and open_.any():
            chosen[open_ & _fits(rule, values)] = number
    return chosen


def _fits(rule: TagRule, values: np.ndarray) -> np.ndarray:
    accepted = frozenset(rule.values)

    def fits(value: str | None) -> bool:
        if value is None:
            return False
        if not accepted:
            return value != "no"
        # OSM lists several values of one tag with semicolons.
        return value in accepted or (";" in value and any(part.strip() in accepted for part in value.split(";")))

    known = {value: fits(value) for value in set(values)}
    return np.fromiter((known[value] for value in values), bool, len(values))


def _field_of(key: str, fields: Mapping[str, str], short: bool) -> str | None:
    """The field that holds a key: by its name, with `:` laundered to `_`, or cut to a Shapefile's ten letters."""
    names = [key, key.replace(":", "_")]
    names += [name[:10] for name in names] if short else []
    return next((fields[name.lower()] for name in names if name.lower() in fields), None)


def _text(value: object) -> str | None:
    """A column's value as a tag's: text as it is, numbers in plain digits, None and NaN as absent."""
    if value is None or value != value or value == "":
        return None
    return value if isinstance(value, str) else str(value)


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text

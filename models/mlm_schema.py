"""Validation of STAC MLM items without a network: by the extension's JSON schema and by ``stac-model``.

The schema travels with the project (`schemas/`), STAC's own come with pystac; whatever else a schema might point at is
never fetched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CardError

# What checks items takes a quarter of a second to load, and whoever reads a card of our own needs none of it.
if TYPE_CHECKING:
    from jsonschema import Draft7Validator

_SCHEMAS = Path(__file__).with_name("schemas")
#: Names under which MLM items hold an output's classes; stac-model reads all three.
CLASS_FIELDS = ("classification:classes", "classification_classes", "classes")
_STAC_ITEM = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"


def validate_item(item: Mapping[str, Any], where: str = "item") -> None:
    """Check an item that is about to be written against STAC 1.1, MLM 1.5.2 and ``stac-model``.

    Raises:
        CardError: names the first field that does not conform.
    """
    from jsonschema.exceptions import best_match

    for validator in _validators():
        fault = best_match(validator.iter_errors(item))
        if fault is not None:
            spot = ".".join(str(part) for part in fault.absolute_path) or "item"
            raise CardError(f"{where} does not conform to STAC MLM at {spot}: {fault.message[:200]}.")
    check_properties(item["properties"], where)


def check_properties(properties: Mapping[str, Any], where: str) -> None:
    """Check the ``mlm:`` properties of anybody's item by ``stac-model``'s types; raises CardError naming the field."""
    from pydantic import ValidationError
    from stac_model.schema import MLModelProperties

    mlm = {key: value for key, value in properties.items() if str(key).startswith("mlm:")}
    if isinstance(mlm.get("mlm:output"), list):
        mlm["mlm:output"] = [_without_classes(output) for output in mlm["mlm:output"]]
    try:
        MLModelProperties.model_validate(mlm)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False, include_context=False)[0]
        spot = ".".join(str(part) for part in first["loc"])
        raise CardError(f"{where} does not conform to STAC MLM at {spot}: {first['msg'][:200]}.") from problem


def _without_classes(output: object) -> object:
    """The reader checks classes itself: stac-model 0.7.0 raises a TypeError on titles and on colours as lists."""
    if not isinstance(output, Mapping):
        return output
    return {key: value for key, value in output.items() if key not in CLASS_FIELDS}


@cache
def _validators() -> tuple[Draft7Validator, ...]:
    from jsonschema import Draft7Validator
    from pystac.validation.local_validator import get_local_schema_cache
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    mlm = json.loads((_SCHEMAS / "mlm-1.5.2.json").read_text(encoding="utf-8"))
    others = json.loads((_SCHEMAS / "mlm-references.json").read_text(encoding="utf-8"))
    stac = get_local_schema_cache()
    registry = Registry().with_resources(
        (uri, Resource.from_contents(schema, default_specification=DRAFT7))
        for uri, schema in {**stac, **others}.items()
    )
    return Draft7Validator(stac[_STAC_ITEM], registry=registry), Draft7Validator(mlm, registry=registry)

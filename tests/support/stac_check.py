"""Items against the schemas of the extensions that they declare, without a network."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

SCHEMAS = Path(__file__).with_name("stac_schemas")
_URL = "https://stac-extensions.github.io/{}/v{}/schema.json"
_STANDS_FOR = {("processing", "1.1.0"): "1.2.0", ("classification", "2.0.0"): "1.1.0"}


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """The schemas by their address; one that stands for another version speaks of that version."""
    found = {}
    for path in SCHEMAS.glob("*.json"):
        name, version = path.stem.split("-")
        text, other = path.read_text(encoding="utf-8"), _STANDS_FOR.get((name, version), version)
        found[_URL.format(name, version)] = json.loads(text)
        found[_URL.format(name, other)] = json.loads(
            text.replace(_URL.format(name, version), _URL.format(name, other))
        )
    return found


def extension_errors(item: dict[str, Any]) -> list[str]:
    """What the schemas hold against an item; KeyError for an extension without a schema here."""
    registry: Registry[Any] = Registry().with_resources(
        (url, DRAFT7.create_resource(schema)) for url, schema in schemas().items()
    )
    return [
        f"{item['id']}, {url.split('/')[3]}: {error.json_path} {error.message[:200]}"
        for url in item.get("stac_extensions", [])
        for error in Draft7Validator(schemas()[url], registry=registry).iter_errors(item)
    ]

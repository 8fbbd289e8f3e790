"""Write docs/bundle.schema.json: the JSON schema of a bundle, from the types that read it."""

from __future__ import annotations

import json
from pathlib import Path

from cocal.exchange.signing import file_schema

SCHEMA = Path(__file__).with_name("bundle.schema.json")


def schema() -> str:
    """The text of the file."""
    return json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")

"""Files that are part of the package: texts, templates, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
"""The folder of the installed package."""


def asset(path: str) -> Path:
    """The file or folder `path` of the package, such as `asset("report/assets/texts.yaml")`.

    Inside the code of a unit `path` is a literal: its bytes, or those of every file below the folder, are
    part of the
    unit's address (`cocal.code`).
    """
    return PACKAGE / path


def parsed(text: str) -> Any:
    """The content of a YAML file of the package, ten times as fast by the safe loader in C."""
    import yaml  # `cocal.code` runs without it

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe

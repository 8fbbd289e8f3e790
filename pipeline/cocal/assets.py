"""Files that are part of the package: texts, templates, tables."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent
"""The folder of the installed package."""


def asset(path: str) -> Path:
    """The file or folder `path` of the package, such as `asset("report/assets/texts.yaml")`.

    Inside the code of a unit `path` is a literal: its bytes, or those of every file below the folder, are
    part of the
    unit's address (`cocal.code`).
    """
    return PACKAGE / path

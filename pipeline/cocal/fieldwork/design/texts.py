"""Texts that crews read, in both languages: assets/texts.yaml."""

from __future__ import annotations

from typing import Any

import yaml

from cocal.assets import asset

_TEXTS: dict[str, Any] = yaml.safe_load(
    asset("fieldwork/design/assets/texts.yaml").read_text(encoding="utf-8")
)

Both = dict[str, str]
"""A text by language."""

LANGUAGES: Both = _TEXTS["languages"]
FIELDS: dict[str, Both] = _TEXTS["fields"]
"""Questions of the form, in their order."""

COLUMNS: dict[str, Both] = _TEXTS["columns"]
"""Heads of the printed sheet, which are names of columns where it is typed in."""

HINTS: dict[str, Both] = _TEXTS["hints"]
CHOICES: dict[str, dict[str, Both]] = _TEXTS["choices"]
SHEET: dict[str, Both] = _TEXTS["sheet"]
VISIT: dict[str, Both] = _TEXTS["visit"]
KIT: dict[str, Both] = _TEXTS["kit"]

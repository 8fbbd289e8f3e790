"""Redaction: texts of a run without the folders of the machine that made it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from cocal.notes import Note
from cocal.report.content import ReportContent

HIDDEN = "…"
"""In the place of a path that has no name, as `..` or `/`."""

_WHOLE = re.compile(r"(?:file:)?/|\\\\|~[\w.-]*(?:[/\\]|$)|[A-Za-z]:[/\\]")
_ELSEWHERE = re.compile(r"\\\\|~|[A-Za-z]:[/\\]")
_UPWARDS = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)")
_WITHIN = re.compile(
    r"(?:^|(?<=[\s'\"(\[=]))(?:file:/+|[A-Za-z]:[/\\]|\\\\|~?/)[^\s'\"<>|:;,()\]]+|(?<=:)(?!//)/[^\s'\"<>|:;,()\]]+"
)


def without_folders(content: ReportContent, home: Path | None, folders: Iterable[Path]) -> ReportContent:
    """`content` whose texts name files without their folders on this machine.

    Parameters
    ----------
    content
        Its configuration is YAML or JSON.
    home
        Folder of the configuration, None if there is no file; paths below it are given relative to it.
    folders
        Folders that may stand in messages, spaces in their names included.
    """
    known = sorted({str(f) for f in folders if f != f.parent}, key=len, reverse=True)

    def redacted(text: str) -> str:
        for folder in known:
            text = text.replace(folder + os.sep, "").replace(folder, HIDDEN)
        return public_text(text, home)

    return replace(
        content,
        reproduce=replace(
            content.reproduce, config_text=public_configuration(content.reproduce.config_text, home)
        ),
        failures=_each(content.failures, redacted),
        left_out=tuple(Note(note.code, **_each(note.values, redacted)) for note in content.left_out),
        model_card=_each(content.model_card, redacted),
    )


def public_configuration(text: str, home: Path | None) -> str:
    """The configuration as YAML, each value by `public_text`; without comments, which may name anything."""
    shown = _each(yaml.safe_load(text), lambda value: public_text(value, home))
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)


def public_text(text: str, home: Path | None) -> str:
    """`text` with each absolute or upward path relative to `home`, or by its name if it is elsewhere.

    A text that begins as a path is one path, spaces included; within a longer text a path ends with a space.
    Addresses of the web stay.
    """
    if _WHOLE.match(text) or (_UPWARDS.search(text) and "://" not in text):
        return _named(text, home)
    return _WITHIN.sub(lambda found: _named(found[0], home), text)


def _named(path: str, home: Path | None) -> str:
    path = re.sub(r"^file:/*(?=/|[A-Za-z]:)", "", path)
    if home is not None and not _ELSEWHERE.match(path):
        resolved = os.path.normpath(home / path)
        if Path(resolved).is_relative_to(home):
            return Path(resolved).relative_to(home).as_posix()
    names = [part for part in re.split(r"[/\\]", path) if part not in ("", ".", "..", "~")]
    return names[-1] if names else HIDDEN


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with every text in it changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each(inner, change) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_each(inner, change) for inner in value)
    return value

"""Cells of text: numbers and angles as people write them, and letters that went through a wrong encoding."""

from __future__ import annotations

import math
import re
from typing import Literal

Form = Literal["plain", "decimal comma", "angle", "empty", "unread"]

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_WEST_SOUTH, _EAST_NORTH = "WOS", "EN"
_ANGLE = re.compile(
    r"""([NSEWO])?\s*([+-]?\d{1,3})\s*(?:°|º|\s|deg|:)\s*   # degrees
        (\d{1,2}(?:[.,]\d+)?)\s*(?:'|′|’|\s|min|:)?\s*          # minutes
        (?:(\d{1,2}(?:[.,]\d+)?)\s*(?:"|″|”|''|s)?)?\s*([NSEWO])?""",
    re.VERBOSE | re.IGNORECASE,
)
_MOJIBAKE = re.compile("[\u00c2-\u00c5\u00e2][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192"
                       "\u02c6\u02dc\u2013-\u203a\u20ac\u2122]+")  # fmt: skip


def parse_number(text: str) -> tuple[float, Form]:
    """(value, how it was written). NaN where the cell is empty or cannot be read as a number.

    "-14.25" is plain; "-14,25" and "8.430.123,5" have a decimal comma; "14°15'S" and "14 15 0 S" are
    angles, in decimal degrees, negative in the west (W or O, oeste) and south.
    """
    text = text.strip()
    if not text:
        return math.nan, "empty"
    if _PLAIN.fullmatch(text):
        return float(text), "plain"
    if _COMMA.fullmatch(text):
        return float(with_point(text)), "decimal comma"
    value = _parse_angle(text)
    return (math.nan, "unread") if value is None else (value, "angle")


def with_point(text: str) -> str:
    """A number with a decimal comma, written with a decimal point: "8.430.123,5" -> "8430123.5"."""
    return text.strip().replace(".", "").replace(",", ".")


def _parse_angle(text: str) -> float | None:
    found = _ANGLE.fullmatch(text)
    if found is None:
        return None
    before, degrees, minutes, seconds, after = found.groups()
    parts = [float(p.replace(",", ".")) for p in (degrees.lstrip("+-"), minutes, seconds or "0")]
    if parts[1] >= 60 or parts[2] >= 60 or (before and after):
        return None
    negative = degrees.startswith("-") or (before or after or "E").upper() in _WEST_SOUTH
    value = parts[0] + parts[1] / 60 + parts[2] / 3600
    return -value if negative else value


def mend_mojibake(text: str) -> str:
    """`text` with runs of UTF-8 that was read as Windows-1252 or Latin-1 read again as UTF-8.

    "RegiÃ³n" -> "Región". Text without such runs comes back as it is.
    """
    return _MOJIBAKE.sub(lambda run: _reread(run.group()), text)


def _reread(run: str) -> str:
    try:
        return b"".join(_byte(character) for character in run).decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return run


def _byte(character: str) -> bytes:
    """The byte behind a character; the five bytes that Windows-1252 leaves open stand for themselves."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def decode_line(line: bytes) -> tuple[str, str]:
    """(text, encoding): UTF-8 where the bytes allow it, else Windows-1252, which holds Latin-1's letters."""
    try:
        return line.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return "".join(_character(byte) for byte in line), "cp1252"


def encode_line(text: str, encoding: str) -> bytes:
    """The bytes that `decode_line` made `text` of."""
    return text.encode("utf-8") if encoding == "utf-8" else b"".join(_byte(c) for c in text)


def _character(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def shown(value: str, limit: int = 40) -> str:
    """A cell for people: quoted, control characters escaped, cut to `limit`."""
    return repr(value if len(value) <= limit else value[: limit - 1] + "…")

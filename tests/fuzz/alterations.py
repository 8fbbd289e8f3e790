"""Alterations of bytes and of the fields of a TIFF (TIFF 6.0, section 2; BigTIFF)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Alteration = Callable[[bytes, np.random.Generator], bytes]

BOUNDS = (
    0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 100_000, 1_000_000,
    2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-9, 1e-300, 1e9, 1e300, math.inf, -math.inf, math.nan, 9.99, 10.5)
SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
"""Bytes of a value, by type."""

TAGS = (
    254, 255, 256, 257, 258, 259, 262, 266, 269, 273, 274, 277, 278, 279, 280, 281, 282, 284, 296, 317, 320,
    322, 323, 324, 325, 330, 338, 339, 340, 347, 530, 532, 33550, 33922, 34264, 34735, 34736, 34737, 42112,
    42113, 50844,
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """An entry of a directory: where it stands, its tag, type and count, and where its values stand."""

    at: int
    tag: int
    kind: int
    count: int
    values: int

    @property
    def size(self) -> int:
        return SIZES.get(self.kind, 1) * self.count


@dataclass(frozen=True)
class Layout:
    """The directories of a TIFF."""

    order: str
    wide: bool
    entries: tuple[Entry, ...]
    pointers: tuple[int, ...]
    """Places of the offsets of directories."""

    @property
    def word(self) -> str:
        return self.order + ("Q" if self.wide else "I")


def layout_of(data: bytes) -> Layout:
    """The directories of a sound TIFF."""
    order = "<" if data[:2] == b"II" else ">"
    wide = struct.unpack(order + "H", data[2:4])[0] == 43
    word, head, step, pointer = ("Q", "Q", 20, 8) if wide else ("I", "H", 12, 4)
    width, entries, pointers = struct.calcsize(word), [], [pointer]
    (start,) = struct.unpack_from(order + word, data, pointer)
    while start:
        (n,) = struct.unpack_from(order + head, data, start)
        at = start + struct.calcsize(head)
        for _ in range(n):
            tag, kind = struct.unpack_from(order + "HH", data, at)
            (count,) = struct.unpack_from(order + word, data, at + 4)
            own = at + 4 + width
            inline = SIZES.get(kind, 1) * count <= width
            values = own if inline else struct.unpack_from(order + word, data, own)[0]
            entries.append(Entry(at, tag, kind, count, values))
            at += step
        pointers.append(at)
        (start,) = struct.unpack_from(order + word, data, at)
    return Layout(order, wide, tuple(entries), tuple(pointers))


def put(data: bytes, at: int, form: str, value: float) -> bytes:
    """`data` with a number at a place; an integer is cut to the number's size."""
    size = struct.calcsize(form)
    if form[1] in "fd":
        packed = struct.pack(form, value)
    else:
        packed = (int(value) % (1 << 8 * size)).to_bytes(size, "little" if form[0] == "<" else "big")
    return data[:at] + packed + data[at + size :]


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """1 to 8 bits flipped, half of the times in the first kilobyte."""
    out = bytearray(data)
    end = len(out) if rng.random() < 0.5 else min(len(out), 1024)
    for _ in range(int(rng.integers(1, 9))):
        out[int(rng.integers(0, end))] ^= 1 << int(rng.integers(0, 8))
    return bytes(out)


def overwritten(data: bytes, rng: np.random.Generator) -> bytes:
    """A run of up to 64 bytes replaced: random, zeros, ones, or from elsewhere in the file."""
    n = int(rng.integers(1, 65))
    at, other = (int(rng.integers(0, max(1, len(data) - n))) for _ in range(2))
    new = (rng.bytes(n), bytes(n), b"\xff" * n, data[other : other + n])[int(rng.integers(0, 4))]
    return data[:at] + new + data[at + len(new) :]


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut short anywhere."""
    return data[: int(rng.integers(0, len(data)))]


def extended(data: bytes, rng: np.random.Generator) -> bytes:
    """More bytes at the end, or bytes put in or taken out."""
    at, n = int(rng.integers(0, len(data))), int(rng.integers(1, 200))
    return (
        data + rng.bytes(n), data + data, data[:at] + rng.bytes(n) + data[at:], data[:at] + data[at + n :]
    )[int(rng.integers(0, 4))]  # fmt: skip


def _number(rng: np.random.Generator, now: int) -> int:
    """A boundary value, or one beside the present one."""
    near = (now + 1, now - 1, now * 2, now // 2, -now, now + 65_536)
    return (
        int(rng.choice(near))
        if rng.random() < 0.3 and now < 2**40
        else BOUNDS[int(rng.integers(0, len(BOUNDS)))]
    )


def field_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """A tag, type, count, pointer or value of an entry replaced, up to three times."""
    layout = layout_of(data)
    for _ in range(1 if rng.random() < 0.7 else int(rng.integers(2, 4))):
        entry = layout.entries[int(rng.integers(0, len(layout.entries)))]
        data = _with_change(data, layout, entry, rng)
    return data


def _with_change(data: bytes, layout: Layout, entry: Entry, rng: np.random.Generator) -> bytes:
    order, how = layout.order, rng.random()
    if how < 0.08:
        return put(data, entry.at, order + "H", int(rng.choice(TAGS)))
    if how < 0.2:
        return put(data, entry.at + 2, order + "H", int(rng.integers(0, 20)))
    if how < 0.35:
        return put(data, entry.at + 4, layout.word, _number(rng, entry.count))
    if how < 0.42:
        return put(data, entry.at + 4 + (8 if layout.wide else 4), layout.word, _number(rng, entry.values))
    return _with_value(data, layout, entry, rng)


def _with_value(data: bytes, layout: Layout, entry: Entry, rng: np.random.Generator) -> bytes:
    size = SIZES.get(entry.kind, 1)
    at = entry.values + size * int(rng.integers(0, max(1, entry.count)))
    if entry.kind in (11, 12):
        form = layout.order + ("f" if entry.kind == 11 else "d")
        (now,) = struct.unpack_from(form, data, at)
        chosen = (*FLOATS, now * 2, now / 2, now + 1, now - 5, -now, now * 1.000001)
        return put(data, at, form, float(chosen[int(rng.integers(0, len(chosen)))]))
    form = layout.order + {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    (now,) = struct.unpack_from(form, data, at)
    return put(data, at, form, _number(rng, now))


def directory_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """Entries exchanged, doubled or dropped; or the offset of a directory replaced."""
    layout = layout_of(data)
    entries = layout.entries
    one, two = (entries[int(rng.integers(0, len(entries)))] for _ in range(2))
    step, how = (20 if layout.wide else 12), int(rng.integers(0, 4))
    if how == 0:
        at = layout.pointers[int(rng.integers(0, len(layout.pointers)))]
        known = [*(e.at for e in entries[:1]), *layout.pointers, len(data), len(data) - 1, 8]
        return put(data, at, layout.word, int(rng.choice(known)) if rng.random() < 0.5 else _number(rng, 8))
    first, second = data[one.at : one.at + step], data[two.at : two.at + step]
    if how == 1:
        data = data[: one.at] + second + data[one.at + step :]
        return data[: two.at] + first + data[two.at + step :]
    if how == 2:
        return data[: two.at] + first + data[two.at + step :]
    return put(data, one.at, layout.order + "H", 65_000)


def blocks_changed(data: bytes, rng: np.random.Generator) -> bytes:
    """Offsets and sizes of two blocks exchanged, one's block in two places, or the bytes of two exchanged."""
    layout = layout_of(data)
    offsets, sizes = ([e for e in layout.entries if e.tag in tags] for tags in ((273, 324), (279, 325)))
    if not offsets or not sizes:
        return flipped(data, rng)
    width = SIZES[offsets[0].kind], SIZES[sizes[0].kind]
    one, two = (int(rng.integers(0, offsets[0].count)) for _ in range(2))
    how = int(rng.integers(0, 4))
    for entry, size in zip((offsets[0], sizes[0]), width, strict=True):
        a, b = entry.values + one * size, entry.values + two * size
        first, second = data[a : a + size], data[b : b + size]
        if how == 0 or (how == 1 and entry is offsets[0]):
            data = data[:a] + second + data[a + size :]
        if how == 0:
            data = data[:b] + first + data[b + size :]
        if how == 2:
            data = data[:a] + bytes(size) + data[a + size :]
        if how == 3 and entry is sizes[0]:
            form = layout.order + {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
            data = put(data, a, form, _number(rng, struct.unpack_from(form, data, a)[0]))
    return data


ALTERATIONS: tuple[Alteration, ...] = (
    flipped, overwritten, truncated, extended, field_changed, field_changed, field_changed, directory_changed,
    blocks_changed,
)  # fmt: skip


def altered(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` altered once, one time in four twice; a second alteration knows no fields."""
    out = ALTERATIONS[int(rng.integers(0, len(ALTERATIONS)))](data, rng)
    return ALTERATIONS[int(rng.integers(0, 4))](out, rng) if out and rng.random() < 0.25 else out

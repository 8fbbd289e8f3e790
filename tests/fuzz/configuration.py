"""Altered configurations: keys removed, doubled, misspelt, values of other types, paths of other kinds, YAML
that is none.

What cannot be meant ends with 2 and its key or file named; what may be meant also with 0, or with 1 where
some work fails. Nothing ends in a traceback.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.fuzz.land import fault_of, land, prepare
from tests.support.small_world import SmallWorld, write_config

__all__ = ["SEEDS", "one", "prepare"]
SEEDS: tuple[int, ...] = (718, 826, 970)

Keys = tuple[str | int, ...]
Random = random.Random

NUMBERS = (
    float("inf"),
    float("-inf"),
    float("nan"),
    1e308,
    -1e308,
    1e20,
    -1,
    0,
    10**400,
    1e-320,
    2**63,
    -0.5,
)
DAYS = ("2024-06-31", "0001-01-01", "9999-12-31", "2024-13-01", "20240101", "2024-1-1", "01/02/2024")
TEXTS = ("", " ", "x" * 100_000, "\u202e", "é", "../../..", "*", "[", "NaN", "~", "'", "null", "PE-*", "{}")
OTHERS = (None, True, [], {}, [[]], {"a": {"b": [1]}}, list(range(20_000)), [None], {"": ""}, {1: 2})
LATE = ("records", "estimate", "comparison", "groups", "legal", "density", "publish", "keep")
"""Sections that nothing before the hectares depends on: a run up to them is short."""


def one(seed: int, folder: Path) -> str:
    """Alter one thing, or two, of the land's configuration; see `tests.fuzz`."""
    chance = Random(seed)
    world = land().copied(folder / "land")
    section, codes, words = chance.choice(ALTERATIONS)(world, chance)
    command = "compare" if section in LATE else "design" if section == "design" else "plan"
    if chance.random() < 0.15:
        command = "compare"
    serial = () if command == "plan" else ("--serial",)
    return fault_of(command, *serial, world.config, codes=codes, words=(*words, str(world.folder)))


Altered = tuple[str, tuple[int, ...], tuple[str, ...]]
"""Section, exit codes that are right, words of which the message has one."""

ANY, REFUSED = (0, 1, 2), (2,)


def _content(world: SmallWorld) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(world.config.read_text(encoding="utf-8"))
    return content


def _places(value: Any, at: Keys = ()) -> Iterator[Keys]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*at, key)
        yield from _places(inner, (*at, key))


def _chosen(content: dict[str, Any], chance: Random, only: Callable[[Any], bool] = lambda _: True) -> Keys:
    places = [keys for keys in _places(content) if only(_at(content, keys))]
    return chance.choice(places)


def _at(content: Any, keys: Keys) -> Any:
    for key in keys:
        content = content[key]
    return content


def _named(keys: Keys) -> tuple[str, ...]:
    texts = [str(key) for key in keys if isinstance(key, str)]
    return (*texts, ".".join(map(str, keys)))


def _put(world: SmallWorld, chance: Random, values: tuple[Any, ...]) -> Altered:
    content = _content(world)
    keys = _chosen(content, chance)
    _at(content, keys[:-1])[keys[-1]] = chance.choice(values)
    write_config(world.config, content)
    return str(keys[0]), ANY, _named(keys)


def number(world: SmallWorld, chance: Random) -> Altered:
    return _put(world, chance, NUMBERS)


def day(world: SmallWorld, chance: Random) -> Altered:
    content = _content(world)
    key = chance.choice(("start", "end", "date"))
    value = chance.choice(DAYS)
    where = content["imports"][0] if key == "date" else content["periods"][0]
    where[key] = value
    text = yaml.safe_dump(content, sort_keys=False)
    plain = chance.random() < 0.5
    world.config.write_text(text.replace(f"'{value}'", value) if plain else text, encoding="utf-8")
    return ("imports" if key == "date" else "periods"), ANY, (key, "period")


def text(world: SmallWorld, chance: Random) -> Altered:
    return _put(world, chance, TEXTS)


def other(world: SmallWorld, chance: Random) -> Altered:
    return _put(world, chance, OTHERS)


def removed(world: SmallWorld, chance: Random) -> Altered:
    content = _content(world)
    keys = _chosen(content, chance)
    del _at(content, keys[:-1])[keys[-1]]
    write_config(world.config, content)
    return str(keys[0]), ANY, _named(keys)


def exchanged(world: SmallWorld, chance: Random) -> Altered:
    """The value of another key."""
    content = _content(world)
    one, two = _chosen(content, chance), _chosen(content, chance)
    if one == two[: len(one)] or two == one[: len(two)]:
        return "name", ANY, ()
    _at(content, one[:-1])[one[-1]] = _at(content, two)
    write_config(world.config, content)
    return str(one[0]), ANY, (".".join(map(str, one)),)


def misspelt(world: SmallWorld, chance: Random) -> Altered:
    content = _content(world)
    free = ("parameters", "fill", "bands", "columns", "labels", "groups")
    while True:
        keys = _chosen(content, chance)
        if isinstance(keys[-1], str) and not set(free) & {*keys[:-1]}:
            break
    inner, name = _at(content, keys[:-1]), keys[-1]
    wrong = chance.choice((f"{name}s", name.upper(), f" {name}", name[:-1], f"{name}\u200b", f"x{name}"))
    inner[wrong] = inner[name] if chance.random() < 0.3 else inner.pop(name)
    write_config(world.config, content)
    return str(keys[0]), REFUSED, (wrong, str(name))


def doubled(world: SmallWorld, chance: Random) -> Altered:
    """A line with a key and its value, again in another place of its mapping or right below."""
    lines = world.config.read_text(encoding="utf-8").splitlines()
    single = [i for i, line in enumerate(lines) if ": " in line and not line.lstrip().startswith("-")]
    chosen = chance.choice(single)
    key = lines[chosen].strip().partition(":")[0]
    lines.insert(chosen + 1, lines[chosen] if chance.random() < 0.5 else f"{lines[chosen]}1")
    world.config.write_text("\n".join(lines), encoding="utf-8")
    return "name", REFUSED, (f"{key}: given twice", key)


def bytes_changed(world: SmallWorld, chance: Random) -> Altered:
    data = bytearray(world.config.read_bytes())
    for _ in range(chance.choice((1, 1, 3, 30))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    world.config.write_bytes(bytes(data))
    return "name", ANY, ()


def no_yaml(world: SmallWorld, chance: Random) -> Altered:
    """Content that is no configuration at all."""
    level = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n"
    bomb = level + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    deep = chance.choice((100, 5_000, 200_000))
    contents = (
        b"", b"\0", b"name: a\0b", b"- a\n", b"1", b"\xff\xfe", chance.randbytes(3000), b"{" * deep,
        b"[" * deep, bomb.encode(), b"name: *a", b"&a name: &a [*a]", b"name: !x y", b"? [a, b]\n: 1",
        b"a: b: c", b"\tname: x", b"name: |\n" + b" x\n" * 10_000, b"%YAML 9.9\n---\na: 1", b"<<: 1",
        b"---\nname: a\n---\nname: b\n", b"a: " + b"9" * 5_000, b"<<: [1, {a: 1}]", b"x: 1\n" * 3,
        "\u00f1: 1".encode("latin-1"), b"name: x\n" + b"#" * 2_100_000, b"0o99: 0b2", b"? {a: 1}\n: 2",
        b"!!python/object/apply:os.system ['true']", b"? !!binary x\n: !!set {1, 2}", b"a: !!binary '%'",
        b"a: !!timestamp x", b"{a: !!float x, b: !!int y, c: !!omap [1], d: !!pairs 3, e: !!set [1]}",
        b"a: !!bool x",
    )  # fmt: skip
    world.config.write_bytes(chance.choice(contents))
    return "name", REFUSED, ()


def path(world: SmallWorld, chance: Random) -> Altered:
    """A path that is a folder, a device, a pipe, a link to nothing or to itself, or too long."""
    content = _content(world)
    names = ("path", "scheme", "dem", "archive", "runs", "strata", "official", "truth")
    keys = _chosen_path(content, chance, names)
    kind = chance.choice(
        ("folder", "device", "zero", "pipe", "dangling", "loop", "long", "below", "empty", "nul")
    )
    at = world.folder / "odd"
    if kind == "folder":
        at.mkdir()
    elif kind == "pipe":
        os.mkfifo(at)
    elif kind in ("dangling", "loop"):
        at.symlink_to("nothing" if kind == "dangling" else at)
    elif kind == "empty":
        at.write_bytes(b"")
    value = {"device": "/dev/null", "zero": "/dev/zero", "long": "x" * 5_000, "below": "config.yaml/x"}
    _at(content, keys[:-1])[keys[-1]] = value.get(kind, "a\0b" if kind == "nul" else "odd")
    write_config(world.config, content)
    if chance.random() < 0.1:
        world.config.unlink()
        world.config.symlink_to(at) if not at.is_fifo() else os.mkfifo(world.config)
        return "name", REFUSED, ()
    return str(keys[0]), ANY, (str(keys[-1]), *value.values(), "odd", "nothing", "configuration")


def _chosen_path(content: dict[str, Any], chance: Random, names: tuple[str, ...]) -> Keys:
    return chance.choice([keys for keys in _places(content) if keys[-1] in names])


ALTERATIONS: tuple[Callable[[SmallWorld, Random], Altered], ...] = (
    number, number, day, text, other, other, removed, removed, exchanged, misspelt, misspelt, doubled,
    bytes_changed, bytes_changed, no_yaml, path, path,
)  # fmt: skip

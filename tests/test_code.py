"""The digest of code: what counts, what does not, and what cannot be followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cocal.code import Package, _closure_of_names, closure_of, code_of, installed, libraries_of
from cocal.errors import CodeError
from cocal.run.worker.tiles import block_map, write_map

MAKER = '''
"""Makes."""
import numpy as np
from cocal.assets import asset
from cocal.low import table, CONSTANT as constant
from cocal.many import reexported

LIMIT = 3


def make(size: Size, other=LIMIT):
    """What is made."""
    values = [table[key](size) for key in table]
    text = asset("data/words.txt").read_text()
    return np.sum(values) + constant + reexported(text)


def apart():
    return make(1)


class Size(float):
    def doubled(self):
        return 2 * self
'''
FILES = {
    "__init__.py": "",
    "assets.py": "def asset(path): return path",
    "maker.py": MAKER,
    "low.py": "CONSTANT = 1\nUNUSED = 2\ndef first(x): return x\ndef second(x): return -x\ntable = {1: "
    "first, 2: second}\n",
    "many/__init__.py": "from cocal.many.deep import reexported\n",
    "many/deep.py": "def reexported(x):\n    from cocal.low import UNUSED as hidden\n    return x\n",
    "data/words.txt": "one",
}


def package(**changed: str) -> Package:
    """The small package, with files (`maker` for maker.py) in another form."""
    new = {name.replace("__", "/") + ".py": text for name, text in changed.items() if name != "words"}
    files = FILES | new | ({"data/words.txt": changed["words"]} if "words" in changed else {})
    return Package({name: text.encode() for name, text in files.items()})


def digest(**changed: str) -> str:
    return package(**changed).closure(["cocal.maker.make"]).digest


def test_the_closure_is_what_the_function_names_and_what_that_names():
    found = package().closure(["cocal.maker.make"])
    assert found.definitions == {
        "cocal.maker.make", "cocal.maker.LIMIT", "cocal.maker.Size", "cocal.low.table",
        "cocal.low.CONSTANT", "cocal.low.first", "cocal.low.second", "cocal.many.deep.reexported",
        "cocal.low.UNUSED",
    }  # fmt: skip
    assert found.libraries == ("numpy",)


@pytest.mark.parametrize(
    "changed",
    [
        {"maker": MAKER.replace("LIMIT = 3", "LIMIT = 4")},
        {"maker": MAKER.replace("other=LIMIT", "other=1")},
        {"maker": MAKER.replace("2 * self", "3 * self")},
        {"maker": MAKER.replace("(float)", "(int)")},
        {"maker": MAKER.replace("import numpy as np", "import scipy as np")},
        {"maker": MAKER.replace("CONSTANT as", "UNUSED as")},
        {"maker": MAKER + "\nprint(LIMIT)\n"},
        {"low": FILES["low.py"].replace("return -x", "return +x")},
        {"low": FILES["low.py"].replace("UNUSED = 2", "UNUSED = 3")},
        {"many__deep": FILES["many/deep.py"].replace("return x", "return x, x")},
        {"words": "two"},
    ],
)
def test_what_can_change_a_result_changes_the_digest(changed: dict[str, str]):
    assert digest(**changed) != digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"maker": MAKER.replace("What is made.", "Other words.").replace('"""Makes."""', "")},
        {"maker": MAKER.replace("LIMIT = 3", "LIMIT = 3  # three\n\n")},
        {"maker": MAKER.replace("np.sum(values) + constant", "np.sum(\n        values\n    ) + constant")},
        {"maker": MAKER.replace("size: Size", "size: Size | None")},
        {"maker": MAKER.replace("return make(1)", "return make(2)")},
    ],
)
def test_what_cannot_change_a_result_does_not(changed: dict[str, str]):
    assert digest(**changed) == digest()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("eval('1')", "eval"),
        ("globals()['x']", "globals"),
        ("__import__('cocal.low')", "__import__"),
        ("__file__", "__file__"),
        ("asset(str(size))", "asset without a literal path"),
        ("asset('data/none.txt')", "does not exist"),
        ("list(map(asset, size))", "asset without a literal path"),
    ],
)
def test_what_the_text_does_not_tell_is_an_error(line: str, reason: str):
    with pytest.raises(CodeError, match=reason):
        digest(maker=MAKER.replace("    text =", f"    {line}\n    text ="))


@pytest.mark.parametrize(
    ("names", "line", "reason"),
    [
        ("from importlib import import_module", "import_module('cocal.low')", "importlib.import_module"),
        ("import importlib", "importlib.import_module('cocal.low')", "importlib.import_module"),
        ("import sys", "sys.modules['cocal.low']", "sys.modules"),
        ("from cocal import low", "getattr(low, 'first')", "getattr of the module cocal.low"),
        ("from importlib import resources", "resources.files('cocal')", "importlib.resources"),
        ("from cocal.low import missing", "missing", "cocal.low.missing is not defined"),
    ],
)
def test_what_is_reached_by_a_name_in_a_text_is_an_error(names: str, line: str, reason: str):
    for text in (MAKER.replace("LIMIT = 3", f"LIMIT = 3\n{names}"), MAKER):
        inside = "" if names in text else f"    {names}\n"
        with pytest.raises(CodeError, match=reason):
            digest(maker=text.replace("    text =", f"{inside}    {line}\n    text ="))


def test_a_local_name_hides_the_one_of_the_module():
    text = "from cocal.low import first\ndef make(first): return [first for first in first]\n"
    assert package(maker=text).closure(["cocal.maker.make"]).definitions == {"cocal.maker.make"}
    text = "from cocal.low import first\ndef make(): return [first for first in first]\n"
    assert "cocal.low.first" in package(maker=text).closure(["cocal.maker.make"]).definitions


def test_a_functions_closure_and_libraries():
    reached = closure_of(block_map, write_map)
    assert {
        "cocal.features.kernels.DAYS_PER_YEAR",
        "cocal.grid.Window",
        "cocal.run.worker.tiles.MapTask",
    } <= reached
    assert not {
        name for name in reached if name.startswith(("cocal.classify.training", "cocal.report", "cocal.cli"))
    }
    assert {"numpy", "numba", "scipy", "xarray", "rasterio", "gdal", "proj"} <= set(libraries_of(block_map))
    assert len(code_of(block_map, write_map)) == 64
    assert code_of(write_map, block_map) == code_of(block_map, write_map) != code_of(block_map)


def make_here() -> int:
    return twice(2)


def twice(n: int) -> int:
    return 2 * n


def test_a_function_outside_the_package_is_followed_in_its_file():
    assert closure_of(make_here) == {f"{__name__}.make_here", f"{__name__}.twice"}


FORMS = '''
from pydantic import BaseModel, Field


class Settings(BaseModel):
    size_m: float = Field(10.0, description="metres")


def make(settings: Settings):
    def inner():
        """Inner."""
        return f"{settings.size_m:.2f} m" + f"{settings!r}"
    return inner
'''


def test_a_description_and_an_inner_docstring_are_not_hashed():
    edited = FORMS.replace('"metres"', '"metres of a side"').replace('"""Inner."""', '"""In."""')
    assert digest(maker=edited) == digest(maker=FORMS)
    for old, new in ((".2f", ".3f"), ("!r", "!s"), ("10.0", "11.0"), (' m"', ' km"')):
        assert digest(maker=FORMS.replace(old, new)) != digest(maker=FORMS)


@pytest.mark.parametrize("damage", [b"", b"[1, 2]", b'[["cocal.x"], "0"]', None])
def test_a_damaged_cache_is_not_trusted(
    damage: bytes | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _closure_of_names.cache_clear()
    whole = closure_of(write_map)
    (file,) = tmp_path.rglob("*.json")
    good = file.read_bytes()
    file.write_bytes(good.replace(b"cocal.grid.Window", b"cocal.grid.Widow") if damage is None else damage)
    _closure_of_names.cache_clear()
    assert closure_of(write_map) == whole
    assert file.read_bytes() == good
    _closure_of_names.cache_clear()


def test_without_a_cache_the_closure_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    whole = closure_of(write_map)
    (tmp_path / "cocal").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _closure_of_names.cache_clear()
    assert closure_of(write_map) == whole
    _closure_of_names.cache_clear()


def test_listed_code_counts_as_its_generation(monkeypatch: pytest.MonkeyPatch):
    alone, other = code_of(write_map), code_of(block_map)
    digests = [installed().closure([f"{f.__module__}.{f.__name__}"]).digest for f in (write_map, block_map)]
    monkeypatch.setattr("cocal.code.generations", lambda: dict.fromkeys(digests, "maps 1"))
    assert code_of(write_map) != alone
    assert code_of(block_map) != other
    monkeypatch.setattr("cocal.code.generations", lambda: {digests[0]: "maps 1"})
    listed = code_of(write_map)
    monkeypatch.setattr("cocal.code.generations", lambda: {digests[0]: "maps 2"})
    assert code_of(write_map) not in (listed, alone)
    assert code_of(block_map) == other

"""What of a task goes into the address of a unit."""

from pathlib import Path

import pytest

from cocal import code
from cocal.content import File, Stated, content, digest
from cocal.features import FeatureSettings
from cocal.run.recipes import Recipe
from cocal.settings import Settings


class Kinds(Settings):
    kinds: dict[str, str]
    path: Path | None = None


def filled(**fill: str) -> FeatureSettings:
    return FeatureSettings(mask=None, windows="monthly", composite="median", features=("NDVI@*",), fill=fill)


def test_the_order_of_patterns_counts_because_the_first_that_fits_wins():
    patterns = {"NDVI*": "linear", "*": "none"}
    settings = [filled(**patterns), filled(**dict(reversed(patterns.items())))]
    assert [s.find_rule("NDVI@01") for s in settings] == ["linear", "none"]
    assert digest(settings[0]) != digest(settings[1])
    file, kinds = File(Path("zones.gpkg"), "ab"), [("AZ-*", "authorised"), ("*", "protected")]
    first, second = (
        Stated(Kinds(kinds=dict(order), path=file.path), (file,)) for order in (kinds, kinds[::-1])
    )
    assert digest(first) != digest(second)
    assert content(first) == {"kinds": [["AZ-*", "authorised"], ["*", "protected"]], "path": "ab"}


def write(folder: Path, _: list[object], task: Kinds) -> None:
    import numpy as np

    (folder / "a").write_text(f"{np.__name__} {task}", encoding="utf-8")


def test_thousands_of_recipes_look_up_a_library_once_and_walk_settings_once(monkeypatch: pytest.MonkeyPatch):
    settings, asked, fields = Kinds(kinds={"a": "b"}), [], []
    before = Recipe("x", settings, write).address
    monkeypatch.setattr("cocal.code.metadata.version", lambda name: asked.append(name) or "1")
    monkeypatch.setattr("cocal.content._setting", lambda *value: fields.append(value))
    assert len({Recipe(f"x/{n}", settings, write).address for n in range(100)}) == 1
    assert (asked, fields) == ([], [])
    code._versions.cache_clear()
    assert Recipe("x", settings, write).address != before
    assert sorted(asked) == ["numpy", "pydantic"]
    code._versions.cache_clear()

"""The documents say what the code does."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import cocal
from cocal.config import RunConfig, read_config
from cocal.contracts import AREAS, CLASSMAP, COMPARISON, FEATURES, RECORDS, SCENES
from cocal.scenes import FilesImport
from cocal.scheme import ClassScheme, read_scheme

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
HEADING = re.compile(
    r"^#+ (?P<paths>`[a-z_.]+`(?:, `[a-z_.]+`)*)(?: with `(?:kind|source|type): (?P<kind>\w+)`)?$"
)

Place = tuple[str, str | None]
"""Path of a section and, where it has kinds, the kind."""


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a key's values are made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def kind_of(model: type[BaseModel]) -> str | None:
    """The value of the key that tells a model from its alternatives."""
    literals = [
        typing.get_args(field.annotation)
        for name in ("kind", "source", "type")
        if (field := model.model_fields.get(name)) and typing.get_origin(field.annotation) is typing.Literal
    ]
    return literals[0][0] if literals else None


def sections(model: type[BaseModel], path: str = "") -> Iterator[tuple[Place, type[BaseModel]]]:
    """Every section of the configuration with its model; alternatives without a kind share a place."""
    yield (path, kind_of(model)), model
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            yield from sections(inner, f"{path}.{name}".removeprefix("."))


def documented() -> dict[Place, dict[str, str]]:
    """The keys of every section in the page, and what the column `needed` says of each."""
    found: dict[Place, dict[str, str]] = {}
    places: list[Place] = []
    for line in TEXT.splitlines():
        if line.startswith("#"):
            match = HEADING.match(line)
            places = (
                [(path, match["kind"]) for path in re.findall("`([^`]+)`", match["paths"])] if match else []
            )
            places += [("", None)] if line == "## Top level" else []
        row = re.match(r"\| `(\w+)` \|.*\| (yes|no)(?::[^|]*)? \|$", line)
        for place in places if row else []:
            found.setdefault(place, {})[row[1]] = row[2]
    return found


def keys_of(models: list[type[BaseModel]]) -> dict[str, str]:
    """Key: yes or no, as the page says it; a key that an alternative lacks or does not need is not needed."""
    fields = [{field.alias or name: field for name, field in m.model_fields.items()} for m in models]
    return {
        key: "yes" if all(key in each and each[key].is_required() for each in fields) else "no"
        for key in {key: None for each in fields for key in each}
    }


SECTIONS: dict[Place, list[type[BaseModel]]] = {}
for found_at, found_model in sections(RunConfig):
    SECTIONS.setdefault(found_at, []).append(found_model)


@pytest.mark.parametrize("place", SECTIONS, ids=lambda place: " ".join(filter(None, place)) or "top")
def test_the_page_has_every_key_of_a_section_and_no_other_and_says_which_are_needed(place: Place) -> None:
    page = documented()
    assert page.get((place[0], None), {}) | page.get(place, {}) == keys_of(SECTIONS[place])


def test_the_page_has_no_section_that_the_configuration_lacks() -> None:
    assert {path for path, _ in documented()} == {path for path, _ in SECTIONS}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_the_page_is_accepted(number: int) -> None:
    example = EXAMPLES[number]
    if "target" in example:
        assert ClassScheme.model_validate(example).target == example["target"]
    else:
        assert example.keys() <= RunConfig.model_validate(EXAMPLES[0] | example).model_fields_set


def test_there_is_an_example_of_each_kind_of_import_and_of_samples() -> None:
    kinds = {entry["kind"] for example in EXAMPLES for entry in example.get("imports", [])}
    kinds |= {example["train"]["samples"]["kind"] for example in EXAMPLES if "train" in example}
    assert kinds == {kind for path, kind in SECTIONS if kind and path in ("imports", "train.samples")}


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_configuration_that_is_shipped_is_accepted(path: Path) -> None:
    config = read_config(path)
    assert read_scheme(config.scheme).target == "coca"


def test_the_example_of_safe_products_finds_the_bands_of_a_product_as_it_is_delivered() -> None:
    example = next(e for e in EXAMPLES if "safe" in str(e.get("imports")))
    (settings,) = RunConfig.model_validate(EXAMPLES[0] | example).imports
    assert isinstance(settings, FilesImport)
    product = "S2B_MSIL2A_20240705T143729_N0510_R096_T19LDF_20240705T190512.SAFE"
    images = f"{product}/GRANULE/L2A_T19LDF_A038286_20240705T143728/IMG_DATA"
    for folder, band in (("R10m", "B02_10m"), ("R20m", "B8A_20m"), ("R20m", "SCL_20m")):
        found = re.search(settings.pattern, f"{images}/{folder}/T19LDF_20240705T143729_{band}.jp2")
        assert found is not None
        assert found.groupdict() == {
            "tile": "T19LDF", "date": "20240705T143729", "baseline": "N0510", "band": band[:3],
        }  # fmt: skip
    assert re.search(settings.pattern, f"{images}/R10m/T19LDF_20240705T143729_TCI_10m.jp2") is None


def test_the_folder_of_configurations_holds_yaml_and_official_tables_only() -> None:
    files = [path for path in (ROOT / "configs").rglob("*") if path.is_file()]
    official = [path for path in files if path.parent.name == "official"]
    assert {path.suffix for path in files if path not in official} == {".yaml"}
    assert {path.suffix for path in official} == {".csv", ".md"}


def test_the_page_of_indices_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_indices.py"))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"](), "run python docs/make_indices.py"


def test_the_table_of_contracts_has_every_contract() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+/\d)` \|", text, re.MULTILINE)
    assert rows == [SCENES, FEATURES, CLASSMAP, RECORDS, AREAS, COMPARISON]


def test_the_drawing_of_the_house_has_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "pipeline" / "cocal"
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    rooms = folders | {path.name for path in package.glob("*.py")}
    assert set(re.findall(r"^      ([a-z_]+(?:/|\.py)) ", text, re.MULTILINE)) == rooms


@pytest.mark.parametrize("page", [*sorted((ROOT / "docs").glob("**/*.md")), ROOT / "README.md",
    ROOT / "CHANGELOG.md"],
                         ids=lambda page: page.name)  # fmt: skip
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_each_public_name_is_where_it_is_looked_for_and_typed() -> None:
    tree = ast.parse((ROOT / "pipeline" / "cocal" / "__init__.py").read_text(encoding="utf-8"))
    typed = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
    names = {alias.name for node in typed if (node.module or "").startswith("cocal") for alias in node.names}
    assert names == set(cocal.__all__) == set(dir(cocal))
    for name in cocal.__all__:
        assert getattr(cocal, name).__name__ == name


def test_a_public_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        cocal.nothing  # noqa: B018


def test_importing_cocal_loads_none_of_its_rooms() -> None:
    code = (
        "import cocal, sys; print(sorted(m for m in sys.modules if m.startswith('cocal.') or m == 'numpy'))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )

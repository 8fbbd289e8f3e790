"""Definitions of the target side by side: which records or polygons count under each, by what they state.

Two countries that count different things agree on what a crew writes down: the class, the state of the crop,
shade, mixture, age and cover. A crosswalk file says which of these count under each definition, so that one
sample gives hectares under all of them, and their difference from the same points.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise, product
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, ValidationError, model_validator

from cocal.errors import ConfigError, InputError
from cocal.settings import Settings, read_yaml
from cocal.store import address

NOT_COUNTED = "not_counted"
"""The class of ground of the target that a definition does not count."""

TEXTS, NUMBERS = ("state", "shade", "mixture"), ("age", "cover")
ATTRIBUTES = (*TEXTS, *NUMBERS)
"""What a record may state beside its class; `age` in years, `cover` of its class in per cent."""

_Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Words(Settings):
    """A text in both languages."""

    es: str
    en: str


class Between(Settings):
    """A range of a number, both ends included; an end that is left out is open."""

    least: Annotated[float | None, Field(ge=0)] = None
    most: Annotated[float | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _ordered(self) -> Between:
        if self.least is None and self.most is None:
            raise ValueError("give `least`, `most` or both")
        if self.least is not None and self.most is not None and self.most < self.least:
            raise ValueError(f"`least` {self.least:g} is above `most` {self.most:g}")
        return self


class Rule(Settings):
    """Conditions that hold together; one that is left out is none."""

    classes: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    shade: tuple[str, ...] = ()
    mixture: tuple[str, ...] = ()
    age: Between | None = None
    cover: Between | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that the rule needs."""
        return tuple(name for name in ATTRIBUTES if getattr(self, name))

    def holds(self, table: pd.DataFrame) -> pd.Series[Any]:
        """Nullable booleans by row; null where an attribute that decides is missing."""
        found = pd.Series(True, index=table.index, dtype="boolean")
        for name in ("classes", *TEXTS):
            if allowed := getattr(self, name):
                values = table["class" if name == "classes" else name]
                found &= values.isin(allowed).astype("boolean").mask(values.isna())
        for name in NUMBERS:
            if (range_ := getattr(self, name)) is not None:
                values = table[name]
                inside = values.between(
                    -float("inf") if range_.least is None else range_.least,
                    float("inf") if range_.most is None else range_.most,
                )
                found &= inside.astype("boolean").mask(values.isna())
        return found


class Definition(Settings):
    """What one definition of the target counts.

    `counts`: ground counts where one of the rules holds. `official`: the texts by which official figures
    state this definition. `missing`: what becomes of records that lack an attribute that decides.
    `not_counted`: class of records of the target that do not count; needed in the main definition.
    """

    id: _Key
    name: Words
    text: Words
    source: str
    official: tuple[str, ...] = ()
    counts: Annotated[tuple[Rule, ...], Field(min_length=1)]
    missing: Literal["refused", "bounded"] = "refused"
    not_counted: str | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that its rules need, in the order of `ATTRIBUTES`."""
        return tuple(name for name in ATTRIBUTES if any(name in rule.attributes for rule in self.counts))


class Crosswalk(Settings):
    """Definitions of one target, and the values of the attributes that they are written in.

    `attributes`: state, shade, mixture -> value -> its names; a record holds the value or one of its names.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    target: str
    attributes: dict[str, dict[_Key, Words]]
    definitions: Annotated[tuple[Definition, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Crosswalk:
        strange_names = sorted(set(self.attributes) - set(TEXTS))
        problems = [f"attributes.{name}: only {', '.join(TEXTS)} have values" for name in strange_names]
        problems += [f"definition {name!r} is given twice" for name in _doubled(self.ids)]
        texts = list(chain.from_iterable(d.official for d in self.definitions))
        problems += [f"official definition {text!r} is listed twice" for text in _doubled(texts)]
        for definition in self.definitions:
            for name in TEXTS:
                used = {value for rule in definition.counts for value in getattr(rule, name)}
                strange = sorted(used - set(self.attributes.get(name, {})))
                problems += [f"{definition.id}: {name} {v!r} is not in `attributes`" for v in strange]
        for name, values in self.attributes.items():
            labels = [label for key, words in values.items() for label in _labels(key, words)]
            problems += [f"attributes.{name}: {label!r} names two values" for label in _doubled(labels)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(d.id for d in self.definitions)

    @property
    def official(self) -> dict[str, str]:
        """The text of an official definition -> the id of the definition that it is."""
        return {text: d.id for d in self.definitions for text in d.official}

    @property
    def sha256(self) -> str:
        """Identity of the crosswalk: results by different ones cannot be put together."""
        return address(self.model_dump(mode="json"))

    def __getitem__(self, definition: str) -> Definition:
        """The definition of that id, which the configuration has been checked for."""
        return next(d for d in self.definitions if d.id == definition)

    def read(self, table: pd.DataFrame) -> pd.DataFrame:
        """`class` and `ATTRIBUTES` of a table of records or polygons; a column that it lacks is null.

        Raises
        ------
        InputError
            Values that `attributes` does not have; all are listed.
        """
        found = pd.DataFrame({"class": table["class"].astype("string")})
        problems = []
        for name in TEXTS:
            given = table[name] if name in table.columns else pd.Series(pd.NA, index=table.index)
            values = given.astype("string").str.strip()
            values = values.mask(values == "")
            known = {
                label: key
                for key, words in self.attributes.get(name, {}).items()
                for label in _labels(key, words)
            }
            found[name] = values.str.casefold().map(known).astype("string")
            strange = sorted(set(values[found[name].isna() & values.notna()]))
            if strange:
                shown = ", ".join(map(repr, strange[:6]))
                problems.append(f"{name}: {shown}, not one of {', '.join(self.attributes.get(name, {}))}")
        for name in NUMBERS:
            given = table[name] if name in table.columns else pd.Series(float("nan"), index=table.index)
            found[name] = pd.to_numeric(given).astype("Float64")
        if problems:
            raise InputError(
                "attributes have values that the crosswalk does not know",
                f"values of `attributes` of the crosswalk {self.id!r}, or their names in Spanish or English",
                "; ".join(problems),
                "correct them, or add the value to the crosswalk and say where it counts",
            )
        return found

    def counts(self, table: pd.DataFrame, definition: str) -> pd.Series[Any]:
        """Whether each row counts under a definition: nullable booleans.

        Parameters
        ----------
        table
            Column `class` (class keys) and those of `ATTRIBUTES` that there are. Ground of another class than
            the target holds none of it where `state` is empty, and does not count.
        definition
            Its id.

        Returns
        -------
        Null where the class is null, or an attribute that decides is. Rules are joined by the logic of three
        values (Kleene 1952, Introduction to Metamathematics, par. 64): a missing attribute matters only where
        the others leave the answer open.

        Examples
        --------
        >>> crosswalk = read_crosswalk("configs/schemes/coca-definitions.yaml")
        >>> records = pd.DataFrame({
        ...     "class": ["coca", "coca", "coca", "other_crops", "forest"],
        ...     "state": ["productive", "young", None, "young", None],
        ... })
        >>> crosswalk.counts(records, "pe_in_production").tolist()
        [True, False, <NA>, False, False]
        >>> crosswalk.counts(records, "bo_cultivated").tolist()
        [True, True, <NA>, True, False]
        """
        rows, own = self.read(table), self[definition]
        found = own.counts[0].holds(rows)
        for rule in own.counts[1:]:
            found |= rule.holds(rows)
        named = {self.target, *(key for d in self.definitions for rule in d.counts for key in rule.classes)}
        there = rows["class"].isin(named).astype("boolean").mask(rows["class"].isna()) | rows["state"].notna()
        return found & there.mask(rows["class"].isna())

    def labels(self, classes: pd.Series[Any], counts: pd.Series[bool], definition: str) -> pd.Series[Any]:
        """Class of each row under a definition: the target where it counts, else its own; null stays null.

        Rows of the target that do not count have the definition's `not_counted`, or the class `NOT_COUNTED`.

        Examples
        --------
        >>> crosswalk = read_crosswalk("configs/schemes/coca-definitions.yaml")
        >>> classes, counts = pd.Series(["coca", "coca", "bare"]), pd.Series([True, False, True])
        >>> crosswalk.labels(classes, counts, "joint").tolist()
        ['coca', 'other_crops', 'coca']
        """
        other = self[definition].not_counted or NOT_COUNTED
        found = classes.astype(object).mask(classes == self.target, other).mask(counts, self.target)
        return found.where(classes.notna())

    def wider(self, first: str, second: str) -> Literal["first", "second"] | None:
        """The one of two definitions that counts whatever the other one does; None where neither does.

        Every combination of values that the rules tell apart is looked at. Of two that are equal, the first.

        Examples
        --------
        >>> crosswalk = read_crosswalk("configs/schemes/coca-definitions.yaml")
        >>> crosswalk.wider("bo_cultivated", "joint"), crosswalk.wider("pe_in_production", "joint")
        ('first', 'second')
        """
        rules = [*self[first].counts, *self[second].counts]
        choices: dict[str, list[Any]] = {
            "class": sorted({self.target, "", *(key for rule in rules for key in rule.classes)})
        }
        used = {name for rule in rules for name in rule.attributes} | {"state"}
        for name in used & set(TEXTS):
            choices[name] = [pd.NA, *self.attributes.get(name, {})]
        for name in used & set(NUMBERS):
            choices[name] = _told_apart([getattr(rule, name) for rule in rules])
        table = pd.DataFrame(list(product(*choices.values())), columns=list(choices))
        one, other = (self.counts(table, name) for name in (first, second))
        known = one.notna() & other.notna()
        if not (other & ~one)[known].any():
            return "first"
        return None if (one & ~other)[known].any() else "second"

    def lacking(self, table: pd.DataFrame, definition: str) -> dict[str, int]:
        """Attribute -> rows that lack it among those of which `counts` cannot tell; rows without a class are
        left aside.
        """
        unknown = self.counts(table, definition).isna() & table["class"].notna()
        rows = self.read(table[unknown])
        found = {name: int(rows[name].isna().sum()) for name in self[definition].attributes}
        return {name: n for name, n in found.items() if n}


class DefinitionSettings(Settings):
    """Definitions of the target that hectares are given under."""

    crosswalk: Path = Field(description="YAML file, see docs/definitions.md")
    use: Annotated[
        tuple[str, ...],
        Field(min_length=1, description="ids of definitions of the crosswalk, in their order"),
    ]
    main: Annotated[
        str | None,
        Field(description="the definition of all tables; left out: the class as it was recorded"),
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> DefinitionSettings:
        if doubled := _doubled(self.use):
            raise ValueError(f"use: {', '.join(doubled)} is given twice")
        if self.main is not None and self.main not in self.use:
            raise ValueError(f"main: {self.main!r} is not one of `use`: {', '.join(self.use)}")
        return self


def read_crosswalk(path: str | Path) -> Crosswalk:
    """The crosswalk of a YAML file.

    Raises
    ------
    InputError
        The file cannot be read.
    ConfigError
        The file is not a crosswalk; the message lists every problem.
    """
    content = read_yaml(Path(path), "crosswalk", "fix `definitions.crosswalk:`")
    try:
        return Crosswalk.model_validate(content)
    except ValidationError as err:
        raise ConfigError(f"crosswalk {path} cannot be used", "see docs/definitions.md", str(err)) from err


def _labels(key: str, words: Words) -> set[str]:
    """What a cell may hold for a value, in small letters."""
    return {label.strip().casefold() for label in (key, words.es, words.en)}


def _told_apart(ranges: Sequence[Between | None]) -> list[float]:
    """Numbers, of which any other is like one by the ranges that hold it: their ends, and between them."""
    ends = {end for own in ranges if own is not None for end in (own.least, own.most) if end is not None}
    marks = sorted({0.0, *ends})
    return [*marks, *((a + b) / 2 for a, b in pairwise(marks)), marks[-1] + 1]


def _doubled(values: Any) -> list[str]:
    names = list(values)
    return sorted({str(name) for name in names if names.count(name) > 1})

"""The view of a page: sections of blocks with their texts, figures and cells in one language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, ClassVar, Literal

from cocal.report.texts import Wording

CellKind = Literal["number", "strong", "interval", "model", "series", "text", "words", "code"]
"""How the template shows a cell: `text` and `words` stand left; in `words` a dash is a text like others;
`model` is lighter: it rests on an assumption."""


@dataclass(frozen=True)
class Text:
    """A paragraph with its class of the style sheet, the title of a part of a section, or code."""

    text: str
    look: str = ""
    block: Literal["text", "title", "code"] = "text"


@dataclass(frozen=True)
class Card:
    """Hectares of a country or of the whole area: what they are, their interval, further facts."""

    name: str
    best: str
    what: str
    interval: str
    facts: tuple[tuple[str, str], ...]
    total: bool


@dataclass(frozen=True)
class Items:
    """Texts in a list, labels with their texts, sources that the figures were compared with, or cards."""

    block: Literal["bullets", "steps", "pairs", "checked", "cards"]
    items: tuple[Any, ...]


@dataclass(frozen=True)
class Picture:
    """One picture in the shapes of desk and telephone, as data URIs, with its alternative text."""

    wide: str
    narrow: str
    alt: str


@dataclass(frozen=True)
class Figure:
    """Pictures under one caption; `label` is the key of "Figure" or "Map", `number` its place on the page."""

    block: ClassVar = "figure"
    label: Literal["figure", "map"]
    caption: str
    pictures: tuple[Picture, ...]
    look: str = "chart"
    number: int = 0


@dataclass(frozen=True)
class Column:
    """A column of a table: heading, text of the cell of a row, kind of its cells, colour of its swatch."""

    heading: str
    cell: Callable[[Any], str] = field(compare=False)
    kind: CellKind = "number"
    colour: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a table: its heading, the other cells, the number of its place."""

    head: str
    cells: tuple[str, ...]
    number: int | None = None


@dataclass(frozen=True)
class Sheet:
    """A table. `groups` holds the lines under the title of each group, "" where there is one group only."""

    block: ClassVar = "sheet"
    key: str
    caption: str
    columns: tuple[Column, ...]
    groups: tuple[tuple[str, tuple[Line, ...]], ...]
    look: str = "scrolls"
    diagonal: bool = False
    label: Literal["table", ""] = "table"
    number: int = 0


Block = Text | Items | Figure | Sheet


@dataclass(frozen=True)
class Section:
    """A part of the page that its contents list."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class PageView:
    """The page in one language; `t` words what every page has."""

    t: Wording
    title: str
    facts: tuple[tuple[str, str], ...]
    statement: tuple[str, ...]
    sections: tuple[Section, ...]


def sheet(
    key: str,
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Any],
    *,
    numbered: bool = False,
    group: Callable[[Any], str] = lambda _: "",
    **how: Any,
) -> Sheet:
    """The table of `rows`; the first column is their heading, `numbered` rows are places with a number."""
    first, *others = columns
    groups = tuple(
        (title, tuple(
            Line(first.cell(row), tuple(c.cell(row) for c in others), row.number if numbered else None)
            for row in own
        ))
        for title, own in groupby(rows, group)
    )  # fmt: skip
    return Sheet(key, caption, tuple(columns), groups, **how)


def numbered(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The sections with their tables, figures and maps numbered in the order of the page."""
    counts: dict[str, int] = {}

    def with_number(block: Block) -> Block:
        if not isinstance(block, (Figure, Sheet)) or not block.label:
            return block
        counts[block.label] = counts.get(block.label, 0) + 1
        return replace(block, number=counts[block.label])

    return tuple(replace(s, blocks=tuple(map(with_number, s.blocks))) for s in sections)

"""Write docs/notes.md from the notes that cocal.notes declares. Run it after a change of texts.yaml."""

from __future__ import annotations

from pathlib import Path

from cocal.notes import NoteType, note_types

PAGE = Path(__file__).with_name("notes.md")

HEAD = """\
# Notes

What the tables, the page and the command state in words is a code with values. The `notes` and
`why_not_comparable` columns of the tables hold the English text. `notes.csv` and `comparison_notes.csv` of
a run, and the Parquet files of these names in `files/`, hold the same notes for programs: `table` and `row`
(the first is 0) of the table that they belong to, `keys` of that row, `code`, `level` and `values` as JSON.
A share in `values` is from 0 to 1. A code is never used again for something else, so filter by codes and
not by texts.

Level: `note` on a figure; `warning` of an estimate; `reason` why two figures are not comparable; `left_out`
what a run did not use or repaired. Notes of the last level stand in no table: each run warns of them, lists
them in `run.json` (`left_out`: code, unit, values, both texts) and shows them on the page. Where `share`
exceeds the limit of that name in `left_out:` of the configuration, the run stops. Made by
`python docs/make_notes.py` from `pipeline/cocal/notes/texts.yaml`.

| code | level | values | English | Spanish |
|---|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    rows = [_row(code, declared) for code, declared in note_types().items()]
    return HEAD + "".join(f"{row}\n" for row in rows)


def _row(code: str, declared: NoteType) -> str:
    values = ", ".join(f"`{name}` {kind}" for name, kind in declared.values.items())
    level = f"{declared.level}, limit `{declared.limit}`" if declared.limit else declared.level
    return f"| `{code}` | {level} | {values} | {declared.text['en']} | {declared.text['es']} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

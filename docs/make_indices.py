"""Write docs/indices.md from the table in cocal.features.indices. Run it after a change of that table."""

from __future__ import annotations

import re
from pathlib import Path

from cocal.features import INDICES, Index

PAGE = Path(__file__).with_name("indices.md")

HEAD = """\
# Indices

{count} indices under the names of the Awesome Spectral Indices catalogue (Montero et al. 2023,
[doi:10.1038/s41597-023-02096-0](https://doi.org/10.1038/s41597-023-02096-0)). Bands are surface
reflectances (0 to 1) by their STAC common names. An index is computed from a window's composite and is
missing where a band is missing or the formula has no finite value. Features of time are `NDVI.p10`
([names](configuration.md#names-of-features)). Made by `python docs/make_indices.py` from
`cocal.features.INDICES`.

| name | what | bands | formula | source |
|---|---|---|---|---|
"""


def page() -> str:
    """The page as Markdown."""
    return HEAD.format(count=len(INDICES)) + "".join(f"{_row(index)}\n" for index in INDICES.values())


def _row(index: Index) -> str:
    bands = " ".join(f"`{band}`" for band in index.bands)
    return f"| `{index.name}` | {index.long_name} | {bands} | `{index.formula}` | {_linked(index.source)} |"


def _linked(source: str) -> str:
    """The source with its DOI or address as a link."""
    source = re.sub(r"doi:(\S+)$", r"[doi:\1](https://doi.org/\1)", source)
    return re.sub(r"(?<!\()(https?://\S+)$", r"<\1>", source)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

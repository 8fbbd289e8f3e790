"""How much may be left out or repaired before a run stops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from cocal.errors import InputError
from cocal.notes import Note, note_types, render
from cocal.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class LeftOutSettings(Settings):
    """Largest shares, 0 to 1, that may be left out or repaired; above one of them the run stops."""

    files: Share = Field(default=0.5, description="of an import's rasters of wanted bands")
    scenes: Share = Field(default=0.9, description="of the imported scenes, or a source's dates")
    regions: Share = Field(default=0.5, description="of the regions' hectares, by period")
    elevation: Share = Field(default=0.5, description="of the regions' ground")
    labels: Share = Field(default=0.5, description="of the labelled samples")
    records: Share = Field(default=0.2, description="of a period's field records: in no region")
    official: Share = Field(default=0.99, description="of the official figures")
    polygons: Share = Field(default=0.1, description="of an own map's hectares: undated, doubled, outside")
    repaired: Share = Field(default=0.1, description="of a region's hectares: changed by repair")
    granules: Share = Field(default=0.5, description="of the granules that a catalogue lists")


def check_left_out(notes: Iterable[Note], limits: LeftOutSettings) -> None:
    """Pass if no note's share exceeds its limit.

    Raises
    ------
    InputError
        Naming every note beyond its limit and the keys that raise the limits.
    """
    declared, allowed = note_types(), limits.model_dump()
    beyond = [
        (note, limit)
        for note in notes
        if note.code in declared and (limit := declared[note.code].limit) is not None
        if float(note.values["share"]) > allowed[limit]  # type: ignore[arg-type]
    ]
    if beyond:
        keys = dict.fromkeys(limit for _, limit in beyond)
        raise InputError(
            "more is left out or repaired than the configuration allows",
            ", ".join(f"left_out.{key} at most {allowed[key]:g}" for key in keys),
            "\n    ".join(["", *(render(note, "en") for note, _ in beyond)]),
            "correct the input or, if this is meant, raise " + ", ".join(f"`left_out.{k}:`" for k in keys),
        )

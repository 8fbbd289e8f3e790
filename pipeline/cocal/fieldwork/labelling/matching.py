"""What a tool returns -> the points of the sample; labels as people write them -> classes of the scheme."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cocal.errors import InputError
from cocal.fieldwork.checks.text import fold
from cocal.fieldwork.checks.values import Label, default_names
from cocal.fieldwork.columns import listed
from cocal.fieldwork.labelling.answers import CANNOT_TELL
from cocal.scheme import ClassScheme

NEAR_DEG = 2e-5
"""How far, in degrees, a tool may have rounded a position: about 2 m."""

UNSURE = {"es": "No se puede decir", "en": "Cannot tell"}
"""The answer of a reader who cannot tell, as tools show it."""

_UNSURE = {fold(text) for text in (*UNSURE.values(), CANNOT_TELL, "no interpretable", "no data", "sin dato")}


def plot_numbers(point_ids: Sequence[str]) -> list[int]:
    """1, 2, 3 ... for each id: tools want whole numbers. The order is by the checksums of the ids, so that
    a number does not show region or role.

    Examples
    --------
    >>> plot_numbers(["P0001", "P0002", "R0001", "R0002"])
    [1, 2, 4, 3]
    """
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in point_ids]
    rank = {value: n for n, value in enumerate(sorted(sums), start=1)}
    return [rank[value] for value in sums]


def numbered(sample: pd.DataFrame) -> pd.DataFrame:
    """point_id, number, lon, lat of every point of the sample, reserves too, by number."""
    table = pd.DataFrame({"point_id": sample["point_id"], "number": plot_numbers([*sample["point_id"]])})
    return table.assign(lon=sample["lon"], lat=sample["lat"]).sort_values("number").reset_index(drop=True)


def sample_mark(points: pd.DataFrame) -> str:
    """Twelve digits that no other sample has: of the ids and positions of all its `numbered` points."""
    rows = "\n".join(f"{p} {x:.7f} {y:.7f}" for p, x, y in points[["point_id", "lon", "lat"]].to_numpy())
    return hashlib.sha256(rows.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Labels:
    """How labels are read: class keys, the scheme's names, common names, and `own`: label -> class key.

    A name of a state of the crop (nursery, abandoned ...) is no class: the user states what it counts as.
    """

    scheme: ClassScheme
    own: Mapping[str, str]

    @cached_property
    def _known(self) -> Mapping[str, str]:
        keys = {*self.scheme.keys}
        common = {k: v.key for k, v in default_names().labels.items() if v == Label(v.key) and v.key in keys}
        names = {fold(n): c.key for c in self.scheme.classes for n in (c.name_es, c.name_en, c.key)}
        return common | names | {fold(label): key for label, key in self.own.items()}

    def read(self, texts: Iterable[Any], where: Path) -> list[str]:
        """The class key of each label; "" where the reader could not tell.

        Raises
        ------
        InputError
            Labels of no class, or `own` names a class that the scheme does not have; all of them.
        """
        found = list(texts)
        folded = [fold(str(text)) for text in found]
        unknown = sorted(
            {str(t) for t, f in zip(found, folded, strict=True) if f not in self._known and f not in _UNSURE}
            | {key for key in self.own.values() if key not in self.scheme.keys}
        )
        if unknown:
            raise InputError(
                f"labels in {where}", f"classes of the scheme: {', '.join(self.scheme.keys)}",
                listed(unknown, repr),
                "state what they count as, such as --class 'Almácigo=coca'",
            )  # fmt: skip
        return [self._known.get(f, "") for f in folded]


def points_of(rows: pd.DataFrame, points: pd.DataFrame, where: Path) -> list[str]:
    """The point of each row, by its `number`, proven by what else it holds.

    Parameters
    ----------
    rows
        `number` (texts or numbers) and, to prove them, `point_id` or `lon` and `lat` in degrees, or both.
        With none of them the caller has proven the file.
    points
        All points of the sample, as `numbered`.

    Raises
    ------
    InputError
        Numbers that the sample does not have, or whose point has another id or another place: the file is of
        another sample.
    """
    table = points.set_index("number")
    number = pd.to_numeric(rows["number"], errors="coerce").fillna(-1).astype("int64").to_numpy()
    known = np.isin(number, table.index)
    drawn = table.reindex(number)
    wrong, proven = ~known, np.zeros(len(rows), dtype=bool)
    if "point_id" in rows:
        stated = rows["point_id"].fillna("").astype(str).to_numpy()
        proven |= stated != ""
        wrong |= (stated != "") & (stated != drawn["point_id"].astype("object").to_numpy())
    if {"lon", "lat"} <= {*rows.columns}:
        place = rows[["lon", "lat"]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        off = np.abs(place - drawn[["lon", "lat"]].to_numpy(dtype=float)).max(axis=1)
        proven |= np.isfinite(off)
        wrong |= np.nan_to_num(off, nan=0.0) > NEAR_DEG
    if {"point_id", "lon"} & {*rows.columns}:
        wrong |= ~proven
    if wrong.any():
        raise InputError(
            f"labels in {where} are not of this sample", "numbers, ids and places of its points",
            f"{int(wrong.sum())} of {len(rows)} rows differ: number {listed(rows['number'][wrong].tolist())}",
            "name the run whose sample was exported; positions are not moved",
        )  # fmt: skip
    return [str(point) for point in drawn["point_id"]]

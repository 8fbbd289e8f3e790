"""The sample of a run, labelled with another tool: files for it, and its answers as a file of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from cocal.config import read_config
from cocal.errors import InputError, UsageError
from cocal.fieldwork.design.draw import MAIN
from cocal.fieldwork.labelling import (
    CANNOT_TELL,
    DISAGREE,
    Labels,
    acatama,
    collect_earth,
    numbered,
    read_answers,
    sample_mark,
    settle,
)
from cocal.run.finished import FinishedRun
from cocal.scheme import ClassScheme, read_scheme
from cocal.store import write_csv

_SHOWN = 20


@dataclass(frozen=True)
class Asked:
    """What the files do not show: the questions of the class and of the image's day, that day itself, and
    what labels count as.
    """

    question: str | None = None
    date_question: str | None = None
    observed_on: str | None = None
    classes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """What was read. Ids of points: `without` an answer, `unsettled` among readers, `unsure` of the class."""

    path: Path
    points: int
    readers: int
    without: tuple[str, ...]
    unsettled: tuple[str, ...]
    unsure: tuple[str, ...]

    @property
    def open(self) -> bool:
        """True if the file has not an answer for every main point."""
        return bool(self.without or self.unsettled)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.points} points, {self.readers} readers"]
        said = {
            "no answer, not in the file": self.without,
            "readers disagree, written as not visited": self.unsettled,
            "cannot tell, written as not visited": self.unsure,
        }
        return "\n".join([*lines, *(f"{len(v)} {k}: {_listed(v)}" for k, v in said.items() if v)])


def _listed(ids: Sequence[str]) -> str:
    rest = len(ids) - _SHOWN
    return ", ".join(ids[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def export_points(
    run: Path, out: Path, tool: str, *, answers: Path | None = None, reserves: bool = False
) -> list[Path]:
    """Write the points of a run's sample for `tool`, and `answers` in its form; the files.

    Raises
    ------
    UsageError
        `out` exists, or the answers of several readers are wanted in the one label of AcATaMa.
    InputError
        The run has no sample; the answers cannot be read.
    """
    sample, scheme = _sample_of(run)
    points = numbered(sample)
    main = sample.loc[sample["role"] == MAIN, "point_id"]
    shown = points if reserves else points[points["point_id"].isin(main)].reset_index(drop=True)
    given = None if answers is None else read_answers(answers)
    if given is not None and tool == "acatama" and (readers := sorted(set(given["observer"])))[1:]:
        raise UsageError(
            f"answers {answers} for AcATaMa", "one reader: a point has one label there", ", ".join(readers),
            "give the result of the interpretation, or the answers of one reader",
        )  # fmt: skip
    if out.exists():
        raise UsageError(f"{out} exists", "a new folder", "one that exists", "name another")
    out.mkdir(parents=True)
    if tool == "acatama":
        acatama.write_points(out, shown, sample_mark(points))
        if given is not None:
            acatama.write_labelled(out / acatama.LABELLED, given, shown, scheme)
    else:
        collect_earth.write_project(out, shown, scheme)
        if given is not None:
            collect_earth.write_answers(out / collect_earth.ANSWERS, given, shown, scheme)
    return sorted(out.iterdir())


def import_labels(run: Path, files: Sequence[Path], out: Path, asked: Asked) -> Imported:
    """Read what tools wrote of a run's sample, and write `out`, a row per point, for `records:`; beside it
    all answers of all readers (`.answers.csv`).

    Sample data of Collect Earth Online has its own readers; each file of AcATaMa is one, R1, R2 ... in the
    order of `files`.

    Raises
    ------
    UsageError
        `out` exists; a question or day is not stated; files of both tools.
    InputError
        A file cannot be read or is of another sample, or no point has an answer.
    """
    if out.exists():
        raise UsageError(f"{out} exists", "a new file", "one that exists", "name another")
    sample, scheme = _sample_of(run)
    points, labels = numbered(sample), Labels(scheme, asked.classes)
    if asked.observed_on is not None:
        _check_day(asked.observed_on)
    tables = [
        _answers_of(path, points, labels, asked, f"R{number}") for number, path in enumerate(files, start=1)
    ]
    answers = pd.concat(tables, ignore_index=True)
    result = settle(answers)
    if result.empty:
        raise InputError(f"labels in {', '.join(map(str, files))}", "answers", "none", "label points first")
    write_csv(out.with_suffix(".answers.csv"), answers.sort_values(["point_id", "observer"]))
    write_csv(out, result)
    main = sample.loc[sample["role"] == MAIN, "point_id"]
    missing = tuple(sorted(set(main) - set(result["point_id"])))
    lost = [tuple(result.loc[result["why_not"] == why, "point_id"]) for why in (DISAGREE, CANNOT_TELL)]
    return Imported(out, len(result), answers["observer"].nunique(), missing, *lost)


def _sample_of(run: Path) -> tuple[pd.DataFrame, ClassScheme]:
    """The sample and the classes of a run: its folder, or its configuration."""
    config = read_config(run) if run.is_file() else FinishedRun(run).config
    return FinishedRun(config.root).sample, read_scheme(config.scheme)


def _answers_of(path: Path, points: pd.DataFrame, labels: Labels, asked: Asked, reader: str) -> pd.DataFrame:
    if path.suffix.lower() in (".csv", ".txt"):
        if reader != "R1":
            raise UsageError(
                "several files with sample data", "one file: it has the answers of all users", str(path),
                "give one, or labels of AcATaMa",
            )  # fmt: skip
        questions = collect_earth.Questions(asked.question, asked.date_question, asked.observed_on)
        return collect_earth.read_sample_data(path, points, labels, questions)
    if asked.observed_on is None:
        raise UsageError(
            f"labels {path}: the day of the images",
            "--observed-on DAY: AcATaMa keeps none",
            "none",
            "state it",
        )
    return acatama.read_labels(path, points, labels, reader, asked.observed_on)


def _check_day(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as err:
        raise UsageError(
            "--observed-on", "a day like 2024-12-31", repr(text), "write year-month-day"
        ) from err

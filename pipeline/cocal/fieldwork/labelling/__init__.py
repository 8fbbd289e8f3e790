"""Points of a sample labelled on images with other tools: files out, answers back.

    answers        answers of readers, one row each; what they agree on, one row per point
    matching       what a tool returns -> the points of the sample; labels -> classes
    collect_earth  Collect Earth Online: plots, samples and answers as CSV
    acatama        AcATaMa: a layer of points, its labelled layer, its saved session

A file for a tool holds no stratum, no role and no class of the map; it does hold positions: restricted.
"""

from __future__ import annotations

from cocal.fieldwork.labelling import acatama, collect_earth
from cocal.fieldwork.labelling.answers import (
    ANSWER_COLUMNS,
    CANNOT_TELL,
    DISAGREE,
    READING_COLUMNS,
    as_answers,
    read_answers,
    settle,
)
from cocal.fieldwork.labelling.matching import Labels, numbered, plot_numbers, sample_mark

__all__ = [
    "ANSWER_COLUMNS", "CANNOT_TELL", "DISAGREE", "READING_COLUMNS", "Labels", "acatama", "as_answers",
    "collect_earth", "numbered", "plot_numbers", "read_answers", "sample_mark", "settle",
]  # fmt: skip

"""What the making of each unit executes lies in its closure: real runs under a tracer, over settings that
reach every rule.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support import tracing
from tests.support.small_world import SmallWorld, make_world
from tests.support.tracing import Tracer

from cocal.config import read_config
from cocal.run import run


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> Tracer:
    tracer = Tracer()
    monkeypatch.setattr("cocal.run.recipes.code_of", tracer.code_of)
    return tracer


def check_traced(tracer: Tracer, world: SmallWorld, last: str) -> None:
    config = read_config(world.config)
    with tracing.tracing(tracer):
        summary = run(config, last=last, config_path=world.config)
    assert summary.failures == ()
    assert tracer.executed
    assert tracer.outside() == {}


def test_what_a_unit_executes_lies_in_its_closure(tmp_path: Path, tracer: Tracer):
    world = make_world(tmp_path / "world", 96, tracing.DAYS)
    world.edit(tracing.everything)
    check_traced(tracer, world, "compare")


@pytest.mark.parametrize(
    ("change", "last"),
    [
        pytest.param(tracing.boosting, "classify", marks=pytest.mark.slow),
        pytest.param(tracing.perceptron, "classify", marks=pytest.mark.slow),
        pytest.param(tracing.distilled, "train", marks=pytest.mark.slow),
        (tracing.designed, "design"),
    ],
)
def test_what_another_model_or_a_design_executes_lies_in_its_closure(
    change: Callable[[dict[str, Any]], None], last: str, finished: SmallWorld, tracer: Tracer
):
    """The scenes are there already; how they are made is traced above."""
    finished.edit(change)
    check_traced(tracer, finished, last)


@pytest.mark.slow
def test_what_the_page_and_the_files_execute_lies_in_their_closures(
    finished: SmallWorld, tracer: Tracer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cocal.report.drawing.DPI", 50)  # as many calls, fewer pixels
    check_traced(tracer, finished, "report")

"""States of figures in a run: beside its tables, in run.json, on its page, on its map; by the command."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
import pytest
from tests.support.command import in_process
from tests.support.small_world import SmallWorld

from cocal.errors import InputError
from cocal.run.history import HISTORY, figure_states

BY = ("--by", "Oficina de prueba", "--on", "2024-04-01")


def edition(world: SmallWorld, *options: str) -> Any:
    return in_process("edition", str(world.root), *options)


def states(world: SmallWorld) -> pd.DataFrame:
    return pd.read_csv(world.root / "states.csv", dtype=str, keep_default_na=False)


def test_an_approved_figure_is_a_draft_again_after_the_records_change_and_the_rest_stays(
    finished: SmallWorld, done: Any
) -> None:
    assert set(states(finished)["state"]) == {"draft"}
    assert edition(finished, "--state", "approved", *BY).returncode == 2
    for state in ("checked", "approved"):
        said = edition(finished, "--state", state, *BY, "--why", "=minuta 7")
        assert said.returncode == 0, said.stderr
    before = {n: (finished.root / n).read_bytes() for n in ("hectares.csv", "comparison.csv", "records.csv")}
    done(finished)
    assert {name: (finished.root / name).read_bytes() for name in before} == before
    assert set(states(finished)["state"]) == {"approved"}
    assert figure_states(finished.root).equals(pd.read_csv(
        finished.root / "states.csv", dtype=str, keep_default_na=False
    ).replace("^'=", "=", regex=True))  # fmt: skip
    held = json.loads((finished.root / "run.json").read_text())["editions"]
    n = len(states(finished))
    assert [(e["state"], e["by"], e["why"], e["figures"], e["standing"]) for e in held] == [
        ("checked", "Oficina de prueba", "=minuta 7", n, 0),
        ("approved", "Oficina de prueba", "=minuta 7", n, n),
    ]
    finished.edit(lambda content: content["estimate"].update(interval="wald"))
    done(finished)
    after = states(finished)
    changed = after[after["state"] == "draft"]
    assert len(changed) > 0
    assert set(changed["before_state"]) == {"approved"}
    assert set(changed["mapped_difference_ha"]) == {"0.0000"}
    assert json.loads((finished.root / "run.json").read_text())["editions"][1]["standing"] == n - len(changed)


def test_an_altered_history_stops_the_run_by_its_row(finished: SmallWorld, done: Any) -> None:
    assert edition(finished, "--state", "checked", *BY).returncode == 0
    path = finished.root / HISTORY
    path.write_text(re.sub("Oficina", "Otra", path.read_text(), count=1))
    with pytest.raises(InputError, match=r"row 1 .edition 1, region .* was altered"):
        done(finished)
    said = in_process("verify", str(finished.root))
    assert said.returncode == 1
    assert "row 1 (edition 1, region" in said.stdout
    assert "restore the file from a copy" in said.stdout


def test_periods_and_places_are_chosen_by_name(finished: SmallWorld) -> None:
    assert "unknown place" in edition(finished, "--state", "checked", *BY, "--place", "PE-9").stderr
    assert edition(finished, "--state", "checked", *BY, "--place", "PE-1").returncode == 0
    found = figure_states(finished.root)
    assert found[found["state"] == "checked"]["place"].tolist() == ["PE-1"]
    shown = edition(finished, "--format", "csv")
    assert shown.stdout.splitlines()[1].startswith(f"{found['period'].iloc[0]},region,PE-1,checked,1,Oficina")

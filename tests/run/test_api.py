"""Every public name has an example in docs/api.md that runs, or is shown in the notebook that the page names."""

import re
from pathlib import Path

import pandas as pd
import pytest

import cocal
from cocal.errors import InputError
from cocal.features import read_dem

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
IN_NOTEBOOKS = {"train", "save_model", "series_features", "import_scenes"}


def test_every_public_name_has_an_example():
    shown = set(re.findall(r"cocal\.(\w+)", "\n".join(EXAMPLES)))
    assert set(cocal.__all__) - shown == IN_NOTEBOOKS
    assert all(f"cocal.{name}" in TEXT for name in IN_NOTEBOOKS)


@pytest.fixture
def names(finished):
    archive_window = cocal.list_scenes(finished.archive)[0].window
    return {
        "cocal": cocal,
        "config": finished.config,
        "archive": finished.archive,
        "run_folder": finished.root,
        "model_folder": next((finished.root / "model").iterdir()),
        "official": pd.read_csv(
            finished.folder / "official.csv", dtype={"region_id": str, "period": str, "year": str}
        ),
        "dem": read_dem(finished.folder / "dem.tif", archive_window),
    }


def test_the_examples_of_the_page_run_in_their_order_and_give_what_they_say(names):
    for example in EXAMPLES:
        exec(compile(example, "docs/api.md", "exec"), names)
    coca = names["found"].classes.set_index("class").loc["coca"]
    assert coca["area_ha"] == pytest.approx(100 * 50 / 60 + 900 * 2 / 60)
    assert names["ndvi"].dims == ("time", "y", "x")
    run, text = names["run"], repr(cocal.open_run(names["run_folder"]))
    assert callable(run)
    assert "SIMULATED" in text
    assert "4 regions" in text


def test_the_reprs_escape_names_and_mark_what_is_simulated(finished):
    run = cocal.open_run(finished.root)
    areas = run.areas.assign(region_name="<img src=x onerror=alert(1)>")
    text = cocal.FinishedRun(run.folder, run.facts, areas, run.target)._repr_html_()
    assert "<img" not in text
    assert "SIMULATED" in text


def test_a_folder_without_a_run_and_a_table_that_is_not_there_are_named(tmp_path, finished):
    with pytest.raises(InputError, match="cocal run CONFIG"):
        cocal.open_run(tmp_path)
    with pytest.raises(InputError, match="comparison"):
        cocal.open_run(finished.root).table("../records")

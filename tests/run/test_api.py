"""Every public name has an example in docs/api.md, and the examples run."""

import ast
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import cocal
from cocal.errors import InputError
from cocal.features import read_dem

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_every_public_name_has_an_example():
    code = ast.walk(ast.parse("\n".join(EXAMPLES)))
    used = {
        node.attr for node in code if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "cocal"
    }
    assert set(cocal.__all__) - used == set()


@pytest.fixture
def names(finished, tmp_path):
    archive_window = cocal.list_scenes(finished.archive)[0].window
    return {
        "cocal": cocal,
        "config": finished.config,
        "archive": finished.archive,
        "run_folder": finished.root,
        "new_archive": tmp_path / "new-archive",
        "new_model": tmp_path / "new-model",
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
    assert set(names["item_ids"]) == {scene.id for scene in names["scenes"]}
    new = cocal.list_scenes(names["new_archive"])
    assert [scene.address for scene in new] == [scene.address for scene in names["scenes"]]
    # of the two dates' median: (0.36 - 0.04) / 0.4 and (0.3 - 0.2) / 0.5
    assert names["of_series"]["NDVI@season"].tolist() == pytest.approx([0.8, 0.2])
    assert tuple(names["of_series"]) == tuple(names["names"])
    kept = cocal.load_model(names["new_model"])
    assert kept.card == names["own"].card
    used, unseen = kept.card.training.pixels, kept.card.training.dropped_for_missing_features
    assert Counter(used) + Counter(unseen) == Counter(names["inside"]["label"])
    run, text = names["run"], repr(cocal.open_run(names["run_folder"]))
    assert callable(run)
    assert "SIMULATED" in text
    assert "4 regions" in text


def test_the_reprs_escape_names_and_mark_what_is_simulated(finished, done):
    path = finished.folder / "regions.geojson"
    path.write_text(
        path.read_text(encoding="utf-8").replace("PE-1 (simulated)", "<img src=x onerror=alert(1)>")
    )
    done(finished, "measure")
    text = cocal.FinishedRun(finished.root)._repr_html_()
    assert "<img" not in text
    assert "&lt;img" in text
    assert "SIMULATED" in text


def test_a_folder_without_a_run_and_a_table_that_is_not_there_are_named(tmp_path, finished):
    with pytest.raises(InputError, match="cocal run CONFIG"):
        cocal.open_run(tmp_path)
    with pytest.raises(InputError, match="comparison"):
        cocal.open_run(finished.root).table("../records")


def test_a_damaged_manifest_hides_no_table(finished):
    mark = finished.root / "manifests" / "states.json"
    mark.write_bytes(mark.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"states\.json"):
        _ = cocal.FinishedRun(finished.root).tables

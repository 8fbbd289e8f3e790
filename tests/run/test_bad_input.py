"""Bad input through the command's `main`: exit code, one message, nothing half-written."""

import pytest
from tests.support.command import in_process
from tests.support.refusing import CASES, refused
from tests.support.small_world import blank_pages

QUICK = (
    "no such configuration", "unknown key", "two problems at once", "period without scenes",
    "regions without ids", "regions in a wrong CRS", "empty area", "source without CRS", "band missing",
    "truncated source", "label of no class", "no DEM", "DEM without CRS", "record of unknown class",
    "strata that do not fit", "no official figures", "truth without hectares", "model for other features",
    "altered model", "runs is a file",
)  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_it_is_refused(name, finished, tmp_path):
    case = next(c for c in CASES if c.name == name)
    with blank_pages():
        assert refused(case, finished, tmp_path, command=in_process).startswith(f"{case.code} |")


def test_what_only_a_later_stage_needs_does_not_stop_an_earlier_one(finished):
    (finished.folder / "truth.csv").unlink()
    (finished.folder / "records.csv").unlink()
    assert in_process("import", "--serial", finished.config).returncode == 0
    answer = in_process("run", "--serial", finished.config)
    assert answer.returncode == 2
    assert "records.path" in answer.stderr
    assert "comparison.truth" in answer.stderr

"""What the YAML may say of an import."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from cocal.scenes import FilesImport, MultibandImport, NetcdfImport, SceneImport

ADAPTER = TypeAdapter(SceneImport)
COMMON = {"name": "s2", "path": "/data/a.tif", "bands": {"red": "B4"}}


@pytest.mark.parametrize(
    ("kind", "extra", "expected"),
    [
        ("multiband", {"date": "2022-01-05"}, MultibandImport),
        ("netcdf", {"time": "t"}, NetcdfImport),
    ],
)
def test_the_kind_chooses_the_import(kind, extra, expected):
    settings = ADAPTER.validate_python({"kind": kind, **COMMON, **extra})
    assert isinstance(settings, expected)
    assert settings.path == Path("/data/a.tif")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bands": {"B04": 1}}, "unknown bands B04; known are coastal, blue"),
        ({"bands": {"scl": 1}}, "no reflectance band"),
        ({"name": "../up"}, "pattern"),
        ({"ofset": 0}, "ofset"),
        ({"resampling": "lanczos"}, "nearest"),
        ({"scale": 0}, "greater than 0"),
        ({"date": "March"}, "date"),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(change, said):
    with pytest.raises(ValidationError, match=said):
        ADAPTER.validate_python({"kind": "multiband", "date": "2022-01-05", **COMMON, **change})


@pytest.mark.parametrize("pattern", ["(?P<band>x", "(?P<band>x)", "(?P<band>x)(?P<date>y)(?P<orbit>z)"])
def test_a_pattern_needs_the_groups_band_and_date_and_no_unknown_one(pattern):
    with pytest.raises(ValidationError, match=r"regular expression|named groups"):
        FilesImport(kind="files", name="s2", folder="/data", pattern=pattern, bands={"red": "B04"})

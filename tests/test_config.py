import os
import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from cocal.config import PeriodSettings, read_config
from cocal.errors import ConfigError, InputError
from cocal.settings import read_yaml

MINIMAL = {
    "name": "t",
    "runs": "runs",
    "archive": "archive",
    "scheme": "scheme.yaml",
    "periods": [{"name": "2024", "start": date(2024, 1, 1), "end": date(2024, 12, 31)}],
    "regions": {
        "sources": [{"path": "r.gpkg", "id": "id", "name": "name", "country": "country"}],
        "sliver_m": 0,
    },
    "index": {
        "mask": "none",
        "windows": "monthly",
        "composite": "median",
        "features": ["NDVI.median"],
        "fill": {"*": "none"},
    },
    "classify": {"model": "models/m", "min_clear": 1, "missing": "unobserved"},
}


def written(tmp_path, **changes):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(MINIMAL | changes), encoding="utf-8")
    return path


def refusal(path):
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return str(caught.value)


def test_paths_are_relative_to_the_file_wherever_the_command_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    config = read_config(written(tmp_path))
    assert config.archive == tmp_path / "archive"
    assert config.regions.sources[0].path == tmp_path / "r.gpkg"
    assert config.root == tmp_path / "runs" / "t"
    assert config.classify.model == tmp_path / "models" / "m"


def test_every_problem_is_listed_at_once_with_its_path_and_what_is_allowed(tmp_path):
    text = refusal(
        written(
            tmp_path,
            grid={"tile_pixels": 384},
            periods=[{"name": "2024", "start": date(2024, 2, 1), "end": date(2024, 1, 1)}],
            classify={"model": "m", "min_clear": 0, "missing": "guess"},
            index=MINIMAL["index"] | {"windows": "weekly"},
        )
    )
    assert "grid.tile_pixels: unknown key; did you mean 'tile_px'?" in text
    assert "block_px, tile_px" in text
    assert "periods.0: ends (2024-01-01) before it starts (2024-02-01)" in text
    assert "classify.min_clear" in text
    assert "classify.missing: Input should be 'unobserved' or 'native' (found 'guess')" in text
    assert "index.windows" in text


def test_an_unknown_key_deep_in_a_list_names_what_is_allowed_there(tmp_path):
    source = MINIMAL["regions"]["sources"][0] | {"colour": "red"}
    text = refusal(written(tmp_path, regions={"sources": [source], "sliver_m": 0}))
    assert "regions.sources.0.colour: unknown key" in text
    assert "country_code" in text


def test_a_model_is_either_given_or_trained(tmp_path):
    text = refusal(written(tmp_path, classify={"min_clear": 1, "missing": "unobserved"}))
    assert "`train:` or `classify.model:`" in text


OFFICE = {
    "id": "office", "source": "drawn by eye", "licence": "none", "elsewhere": "other", "observed": "all",
    "layers": [{"path": "census.gpkg", "class": "coca", "period_column": "period"}],
}  # fmt: skip


def test_an_office_s_own_map_needs_no_model_and_no_images(tmp_path):
    path = tmp_path / "run.yaml"
    content = {key: value for key, value in MINIMAL.items() if key not in ("archive", "index")}
    path.write_text(yaml.safe_dump(content | {"classify": {"map": OFFICE}}), encoding="utf-8")
    config = read_config(path)
    assert (config.archive, config.index, config.has_model) == (None, None, False)
    assert config.classify.map.layers[0].path == tmp_path / "census.gpkg"
    assert config.classify.map.layers[0].columns == ("period",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classify": {"map": OFFICE, "min_clear": 1, "threshold": 0.5}}, "classify: min_clear, threshold: "),
        ({"classify": MINIMAL["classify"] | {"map": OFFICE}}, "classify.lead: needed"),
        ({"classify": MINIMAL["classify"] | {"lead": "map"}}, "classify.lead: needed"),
        ({"classify": {"map": OFFICE, "lead": "map"}}, "classify.lead: needed"),
        ({"classify": {"model": "m"}}, "classify.min_clear: needed by a model's map; classify.missing: "),
        ({"index": None}, "index: needed by a model's map"),
        (
            {"archive": None, "keep": ["features"]},
            "archive: needed by a model's map; archive: needed by keep",
        ),
        (
            {
                "classify": {
                    "map": OFFICE | {"layers": [{"path": "c.gpkg", "class": "coca", "period": "1999"}]}
                }
            },
            "classify.map: periods that `periods` has not: 1999",
        ),
    ],
)
def test_the_keys_of_a_map_are_those_of_whose_map_it_is(tmp_path, changes, words):
    assert words in refusal(written(tmp_path, **changes))


def test_two_maps_name_the_one_that_leads(tmp_path):
    both = MINIMAL["classify"] | {"map": OFFICE, "lead": "map"}
    assert read_config(written(tmp_path, classify=both)).classify.lead == "map"


def test_blocks_do_not_outgrow_tiles(tmp_path):
    assert "block_px 512 is larger than tile_px 384" in refusal(
        written(tmp_path, grid={"tile_px": 384, "block_px": 512})
    )


def test_elevation_needs_a_dem(tmp_path):
    index = MINIMAL["index"] | {"features": ["NDVI.median", "elevation"]}
    assert "dem:" in refusal(written(tmp_path, index=index))


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "just words"])
def test_what_is_not_a_mapping_of_keys_is_refused(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    assert str(path) in refusal(path)


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match="nowhere"):
        read_config(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"groups": {"": ["PE-*"]}}, "groups"),
        ({"groups": {" ": ["PE-*"]}}, "groups"),
        ({"groups": {"north": []}}, "groups.north"),
        ({"index": MINIMAL["index"] | {"windows": 10**30}}, "index.windows"),
        ({"classify": MINIMAL["classify"] | {"min_clear": 1e20}}, "classify.min_clear"),
        (
            {"classify": MINIMAL["classify"] | {"min_clear": True}},
            "min_clear: a number is needed, not yes or no",
        ),
        ({"runs": "run.yaml"}, "runs: .*run.yaml is a file, not a folder"),
        ({"runs": "run.yaml/below"}, "runs: .*Not a directory"),
        ({"scheme": "/dev/null"}, "scheme: /dev/null is neither a file nor a folder"),
        ({"scheme": "pipe"}, "scheme: pipe is neither a file nor a folder"),
        ({"scheme": "circle"}, "scheme: "),
        ({"scheme": "x" * 5_000}, "scheme: .*name too long"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_key(tmp_path, changes, words):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert re.search(words, refusal(written(tmp_path, **changes)))


def test_a_pipe_is_no_configuration(tmp_path):
    os.mkfifo(tmp_path / "run.yaml")
    with pytest.raises(InputError, match="not a file"):
        read_config(tmp_path / "run.yaml")


def test_a_period_called_by_a_year_lies_in_it() -> None:
    """Official figures of a year are set beside the period of that name."""
    PeriodSettings(name="2024", start="2023-10-01", end="2024-09-30")
    PeriodSettings(name="2024-dry", start="2023-05-01", end="2023-09-30")
    with pytest.raises(ValidationError, match="is called 2023 and lasts from 2024-01-01"):
        PeriodSettings(name="2023", start="2024-01-01", end="2024-12-31")


def test_hectares_whose_point_may_stand_between_thousands_are_refused_with_their_key(tmp_path: Path) -> None:
    """YAML reads 14.300 as 14.3; La Paz may have 14,300 ha."""
    path = tmp_path / "run.yaml"
    path.write_text("legal: {limits: [{limit_ha: 14.300}]}\nplot_ha: 0.100\nseed: 1.000\n")
    with pytest.raises(ConfigError, match=r"legal.limits.0.limit_ha: 14.300 .*thousands"):
        read_yaml(path, "configuration", "fix it")
    path.write_text("limit_ha: 14.3000\nother_ha: 14300\nthird_ha: '14.300'\n")
    assert read_yaml(path, "configuration", "fix it")["limit_ha"] == 14.3

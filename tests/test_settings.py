"""YAML files that cannot be what their author meant end with an error that names the key."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from cocal.config import read_config
from cocal.errors import UsageError
from cocal.fieldwork.checks.layout import read_mapping
from cocal.scheme import read_scheme
from tests.test_config import MINIMAL

PLAIN = yaml.safe_dump(MINIMAL)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

CASES = {
    "a key twice": (PLAIN + "archive: other\n", r"archive: given twice, in lines 1 and \d+"),
    "a key twice, deep": (
        PLAIN.replace("  min_clear: 1\n", "  min_clear: 1\n  'min_clear': 2\n"),
        r"classify\.min_clear: given twice, in lines \d+ and \d+",
    ),
    "31 June": (PLAIN.replace("2024-12-31", "2024-06-31"), r"periods\.0\.end: .*2024-06-31"),
    "month 13": (PLAIN.replace("2024-12-31", "2024-13-01"), r"periods\.0\.end: .*2024-13-01"),
    "an hour 99": (PLAIN.replace("2024-12-31", "2024-12-31T99:00:00Z"), r"periods\.0\.end: "),
    "all time": (
        PLAIN.replace("2024-01-01", "0001-01-01").replace("2024-12-31", "9999-12-31"),
        r"periods\.0: 0001-01-01 to 9999-12-31 is not within 1970-01-01 to 2099-12-31",
    ),
    "NUL": (PLAIN.replace("archive: archive", 'archive: "a\\0b"'), r"archive: a NUL character"),
    "infinite": (PLAIN.replace("sliver_m: 0", "sliver_m: .inf"), r"regions\.sliver_m: .*finite"),
    "not a number": (PLAIN.replace("sliver_m: 0", "sliver_m: .nan"), r"regions\.sliver_m: "),
    "huge": (PLAIN.replace("min_clear: 1", "min_clear: 1.0e+20"), r"classify\.min_clear: .*1e.20"),
    "more digits than Python reads": (
        PLAIN.replace("min_clear: 1", "min_clear: " + "9" * 5000),
        r"classify\.min_clear: ",
    ),
    "no digits": (PLAIN.replace("min_clear: 1", "min_clear: 0x_"), r"classify\.min_clear: "),
    "aliases": (BOMB + PLAIN, r"more than 100000 values, aliases written out"),
    "an alias within itself": (PLAIN + "groups: &g {a: *g}\n", r"groups\.a.*: more than 60 levels"),
    "nested": (PLAIN + "groups: " + "[" * 61 + "]" * 61 + "\n", r"more than 60 levels"),
    "nested very deeply": (PLAIN + "groups: " + "[" * 20_000, r"levels of nesting|is not YAML"),
    "large": ("# " + "x" * 2_000_000 + "\n" + PLAIN, r"at most 2000000 bytes"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_configuration_that_cannot_be_meant_is_refused_with_its_key(tmp_path: Path, case: str) -> None:
    text, problem = CASES[case]
    assert text != PLAIN
    path = tmp_path / "run.yaml"
    path.write_text(text)
    began = time.process_time()
    with pytest.raises(UsageError, match=problem) as caught:
        read_config(path)
    assert caught.value.exit_code == 2
    assert time.process_time() - began < 10


@pytest.mark.parametrize("read", [read_config, read_scheme, read_mapping])
@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 20,
        b"\x89PNG\r\n\x1a\n\0\0",
        b"a: \x00",
        b"- [",
        b"a: !!python/name:os.system x",
        b"? [a]\n: b",
    ],
)
def test_a_binary_file_or_other_yaml_is_refused_wherever_yaml_is_read(
    tmp_path: Path, read: object, data: bytes
) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"file\.yaml"):
        read(path)  # type: ignore[operator]


@pytest.mark.parametrize("read", [read_scheme, read_mapping])
def test_a_key_given_twice_is_refused_in_every_file(tmp_path: Path, read: object) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("crs: EPSG:4326\ncrs: EPSG:32719\n")
    with pytest.raises(UsageError, match="crs: given twice, in lines 1 and 2"):
        read(path)  # type: ignore[operator]


def test_merged_keys_may_be_replaced_as_yaml_has_it(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(PLAIN + "local: {<<: &w {workers: 2}, workers: 3}\n")
    assert read_config(path).local.workers == 3

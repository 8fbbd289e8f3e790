"""The way of one map, from its stage to its manifest, is the one that docs/architecture.md draws."""

import re
import sys
from pathlib import Path

import pytest

from cocal.assets import PACKAGE
from cocal.config import read_config
from cocal.run import run

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.md"


@pytest.fixture
def picture():
    """(packages, functions) of the section in the document."""
    section = DOCUMENT.read_text(encoding="utf-8").split("## The way of one map")[1].split("\n## ")[0]
    functions = re.findall(r"^    ([\w/]+\.\w+) ", section, re.MULTILINE)
    (packages,) = re.findall(r"^Packages: (.+)\.$", section, re.MULTILINE)
    (values,) = re.findall(r"^Not counted, modules of values: (.+)\.$", section, re.MULTILINE)
    return set(packages.split(", ")), set(values.split(", ")), functions


def traced(work):
    """(module, function) of every call into the package, in order."""
    calls = []

    def profile(frame, event, _):
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(PACKAGE)):
            name = Path(path).relative_to(PACKAGE).with_suffix("").as_posix().removesuffix("/__init__")
            calls.append((name, frame.f_code.co_name))

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_a_serial_tile_goes_the_way_that_is_drawn(finished, picture):
    packages, values, functions = picture
    finished.edit(lambda content: content["classify"].update(min_clear=2))
    config = read_config(finished.config)
    calls = traced(lambda: run(config, last="classify"))
    drawn = [tuple(name.rsplit(".", 1)) for name in functions]
    begin = calls.index(drawn[0])
    end = next(k for k in range(begin, len(calls)) if calls[k] == drawn[-1])
    one = calls[begin:end]
    order = list(dict.fromkeys(call for call in calls[begin : end + 1] if call in drawn))
    assert order == drawn
    rooms = {module.split("/")[0] for module, _ in one}
    assert rooms - values == packages

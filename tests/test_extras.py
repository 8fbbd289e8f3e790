"""Without an extra the rest of cocal works, and what needs it states how to install it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import cocal
from cocal.extras import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED_BY = {
    "download": ("cocal.scenes.download.hub", "cocal.scenes.download.stac", "cocal.scenes.download.tokens"),
    "exchange": ("cocal.exchange.signing", "cocal.run.bundle"),
    "report": ("cocal.report.figures", "cocal.report", "cocal.run.results", "cocal.serve"),
    "serve": ("cocal.serve",),
}
"""Extra -> the modules that cannot be imported without it, and packages of which a part cannot."""


def run_without(extra: str, code: str) -> subprocess.CompletedProcess[str]:
    """A process in which the modules of an extra, without those shared with others, cannot be imported."""
    shared = {"PIL"} | (set(EXTRAS["report"]) if extra == "serve" else set())
    own = [name for name in EXTRAS[extra] if name not in shared]
    block = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if any(name == n or name.startswith(n + '.') for n in {own!r}):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
    )
    return subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("extra", EXTRAS)
def test_without_an_extra_every_other_module_can_be_imported(extra):
    names = [module.name for module in pkgutil.walk_packages(cocal.__path__, "cocal.")]
    needed = NEEDED_BY[extra]
    others = [n for n in names if not any(n == m or n.startswith(f"{m}.") for m in needed)]
    statements = [*(f"import {name}" for name in others), "print('all others')", f"import {needed[0]}"]
    answer = run_without(extra, "\n".join(statements))
    assert answer.stdout == "all others\n", answer.stderr
    assert "ModuleNotFoundError" in answer.stderr


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [("serve", "serve runs/demo"), ("download", "download --dry-run x.yaml"), ("report", "train x.yaml")],
)
def test_a_command_that_lacks_its_extra_states_how_to_install_it(extra, arguments):
    command = f"sys.argv = ['cocal', *{arguments.split()!r}]; from cocal.cli import main; main()"
    answer = run_without(extra, command)
    assert answer.returncode == 2
    assert "needs packages that are not installed" in answer.stderr
    assert f'pip install "cocal[{extra}]"' in answer.stderr


def test_a_run_states_before_its_work_which_extra_a_later_stage_lacks():
    code = (
        "from unittest.mock import MagicMock\n"
        "from cocal.run.inputs import check_inputs\n"
        "check_inputs(MagicMock(), MagicMock(), MagicMock(), ['classify', 'report'])\n"
    )
    answer = run_without("report", code)
    assert 'pip install "cocal[report]"' in answer.stderr
    assert "the stage report needs packages" in answer.stderr


def test_a_figure_in_a_notebook_states_what_it_lacks():
    answer = run_without("report", "import cocal; cocal.plot_map(None, None)")
    assert 'fix: pip install "cocal[report]"' in answer.stderr


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_modules_of_an_extra_are_those_that_pyproject_installs(extra):
    found = metadata.packages_distributions()
    checked = {d for name in EXTRAS[extra] for d in found[name.partition(".")[0]]}
    stated = {name.partition(">")[0] for name in PROJECT["optional-dependencies"][extra]}
    if "cocal[report]" in stated:
        stated |= {name.partition(">")[0] for name in PROJECT["optional-dependencies"]["report"]}
    normal = {name.lower() for name in checked} & {name.lower() for name in stated}
    assert normal == {name.lower() for name in stated} - {"cocal[report]"}
    assert PROJECT["optional-dependencies"]["all"] == [f"cocal[{','.join(sorted(EXTRAS))}]"]

"""Every module can be imported by its name: no object of a package hides one of its modules."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import metadata

import cocal

MODULES = [module.name for module in pkgutil.walk_packages(cocal.__path__, "cocal.")]


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_as_gives_a_module_for_every_module():
    statements = "".join(f"import {name} as m\nfound.append(m)\n" for name in MODULES)
    code = f"import types\nfound = []\n{statements}"
    code += f"print(*(n for n, m in zip({MODULES!r}, found) if not isinstance(m, types.ModuleType)))"
    assert run_python(code).split() == []


def test_a_subpackage_stays_a_module_after_the_public_names_were_used():
    subpackages = [name for name in MODULES if name.count(".") == 1]
    code = "import cocal, types\nfor name in cocal.__all__:\n    getattr(cocal, name)\n"
    code += f"import {', '.join(subpackages)}\n"
    code += f"print(*(n for n in {subpackages!r} if not isinstance(getattr(cocal, n[6:]), types.ModuleType)))"
    assert run_python(code).split() == []


def test_the_version_is_that_of_the_installed_package():
    assert cocal.__version__ == metadata.version("cocal")
    assert run_python(
        "import sys; sys.argv = ['cocal', '--version']; from cocal.cli import main; main()"
    ) == (f"cocal {cocal.__version__}\n")

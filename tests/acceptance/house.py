"""The code base, made simpler: the figures of before, addresses from code, notes as codes, one of each."""

from __future__ import annotations

import ast
import csv
import functools
import hashlib
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cocal.assets import PACKAGE
from cocal.contracts import CLASS_TIF
from cocal.notes import render
from cocal.run.tables import estimate_warnings
from tests.test_closures import EVERY_DIGEST, pythons

ROOT = Path(__file__).parents[2]
BEFORE = "c5ec482"
"""The last commit before the change."""

FEWER_LINES = 3000
COLD_S, WARM_S = 0.3, 0.05
NOTE_COLUMNS = frozenset({"notes", "why_not_comparable"})
MAPS = (CLASS_TIF, "probability.tif", "n_clear.tif", "dissimilarity.tif")
REMOVED = (
    r"FallbackWarning", r"class Store\b", r"\.skipped\b|^    skipped\b", r"_ACCOUNTS\b", r"_EAST_NORTH\b",
    r"source_digest", r"--reference",
)  # fmt: skip
"""What the list of things not true or not used names, as regular expressions, and what took their place."""

MUTATIONS = (
    ("estimate/areas.py", "n < MIN_REGION_POINTS", "n <= MIN_REGION_POINTS",
     "tests/estimate/test_ten_points.py"),
    ("estimate/change.py", '["n"] < MIN_REGION_POINTS', '["n"] <= MIN_REGION_POINTS',
     "tests/estimate/test_ten_points.py"),
    ("grid.py", 'side="right")', 'side="left")', "tests/test_grid.py"),
    ("grid.py", "np.floor(dx / t.a), np.floor(dy / t.e)", "np.ceil(dx / t.a) - 1, np.ceil(dy / t.e) - 1",
     "tests/test_pixel_edges.py"),
)  # fmt: skip
"""File, its text, another comparison in its place, the tests that must fail then."""


@functools.cache
def package_before() -> Path:
    """The folder `pipeline` of before, beside its `configs`."""
    folder = Path(tempfile.mkdtemp(prefix="cocal-before-"))
    archive = subprocess.run(["git", "archive", BEFORE, "pipeline", "configs"], cwd=ROOT, capture_output=True)
    if archive.returncode:
        raise RuntimeError(
            f"commit {BEFORE} is not in this clone ({archive.stderr.decode().strip()}): fetch the whole "
            "history with 'git fetch --unshallow'"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as file:
        file.extractall(folder, filter="data")
    return folder / "pipeline"


def environment(package: Path, **more: str) -> dict[str, str]:
    """The variables of a process that imports `cocal` from the folder `package`."""
    return {**os.environ, "PYTHONPATH": str(package), **more}


@functools.cache
def demo(package: Path) -> tuple[Path, str]:
    """Folder of the demo, simulated and run by a package in a fresh folder, and what `cocal run` printed."""
    folder = Path(tempfile.mkdtemp(prefix="cocal-demo-"))
    shutil.copytree(package.parent / "configs", folder / "configs")
    printed = ""
    for arguments in (["simulate", "work/demo"], ["run", "configs/demo.yaml"]):
        done = subprocess.run(
            [sys.executable, "-c", "from cocal.cli import main; main()", *arguments],
            env=environment(package, COLUMNS="200"), cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"cocal {' '.join(arguments)}: {done.stderr[-2000:]}"
        printed = done.stdout
    return folder, printed


def table_without_notes(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    kept = [i for i, name in enumerate(header) if name not in NOTE_COLUMNS]
    return [[row[i] for i in kept] for row in (header, *rows)]


def estimates_without_warnings(path: Path) -> str:
    """The text of estimates.json, numbers as they are written."""
    estimates: dict[str, dict[str, Any]] = json.loads(
        path.read_text(encoding="utf-8"), parse_float=str, parse_int=str
    )
    for estimate in estimates.values():
        estimate.pop("warnings")
    return json.dumps(estimates)


def map_digests(run: Path) -> dict[str, str]:
    """`period/tile/file` -> SHA-256, without the address."""
    return {
        f"{path.parents[2].name}/{path.parents[1].name}/{path.name}": hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for name in MAPS
        for path in sorted((run / "maps").rglob(name))
    }


def the_demo_has_the_bytes_of_before_apart_from_notes() -> str:
    old, new = (demo(package)[0] for package in (package_before(), PACKAGE.parent))
    land = sorted(p.relative_to(old) for p in (old / "work").rglob("*.tif"))
    differing = [str(p) for p in land if (old / p).read_bytes() != (new / p).read_bytes()]
    old, new = old / "runs" / "demo", new / "runs" / "demo"
    for name in ("hectares.csv", "comparison.csv"):
        if table_without_notes(old / name) != table_without_notes(new / name):
            differing.append(name)
    if estimates_without_warnings(old / "estimates.json") != estimates_without_warnings(
        new / "estimates.json"
    ):
        differing.append("estimates.json")
    before, now = map_digests(old), map_digests(new)
    assert before, "the demo of before made no map"
    differing += [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    assert not differing, f"{len(differing)} differ: {', '.join(differing[:10])}"
    return (
        f"{len(land)} rasters of the simulated land, {len(before)} files of maps, hectares.csv, "
        f"comparison.csv and estimates.json are those of {BEFORE}"
    )


def pytest_counts(*paths: str, package: Path = PACKAGE.parent) -> tuple[str, bool]:
    """The last line of pytest over `paths`, and whether all passed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not network", *paths],
        env=environment(package), cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()]
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest {' '.join(paths)}: {done.stdout[-1500:]}{done.stderr[-500:]}")
    failed = [line for line in lines if line.startswith("FAILED")]
    return "; ".join([*failed[:5], lines[-1]]), done.returncode == 0


def passed(*paths: str) -> str:
    """The counts of the tests; raises if one fails."""
    line, well = pytest_counts(*paths)
    assert well, line
    return line


def addresses_follow_the_code_and_nothing_else() -> str:
    return passed("tests/test_closures.py", "tests/test_code.py", "tests/test_jit.py")


def what_a_traced_run_executes_lies_in_its_closure() -> str:
    return passed("tests/run/test_traced.py")


SPENT = """
import time
import cocal.code as code
spent = 0.0
def timed(function):
    def call(*given):
        global spent
        began = time.process_time()
        result = function(*given)
        spent += time.process_time() - began
        return result
    return call
code.code_of, code.code_of_users = timed(code.code_of), timed(code.code_of_users)
from cocal.run.worker.tiles import block_map, write_map
code.code_of(block_map, write_map)
print(spent)
"""


def cpu_seconds_of_an_address(cache: Path) -> float:
    """CPU seconds that a fresh process needs for the code of a map, its compiled kernels included."""
    own = environment(PACKAGE.parent, XDG_CACHE_HOME=str(cache))
    done = subprocess.run([sys.executable, "-c", SPENT], env=own, capture_output=True, text=True, check=True)
    return float(done.stdout)


def an_address_costs_little_cold_and_warm() -> str:
    cold, warm = [], []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(cpu_seconds_of_an_address(Path(folder)))
            warm.append(cpu_seconds_of_an_address(Path(folder)))
    figure = (
        f"code of a map and of all kernels, the least of 5 processes: {min(cold):.3f} CPU s cold "
        f"(at most {COLD_S}), {min(warm):.3f} warm (at most {WARM_S})"
    )
    assert min(cold) <= COLD_S, figure
    assert min(warm) <= WARM_S, figure
    return figure


def one_digest_on_every_python_of_this_machine() -> str:
    digests = {}
    for path in pythons():
        text = f"import sys\n{EVERY_DIGEST}\nprint(*sys.version_info[:2], sep='.')"
        done = subprocess.run(
            [path, "-c", text], env=environment(PACKAGE.parent), capture_output=True, text=True, check=True
        )
        one, version = done.stdout.strip().splitlines()
        digests[version] = json.loads(one)
    text = [json.dumps(one, sort_keys=True) for one in digests.values()]
    different = {hashlib.sha256(one.encode()).hexdigest()[:12] for one in text}
    figure = f"{len(digests[version])} definitions under Python {', '.join(digests)}: {', '.join(different)}"
    assert len(different) == 1, figure
    return f"{figure}; the digest of every form of syntax is a constant in tests/test_closures.py"


def the_way_of_one_map_is_the_one_that_is_drawn() -> str:
    return passed("tests/run/test_way_of_a_map.py")


def no_sentence_is_a_key_and_every_note_has_both_languages() -> str:
    return passed("tests/test_notes.py")


def the_demo_prints_tabulates_and_shows_its_four_warnings_in_both_languages() -> str:
    folder, printed = demo(PACKAGE.parent)
    run = folder / "runs" / "demo"
    warnings = estimate_warnings(run)
    page = html.unescape((run / "report" / "index.html").read_text(encoding="utf-8"))
    shown = {"page": " ".join(page.split()), "command": " ".join(printed.split())}
    for _, note in warnings:
        for language in ("es", "en"):
            for where, text in shown.items():
                sentence = " ".join(render(note, language).split())
                if (where, language) == (
                    "page",
                    "en",
                ):  # the page's English per cent stands next to its figure
                    sentence = sentence.replace(" %", "%")
                assert sentence in text, f"{where}, {language}: {sentence!r} is missing"
    estimates = json.loads((run / "estimates.json").read_text(encoding="utf-8"))
    codes = [warning["code"] for estimate in estimates.values() for warning in estimate["warnings"]]
    assert codes == [note.code for _, note in warnings]
    assert len(warnings) == 4, f"{len(warnings)} warnings"
    kinds = ", ".join(f"{code} ({codes.count(code)})" for code in sorted(set(codes)))
    return f"{len(warnings)} in notes.csv and estimates.json ({kinds}); page and command: each in es and en"


def a_point_on_an_edge_is_in_one_pixel_for_every_reader() -> str:
    return passed("tests/test_pixel_edges.py")


def exactly_ten_points_and_the_meridian_have_tests_that_see_a_wrong_comparison() -> str:
    line = passed(*sorted({tests for *_, tests in MUTATIONS}))
    seen = []
    for file, old, new, tests in MUTATIONS:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "cocal"
            shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
            text = (copy / file).read_text(encoding="utf-8")
            assert text.count(old) == 1, f"{file}: {old!r} is there {text.count(old)} times"
            (copy / file).write_text(text.replace(old, new), encoding="utf-8")
            last, well = pytest_counts(tests, package=copy.parent)
        assert not well, f"{file}, {new!r}: no test of {tests} fails"
        seen.append(f"{file} '{new}': {last.rsplit('; ', 1)[-1].strip('= ')}")
    return f"unchanged {line}; {'; '.join(seen)}"


def every_module_has_its_name_for_itself() -> str:
    return passed("tests/test_module_names.py")


def nothing_of_the_list_of_unused_things_is_left() -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vulture"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"vulture: {done.stdout[-1000:]}{done.stderr[-500:]}"
    assert "$(BIN)/vulture" in (ROOT / "Makefile").read_text(encoding="utf-8"), "make lint runs no vulture"
    found = [
        f"{path.relative_to(PACKAGE)}: {match.group().strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for pattern in REMOVED
        for match in re.finditer(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not found, "; ".join(found)
    return f"vulture finds nothing; none of {len(REMOVED)} names in {PACKAGE.name}/"


def documented(tree: ast.AST) -> Iterator[int]:
    """Numbers of the lines of docstrings, those of variables included."""
    for node in ast.walk(tree):
        for statement in body if isinstance(body := getattr(node, "body", None), list) else ():
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield from range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def count_lines(folder: Path) -> tuple[int, int]:
    """Lines of all modules; of code, without blank lines, comments and docstrings."""
    lines = code = 0
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        own, apart = text.splitlines(), set(documented(ast.parse(text)))
        lines += len(own)
        code += sum(
            number not in apart and line.strip() != "" and not line.strip().startswith("#")
            for number, line in enumerate(own, 1)
        )
    return lines, code


def pipeline_has_at_least_3000_lines_fewer() -> str:
    (before, code_before), (now, code_now) = count_lines(package_before()), count_lines(PACKAGE)
    figure = (
        f"{before:,} lines before, {now:,} now: {before - now:+,} fewer, asked {FEWER_LINES:,}; code without "
        f"docstrings, comments and blank lines {code_before:,} before, {code_now:,} now: "
        f"{code_before - code_now:+,} fewer"
    )
    assert before - now >= FEWER_LINES, figure
    return figure


def every_public_name_has_an_example_that_tests_run() -> str:
    return passed("tests/test_docstrings.py", "tests/run/test_api.py")


def what_is_added_touches_only_the_files_that_the_table_names() -> str:
    return passed("tests/test_adding.py")


REQUIREMENTS = (
    the_demo_has_the_bytes_of_before_apart_from_notes,
    addresses_follow_the_code_and_nothing_else,
    what_a_traced_run_executes_lies_in_its_closure,
    an_address_costs_little_cold_and_warm,
    one_digest_on_every_python_of_this_machine,
    the_way_of_one_map_is_the_one_that_is_drawn,
    no_sentence_is_a_key_and_every_note_has_both_languages,
    the_demo_prints_tabulates_and_shows_its_four_warnings_in_both_languages,
    a_point_on_an_edge_is_in_one_pixel_for_every_reader,
    exactly_ten_points_and_the_meridian_have_tests_that_see_a_wrong_comparison,
    every_module_has_its_name_for_itself,
    nothing_of_the_list_of_unused_things_is_left,
    pipeline_has_at_least_3000_lines_fewer,
    every_public_name_has_an_example_that_tests_run,
    what_is_added_touches_only_the_files_that_the_table_names,
)

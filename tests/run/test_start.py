"""What a run loads before it does anything: of the libraries that are slow to load, what its stages need."""

import subprocess
import sys

SLOW = {
    "jinja2",
    "matplotlib",
    "numba",
    "scipy.ndimage",
    "scipy.spatial",
    "scipy.special",
    "skops",
    "sklearn",
}


def loaded_by(code):
    """Which of SLOW are loaded after `code` has run in a process of its own."""
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sorted({SLOW!r} & set(sys.modules)))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(answer.stdout.split())


def test_a_configuration_and_the_measure_stage_load_nothing_slow():
    assert loaded_by("import cocal.config, cocal.run.measure.stage") == set()


def test_a_run_that_finds_all_its_maps_and_hectares_loads_nothing_slow(finished):
    code = (
        "from cocal.config import read_config; from cocal.run import run\n"
        f"run(read_config({str(finished.config)!r}), last='measure')"
    )
    assert loaded_by(code) == set()

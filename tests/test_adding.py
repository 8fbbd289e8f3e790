"""What docs/architecture.md says under "To add something" is done here, in a copy of the package, and
used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cocal.assets import PACKAGE
from tests.support.small_world import make_world

ROOT = Path(__file__).parents[1]


def named(what: str) -> set[str]:
    """The files and folders that the table names for `what`, below the repository."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("## To add something")[1]
    (row,) = (line for line in text.splitlines() if line.startswith(f"| {what} |"))
    paths = re.findall(r"`([\w/]+(?:\.\w+|/))`", row)
    here = ("docs/", "tests/", "benchmarks/")
    return {path if path.startswith(here) else f"pipeline/cocal/{path}" for path in paths}


class Copy:
    """A copy of the package and of docs/, where the files that the table does not name may not be touched."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder, self.named = folder, named(what)
        # compiled modules go along: the times and sizes of the copied files still fit them
        skipped = shutil.ignore_patterns("vendor", "*.pyc.*")
        shutil.copytree(PACKAGE, folder / "pipeline" / "cocal", ignore=skipped)
        shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("images"))

    def write(self, path: str, text: str) -> None:
        """Write a file that the table names, or that lies in a folder that it names."""
        assert any(path == name or (name.endswith("/") and path.startswith(name)) for name in self.named)
        (self.folder / path).write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace `old`, which is there once, by `new`."""
        text = (self.folder / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))

    def python(self, code: str, *arguments: str) -> str:
        """What a fresh process prints that imports this copy."""
        env = {**os.environ, "PYTHONPATH": str(self.folder / "pipeline")}
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, env=env, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@pytest.fixture
def copy_for(tmp_path):
    return lambda what: Copy(tmp_path / "copy", what)


def test_an_index(copy_for):
    copy = copy_for("an index")
    row = '_difference("XYZ", "Invented index", "nir08", "rededge071", "an example"),'
    copy.edit("pipeline/cocal/features/indices.py", "_TABLE = (\n", f"_TABLE = (\n    {row}\n")
    shutil.copy(ROOT / "docs" / "make_indices.py", copy.folder / "docs")
    code = "from cocal.features import compute_index; import numpy as np\n"
    code += "print(compute_index('XYZ', {'nir08': np.array([0.3]), 'rededge071': np.array([0.1])})[0])"
    assert float(copy.python(code)) == pytest.approx(0.2 / 0.4)
    copy.python(
        (copy.folder / "docs" / "make_indices.py").read_text().replace("__file__", "'docs/make_indices.py'")
    )
    assert "`XYZ`" in (copy.folder / "docs" / "indices.md").read_text(encoding="utf-8")


def test_a_setting_of_the_estimators(copy_for):
    copy = copy_for("a setting of the estimators, or another key of the YAML")
    copy.edit(
        "pipeline/cocal/estimate/settings.py",
        "    estimator: str\n    interval: str\n",
        '    estimator: str\n    interval: str\n    finite: bool = Field(True, description="an example")\n',
    )
    copy.edit(
        "docs/configuration.md",
        "| `estimator` | how area is estimated",
        "| `finite` | an example | yes, no | no: yes |\n| `estimator` | how area is estimated",
    )
    code = (
        "from cocal.content import content\nfrom cocal.estimate.settings import EstimateSettings as E\n"
        "a, b = (E(estimator='stratified', interval='gamma', confidence=.9, finite=f) for f in (True, "
        "False))\n"
        "print(content(a) != content(b))"
    )
    assert copy.python(code).strip() == "True"
    shutil.copytree(ROOT / "configs", copy.folder / "configs")
    (copy.folder / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "test_docs.py", copy.folder / "tests")
    wanted = "test_the_page_has_every_key_of_a_section_and_no_other_and_says_which_are_needed"
    out = copy.python(
        f"import pytest, sys; sys.exit(pytest.main(['-q', '-k', '{wanted}', 'tests/test_docs.py']))"
    )
    assert "passed" in out


def test_a_stage(copy_for, tmp_path):
    copy = copy_for("a stage")
    copy.write(
        "pipeline/cocal/run/stages/tally.py",
        '"""An example: the number of scenes."""\n\n'
        "from cocal.run.recipes import Batch, Recipe\n\n\n"
        "def tally(run):\n"
        '    yield Batch("tally", (Recipe(":tally", len(run.scenes), write),))\n\n\n'
        "def write(folder, _, task):\n"
        '    (folder / "tally.txt").write_text(str(task))\n',
    )
    line = '    "train": "stages.train:train",\n'
    copy.edit("pipeline/cocal/run/stages/__init__.py", line, f'    "tally": "stages.tally:tally",\n{line}')
    line = '    "index": "Write masked'
    copy.edit("pipeline/cocal/cli/__init__.py", line, f'    "tally": "Count the scenes.",\n{line}')
    world = make_world(tmp_path / "world", size_px=96)
    command = "import sys; from cocal.cli import main; sys.exit(main())"
    for _ in range(2):  # the second is reused
        out = copy.python(command, "tally", "--serial", str(world.config))
    assert (world.root / "tally.txt").read_text() == "8"
    assert "0 unit(s) made, 9 reused" in out


def test_a_null_model(copy_for):
    copy = copy_for("a null model")
    path = "pipeline/cocal/classify/validation/nulls.py"
    copy.edit(
        path,
        "NULLS: Mapping[",
        "def never(problem: Problem, _settings: TrainSettings) -> Predictor | str:\n"
        '    """Never the target."""\n'
        "    other = next(key for key in problem.keys if key != problem.target)\n"
        "    return lambda train, test: Prediction(np.full(len(test), other, object), "
        "np.zeros(len(test)))\n\n\n"
        "NULLS: Mapping[",
    )
    copy.edit(path, '    "majority": majority,\n', '    "majority": majority,\n    "never": never,\n')
    code = (
        "import numpy as np, pandas as pd\nfrom cocal.classify import TrainSettings, train\n"
        "from cocal.scheme import ClassScheme\n"
        "rng = np.random.default_rng(1)\n"
        "t = pd.DataFrame({'a': rng.normal(size=240).astype('f4'), 'epsg': 32719, 'sample_id': range(240)})\n"
        "t['x'], t['y'] = 500000 + rng.integers(0, 9000, 240), 8400000 + rng.integers(0, 9000, 240)\n"
        "t['label'] = np.where(t['a'] > 0, 'coca', 'other'); t['sample_id'] = t['sample_id'].astype(str)\n"
        "classes = [dict(code=1, key='coca', name_es='c', name_en='c', colour='#000000'),\n"
        "           dict(code=2, key='other', name_es='o', name_en='o', colour='#111111')]\n"
        "scheme = ClassScheme(id='s', target='coca', definition={'counts': 'c'}, classes=classes)\n"
        "settings = TrainSettings(id='m', estimator='random_forest', parameters={'n_estimators': 3}, "
        "seed=1,\n"
        "    missing='drop', null_index='a', validation=dict(block_m=1500, folds=3, buffer_m=0))\n"
        "facts = dict(source='s', licence='l', sample_sha256='0', period='p', simulated=True)\n"
        "model = train(t, settings, scheme=scheme, feature_names=['a'], feature_settings={}, "
        "provenance=facts)\n"
        "from cocal.classify import score_tables\n"
        "print(score_tables(model.card.validation))"
    )
    assert "never" in copy.python(code)

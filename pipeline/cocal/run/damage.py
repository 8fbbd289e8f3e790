"""What of an archive or a run is damaged: every file is read and compared; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocal.errors import InputError
from cocal.run.finished import FinishedRun
from cocal.run.history import HISTORY, read_history
from cocal.store import DAMAGED, MANIFEST, MANIFESTS, STAGING, Manifest


@dataclass(frozen=True)
class Checked:
    """A committed unit, by its manifest's path: its files and bytes, its faults, and what makes it anew."""

    mark: Path
    files: int
    bytes: int
    faults: dict[str, str]
    remedy: str

    @property
    def name(self) -> str:
        """The unit as users name it: its folder, or the stage whose tables lie in the folder of the run."""
        return str(self.mark.parent if self.mark.name == MANIFEST else self.mark)


def check_units(folder: Path) -> Iterator[Checked]:
    """Every unit below `folder`, an archive, a run or both; then maps of its hectares that are gone, and what
    offices stated of figures.

    Raises
    ------
    InputError
        No unit was committed below it.
    """
    marks = [*folder.rglob(MANIFEST), *folder.rglob(f"{MANIFESTS}/*.json")]
    marks = sorted(m for m in marks if not {DAMAGED, STAGING} & set(m.relative_to(folder).parts))
    if not marks:
        raise InputError(
            f"nothing to verify in {folder}", "the folder of an archive or of a run", "no manifest in it",
            "name the folder, such as runs/demo or archive",
        )  # fmt: skip
    for mark in marks:
        manifest = Manifest.read(mark)
        if manifest is None:
            yield Checked(mark, 0, 0, {mark.name: "cannot be read"}, _remedy(mark, {}))
            continue
        home = mark.parent if mark.name == MANIFEST else mark.parents[1]
        sizes = [int(facts.get("bytes", 0)) for facts in manifest.files.values()]
        yield Checked(mark, len(sizes), sum(sizes), manifest.damage(home), _remedy(mark, manifest.inputs))
    for mark in _counted(folder):
        if not mark.exists():
            yield Checked(mark, 0, 0, {mark.name: "no such file"}, _remedy(mark, {}))
    for path in sorted(p for p in folder.rglob(HISTORY) if (p.parent / "run.json").is_file()):
        yield _checked_history(path)


def _checked_history(path: Path) -> Checked:
    """The editions of a run: no unit, but each row has the checksum of itself and of what precedes."""
    faults = {}
    try:
        read_history(path)
    except InputError as err:
        faults[path.name] = str(err).partition("\n")[0]
    return Checked(path, 1, path.stat().st_size, faults, "restore the file from a copy")


def _counted(folder: Path) -> list[Path]:
    """The manifests of the maps that the hectares of a run were counted from."""
    try:
        return [home / MANIFEST for home in FinishedRun(folder).maps().values()]
    except InputError:  # no run, or one without hectares
        return []


def _remedy(mark: Path, inputs: dict[str, Any]) -> str:
    """The command that moves the unit aside and makes it anew."""
    run = next((home for home in mark.parents if (home / "run.json").is_file()), None)
    if run is not None:
        return f"cocal run {run}"
    if "granules" in inputs:
        return "cocal download CONFIG (it is fetched again, within the budget)"
    if "task" in inputs:
        return "cocal import CONFIG (from its source)"
    return "cocal import CONFIG, or cocal download CONFIG"

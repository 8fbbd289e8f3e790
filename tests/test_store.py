import json
import multiprocessing
import re

import pandas as pd
import pytest

from cocal.assets import PACKAGE
from cocal.errors import BusyError
from cocal.store import (
    LocalStore,
    Manifest,
    address,
    atomic_path,
    given_back,
    write_csv,
    write_json,
)
from cocal.user_tables import read_csv_table


def commit(store, unit, inputs, **files):
    with store.commit(unit, inputs) as folder:
        for name, text in files.items():
            (folder / name).write_text(text)


def test_an_address_does_not_depend_on_the_order_of_keys():
    assert address({"a": 1, "b": [2, 3]}) == address({"b": [2, 3], "a": 1})
    assert address({"a": 1}) != address({"a": 2})


def test_a_unit_is_found_by_its_own_address_only(tmp_path):
    store = LocalStore(tmp_path)
    commit(store, "a/b", {"x": 1}, data="one")
    assert store.find("a/b", address({"x": 1})) is not None
    assert store.find("a/b", address({"x": 2})) is None
    assert store.find("a/c", address({"x": 1})) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "delete", "manifest"])
def test_a_damaged_unit_does_not_count_as_committed(tmp_path, damage):
    store = LocalStore(tmp_path)
    commit(store, "u", {"x": 1}, data="0123456789")
    path = tmp_path / "u" / "data"
    if damage == "flip":
        path.write_text("012345678X")
    elif damage == "cut":
        path.write_text("01234")
    elif damage == "delete":
        path.unlink()
    else:
        (tmp_path / "u" / "manifest.json").write_text('{"address": "')
    assert store.find("u", address({"x": 1})) is None


def test_an_error_while_writing_publishes_nothing(tmp_path):
    store = LocalStore(tmp_path)

    def fail():
        with store.commit("u", {}) as folder:
            (folder / "data").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert not (tmp_path / "u").exists()
    assert list((tmp_path / ".staging").iterdir()) == []


def test_a_failed_atomic_write_leaves_the_old_file(tmp_path):
    final = tmp_path / "a.txt"
    final.write_text("old")

    def fail():
        with atomic_path(final) as temporary:
            temporary.write_text("new")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail()
    assert final.read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


def test_unchanged_json_is_not_rewritten(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    before = path.stat()
    write_json(path, {"a": 1})
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_manifest_holds_checksums_and_inputs(tmp_path):
    store = LocalStore(tmp_path)
    commit(store, ":tables", {"x": 1}, **{"t.csv": "a\n"})
    manifest = Manifest.read(tmp_path / "manifests" / "tables.json")
    assert manifest.inputs == {"x": 1}
    # sha256 of "a\n", by sha256sum
    assert (
        manifest.files["t.csv"]["sha256"]
        == "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
    )
    assert json.loads((tmp_path / "manifests" / "tables.json").read_text())["files"]["t.csv"]["bytes"] == 2


def _try_lock(root, answer):
    try:
        with LocalStore(root).locked():
            answer.put("locked")
    except BusyError as err:
        answer.put(str(err))


def test_a_second_process_is_refused_while_a_folder_is_in_use(tmp_path):
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    with LocalStore(tmp_path).locked():
        other = context.Process(target=_try_lock, args=(tmp_path, answer))
        other.start()
        text = answer.get(timeout=30)
        other.join()
    assert "in use by another cocal process" in text


def test_texts_of_a_csv_are_no_formulas_and_come_back_as_they_were(tmp_path):
    texts = ['=HYPERLINK("x")', "+51 984", "-", "@a", "\tb", "'c", "'=d", "-12.5", "+3", "1e-3", "plain"]
    table = pd.DataFrame({"name": texts, "n": range(len(texts))})
    path = tmp_path / "a.csv"
    write_csv(path, table)
    cells = pd.read_csv(path, dtype=str, keep_default_na=False)["name"].tolist()
    assert cells[-4:] == ["-12.5", "+3", "1e-3", "plain"]
    assert all(cell.startswith("'") for cell in cells[:-4])
    assert given_back(pd.read_csv(path, dtype={"name": str}))["name"].tolist() == texts
    assert read_csv_table(path, {"name"})["name"].tolist() == [text.strip() for text in texts]


def test_no_table_is_read_but_through_what_takes_the_guard_off_again():
    calls = [
        (
            path.name,
            text.count("pd.read_csv("),
            len(re.findall(r"(?:given_back|cleaned)\(\s*pd\.read_csv\(", text)),
        )
        for path in PACKAGE.rglob("*.py")
        if (text := path.read_text(encoding="utf-8"))
    ]
    assert [name for name, read, guarded in calls if read != guarded] == []
    assert sum(read for _, read, _ in calls) == 2, "one reader for own tables, one for those of users"


def test_no_table_leaves_the_program_but_through_the_guard_against_formulas():
    loose = [
        (path.name, line)
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "simulate"  # its texts are its own
        for line in re.findall(r".*\.to_csv\([^)].*", path.read_text(encoding="utf-8"))
        if "inert(" not in line
    ]
    assert loose == []


def test_what_a_unit_does_not_write_again_is_removed_and_nothing_else(tmp_path):
    store = LocalStore(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    commit(store, ":measure", {"n": 1}, areas="one", legal="one")
    commit(store, ":measure", {"n": 2}, areas="two")
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["areas", "run.json"]
    assert store.find(":measure", address({"n": 2}))

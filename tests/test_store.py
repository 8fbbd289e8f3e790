import json
import multiprocessing
import pickle
import re

import pandas as pd
import pytest
import xxhash

from cocal.assets import PACKAGE
from cocal.checksums import difference, file_facts
from cocal.errors import BusyError, DamagedError
from cocal.store import (
    LocalStore,
    Manifest,
    address,
    atomic_path,
    given_back,
    proven,
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


def test_no_flipped_bit_of_a_manifest_leaves_another_manifest(tmp_path):
    """Its seal is over all the rest: inputs, sizes and checksums, seconds and versions."""
    store = LocalStore(tmp_path)
    commit(store, "u", {"x": [1, 2.5], "ü": None}, data="0123456789")
    path = store.manifest_path("u")
    whole = path.read_bytes()
    told = json.loads(whole)
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        found = Manifest.read(path)
        assert (
            found is None
            or Manifest.read(path).to_text() == json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        )


def test_a_manifest_of_an_earlier_version_has_no_seal_and_holds(tmp_path):
    store = LocalStore(tmp_path)
    commit(store, "u", {"x": 1}, data="0123456789")
    path = store.manifest_path("u")
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "seal"}))
    assert store.find("u", address({"x": 1})) is not None


def test_a_file_is_proven_by_the_manifest_that_lists_it(tmp_path):
    store = LocalStore(tmp_path)
    commit(store, "a/b", {"x": 1}, data="0123456789")
    commit(store, ":tables", {"x": 2}, **{"t.csv": "n\n1\n"})
    unit, table = tmp_path / "a" / "b" / "data", tmp_path / "t.csv"
    assert proven(unit, address({"x": 1})) == unit
    assert proven(table) == table
    with pytest.raises(DamagedError, match="found: a file of"):
        proven(unit, address({"x": 2}))
    table.write_text("n\n2\n")
    with pytest.raises(DamagedError, match=r"t\.csv is not as it was committed(.|\n)*sha256") as err:
        proven(table)
    assert err.value.mark == str(store.manifest_path(":tables"))
    assert pickle.loads(pickle.dumps(err.value)).mark == err.value.mark
    (tmp_path / "other.csv").write_text("n\n")
    with pytest.raises(DamagedError, match="no manifest that lists it"):
        proven(tmp_path / "other.csv")


def test_a_raster_has_the_xxh3_of_its_bytes_and_an_earlier_sha256_still_counts(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"a\n")
    assert file_facts(path) == {"bytes": 2, "xxh3": xxhash.xxh3_128_hexdigest(b"a\n")}
    earlier = {"bytes": 2, "sha256": "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"}
    assert difference(path, earlier) == ""
    path.write_bytes(b"b\n")
    assert difference(path, earlier).startswith("sha256 ")
    assert difference(tmp_path / "none.tif", earlier) == "no such file"


@pytest.mark.parametrize("unit", ["a/b", ":tables"])
def test_a_damaged_unit_is_moved_aside_each_time_to_a_folder_of_its_own(tmp_path, unit):
    store, wanted = LocalStore(tmp_path), address({"x": 1})
    for number in (1, 2):
        commit(store, unit, {"x": 1}, data="0123456789")
        assert store.damage(unit, wanted) == ""
        (store.home(unit) / "data").write_text("0123456788")
        assert re.fullmatch(r"data: sha256 \w+, \w+ was committed", store.damage(unit, wanted))
        aside = store.set_aside(unit)
        assert aside == tmp_path / "damaged" / unit.lstrip(":") / str(number)
        assert (aside / "data").read_text() == "0123456788"
        assert not store.manifest_path(unit).exists()
        assert store.find(unit, wanted) is None
        assert len(list(aside.rglob("*.json"))) == 1


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
    assert sum(read for _, read, _ in calls) == 3, "own tables, own tables as texts, those of users"


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


def test_a_table_of_a_run_that_was_changed_is_read_with_a_warning(tmp_path, caplog):
    """As `cocal estimate --strata` reads the strata of a design: 100 ha, with one bit flipped 500 ha."""
    with LocalStore(tmp_path).commit(":design", {"x": 1}) as folder:
        (folder / "design").mkdir()
        (folder / "design" / "strata.csv").write_text("stratum,area_ha\ncoca,100\n")
    path = tmp_path / "design" / "strata.csv"
    assert read_csv_table(path)["area_ha"].tolist() == ["100"]
    assert caplog.text == ""
    path.write_text("stratum,area_ha\ncoca,500\n")
    assert read_csv_table(path)["area_ha"].tolist() == ["500"]
    assert "strata.csv is not as cocal wrote it (sha256" in caplog.text

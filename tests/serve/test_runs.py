"""What may be shown: a finished run, whole, of one make."""

from __future__ import annotations

import json
import socket
import sys

import pytest
from pystac.validation import validate_dict
from tests.support.offering import offered, served
from tests.support.stac_check import extension_errors

from cocal import cli
from cocal.errors import DamagedError, InputError, UsageError
from cocal.serve import Access, make_app, open_run
from cocal.serve.guard import check_access
from cocal.serve.rasters import MapRasters, Square
from cocal.serve.tables import RunTables
from cocal.store import Manifest


def command(monkeypatch, capsys, *arguments):
    """Exit code of `cocal serve ARGUMENTS`, and what it says."""
    monkeypatch.setattr(sys, "argv", ["cocal", "serve", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, capsys.readouterr().err


def test_a_folder_that_is_no_run_is_refused_with_exit_code_2(tmp_path, monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, tmp_path)
    assert code == 2
    assert "not the folder of a run" in said
    assert "name the folder that `cocal run` printed" in said


@pytest.mark.parametrize(
    "content", ["null", "[]", "3", '"x"', "{}", "[" * 100_000, "", '{"status": "done", "co']
)
def test_a_run_json_that_is_not_one_is_refused_with_exit_code_2(land, monkeypatch, capsys, content):
    (land.root / "run.json").write_text(content)
    code, said = command(monkeypatch, capsys, land.root, "--restricted")
    assert code == 2
    assert str(land.root) in said


@pytest.mark.parametrize("content", ["null", "[]", "{}", "[" * 100_000])
@pytest.mark.parametrize("stage", ["measure", "publish"])
def test_a_manifest_that_is_not_one_is_refused_with_exit_code_2(land, monkeypatch, capsys, stage, content):
    (land.root / "manifests" / f"{stage}.json").write_text(content)
    code, said = command(monkeypatch, capsys, land.root)
    assert code == 2
    assert str(land.root) in said


@pytest.mark.parametrize("task", [None, {}, [], {"maps": 3, "periods": []}, {"page": {}}])
@pytest.mark.parametrize("stage", ["measure", "publish"])
def test_a_run_of_another_version_is_refused_with_exit_code_2(land, monkeypatch, capsys, stage, task):
    mark = land.root / "manifests" / f"{stage}.json"
    manifest = Manifest.read(mark)
    manifest.inputs["task"] = task
    mark.write_text(manifest.to_text())
    code, said = command(monkeypatch, capsys, land.root)
    assert code == 2
    assert "made by an earlier cocal" in said


def test_records_and_relief_that_are_gone_since_are_an_error_of_the_request_alone(land):
    with served(str(land.root), "--restricted") as server:
        (land.folder / "records.csv").unlink()
        (land.folder / "dem.tif").write_bytes(b"")
        assert server.ask("/data/small/all/points").status == 500
        assert server.ask("/relief/small/14/4915/8763.png").status == 500
        assert server.ask("/data/house").status == 200
        assert str(land.folder) not in server.ask("/data/small/all/points").body.decode()
        assert f"records.path: {land.folder}" in server.logged()
        assert f"cannot read {land.folder}" in server.logged()
        assert "Traceback" not in server.logged()


def test_a_run_that_is_under_way_is_refused(land):
    log = land.root / "run.json"
    log.write_text(json.dumps(json.loads(log.read_text()) | {"status": "running"}))
    with pytest.raises(InputError, match="not finished"):
        open_run(land.root, restricted=True)


def test_a_run_whose_hectares_were_edited_is_refused(land):
    with (land.root / "hectares.csv").open("a") as table:
        table.write("\n")
    with pytest.raises(InputError, match=r"missing or altered"):
        open_run(land.root, restricted=True)


def test_figures_that_were_changed_to_the_same_size_are_refused(land):
    path = land.root / "hectares.csv"
    text = path.read_text()
    path.write_text(text.replace("1", "2", 1) if "1" in text else "")
    assert len(path.read_text()) == len(text)
    with pytest.raises(InputError, match=r"altered(.|\n)*hectares\.csv: sha256 \w{64}, \w{64} was"):
        open_run(land.root, restricted=True)


def test_a_comparison_that_was_changed_to_the_same_size_is_refused_where_it_is_read(land):
    path = land.root / "comparison.csv"
    path.write_text(path.read_text().replace("0", "1", 1))
    with pytest.raises(DamagedError, match=r"comparison\.csv is not as it was committed"):
        RunTables(open_run(land.root, restricted=True))


def test_a_map_with_one_flipped_bit_is_not_shown(land):
    path = next(land.root.glob("maps/*/*/*/class.tif"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    maps = open_run(land.root, restricted=True).maps[path.parents[2].name]
    (tile,) = (tile for tile, folder in maps.items() if folder == path.parent)
    with pytest.raises(DamagedError, match=r"class\.tif is not as it was committed"):
        MapRasters(maps).codes("class.tif", Square(0, 0, 0))
    assert tile.id == path.parents[1].name


def test_a_map_that_was_altered_is_refused(land):
    next(land.root.glob("maps/*/*/*/class.tif")).write_bytes(b"")
    with pytest.raises(InputError, match="missing or altered"):
        open_run(land.root, restricted=True)


def test_regions_that_changed_since_the_run_are_refused(land):
    path = land.folder / "regions.geojson"
    path.write_text(path.read_text().replace("PE-2 (simulated)", "Another"))
    with pytest.raises(UsageError, match=r"`regions:` changed since the run"):
        open_run(land.root, restricted=True)


def test_a_run_without_a_public_folder_is_refused_to_the_public_only(land):
    (land.root / "manifests" / "publish.json").unlink()
    with pytest.raises(InputError, match="publish: regions"):
        open_run(land.root, restricted=False)
    assert open_run(land.root, restricted=True).restricted


def test_public_tables_of_an_earlier_run_are_refused(land):
    mark = land.root / "manifests" / "publish.json"
    manifest = Manifest.read(mark)
    manifest.inputs["task"]["page"]["run"]["files"]["countries.csv"] = "0" * 64
    mark.write_text(manifest.to_text())
    with pytest.raises(InputError, match="earlier run"):
        open_run(land.root, restricted=False)


def test_the_configuration_may_stand_for_the_folder(land):
    assert open_run(land.config, restricted=True).root == land.root


def test_two_runs_of_one_name_are_refused(land):
    one = open_run(land.root, restricted=True)
    with pytest.raises(UsageError, match="same name"):
        make_app([one, one], restricted=True, token=None)


def test_a_port_that_is_taken_is_refused_with_exit_code_2(land, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = command(monkeypatch, capsys, land.root, "--restricted", "--port", port)
    assert code == 2
    assert f"port {port} of 127.0.0.1 is taken" in said
    assert "--port 0" in said


def test_elsewhere_than_loopback_a_token_is_needed_before_anything_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("COCAL_SERVE_TOKEN", raising=False)
    code, said = command(monkeypatch, capsys, tmp_path, "--host", "0.0.0.0")
    assert code == 2
    assert "COCAL_SERVE_TOKEN" in said


@pytest.mark.parametrize("token", ["short", "n" * 19, "ñ" * 20])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(token):
    with pytest.raises(UsageError, match="too short to be secret, or not ASCII"):
        check_access(Access("0.0.0.0", token))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_on_loopback_no_token_is_needed(host):
    check_access(Access(host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", "127.0.0.1.example.org", ""])
def test_every_other_host_is_elsewhere(host):
    with pytest.raises(UsageError, match="a token"):
        check_access(Access(host))


def test_a_tile_that_failed_is_told_as_ground_not_observed(land):
    path = land.root / "manifests" / "measure.json"
    manifest = Manifest.read(path)
    maps = manifest.inputs["task"]["maps"]
    maps[next(name for name in maps if name.startswith("all/"))] = "failed"
    path.write_text(manifest.to_text())
    with offered(land.root, restricted=True) as server:
        periods = server.ask("/data/house").json()["runs"][0]["periods"]
    assert {p["name"]: p["failed"] for p in periods} == {"january": 0, "all": 1}


def test_the_catalogue_of_a_run_satisfies_the_schemas_of_its_extensions(land):
    paths = sorted((land.root / "files" / "stac").rglob("*.json"))
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    declared = {url.split("/")[3] for content in contents for url in content.get("stac_extensions", ())}
    assert declared == {"classification", "mlm", "processing", "projection", "raster"}
    for content in contents:
        validate_dict(content, extensions=[])
    assert [error for content in contents for error in extension_errors(content)] == []
    item = next(content for content in contents if "class" in content.get("assets", {}))
    item["assets"]["class"]["raster:bands"][0]["data_type"] = "byte"
    item["properties"]["processing:lineage"] = 3
    assert len(extension_errors(item)) == 2

"""The bundle of a run: what it estimates is what the run's tables state, and it holds no place."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from tests.support.adding_up import adding_up_world

from cocal.errors import InputError
from cocal.exchange.signing import make_keys, read_bundle, write_bundle
from cocal.run import bundle
from cocal.run.measure.exchange import EARLIER, MADE_FROM, retire_bundle

FIGURES = ("estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha")


@pytest.fixture(scope="module")
def made(tmp_path_factory, done):
    world = adding_up_world(tmp_path_factory.mktemp("bundle") / "world")
    assert done(world).failures == ()
    keys = [world.folder / f"pe.{kind}.pem" for kind in ("private", "public")]
    make_keys(*keys)
    path = bundle.make(world.root, "PE", 1, keys[0])
    return world, path, keys


@pytest.fixture(scope="module")
def merged(made, tmp_path_factory):
    _, path, keys = made
    out = tmp_path_factory.mktemp("merged")
    bundle.write_merged(bundle.read_signed([path], [keys[1]]), out, None)
    return out


PLACES = [
    ("hectares", "place", "region_id", 4),
    ("countries", "country", "country", 6),
    ("countries", "total", "country", 6),
]


@pytest.mark.parametrize(("table", "level", "key", "decimals"), PLACES)
def test_the_hectares_of_a_bundle_are_those_of_the_run(made, merged, table, level, key, decimals):
    own = pd.read_csv(made[0].root / f"{table}.csv").set_index([key, "period", "class"])
    found = pd.read_csv(merged / "hectares.csv")
    found = found[found["level"] == level].set_index(["id", "period", "class"])
    own = own.loc[found.index]
    assert len(found) >= 8
    assert (found["mapped_ha"] == own["mapped_ha"]).all()
    for name in FIGURES:
        assert (found[name].isna() == own[name].isna()).all()
        assert (found[name] - own[name]).abs().max() <= 0.51 * 10**-decimals


def test_the_change_of_a_bundle_is_that_of_the_run(made, merged):
    own = pd.read_csv(made[0].root / "change.csv")
    own["region_id"] = own["region_id"].fillna("total")
    own = own.set_index(["region_id", "quantity"])
    found = pd.read_csv(merged / "change.csv")
    found["quantity"] = found["quantity"].replace({"loss": "cleared", "gain": "new"})
    found = found[found["level"] != "country"].set_index(["id", "quantity"])
    for quantity in ("cleared", "new", "net"):
        for name in FIGURES[:2]:
            here, there = (t.xs(quantity, level="quantity")[name] for t in (found, own))
            assert (here - there.reindex(here.index)).abs().max() <= 5e-7


def test_no_position_and_no_id_of_a_record_is_in_the_file(made):
    world, path, _ = made
    records = pd.read_csv(world.folder / "records.csv", dtype=str)
    text = path.read_text(encoding="utf-8")
    words = set(re.findall(r"[\w.-]+", text))
    assert not words & set(records["record_id"])
    for name in ("lon", "lat"):
        assert not any(value[:7] in text for value in records[name])
    assert "geometry" not in json.loads(text)["bundle"]


def test_a_run_without_a_sample_has_no_bundle(finished, tmp_path):
    (finished.root / "exchange.json").unlink(missing_ok=True)
    with pytest.raises(InputError, match="no sample as counts"):
        bundle.source_of(finished.root, 1)


def test_one_key_signs_the_bundle_of_one_office_alone(made, tmp_path):
    _, path, keys = made
    again = tmp_path / "bo.json"
    write_bundle(again, read_bundle(path).bundle.model_copy(update={"office": "BO"}), keys[0])
    with pytest.raises(InputError, match="are signed by one key"):
        bundle.read_signed([path, again], [keys[1]])


def test_the_files_that_are_merged_do_not_depend_on_the_order(made, tmp_path):
    signed = read_bundle(made[1])
    other = signed.bundle.model_copy(update={"office": "BO", "surveys": ()})
    both = [signed, replace(signed, bundle=other)]
    for name, own in (("one", both), ("two", both[::-1])):
        bundle.write_merged(own, tmp_path / name, None)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("office", ["", "  ", "P\x1b[2JE", "P" * 201])
def test_an_office_without_a_name_that_can_be_printed_is_refused(made, office):
    world, path, keys = made
    before = path.read_bytes()
    with pytest.raises(InputError, match="--office is no name"):
        bundle.make(world.root, office, 1, keys[0])
    assert path.read_bytes() == before


def test_an_earlier_bundle_that_cannot_be_read_says_what_to_do(made):
    world, path, keys = made
    before = path.read_bytes()
    path.write_bytes(before[:100])
    with pytest.raises(InputError, match="only if no bundle of this run has left"):
        bundle.make(world.root, "PE", 1, keys[0])
    path.write_bytes(before)


def test_a_bundle_of_other_counts_is_set_aside_and_what_it_joined_stays_joined(made):
    world, path, keys = made
    bundle.make(world.root, "PE", 1, keys[0])
    retire_bundle(world.root)
    assert path.exists()
    own = read_bundle(path).bundle
    regions = {name: digest for place in own.places[:2] for name, digest in place.regions.items()}
    (world.root / MADE_FROM).write_text("of other counts")
    retire_bundle(world.root)
    assert not path.exists()
    joined = own.places[0].model_copy(update={"id": "PE joined", "regions": regions})
    earlier = own.model_copy(update={"places": (joined, *own.places[2:]), "mapped": (), "surveys": ()})
    write_bundle(world.root / EARLIER, earlier, keys[0])
    assert bundle.joined_so_far(world.root).items() >= dict.fromkeys(regions, "PE joined").items()
    bundle.make(world.root, "PE", 1, keys[0])
    assert path.exists()
    assert not (world.root / EARLIER).exists()

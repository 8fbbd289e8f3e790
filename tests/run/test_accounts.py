"""Groups, change, legal zones, squares, non-response and the public folder of one run with two periods."""

from __future__ import annotations

import hashlib
import html
import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely
from tests.support.small_world import (
    CLASSES,
    EPSG,
    FIELD_PX,
    blank_pages,
    fields,
    make_world,
    undrawn_pictures,
    write_blank,
    write_csv,
    write_geojson,
    write_regions,
)

from cocal.cli.runs import _print_summary
from cocal.config import read_config
from cocal.errors import ConfigError, InputError, UsageError
from cocal.grid import Window, cell_area_units, project
from cocal.notes import joined, notes_by_row, render
from cocal.regions import owned, read_regions
from cocal.run import run
from cocal.run.tables import estimate_warnings, read_own_csv

COCA = 1


def write_zones(path, window):
    """A reserve in the middle, an authorised zone in the west that it cuts."""
    west, south, east, north = window.bounds
    x, y = (west + east) / 2, (south + north) / 2
    shapes = {
        "PA-1": shapely.box(x - 300, y - 300, x + 300, y + 300),
        "AZ-1": shapely.box(west, south, x, north),
    }
    write_geojson(
        path,
        [({"id": key, "name": f"{key} (simulated)", "country": "BO"}, project(shape, EPSG, 4326, densify=200))
         for key, shape in shapes.items()],
    )  # fmt: skip


def write_tracks(path, window):
    """Operations of 1 February on all, on coca, on forest and outside; one of March, after the last map."""
    west, _, _, north = window.bounds
    size, (height, width) = 10 * FIELD_PX, window.shape
    cover = fields(window)

    def field(name):
        row, column = np.argwhere(cover[7:height:FIELD_PX, 7:width:FIELD_PX] == CLASSES.index(name))[2]
        left, top = west + column * size, north - row * size
        return shapely.box(left, top - size, left + size, top)

    shapes = {name: field(name) for name in ("coca", "forest")}
    shapes["far"] = shapely.box(west - 900, north, west - 800, north + 99)
    rows = [
        ("whole", "2024-02-01", shapely.box(*window.bounds)),
        ("coca", "2024-02-01", shapes["coca"]),
        ("forest", "2024-02-01", shapes["forest"]),
        ("far", "2024-02-01", shapes["far"]),
        ("march", "2024-03-05", shapes["coca"]),
    ]
    shown = [(key, day, project(shape, EPSG, 4326, densify=200)) for key, day, shape in rows]
    write_geojson(path, [({"id": key, "day": day, "ha": 2.0}, shape) for key, day, shape in shown])


def write_records(world):
    """The sample visited in both periods; seven points of `rest` not reached in the second, labelled
    twice.
    """
    first = pd.read_csv(world.folder / "records.csv")
    first = first.assign(sample_id=first["record_id"], observed_on="2024-01-15", visited="yes", role="main")
    second = first.assign(record_id="b" + first["record_id"], observed_on="2024-02-15")
    lost = second.index[second["stratum"] == "rest"][:7]
    second.loc[lost, ["visited", "class"]] = ["no", None]
    table = pd.concat([first, second], ignore_index=True)
    table["second"] = np.where(table.index % 10 == 0, "forest", table["class"])
    write_csv(world.folder / "records.csv", table)


def settings(content):
    content["periods"] = [
        {"name": "a", "start": "2024-01-01", "end": "2024-01-31"},
        {"name": "b", "start": "2024-02-01", "end": "2024-02-29"},
    ]
    content["train"]["period"] = "a"
    content["groups"] = {"PE": ["PE-*"], "west": ["PE-1", "PE-2"], "odd": ["PE-1", "BO-2"]}
    content["legal"] = {
        "zones": {"sliver_m": 0, "sources": [
            {"path": "zones.geojson", "id": "id", "name": "name", "country": "country"}]},
        "kinds": {"PA-*": "protected", "*": "authorised"},
        "limits": [{"id": "limit of the west", "zones": ["AZ-*"], "limit_ha": 5.0,
            "source": "SIMULATED law"}],
    }  # fmt: skip
    content["operations"] = {
        "sources": [{"path": "tracks.geojson", "id": "id", "first_day": "day", "claimed_ha": "ha"}],
        "close_within_m": 30, "maps_show": "last_day", "cleared_from": 0.7, "not_up_to": 0.3,
        "min_observed": 0.5, "stood_from": 0.5, "replanted_from": 0.5,
    }  # fmt: skip
    content["density"] = {"cell_m": 250, "min_plots": 2, "plot_ha": 0.02}
    content["publish"] = "squares"
    content["records"]["columns"] |= {
        "sample_id": "sample_id", "visited": "visited", "role": "role", "second_class": "second",
    }  # fmt: skip
    content["estimate"]["reference_error"] = {"sensitivity": [0.9, 1.0], "specificity": [0.99, 1.0]}
    content["comparison"] |= {"eradication": "claims.csv", "same_definition": ["coca of the office"]}


def with_folders(content, folder):
    """Files by their absolute paths, one of them outside the folder of the configuration."""
    elsewhere = folder.parent / "elsewhere" / "heights.tif"
    elsewhere.parent.mkdir()
    (folder / "dem.tif").rename(elsewhere)
    content["dem"] = str(elsewhere)
    content["scheme"] = str(folder / "scheme.yaml")
    content["comparison"]["official"] = str(folder / "official.csv")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = make_world(tmp_path_factory.mktemp("accounts") / "world", 96)
    write_regions(world.folder / "regions.geojson", world.window, inset_m=13.0)
    write_zones(world.folder / "zones.geojson", world.window)
    write_tracks(world.folder / "tracks.geojson", world.window)
    write_records(world)
    claims = {"region_id": ["PE-1"], "period": ["b"], "claimed_ha": [3.0], "source": ["SIMULATED office"]}
    write_csv(world.folder / "claims.csv", pd.DataFrame(claims))
    official = pd.DataFrame(
        {"region_id": ["PE-1", "PE", "XX"], "period": ["a", "a", "a"], "coca_ha": [10, 20, 5],
         "source": "SIMULATED office", "definition": "coca of the office"}
    )  # fmt: skip
    write_csv(world.folder / "official.csv", official)
    world.edit(settings)
    world.edit(lambda content: with_folders(content, world.folder))
    with undrawn_pictures():
        result = run(read_config(world.config), config_path=world.config)
    assert result.failures == ()
    return world


@pytest.fixture(scope="module")
def hectares(world):
    return pd.read_parquet(world.root / "hectares.parquet")


def codes_of(world, period):
    """{window: codes} of every tile of a period's map."""
    maps = json.loads((world.root / "run.json").read_text(encoding="utf-8"))["maps"]
    found = {}
    for key, unit in maps.items():
        if key.startswith(f"{period}/"):
            with rasterio.open(next((world.root / unit).rglob("class.tif"))) as source:
                left, top = round(source.transform.c), round(source.transform.f)
                window = Window(source.crs.to_epsg(), left, top, source.width, source.height)
                found[window] = source.read(1)
    return found


def test_groups_are_the_sums_of_their_regions_and_one_domain_each(world, hectares):
    groups = read_own_csv(world.root / "groups.csv")
    coca = hectares[(hectares["class"] == "coca") & (hectares["period"] == "a")].set_index("region_id")
    row = groups[(groups["class"] == "coca") & (groups["period"] == "a")].set_index("region_id")
    assert Decimal(f"{row.loc['odd', 'mapped_ha']:.10f}") == coca.loc[["PE-1", "BO-2"], "mapped_ha"].sum()
    assert row.loc["odd", "estimated_ha"] == pytest.approx(coca.loc[["PE-1", "BO-2"], "estimated_ha"].sum())
    countries = read_own_csv(world.root / "countries.csv")
    peru = countries[
        (countries["country"] == "PE") & (countries["class"] == "coca") & (countries["period"] == "a")
    ]
    for name in ("estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"):
        assert row.loc["PE", name] == pytest.approx(peru[name].iloc[0])
        assert row.loc["west", name] == pytest.approx(peru[name].iloc[0])
    # the standard error of a sum is not the sum of standard errors
    assert row.loc["odd", "standard_error_ha"] < coca.loc[["PE-1", "BO-2"], "standard_error_ha"].sum()


def test_change_on_the_maps_is_that_of_the_rasters(world, hectares):
    change = read_own_csv(world.root / "change.csv")
    regions = read_regions(read_config(world.config).regions)
    ids = regions.table["region_id"].tolist()
    before, after = codes_of(world, "a"), codes_of(world, "b")
    for place, region in enumerate(ids):
        sums = {"cleared": 0, "new": 0}
        for window, first in before.items():
            second, own = after[window], owned(regions, window) == place
            both = own & (first > 0) & (second > 0)
            units = cell_area_units(window)
            sums["cleared"] += units[both & (first == COCA) & (second != COCA)].sum()
            sums["new"] += units[both & (first != COCA) & (second == COCA)].sum()
        rows = change[change["region_id"] == region].set_index("quantity")
        for quantity, expected in sums.items():
            assert rows.loc[quantity, "mapped_ha"] == pytest.approx(expected / 1e10, abs=1e-9)
        assert rows.loc["net", "mapped_ha"] == pytest.approx((sums["new"] - sums["cleared"]) / 1e10, abs=1e-9)
    assert change[change["region_id"].isna()].set_index("quantity").loc["cleared", "mapped_ha"] > 0


def test_change_of_points_seen_twice_is_nought_where_no_label_changed(world):
    change = read_own_csv(world.root / "change.csv")
    rows = change[change["quantity"].isin(["cleared", "new", "net"])]
    assert rows["estimated_ha"].tolist() == [0.0] * len(rows)
    whole = rows[rows["region_id"].isna()].set_index("quantity")
    assert whole.loc["cleared", "n"] == 120 - 7
    assert whole.loc["cleared", "ci_low_ha"] == 0
    assert whole.loc["cleared", "ci_high_ha"] > 0


def test_legal_zones_and_the_ground_outside_add_up_to_the_regions(world, hectares):
    legal = read_own_csv(world.root / "legal.csv")
    coca = hectares[hectares["class"] == "coca"]
    for period in ("a", "b"):
        zones = legal[(legal["period"] == period) & (legal["level"] == "zone")]
        assert set(zones["id"]) == {"PA-1", "AZ-1", "outside-BO", "outside-PE"}
        whole = coca[coca["period"] == period]
        assert zones["mapped_ha"].sum() == pytest.approx(float(whole["mapped_ha"].sum()), abs=1e-9)
        assert zones["estimated_ha"].sum() == pytest.approx(whole["estimated_ha"].sum())
        limit = legal[(legal["period"] == period) & (legal["level"] == "limit")].iloc[0]
        own = zones.set_index("id").loc["AZ-1"]
        assert limit["estimated_ha"] == pytest.approx(own["estimated_ha"])
        assert limit["over_limit_ha"] == pytest.approx(own["estimated_ha"] - 5.0)
    assert legal.loc[legal["kind"] == "protected", "notes"].str.contains("not a verdict").all()


def test_operations_on_ground_that_did_not_change_are_not_called_cleared(world):
    """The maps of January and February show the same fields; in March there is no map, outside no region."""
    own = read_own_csv(world.root / "operations.csv").set_index("operation")
    assert own["verdict"].to_dict() == {
        "whole": "not", "coca": "not", "forest": "not", "far": "not_observed", "march": "not_observed",
    }  # fmt: skip
    # the two maps err on some pixels: of 2.2 ha of coca less than 0.3 are said to have gone
    assert (own.loc[["coca", "forest"], "cleared_ha"] < 0.3 * own["polygon_ha"].max()).all()
    assert own.loc["coca", "stood_fraction"] > 0.9
    assert own.loc["forest", "why"] == "none_stood"
    sums = read_own_csv(world.root / "operation_sums.csv").set_index(["level", "period"])
    assert sums.loc[("total", "b"), ["n", "claimed_ha", "claimed_ha_not"]].tolist() == [3, 6.0, 6.0]
    # one operation holds every point: what points estimate as lost within it is what they estimate in all
    change = read_own_csv(world.root / "change.csv")
    lost = change[(change["region_id"].isna()) & (change["quantity"] == "cleared")].iloc[0]
    figures = ["estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha"]
    assert lost["n"] > 100
    assert sums.loc[("total", "b"), figures].tolist() == pytest.approx(lost[figures].tolist(), rel=1e-9)
    assert not (world.root / "public" / "operations.csv").exists()
    assert not (world.root / "public" / "operation_sums.csv").exists()
    notes = json.loads((world.root / "run.json").read_text(encoding="utf-8"))["left_out"]
    assert {"operations_outside", "operations_in_no_period"} <= {note["code"] for note in notes}


def test_squares_add_up_to_the_hectares_whatever_the_tiles(world, hectares, tmp_path):
    squares = read_own_csv(world.root / "density.csv")
    coca = hectares[hectares["class"] == "coca"].groupby("period")["mapped_ha"].sum()
    for period in ("a", "b"):
        own = squares[squares["period"] == period]
        assert own["mapped_ha"].sum() == pytest.approx(float(coca[period]), abs=1e-8)
    other = world.copied(tmp_path / "other")
    other.edit(lambda c: c.update(grid={"tile_px": 48, "block_px": 48}))
    run(read_config(other.config), last="measure")
    assert (other.root / "density.csv").read_bytes() == (world.root / "density.csv").read_bytes()
    assert (other.root / "change.csv").read_bytes() == (world.root / "change.csv").read_bytes()
    assert (other.root / "legal.csv").read_bytes() == (world.root / "legal.csv").read_bytes()


def test_points_that_were_not_reached_are_counted_and_bound_the_estimate(world):
    response = read_own_csv(world.root / "response.csv").fillna({"stratum": ""})
    rest = response[(response["period"] == "b") & (response["stratum"] == "rest")].iloc[0]
    assert (rest["tried"], rest["not_visited"]) == (60, 7)
    caveats = read_own_csv(world.root / "caveats.csv")
    whole = caveats[caveats["region_id"].isna()].set_index("period")
    assert (
        whole.loc["a", "missing_low_ha"]
        == whole.loc["a", "missing_high_ha"]
        == whole.loc["a", "estimated_ha"]
    )
    # none of the 53 points of `rest` is coca; if the 7 were, its coca would be 7 / 60 of its area
    area = pd.read_csv(world.folder / "strata.csv").set_index("stratum")["area_ha"]
    points = read_own_csv(world.root / "records.csv").query("period == 'b' and status == 'matched'")
    coca = area["coca"] * (points["reference_class"] == "coca").sum() / 60
    assert whole.loc["b", "missing_low_ha"] == pytest.approx(coca)
    assert whole.loc["b", "missing_high_ha"] == pytest.approx(coca + area["rest"] * 7 / 60)
    # each of the 7 is the target with odds 3 x those of half a hit in the n points of its cell
    records = read_own_csv(world.root / "records.csv").query("period == 'b' and stratum == 'rest'")
    as_coca = records["map_class"] == "coca"
    seen, lost = records["status"].isin(["matched", "uncertain"]), records["status"] == "not_visited"
    more = 0.0
    for mapped in (as_coca, ~as_coca):
        share = 0.5 / max(int((seen & mapped).sum()), 1)
        gain = 3 * share / (1 + 2 * share) - share
        more += area["rest"] / 60 * int((lost & mapped & records["map_class"].notna()).sum()) * gain
    assert more > 0
    assert whole.loc["b", "tilt_low_ha"] == pytest.approx(whole.loc["b", "estimated_ha"])
    assert whole.loc["b", "tilt_high_ha"] == pytest.approx(whole.loc["b", "estimated_ha"] + more)
    own = caveats[(caveats["period"] == "b") & caveats["region_id"].notna()]
    assert (own["tilt_high_ha"] - own["estimated_ha"]).sum() <= more + 1e-9
    facts = json.loads((world.root / "estimates.json").read_text(encoding="utf-8"))["b"]["missing"]
    assert facts["odds"] == 3
    assert facts["tilt_high_ha"] == pytest.approx(whole.loc["b", "tilt_high_ha"])
    assert whole.loc["b", "missing_ci_low_ha"] <= whole.loc["b", "missing_low_ha"]
    banded = caveats[caveats["ci_low_ha"].notna()]
    assert len(banded) >= 4
    assert (banded["reference_low_ha"] <= banded["ci_low_ha"] + 1e-9).all()
    assert (banded["reference_high_ha"] >= banded["ci_high_ha"] - 1e-9).all()


def test_the_agreement_of_two_observers_stands_beside_the_estimate(world):
    estimates = json.loads((world.root / "estimates.json").read_text(encoding="utf-8"))
    table = pd.read_csv(world.folder / "records.csv").query("visited == 'yes' and observed_on < '2024-02'")
    assert estimates["a"]["observers"]["pairs"] == 120
    assert estimates["a"]["observers"]["agree"] == pytest.approx((table["class"] == table["second"]).mean())


def test_official_figures_of_groups_are_compared_and_those_of_other_places_listed(world):
    table = pd.read_parquet(world.root / "comparison.parquet").set_index(["region_id", "period"])
    assert table.loc[("PE", "a"), "official_ha"] == 20
    assert not table.loc[("PE", "a"), "why_not_comparable"].startswith("definition")
    unmatched = pd.read_csv(world.root / "unmatched.csv")
    assert unmatched["region_id"].tolist() == ["XX"]
    claims = read_own_csv(world.root / "eradication.csv").set_index("region_id")
    assert claims.loc["PE-1", "claimed_ha"] == 3
    change = read_own_csv(world.root / "change.csv").set_index(["region_id", "quantity"])
    assert claims.loc["PE-1", "cleared_mapped_ha"] == change.loc[("PE-1", "cleared"), "mapped_ha"]


def test_the_page_says_what_missing_points_and_wrong_labels_could_change(world):
    page = (world.root / "report" / "index.html").read_text(encoding="utf-8")
    assert "What else could change the estimated area of coca (ha), period b." in page
    assert "Qué más podría cambiar la superficie estimada de coca (ha), período b." in page
    # 120 points less 7 not visited have two labels in period b
    assert "Two observers labelled 113 points" in page


@pytest.mark.parametrize("folder", ["public", "files"])
def test_no_file_for_others_tells_where_the_run_lies_on_this_machine(world, folder):
    seen = dict(contents(world.root / folder))
    assert len(seen) > 20
    for place in (world.folder, world.folder.parent, Path.home(), Path(__file__).parents[2]):
        assert [name for name, content in seen.items() if str(place).encode() in content] == []


def contents(folder):
    """(name, bytes) of every file below `folder`, and of every member of those that are zip archives."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                yield from ((f"{path.name}/{name}", packed.read(name)) for name in packed.namelist())


def test_the_public_page_names_files_and_the_restricted_one_shows_the_configuration_as_it_stands(world):
    public = (world.root / "public" / "index.html").read_text(encoding="utf-8")
    assert "dem: heights.tif" in public
    assert "official: official.csv" in public
    assert str(world.folder.parent / "elsewhere") in (world.root / "report" / "index.html").read_text(
        encoding="utf-8"
    )


def test_the_public_folder_holds_no_record_no_plot_and_no_square_with_few_plots(world):
    public = world.root / "public"
    assert {p.name for p in public.iterdir()} == {
        "README.txt", "index.html", "hectares.csv", "regions.csv", "countries.csv", "groups.csv",
        "legal.csv", "density.csv", "hectares.gpkg", "hectares.xlsx", "notes.csv",
    }  # fmt: skip
    restricted = read_own_csv(world.root / "density.csv").set_index(["cell_id", "period"])
    shown = read_own_csv(public / "density.csv").set_index(["cell_id", "period"])
    few = (restricted["plots"] < 2) | (restricted["mapped_ha"] <= 0.5)
    assert (few & (restricted["mapped_ha"] > 0)).any()
    assert (few & (restricted["mapped_ha"] == 0)).any()
    assert (shown["mapped_ha"].isna() == few).all()
    kept = shown["mapped_ha"].dropna()
    assert (restricted.loc[kept.index, "mapped_ha"].round() == kept).all()
    squares = pyogrio.read_dataframe(public / "hectares.gpkg", layer="density")
    assert squares["simulated"].all()
    assert len(squares) == len(shown)
    page = (public / "index.html").read_text(encoding="utf-8")
    records = pd.read_csv(world.folder / "records.csv")
    assert not any(record in page for record in records["record_id"])
    assert "-12.5" not in re.sub(r"data:image/[^\"]+", "", page)
    assert "SIMULATED" in (public / "README.txt").read_text(encoding="utf-8")


def test_public_figures_of_the_map_are_sums_of_the_squares_that_are_shown(world):
    public, of = (
        world.root / "public",
        lambda table, **keys: table.loc[(table[list(keys)] == keys).all(axis=1)],
    )
    squares = read_own_csv(public / "density.csv").dropna(subset=["mapped_ha"])
    hectares, countries = (read_own_csv(public / f"{name}.csv") for name in ("hectares", "countries"))
    for row in hectares.to_dict("records"):
        own = of(squares, region_id=row["region_id"], period=row["period"])["mapped_ha"]
        assert row["shown_ha"] == own.sum()
    total = of(countries, country="total", period="b")["shown_ha"].item()
    assert total == of(squares, period="b")["mapped_ha"].sum() == of(hectares, period="b")["shown_ha"].sum()
    zones = read_own_csv(public / "legal.csv").query("level == 'zone'")
    assert of(zones, period="b")["shown_ha"].sum() == total


def test_with_squares_no_estimate_is_published(world):
    estimated = read_own_csv(world.root / "countries.csv").query("`class` == 'coca'")["estimated_ha"]
    assert estimated.notna().any()
    public = world.root / "public"
    names = ("hectares", "countries", "groups", "legal", "density")
    columns = {column for name in names for column in read_own_csv(public / f"{name}.csv")}
    told = {"estimated_ha", "standard_error_ha", "ci_low_ha", "ci_high_ha", "n_reference", "step_ha"}
    assert not columns & told
    codes = {*read_own_csv(public / "notes.csv")["code"]}
    assert "sum_of_squares" in codes
    assert not codes & {"observed_area_only", "n_too_small"}
    page = (public / "index.html").read_text(encoding="utf-8")
    page = re.sub(r"<(pre|style|script)\b.*?</\1>", "", page, flags=re.DOTALL)  # the configuration as it is
    words = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))
    for denied in ("not an estimate", "ni una estimación", "no es una estimación"):
        assert denied in words
        words = words.replace(denied, "")
    assert (
        re.findall(r"\S*(?:estim|interval|contrast|checked against|confidence|warning)\S*", words, re.I) == []
    )


def test_with_squares_no_column_of_the_page_is_empty(world):
    page = (world.root / "public" / "index.html").read_text(encoding="utf-8")
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert len(tables) > 10
    for table in tables:
        rows = [re.findall(r"<td.*?</td>", row, re.DOTALL) for row in table.split("<tr>")]
        for cells in zip(*filter(None, rows), strict=True):
            assert not all('class="sr"' in cell for cell in cells), table[:400]


def test_the_public_page_states_no_exact_figure_of_the_map_and_no_checksum_that_could_be_guessed(world):
    page = html.unescape((world.root / "public" / "index.html").read_text(encoding="utf-8"))
    restricted = (world.root / "report" / "index.html").read_text(encoding="utf-8")
    digest = hashlib.sha256((world.folder / "strata.csv").read_bytes()).hexdigest()
    assert digest in restricted
    assert digest not in page
    for words in ("Squares shown (ha)", "Cuadrados que se muestran (ha)"):
        assert words in page
        assert words not in restricted
    assert "Mapped (ha)" in restricted
    assert "Mapped (ha)" not in page


def test_a_second_grid_of_the_same_run_is_not_published(world, tmp_path):
    other = world.copied(tmp_path / "other")
    other.edit(lambda content: content["density"].update(cell_m=500))
    with blank_pages(), pytest.raises(UsageError, match="two grids of one map give differences"):
        run(read_config(other.config), config_path=other.config)
    left = other.root / "public" / "change.csv"
    left.write_text("of an earlier rule", encoding="utf-8")
    other.edit(lambda content: content["density"].update(cell_m=250))
    with blank_pages():
        run(read_config(other.config), config_path=other.config)
    assert not left.exists()


@pytest.fixture(scope="module")
def regions(world, tmp_path_factory):
    """The same run, by region, in a folder where nothing was published; its own page is left blank."""
    other = world.copied(tmp_path_factory.mktemp("regions") / "world")
    (other.root / "manifests" / "publish.json").unlink()
    other.edit(lambda content: (content.update(publish="regions"), content["density"].update(min_plots=11)))
    with undrawn_pictures(), patch("cocal.run.results.content.report", write_blank):
        assert run(read_config(other.config), config_path=other.config).failures == ()
    return other


def test_by_region_the_public_folder_has_no_square_and_the_tables_of_the_run_are_the_same(world, regions):
    public = regions.root / "public"
    assert {p.name for p in public.iterdir()} == {
        "README.txt", "index.html", "hectares.csv", "regions.csv", "countries.csv", "groups.csv",
        "comparison.csv", "hectares.gpkg", "hectares.xlsx", "notes.csv",
    }  # fmt: skip
    assert pyogrio.list_layers(public / "hectares.gpkg")[:, 0].tolist()[0] == "regions"
    assert "density" not in pyogrio.list_layers(public / "hectares.gpkg")[:, 0]
    page = (public / "index.html").read_text(encoding="utf-8")
    assert "Squares shown" not in page
    assert "Regions shown (ha)" in page
    assert "Regiones que se muestran (ha)" in page
    for name in ("hectares", "countries", "groups", "legal", "density", "notes", "change"):
        own = regions.root / f"{name}.csv"
        assert own.read_bytes() == (world.root / f"{name}.csv").read_bytes(), name


def test_regions_with_enough_plots_are_shown_in_whole_hectares_and_sums_hold_these_alone(world, regions):
    """PE-1 holds 13 and 19 plots inside its tiles, PE-2 17 and 10, BO-1 3 and 3, BO-2 14 and 8 of 11."""
    exact = read_own_csv(regions.root / "hectares.csv")
    exact = exact[exact["class"] == "coca"].set_index(["period", "region_id"])
    places = {name: read_own_csv(regions.root / "public" / f"{name}.csv") for name in
              ("hectares", "countries", "groups", "comparison")}  # fmt: skip
    known = places["hectares"].set_index(["period", "region_id"])
    shown = [("a", "BO-2"), ("a", "PE-1"), ("a", "PE-2"), ("b", "PE-1")]
    assert sorted(known.index[known["shown_ha"].notna()]) == shown
    assert sorted(known.index[known["estimated_ha"].notna()]) == shown
    for key in shown:
        assert known.loc[key, "shown_ha"] == round(exact.loc[key, "mapped_ha"])
        assert known.loc[key, "estimated_ha"] == round(exact.loc[key, "estimated_ha"])
        ends = [np.floor(exact.loc[key, "ci_low_ha"]), np.ceil(exact.loc[key, "ci_high_ha"])]
        np.testing.assert_array_equal(known.loc[key, ["ci_low_ha", "ci_high_ha"]].to_list(), ends)
    figures = ["shown_ha", "estimated_ha", "ci_low_ha", "ci_high_ha", "n_reference"]
    countries = places["countries"].set_index(["period", "country"])
    groups = places["groups"].set_index(["period", "region_id"])
    for own in (countries.loc[("b", "PE")], countries.loc[("b", "total")], groups.loc[("b", "odd")]):
        # PE-1 is the one region shown of each
        assert own[figures].tolist() == known.loc[("b", "PE-1"), figures].tolist()
        assert own["notes"].startswith("the figure is of the regions that are shown")
    assert countries.loc[("b", "BO"), figures].isna().all()
    assert countries.loc[("a", "BO"), "shown_ha"] == known.loc[("a", "BO-2"), "shown_ha"]
    assert countries.loc[("a", "total"), "shown_ha"] == known.loc["a", "shown_ha"].sum()
    both = read_own_csv(world.root / "groups.csv").query("`class` == 'coca' and region_id == 'west'")
    assert groups.loc[("a", "west"), "estimated_ha"] == round(both["estimated_ha"].iloc[0])
    compared = places["comparison"].set_index(["period", "region_id"])
    assert compared.loc[("a", "PE-1"), "official_ha"] == 10
    assert compared.loc[("a", "PE-1"), "difference_ha"] == known.loc[("a", "PE-1"), "estimated_ha"] - 10
    assert compared.loc[compared.index.isin(shown), "estimated_ha"].notna().all()
    hidden = known[known["shown_ha"].isna()]
    assert hidden["notes"].nunique() == 1
    assert compared.loc[hidden.index, "why_not_comparable"].unique().tolist() == [hidden["notes"].iloc[0]]


def test_squares_and_regions_of_one_map_are_not_published_after_each_other(regions, tmp_path):
    other = regions.copied(tmp_path / "other")
    other.edit(lambda content: content.update(publish="squares"))
    with blank_pages(), pytest.raises(UsageError, match="squares and regions of one map give differences"):
        run(read_config(other.config), config_path=other.config)
    assert not (other.root / "public" / "density.csv").exists()
    other.edit(lambda content: content.update(publish=True))
    with pytest.raises(ConfigError, match="say which: `squares` or `regions`"):
        read_config(other.config)


def test_groups_and_zones_that_fit_nothing_are_refused(world, tmp_path):
    other = world.copied(tmp_path / "other")
    other.edit(lambda c: c["groups"].update({"part": ["PE-*", "XX-*"], "PE-1": ["PE-1"]}))
    with pytest.raises(InputError, match=r"groups.part: no region fits 'XX-\*'; groups.PE-1: that is the id"):
        run(read_config(other.config), last="measure")
    other.edit(lambda c: (c.update(groups={}), c["legal"].update(kinds={"PA-*": "protected"})))
    with pytest.raises(InputError, match="fits zone 'AZ-1'"):
        run(read_config(other.config), last="measure")
    log = json.loads((other.root / "run.json").read_text(encoding="utf-8"))
    assert log["stages"] == {}, "it is refused before any work"


def test_the_tables_of_notes_hold_the_notes_of_every_table_for_programs(world):
    for file, names in (
        ("notes", ("hectares", "countries", "groups", "change", "legal")),
        ("comparison_notes", ("comparison", "eradication")),
    ):
        notes = read_own_csv(world.root / f"{file}.csv")
        pd.testing.assert_frame_equal(pd.read_parquet(world.root / "files" / f"{file}.parquet"), notes)
        for name in names:
            table = read_own_csv(world.root / f"{name}.csv")
            text = table["notes" if "notes" in table else "why_not_comparable"].fillna("")
            rows = notes_by_row(notes, name, len(table))
            assert [joined(own, "en") for own in rows] == text.tolist()
            assert any(rows), name
            keys = notes[notes["table"] == name]
            for row, key in zip(keys["row"], keys["keys"], strict=True):
                assert {k: str(table[k].fillna("")[row]) for k in json.loads(key)} == json.loads(key)
    estimates = json.loads((world.root / "estimates.json").read_text())
    warnings = read_own_csv(world.root / "notes.csv").query("table == 'estimates'")
    assert [w["code"] for e in estimates.values() for w in e["warnings"]] == warnings["code"].tolist()
    assert set(warnings["level"]) == {"warning"}


def test_the_warnings_of_estimates_stand_on_the_page_and_in_the_command_in_both_languages(world, capsys):
    warnings = estimate_warnings(world.root)
    assert {"non_response"} <= {note.code for _, note in warnings}
    page = html.unescape((world.root / "report" / "index.html").read_text()).replace("\xa0", " ")
    _print_summary(run(read_config(world.config), config_path=world.config))
    printed = " ".join(capsys.readouterr().out.split())
    for period, note in warnings:
        for language in ("es", "en"):
            text = render(note, language)
            assert (text if language == "es" else text.replace(" %", "%")) in page
            assert render(note, language) in printed
        assert f"warning, {period}: " in printed

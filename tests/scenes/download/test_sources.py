"""Both sources bring the same pixels, and those are the ones that the granules hold."""

import numpy as np
import pytest
from tests.support.services.granules import NAMES
from tests.support.services.small import hub_source, write_config

from cocal.archive import list_scenes, read_scenes
from cocal.grid import Tile, Window

BANDS = (*NAMES, "scl")


def whole(folder, window):
    return read_scenes(list_scenes(folder / "archive"), window, BANDS)


def expected(land, window):
    """(day, y, x) of each band by plain arithmetic on the granules' rasters."""
    days = sorted({g.acquired.date() for g in land.granules})
    out = {band: np.zeros((len(days), *window.shape), dtype=np.int64) for band in BANDS}
    for granule in sorted(land.granules, key=lambda g: g.acquired):
        rows, columns = window.slices_of(granule.window)
        for band in BANDS:
            raw = granule.read(NAMES.get(band, "SCL")).astype(np.int64)
            step = granule.window.height // raw.shape[0]
            raw = np.repeat(np.repeat(raw, step, 0), step, 1)
            seen = np.repeat(np.repeat(granule.read("B05"), 2, 0), 2, 1) > 0
            value = raw if band == "scl" else np.maximum(raw + granule.offset, 1)
            part = out[band][days.index(granule.acquired.date()), rows, columns]
            part[seen] = value[seen]
    return out


def test_both_sources_bring_what_the_granules_hold_bit_by_bit(land, hub, hub_config, api, tmp_path, download):
    url, _ = api
    download(hub_config("hub"))
    download(write_config(tmp_path / "stac", land, {"type": "stac", "catalogue": url}, tile_px=288))
    window = land.scenes[0].window
    ours, theirs = whole(tmp_path / "hub", window), whole(tmp_path / "stac", window)
    truth = expected(land, window)
    assert ours.sizes["time"] == 5
    for band in BANDS:
        assert ours[band].dtype == theirs[band].dtype
        assert np.array_equal(ours[band].values, truth[band]), band
        assert np.array_equal(theirs[band].values, truth[band]), band
    assert (ours["red"].values == 1).sum() >= 256
    assert (ours["red"].values == 0).sum() >= 600
    assert {3, 8, 9, 10} & set(np.unique(ours["scl"].values))


def test_a_second_run_asks_for_the_catalogue_alone(land, hub, hub_config, download):
    config = hub_config(tile_px=288)
    first = download(config)
    sent = hub.count("process")
    second = download(config)
    assert first.failures == second.failures == ()
    assert sent == 5
    assert hub.count("process") == sent


CLEAR = {"vegetation": 4, "bare": 5, "water": 6, "dark": 2, "unclassified": 7}


@pytest.mark.parametrize("kind", ["hub", pytest.param("stac", marks=pytest.mark.slow)])
def test_the_bands_are_fetched_of_the_dates_that_are_clear_enough(kind, land, hub, api, tmp_path, download):
    """The share is that of 60 m pixels, each judged by the 20 m pixel in its middle, of the whole tile."""
    tile = Tile(Window(32719, 498240, 8426880, 288, 288)).window
    share = {}
    for granule in sorted(land.granules, key=lambda g: g.acquired):
        scl = share.setdefault(granule.acquired.date(), np.zeros((144, 144), dtype=int))
        rows, columns = tile.at(20).slices_of(granule.window.at(20))
        values = granule.read("SCL") * (granule.read("B05") > 0)
        scl[rows, columns] = np.where(values > 0, values, scl[rows, columns])
    share = {day: float(np.isin(scl[1::3, 1::3], list(CLEAR.values())).mean()) for day, scl in share.items()}
    bound = sorted(share.values())[2]
    screen = {"clear": list(CLEAR), "min_share": bound}
    source = hub_source(hub.url) if kind == "hub" else {"type": "stac", "catalogue": api[0]}
    config = write_config(tmp_path / kind, land, source, tile_px=288, screen=screen)
    assert download(config).failures == ()
    kept = {scene.day for scene in list_scenes(tmp_path / kind / "archive")}
    assert kept == {day for day, clear in share.items() if clear >= bound}
    assert len(kept) == 3
    if kind == "hub":
        assert hub.count("process") == 5 + 3
        assert download(config).failures == ()
        assert hub.count("process") == 5 + 3

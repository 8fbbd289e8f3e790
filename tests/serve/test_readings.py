"""Points read on images: what readers see, what is kept, and what a run makes of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from tests.support.browser import PHONE, chromium, keep, violations, visit
from tests.support.offering import Server
from tests.support.small_world import SmallWorld

from cocal.config import read_config
from cocal.errors import BusyError, InputError, UsageError
from cocal.run import run
from cocal.run.finished import open_run
from cocal.run.readings import Answer, AnswerFile, Campaign, SheetMaker, add_answers, open_campaign, write_kit
from cocal.run.readings.answers import standing
from cocal.run.readings.campaign import join_campaign
from cocal.run.readings.results import ANSWERED, progress, write_results

DESIGN = {
    "unobserved": "left_out", "by_region": False, "allocation": "equal", "minimum": 3, "draw": "random",
    "period": "all",
    "strata": [{"stratum": "coca", "classes": ["coca"]}, {"stratum": "rest"}], "reserve": 0.5, "seed": 5,
    "size": {"points": 8}, "interval": "gamma", "confidence": 0.95,
    "expected": {"source": "stated", "share": {"coca": 0.8, "rest": 0.02}},
}  # fmt: skip
NOW = datetime(2024, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def drawn(shown: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """The finished land with a sample; not to be touched."""
    world = shown.copied(tmp_path_factory.mktemp("drawn") / "world")
    world.edit(lambda content: content.update(design=DESIGN))
    run(read_config(world.config), last="design", config_path=world.config)
    return world


@pytest.fixture
def world(drawn: SmallWorld, tmp_path: Path) -> SmallWorld:
    return drawn.copied(tmp_path / "world")


def campaign_of(world: SmallWorld, *readers: str, third: str = "") -> Campaign:
    found = open_campaign(open_run(world.root))
    for reader in readers:
        found = join_campaign(found, reader, third=False)
    return join_campaign(found, third, third=True) if third else found


def answer(item: str, says: str = "coca", **other: Any) -> Answer:
    kind = "cannot_tell" if says == "cannot_tell" else "class"
    facts = {"certainty": "sure", "day": date(2024, 6, 1), "label": None if kind == "cannot_tell" else says}
    uid = f"{item}-{says.replace('_', '-')}"
    return Answer(item=item, uid=uid, kind=kind, at=NOW, **facts | other)


def test_a_line_that_was_cut_short_is_dropped_and_one_sent_twice_counts_once(tmp_path: Path) -> None:
    file = AnswerFile(tmp_path / "answers-a.jsonl")
    first, second = answer("0" * 12), answer("1" * 12, "forest")
    file.add([first, first])
    whole = file.path.read_bytes()
    file.path.write_bytes(whole + b'{"item":"1111')
    assert file.read() == [first]
    file.add([second])
    assert file.read() == [first, second]
    assert file.path.read_bytes().startswith(whole)
    assert b'{"item":"1111{' not in file.path.read_bytes()
    file.path.write_bytes(whole.replace(b"sure", b"sore") + whole)
    with pytest.raises(InputError, match=r"line 1 of .*answers-a"):
        file.read()


def test_undo_takes_back_the_last_answer_of_the_point_alone() -> None:
    first, again, other = answer("0" * 12), answer("0" * 12, "forest"), answer("1" * 12)
    undo = Answer(item="0" * 12, uid="undo-undo", kind="undo", at=NOW)
    assert standing([first, again, other, undo]) == {"0" * 12: first, "1" * 12: other}
    assert standing([first, undo, undo, other]) == {"1" * 12: other}


def test_a_third_settles_what_two_differ_on_and_the_records_hold_no_place(world: SmallWorld) -> None:
    campaign = campaign_of(world, "a", "b")
    items = list(campaign.points)
    one = dict.fromkeys(items, "coca") | {items[2]: "cannot_tell"}
    other = one | {items[0]: "forest", items[1]: "cannot_tell"}
    campaign.answers("a").add(answer(i, says) for i, says in one.items())
    campaign.answers("b").add(answer(i, says) for i, says in other.items() if i != items[3])
    campaign = campaign_of(world, third="c")
    assert campaign.items("c") == campaign.disputed() == items[:2]
    campaign.answers("c").add([answer(items[0], "forest", day=date(2024, 5, 1))])
    out = world.folder / "readings.csv"
    n = len(items)
    assert write_results(campaign, out) == {"agreed": n - 3, "settled": 1, "in dispute": 1, "waiting": 1}
    rows = pd.read_csv(out, keep_default_na=False).set_index("point_id")
    points = [campaign.points[i].point_id for i in items]
    assert set(rows.index) == {*points} - {points[1], points[3]}
    assert rows.loc[points[0], ["class", "observer", "observed_on"]].tolist() == [
        "forest",
        "a b c",
        "2024-06-01",
    ]
    assert rows.loc[points[2], ["visited", "why_not", "class"]].tolist() == ["no", "cannot_tell", ""]
    assert rows.loc[points[4], ["class", "observer", "method"]].tolist() == ["coca", "a b", "image"]
    assert not {"lon", "lat", "stratum", "map_class"} & set(rows.columns)
    every = pd.read_csv(out.with_name(f"readings.{ANSWERED}"))
    assert every.groupby("role").size().to_dict() == {"reader 1": n, "reader 2": n - 1, "third": 1}
    assert progress(campaign)["agreement"] == pytest.approx((n - 3) / (n - 1))


def test_who_reads_is_two_and_a_third_and_one_at_a_time(world: SmallWorld) -> None:
    campaign = campaign_of(world, "a", "b", "a")
    for reader, third in (("c", False), ("a", True), ("../x", False)):
        with pytest.raises(UsageError, match="--reader"):
            join_campaign(campaign, reader, third=third) if reader != "../x" else campaign.answers(reader)
    with campaign.reading("a"), pytest.raises(BusyError, match="the answers of a"), campaign.reading("a"):
        pass
    path = world.root / "design" / "sample.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(InputError, match="drawn anew"):
        campaign_of(world)


def secret_of(world: SmallWorld) -> list[bytes]:
    """What no reader may learn: ids, places, strata and classes of the points, as they are written."""
    table = pd.read_csv(world.root / "design" / "sample.csv", dtype=str)
    words = [*table["point_id"], *table["lon"].str[:9], *table["lat"].str[:9], *table["x"], *table["y"]]
    return [w.encode() for w in [*words, *table["region_id"], "stratum", "map_class", "inclusion"]]


def without_names(text: bytes) -> bytes:
    """Without pictures in base64 and random names, which hold any short number by chance."""
    return re.sub(rb"base64,[A-Za-z0-9+/=]+|[0-9a-f]{12,}", b"", text)


def test_a_kit_tells_no_place_and_its_answers_come_back(world: SmallWorld, tmp_path: Path) -> None:
    campaign = campaign_of(world, "a")
    assert write_kit(campaign, "a", tmp_path / "kit") == len(campaign.points)
    files = [path for path in (tmp_path / "kit").rglob("*") if path.is_file()]
    text = without_names(b"".join(path.name.encode() + path.read_bytes() for path in files))
    assert [word for word in secret_of(world) if word in text] == []
    with pytest.raises(InputError, match="other files"):
        write_kit(campaign, "a", tmp_path / "kit")
    with chromium() as browser, visit(browser, (tmp_path / "kit" / "index.html").as_uri()) as page:
        ready(page)
        page.keyboard.press("2")
        told(page, "#point", "^Punto 2 ")
        page.keyboard.press("u")
        told(page, "#progress", "^0 ")
        told(page, "#point", "^Punto 1 ")
        page.wait_for_function("() => ready()")
        page.keyboard.down("2")
        page.wait_for_function("() => state.at === 1 && ready()")
        page.keyboard.down("2")
        page.keyboard.up("2")
        page.evaluate("sheet = { ...sheet, name: 'another' }")
        page.keyboard.press("3")
        told(page, "#progress", "^1 ")
        page.wait_for_timeout(500)  # the browser writes its storage a moment later
        page.reload()
        told(page, "#progress", "^1 ")
        with page.expect_download() as saved:
            page.click("#save")
        saved.value.save_as(tmp_path / "back.jsonl")
    assert add_answers(campaign, tmp_path / "back.jsonl") == ("a", 3)
    assert add_answers(campaign, tmp_path / "back.jsonl") == ("a", 0)
    assert [a.label for a in campaign.standing("a").values()] == [campaign.scheme.classes[1].key]
    lines = (tmp_path / "back.jsonl").read_text(encoding="utf-8")
    for wrong, found in ((lines.replace(campaign.id, "0" * 16), "another campaign"),
                         (lines.replace('"reader":"a"', '"reader":"z"'), "reader 'z'"),
                         (lines.replace(campaign.scheme.classes[1].key, "gold"), "class 'gold'"),
                         ("point_id,class\n", "not the answers of a kit")):  # fmt: skip
        (tmp_path / "wrong.jsonl").write_text(wrong, encoding="utf-8")
        with pytest.raises(InputError, match=found):
            add_answers(campaign, tmp_path / "wrong.jsonl")


def test_the_curve_is_the_index_of_the_framed_pixel(drawn: SmallWorld) -> None:
    campaign = campaign_of(drawn)
    item = next(iter(campaign.points))
    sheet = SheetMaker(campaign).sheet(item)
    assert [s.name for s in SheetMaker(campaign).shown] == ["false"]
    assert sheet.pictures["false"].shape == (65, 65 * len(sheet.facts["days"]), 3)
    values = [d["value"] for d in sheet.facts["days"]]
    assert np.isfinite(np.array(values, dtype=float)).any()
    assert all(-1 <= v <= 1 for v in values if v is not None)


@contextmanager
def reading(world: SmallWorld, reader: str, *options: str, port: int = 0) -> Iterator[Server]:
    """`cocal interpret` as a process of its own; killed with SIGKILL on leaving."""
    command = [sys.executable, "-c", "from cocal.cli import main; main()", "interpret", str(world.root)]
    process = subprocess.Popen(
        [*command, "--reader", reader, "--port", str(port), *options], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().decode()
        yield Server(int(said.split("/ ")[0].rpartition(":")[2]), process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()


def ready(page: Page) -> None:
    page.wait_for_selector("#days li")


def told(page: Page, where: str, text: str) -> None:
    expect(page.locator(where)).to_have_text(re.compile(text), timeout=60_000)


@pytest.mark.slow
def test_every_answer_outlives_a_killed_server(world: SmallWorld) -> None:
    """Keyboard only; the page goes on and hands over what it has when the server is back."""
    with chromium() as browser:
        with reading(world, "a") as server:
            port, page = server.port, browser.new_page()
            page.goto(server.url)
            ready(page)
            assert violations(page) == []
            keep(page, "readings-es")
            page.keyboard.press("w")
            page.keyboard.press("1")
            told(page, "#progress", "^1 ")
            told(page, "#kept", "^Todo guardado")
            told(page, "#point", "^Punto 2 ")
        assert len(AnswerFile(world.root / "readings" / "answers-a.jsonl").read()) == 1
        page.keyboard.press("c")
        page.keyboard.type("near a road, 3 rows")
        page.keyboard.press("Enter")
        page.keyboard.press("2")
        told(page, "#kept", "^1 sin guardar")
        with reading(world, "a", port=port):
            told(page, "#kept", "^Todo guardado")
            page.click("#en")
            page.keyboard.press("ArrowUp")
            told(page, "#given", "^Your answer: ")
            assert violations(page) == []
        with reading(world, "b", port=port):
            page.wait_for_function("() => ready()")
            page.keyboard.press("3")
            told(page, "#kept", "^Not kept: this server")
        with reading(world, "a", port=port):
            page.reload()
            told(page, "#kept", "^Todo guardado")
    given = AnswerFile(world.root / "readings" / "answers-a.jsonl").read()
    assert [(a.certainty, a.note) for a in given][:2] == [("likely", ""), ("sure", "near a road, 3 rows")]
    assert len(given) == 3
    assert not (world.root / "readings" / "answers-b.jsonl").exists()


def test_a_server_tells_no_place_and_takes_no_answer_of_another_site(world: SmallWorld) -> None:
    campaign = campaign_of(world, "a")
    with reading(world, "a") as server:
        item = next(iter(campaign.points))
        paths = ["", "assets/page.js", "data/campaign", *(f"data/items/{i}" for i in campaign.points)]
        bodies = [server.ask(f"/{path}") for path in paths]
        assert {b.status for b in bodies} == {200}
        text = without_names(b"".join(b.body for b in bodies))
        assert [word for word in secret_of(world) if word in text] == []
        own = json.loads(answer(item).model_dump_json(exclude_none=True))
        good = json.dumps({"campaign": campaign.id, "reader": "a", "answer": own})
        for body, kind, status in ((good, "text/plain", 415), ("[{}]", "application/json", 400),
                                   (good.replace("coca", "gold"), "application/json", 400),
                                   (good.replace(item, "f" * 12), "application/json", 400),
                                   (good.replace('"a"', '"b"'), "application/json", 409),
                                   (good.replace(campaign.id, "0" * 16), "application/json", 409),
                                   ("[" * 5_000, "application/json", 400),
                                   (good, "application/json", 200)):  # fmt: skip
            assert server.ask("/data/answers", "POST", body, **{"Content-Type": kind}).status == status
        assert server.ask("/data/campaign", Host="evil.example").status == 400
        assert server.ask("/data/items/../../design/sample.csv").status == 404
        with chromium() as browser, visit(browser, server.url, size=PHONE) as page:
            ready(page)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
            keep(page, "readings-phone", whole=True)
    assert len(campaign.standing("a")) == 1
    assert threading.active_count() < 100
    assert not re.search("PE-|BO-", text.decode("utf-8", "replace"))


def test_a_run_takes_the_file_as_it_is(world: SmallWorld) -> None:
    campaign = campaign_of(world, "a", "b")
    for reader in ("a", "b"):
        campaign.answers(reader).add(answer(i, str(p.map_class)) for i, p in campaign.points.items())
    write_results(campaign, world.folder / "readings.csv")
    design = Path("runs/small/design")
    world.edit(lambda content: content.update(
        records={"path": "readings.csv", "sample": str(design / "sample.csv"), "design": "probability",
                 "strata": str(design / "strata.csv"),
                 "strata_raster": [str(path) for path in (world.root / "design").glob("*.tif")],
                 "matching": {"support": "pixel", "positional_error": "ignore"}},
        estimate={"estimator": "calibrated", "interval": "gamma", "confidence": 0.95},
    ))  # fmt: skip
    areas = run(read_config(world.config), last="measure", config_path=world.config).areas
    of_all = areas[(areas["period"] == "all") & (areas["class"] == "coca")]
    assert of_all["estimated_ha"].notna().all()

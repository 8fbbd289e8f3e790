"""Labels of other tools come back as hectares; the card of a place is usable by all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from playwright.sync_api import Browser, Page

from cocal.config import read_config
from cocal.fieldwork.labelling import Labels, acatama, as_answers, numbered
from cocal.run import run
from cocal.run.labelling import Asked, export_points, import_labels
from cocal.scheme import read_scheme
from tests.oracles import collect_earth
from tests.support.browser import PHONE, WIDE, violations
from tests.support.map_page import at, click_middle, open_map, webgl_chromium
from tests.support.offering import offered
from tests.support.small_world import SmallWorld, make_world

POINTS, DAY = 60, "2024-02-10"
_DESIGN = {
    "unobserved": "left_out", "by_region": False, "allocation": "equal", "minimum": 5, "draw": "random",
    "strata": [{"stratum": "thick", "classes": ["coca"]}, {"stratum": "beyond"}], "reserve": 0.2, "seed": 3,
    "size": {"points": POINTS}, "interval": "gamma", "confidence": 0.95,
    "expected": {"source": "stated", "share": {"thick": 0.8, "beyond": 0.02}},
}  # fmt: skip


@contextmanager
def _land() -> Iterator[SmallWorld]:
    """A land with a sample of `POINTS`, drawn."""
    with tempfile.TemporaryDirectory() as home:
        world = make_world(Path(home) / "w", 120)
        world.edit(lambda content: content.update(design=_DESIGN))
        run(read_config(world.config), config_path=world.config, last="design")
        yield world


def _hectares(world: SmallWorld, readings: Path) -> list[str]:
    """The target's estimate and interval of every region, of a file of records as it is."""
    design = "runs/small/design"
    content = {"path": str(readings), "sample": f"{design}/sample.csv", "strata": f"{design}/strata.csv"}
    world.edit(lambda c: c.update(records=content))
    areas = run(read_config(world.config), config_path=world.config, last="measure").areas
    found = areas[areas["class"] == "coca"]
    assert found["estimated_ha"].notna().all()
    assert not found["notes"].str.contains("preliminary").any()
    return [" ".join(map(str, row)) for row in found[["estimated_ha", "ci_low_ha", "ci_high_ha"]].to_numpy()]


def _answers(sample: pd.DataFrame) -> pd.DataFrame:
    """Two readers who differ on every seventh point, of which a third agrees with the first."""
    main = sample[sample["role"] == "main"].reset_index(drop=True)
    other = main["map_class"].where(main.index % 7 > 0, "bare")
    parts = {"A": main["map_class"], "B": other, "C": main["map_class"][main.index % 7 == 0]}
    rows = [
        {"point_id": main["point_id"][i], "observer": who, "class": key, "observed_on": DAY}
        for who, said in parts.items() for i, key in said.items()
    ]  # fmt: skip
    return as_answers(pd.DataFrame(rows))


def labels_of_two_tools_and_three_readers_give_the_same_hectares() -> str:
    """The sample goes out to both tools and comes back unedited; no file that goes out tells the design."""
    with _land() as world:
        sample = pd.read_csv(world.root / "design" / "sample.csv", dtype={"stratum": str})
        answers, scheme, out = _answers(sample), read_scheme(world.folder / "scheme.yaml"), world.folder
        for tool in ("collect-earth-online", "acatama"):
            for path in export_points(world.root, out / tool, tool):
                content = path.read_bytes()
                assert not any(w in content for w in (b"thick", b"beyond", b"reserve", b"map_class")), path
        plots = collect_earth.uploaded((out / "collect-earth-online" / "plots.csv").read_text(), "plot")
        assert len(plots) == POINTS
        number = {plot["point_id"]: plot["visible_id"] for plot in plots}
        names = {c.key: c.name_es for c in scheme.classes}
        said = {
            (number[a["point_id"]], f"{a['observer']}@x.org"): {"Clase": names[a["class"]], "Fecha": DAY}
            for a in answers.to_dict("records")
        }  # fmt: skip
        back = out / "ceo.csv"
        back.write_text(collect_earth.sample_data(plots, said, ["Clase", "Fecha"]), encoding="utf-8")
        layers = []
        for reader, rows in answers.groupby("observer"):
            layers.append(out / f"{reader}.gpkg")
            acatama.write_labelled(layers[-1], rows, numbered(sample), scheme)
        one = import_labels(world.root, [back], out / "one.csv", Asked())
        two = import_labels(world.root, layers, out / "two.csv", Asked(observed_on=DAY))
        assert not one.open
        assert not two.open
        assert Labels(scheme, {}).read(names.values(), back) == [*names]
        figures = [_hectares(world, out / name) for name in ("one.csv", "two.csv")]
    assert figures[0] == figures[1]
    return f"{POINTS} points, {len(answers)} answers of 3 readers: {len(figures[0])} regions, equal figures"


def _card(browser: Browser, url: str, size: tuple[int, int], language: str) -> int:
    """The chips of a card, each with its date and share of cloud; no fault for those who use aids."""

    def opened(page: Page) -> int:
        click_middle(page)
        page.wait_for_selector("#card .chips figure:nth-child(2)")
        captions = page.locator("#card figcaption").all_inner_texts()
        assert all("%" in text and text.startswith("2024-") for text in captions), captions
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert violations(page) == []
        return len(captions)

    with open_map(browser, at(url, 14, -12.5005, -72.0015, lang=language), size=size) as page:
        return opened(page)


def the_card_of_a_place_has_no_fault_of_access_on_desk_and_phone_in_both_languages() -> str:
    """axe-core, levels A and AA."""
    with tempfile.TemporaryDirectory() as home:
        world = make_world(Path(home) / "w", 96)
        run(read_config(world.config), config_path=world.config)
        with offered(world.root, restricted=True) as server, webgl_chromium() as browser:
            counts = [_card(browser, server.url, size, x) for size in (WIDE, PHONE) for x in ("es", "en")]
    return f"{len(counts)} views, {counts[0]} chips each, 0 violations"


REQUIREMENTS = (
    labels_of_two_tools_and_three_readers_give_the_same_hectares,
    the_card_of_a_place_has_no_fault_of_access_on_desk_and_phone_in_both_languages,
)

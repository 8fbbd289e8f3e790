"""Points of the demo read on images by keyboard, through ten kills of the server; a kit of 600 points."""

from __future__ import annotations

import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pandas as pd
import yaml
from playwright.sync_api import Page, expect

from cocal.config import read_config
from cocal.run import run
from cocal.run.finished import open_run
from cocal.run.readings import open_campaign
from cocal.run.readings.answers import AnswerFile
from tests.acceptance.house import PACKAGE, demo
from tests.support.browser import chromium

POINTS, KILLS, OF_KIT = 50, 10, 600
COCAL = (sys.executable, "-c", "from cocal.cli import main; main()")
_DESIGN = {
    "unobserved": "left_out", "by_region": False, "allocation": "equal", "minimum": 10, "draw": "random",
    "strata": [
        {"stratum": "coca", "classes": ["coca"]},
        {"stratum": "near_coca", "near": {"metres": 100, "classes": ["coca"]}}, {"stratum": "elsewhere"},
    ],
    "reserve": 0.1, "seed": 3,
    "expected": {"source": "stated", "share": {"coca": 0.7, "near_coca": 0.05, "elsewhere": 0.01}},
}  # fmt: skip


@cache
def _demo() -> Path:
    return demo(PACKAGE.parent)[0]


def _copied(home: Path) -> Path:
    """The configuration of a copy of the demo's run; its land is shared, and only read."""
    for name in ("configs", "runs"):
        shutil.copytree(_demo() / name, home / name)
    (home / "work").symlink_to(_demo() / "work")
    return home / "configs" / "demo.yaml"


@contextmanager
def _drawn(points: int) -> Iterator[Path]:
    """The configuration of a copy of the demo with a sample of `points`."""
    with tempfile.TemporaryDirectory() as home:
        config = _copied(Path(home))
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        content["design"] = {**_DESIGN, "size": {"points": points}}
        config.write_text(yaml.safe_dump(content), encoding="utf-8")
        run(read_config(config), last="design", config_path=config)
        yield config


class _Server:
    """`cocal interpret` on one port, killed and begun again."""

    def __init__(self, root: Path, reader: str, *options: str) -> None:
        self.command = [*COCAL, "interpret", str(root), "--reader", reader, *options]
        self.port = 0
        self.begin()

    def begin(self) -> None:
        self.process = subprocess.Popen(
            [*self.command, "--port", str(self.port)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().split("/ ")[0].rpartition(":")[2])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def _read(page: Page, server: _Server, says: dict[str, str], kills: int, seen: list[bytes]) -> int:
    """Answer every point by keyboard, the server killed `kills` times meanwhile; how many were answered."""
    page.on("response", lambda r: seen.append(r.body()) if r.status == 200 else None)
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.wait_for_selector("#classes button")
    items = page.evaluate("campaign.items")
    for number, item in enumerate(items):
        expect(page.locator("#point")).to_have_text(re.compile(f"^Punto {number + 1} "), timeout=60_000)
        page.wait_for_function("([n]) => sheet && item() === n", arg=[item])
        if kills and number % max(1, len(items) // kills) == 1:
            server.kill()
            page.keyboard.press(says[item])
            expect(page.locator("#kept")).to_have_class("lost", timeout=60_000)
            server.begin()
            expect(page.locator("#kept")).not_to_have_class("lost", timeout=60_000)
        else:
            page.keyboard.press(says[item])
    expect(page.locator("#progress")).to_have_text(re.compile(f"^{len(items)} de"), timeout=60_000)
    expect(page.locator("#kept")).to_have_text("Todo guardado", timeout=60_000)
    return len(items)


def fifty_points_read_blind_by_two_and_a_third_give_hectares() -> str:
    """By keyboard in Chromium; ten SIGKILLs lose nothing; no response tells stratum, map or place."""
    with _drawn(POINTS) as config, chromium() as browser:
        root = read_config(config).root
        campaign = open_campaign(open_run(root))
        keys = {c.key: str(n) for n, c in enumerate(campaign.scheme.classes, 1)}
        truth = {item: keys[str(p.map_class)] for item, p in campaign.points.items()}
        other = {i: "0" if n % 10 == 0 else keys["forest"] if n % 7 == 0 else k
                 for n, (i, k) in enumerate(truth.items())}  # fmt: skip
        seen: list[bytes] = []
        for reader, says, kills in (("a", truth, 5), ("b", other, 5), ("c", truth, 0)):
            server = _Server(root, reader, *(["--third"] if reader == "c" else []))
            page = browser.new_page()
            done = _read(page, server, says, kills, seen)
            page.close()
            server.kill()
            given = AnswerFile(root / "readings" / f"answers-{reader}.jsonl").read()
            assert len(given) == done, (reader, len(given), done)
        table = pd.read_csv(root / "design" / "sample.csv", dtype=str)
        words = [*table["point_id"], *table["lon"].str[:9], *table["lat"].str[:9], *table["region_id"],
                 "near_coca", "stratum", "map_class", "inclusion"]  # fmt: skip
        told = [word for word in words if any(word.encode() in body for body in seen)]
        assert not told, told
        out = config.parent / "readings.csv"
        subprocess.run([*COCAL, "readings", "write", str(root), str(out)], check=True, capture_output=True)
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
        content["records"] = {
            "path": str(out), "sample": str(root / "design" / "sample.csv"), "design": "probability",
            "strata": str(root / "design" / "strata.csv"),
            "strata_raster": [str(p) for p in (root / "design").glob("*.tif")],
            "matching": {"support": "pixel", "positional_error": "ignore"},
        }  # fmt: skip
        config.write_text(yaml.safe_dump(content), encoding="utf-8")
        ended = subprocess.run([*COCAL, "run", str(config)], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr[-2000:]
        total = pd.read_csv(root / "hectares.csv").query("`class` == 'coca'")["estimated_ha"].sum()
        assert total > 0
    return f"{done} points settled by a third; {KILLS} kills, none lost; {len(seen)} bodies; {total:.0f} ha"


def a_kit_of_600_points_is_small_and_quick() -> str:
    with _drawn(OF_KIT) as config:
        root, out = read_config(config).root, config.parent / "kit"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        kit = [*COCAL, "readings", "kit", str(root), str(out), "--reader", "a"]
        subprocess.run(kit, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        points = len({path.name[:12] for path in (out / "chips").iterdir()})
        assert points >= OF_KIT, points
        assert size <= 150e6, size
        assert spent <= 300, spent
        page = (out / "index.html").read_text(encoding="utf-8")
        assert page.count('"cloud"') >= points, "every picture has its date and share of cloud"
    return f"{points} points: {size / 1e6:.0f} MB, {spent:.0f} s of CPU"


REQUIREMENTS = (
    fifty_points_read_blind_by_two_and_a_third_give_hectares,
    a_kit_of_600_points_is_small_and_quick,
)

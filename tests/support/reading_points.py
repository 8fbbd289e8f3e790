"""Readers at the page of points in Chromium who only press keys, servers that are killed meanwhile, and what
is looked for in everything that was sent.
"""

from __future__ import annotations

import base64
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Browser, Error, Page, Response, expect

COCAL = (sys.executable, "-c", "from cocal.cli import main; main()")
CANNOT_TELL, NOTE = "cannot_tell", "road at the left, three rows"
SHEET_KEYS = {"side", "days", "left_out", "index", "pictures"}


@dataclass
class Desk:
    """`cocal interpret` as a process that is killed and begun again at one port; `bodies`: what it sent."""

    run: Path
    reader: str
    port: int = 0
    process: subprocess.Popen[str] | None = None
    bodies: list[bytes] = field(default_factory=list)
    kills: int = 0

    def open(self) -> None:
        command = [*COCAL, "interpret", str(self.run), "--reader", self.reader, "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().split("/ ")[0].rpartition(":")[2])

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(30) == -signal.SIGKILL
        self.process.stdout.close()
        self.kills += 1

    def keep(self, response: Response) -> None:
        with suppress(Error):  # the page was loaded anew meanwhile, and asks for it again
            if response.ok:
                self.bodies.append(response.body())


@contextmanager
def desk(run: Path, reader: str) -> Iterator[Desk]:
    found = Desk(run, reader)
    found.open()
    try:
        yield found
    finally:
        found.kill()


@dataclass
class Reading:
    """A reader at the page; `given`: item -> class and comment, what must be kept."""

    page: Page
    rng: random.Random
    given: dict[str, tuple[str, str]] = field(default_factory=dict)

    def item(self) -> str:
        """The point on the screen, as soon as its pictures are there."""
        self.page.wait_for_function("() => typeof campaign === 'object' && (!item() || ready())")
        return str(self.page.evaluate("item()"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def answer(self, says: str) -> None:
        """The key of a class, or of "cannot tell"; now and then a wrong one first, which is taken back, and a
        comment.
        """
        item, note = self.item(), ""
        classes = self.page.evaluate("campaign.classes.map((c) => c.key)")
        self.press(*["ArrowLeft"] * self.rng.randrange(3), self.rng.choice("qwe"))
        if self.left() > 1 and self.rng.random() < 0.15:
            self.press(str(1 + self.rng.randrange(len(classes))))
            self.page.wait_for_function("(shown) => item() !== shown && ready()", arg=item)
            self.press("u")
            self.page.wait_for_function("(shown) => item() === shown && ready()", arg=item)
        if self.rng.random() < 0.1:
            note = NOTE
            self.press("c")
            self.page.keyboard.type(note)
            self.press("Enter")
        self.press("0" if says == CANNOT_TELL else str(1 + classes.index(says)))
        self.given[item] = (says, note)

    def left(self) -> int:
        return int(self.page.evaluate("campaign.items.filter((name) => !standing(name)).length"))


def read_all(opened: Desk, browser: Browser, says: dict[str, str], kills: int, rng: random.Random) -> Reading:
    """Answer all points. The server is killed within milliseconds of `kills` of the answers; after every
    second kill the page is loaded anew, which must bring back what had not reached the server.
    """
    page, thrown = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.on("response", opened.keep)
    page.goto(f"http://127.0.0.1:{opened.port}/")
    reading, killed = Reading(page, rng), 0
    at = set(rng.sample(range(1, len(says) - 2), kills))
    for number in range(len(says)):
        shown = reading.item()
        if reading.left() == 0:
            break
        reading.answer(says[shown])
        if number in at:
            time.sleep(rng.uniform(0, 0.02))
            opened.kill()
            if page.evaluate("ready() && !standing(item())"):  # one more while no server is there
                reading.answer(says[reading.item()])
            opened.open()
            killed += 1
            if killed % 2:
                page.reload()
    expect(page.locator("#kept")).to_have_text("Todo guardado", timeout=60_000)
    assert reading.left() == 0
    assert thrown == [], thrown
    page.close()
    return reading


def lines_of(run: Path, reader: str) -> list[dict[str, Any]]:
    """What the file of a reader holds, read without cocal."""
    text = (run / "readings" / f"answers-{reader}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def kept_by(run: Path, reader: str) -> dict[str, tuple[str, str]]:
    """Item -> class and comment that stand in the reader's file."""
    given: dict[str, list[dict[str, Any]]] = {}
    for one in {line["uid"]: line for line in lines_of(run, reader)}.values():
        own = given.setdefault(one["item"], [])
        if one["kind"] == "undo":
            own.pop()
        else:
            own.append(one)
    return {i: (own[-1].get("label", CANNOT_TELL), own[-1]["note"]) for i, own in given.items() if own}


def secrets_of(run: Path, strata: Sequence[str]) -> list[bytes]:
    """What no reader may learn, as it would be written: ids, places, strata, regions, probabilities."""
    table = pd.read_csv(run / "design" / "sample.csv", dtype=str)
    places = [text[:8] for name in ("lon", "lat") for text in table[name]]
    metres = [text.removesuffix(".0") for name in ("x", "y") for text in table[name]]
    others = [
        *table["point_id"],
        *table["region_id"],
        *table["epsg"],
        *table["inclusion_probability"].str[:8],
    ]
    fixed = ["map_class", "stratum", "inclusion", "estrato", "simulated)", *strata]
    return sorted({word.encode() for word in (*places, *metres, *others, *fixed)})


def check_blind(bodies: Sequence[bytes], secret: Sequence[bytes], others: Sequence[str] = ()) -> int:
    """The bytes that were searched. No text and no picture holds a secret, or what another reader wrote."""
    size = 0
    for body in bodies:
        pictures = [base64.b64decode(p) for p in re.findall(rb"webp;base64,([A-Za-z0-9+/=]+)", body)]
        text = re.sub(rb"webp;base64,[A-Za-z0-9+/=]+", b"", body)
        assert not [word for word in others if word.encode() in text]
        text = re.sub(rb"[0-9a-f]{12,}", b"", text)  # random names: they hold any short number by chance
        for part in (text, *pictures):
            told = [word for word in secret if word in part]
            assert not told, told[:5]
            size += len(part)
        for picture in pictures:
            assert b"EXIF" not in picture[:2000]
        if body.startswith(b'{"side"'):
            assert {*json.loads(body)} == SHEET_KEYS
    return size

"""The map's page in a real Chromium with WebGL in software, and what is on its screen."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.support.browser import WIDE, chromium, faults

WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
SLOW_MS = 60_000
_ADVICE = "GL Driver Message"
"""The software renderer's advice on speed about every screenshot; not of the page."""


def webgl_chromium():
    return chromium(*WEBGL)


@contextmanager
def open_map(
    browser: Browser, url: str, *, size: tuple[int, int] = WIDE, locale: str = "es-BO"
) -> Iterator[Page]:
    """The page, drawn; it fails on leaving if it logged an error, asked another host or opened a dialog."""
    phone = size[0] < 600
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, has_touch=phone, is_mobile=phone, locale=locale
    )
    try:
        page = context.new_page()
        page.set_default_timeout(SLOW_MS)
        found = faults(page, url)
        page.goto(url)
        page.wait_for_selector("html[data-ready='1']", state="attached")
        yield page
        assert [fault for fault in found if _ADVICE not in fault] == []
    finally:
        context.close()


def view(page: Page) -> dict[str, str]:
    """What the address says is looked at."""
    return {k: v[0] for k, v in parse_qs(urlsplit(page.url).fragment).items()}


def picture(page: Page) -> NDArray[np.uint8]:
    """(y, x, RGB) of the stage as it is on the screen, without the legend that lies on it."""
    legend = page.locator("#legend")
    legend.evaluate("e => { e.style.visibility = 'hidden'; }")
    shot = page.locator("#stage").screenshot()
    legend.evaluate("e => { e.style.visibility = ''; }")
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))


def share_of(page: Page, colour: str) -> float:
    """The share of the stage that has exactly this colour."""
    rgb = np.array(list(bytes.fromhex(colour[1:])))
    return float((picture(page) == rgb).all(axis=-1).mean())


def wait_for_colour(page: Page, colour: str, *, least: float = 0.005) -> float:
    """The share of a colour on the stage, as soon as it is at least `least`."""
    share = 0.0
    for _ in range(60):
        share = share_of(page, colour)
        if share >= least:
            return share
        page.wait_for_timeout(500)
    raise AssertionError(f"{colour} covers {share:.4f} of the stage, wanted {least}")


def click_middle(page: Page) -> None:
    box = page.locator("#map-a").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def at(url: str, zoom: float, latitude: float, longitude: float, **more: str) -> str:
    """A link to the map with its middle at a place."""
    return f"{url}#map={zoom},{latitude},{longitude}" + "".join(f"&{k}={v}" for k, v in more.items())


def numbers_in(text: str) -> list[float]:
    """The Spanish or English numbers of a text with one decimal, as they stand."""
    return [float(n.replace(",", ".")) for n in re.findall(r"\d+[.,]\d", text)]


def in_words(page: Page, selector: str) -> str:
    return json.dumps(page.locator(selector).inner_text(), ensure_ascii=False)

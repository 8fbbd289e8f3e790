"""The picture of the map in docs/serve.md: `python docs/make_map.py [RUN]`, of runs/demo unless told
otherwise. Needs Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.map_page import click_middle, open_map, wait_for_colour, webgl_chromium
from tests.support.offering import offered

OUT = Path(__file__).parent / "images" / "map.png"


def main(run: Path) -> None:
    """Open the run, click its middle, keep what is on the screen."""
    with (
        offered(run, restricted=True) as server,
        webgl_chromium() as browser,
        open_map(browser, f"{server.url}#lang=en") as page,
    ):
        wait_for_colour(page, "#d95f02")
        click_middle(page)
        page.wait_for_selector("#pixel svg circle")
        page.wait_for_selector("#region tr.target")
        page.wait_for_timeout(2000)
        page.screenshot(path=OUT)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo"))

"""A real Chromium for tests: the system's own, driven by Playwright, which downloads no browser of its own.

    with chromium() as browser, visit(browser, url) as page:
        page.click("label[for=show-en]")
        assert violations(page) == []
        keep(page, "report-wide")

A page that logs an error, opens a dialog or asks another host for anything fails the test on leaving.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE = (1280, 900), (390, 844)
PATIENCE_MS = 120_000
QUIET = (
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage", "--disable-gpu",
)  # fmt: skip
LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
ARTEFACTS = Path(
    os.environ.get("COCAL_ARTEFACTS") or Path(__file__).parents[2] / "work" / "artefacts" / "screenshots"
)


def executable() -> str:
    """The system's Chromium; its absence is a failure, never a skip."""
    found = os.environ.get("COCAL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise RuntimeError("these tests drive a real Chromium and there is none: apt-get install chromium")
    return found


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A headless browser; `flags` are added to its command line (WebGL in software:
    `--use-angle=swiftshader`).
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=[*QUIET, *flags], chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = WIDE,
    script: bool = True,
    headers: dict[str, str] | None = None,
) -> Iterator[Page]:
    """A page of its own context after `url` was loaded; narrow ones are phones. AssertionError as `faults`
    says.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        has_touch=size[0] < 600,
        is_mobile=size[0] < 600,
        java_script_enabled=script,
        extra_http_headers=headers,
    )
    try:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        found = faults(page, url)
        page.goto(url, wait_until="load")
        yield page
        assert found == [], found
    finally:
        context.close()


def faults(page: Page, url: str) -> list[str]:
    """Grows while the page lives: console errors, exceptions, dialogs, failed requests, requests to other
    hosts.
    """
    home, found = urlsplit(url), []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(f"console {message.type}: {message.text}")

    def on_dialog(dialog: Dialog) -> None:
        found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(asked: str) -> None:
        to = urlsplit(asked)
        if to.scheme not in ("data", "blob", "about") and (to.scheme, to.netloc) != (
            home.scheme,
            home.netloc,
        ):
            found.append(f"request to another host: {asked}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: found.append(f"exception: {error}"))
    page.on("dialog", on_dialog)
    page.on("request", lambda request: on_request(request.url))
    page.on("response", lambda r: found.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    return found


def violations(page: Page) -> list[str]:
    """What axe-core holds against the page at WCAG 2.2 levels A and AA: rule, and where."""
    options = {"runOnly": {"type": "tag", "values": [*LEVELS]}, "resultTypes": ["violations"]}
    results = Axe().run(page, options=options).response
    return [
        f"{rule['id']} ({rule['impact']}): {node['target']} {node['failureSummary']}"
        for rule in results["violations"]
        for node in rule["nodes"]
    ]


def keep(page: Page, name: str, *, whole: bool = False) -> Path:
    """A screenshot among the artefacts of the tests, of what is in view or of the whole page."""
    path = ARTEFACTS / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=whole)
    return path

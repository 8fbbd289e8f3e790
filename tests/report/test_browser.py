"""The page in a real Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
import urllib.request

import pytest
from tornado.websocket import websocket_connect

from cocal.report import report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "--window-size=1280,900",
)  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


class _Tab:
    """One tab: sends commands, keeps the events."""

    def __init__(self, socket):
        self.socket, self.serial, self.events = socket, 0, []

    async def send(self, method, **params):
        self.serial += 1
        await self.socket.write_message(json.dumps({"id": self.serial, "method": method, "params": params}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.read_message(), 30))
            if message.get("id") == self.serial:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    async def wait_for(self, method):
        while not any(e["method"] == method for e in self.events):
            self.events.append(json.loads(await asyncio.wait_for(self.socket.read_message(), 30)))

    async def value(self, expression):
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def click(self, selector):
        box = await self.value(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.send(
                "Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1
            )

    def named(self, method):
        return [e["params"] for e in self.events if e["method"] == method]


@pytest.fixture(scope="module")
def page(made_up, tmp_path_factory):
    names = [("PE", HOSTILE), ("BO", "Apolo"), ("BO", "x" * 120)]
    return report(tmp_path_factory.mktemp("report"), made_up(names=names))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    profile = tmp_path_factory.mktemp("profile")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            mark, deadline = profile / "DevToolsActivePort", time.monotonic() + 40
            while not mark.exists() or not mark.read_text().strip():
                assert time.monotonic() < deadline, "Chromium did not start"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{mark.read_text().split()[0]}"
        finally:
            process.terminate()


def _drive(endpoint, url, act, *, width=1280, script=True):
    """What `act(tab)` returns after `url` was loaded, and the tab with its events."""

    async def run():
        request = urllib.request.Request(f"{endpoint}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=20) as answer:
            target = json.load(answer)
        tab = _Tab(await websocket_connect(target["webSocketDebuggerUrl"], max_message_size=2**28))
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.send(f"{domain}.enable")
        await tab.send("Emulation.setScriptExecutionDisabled", value=not script)
        await tab.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        await tab.send("Page.navigate", url=url)
        await tab.wait_for("Page.loadEventFired")
        found = await act(tab)
        await tab.send("Page.close")
        tab.socket.close()
        while await tab.socket.read_message() is not None:
            pass
        return found, tab

    return asyncio.run(run())


SHOWN = """['es', 'en'].filter(l =>
    getComputedStyle(document.querySelector('.page[lang=' + l + ']')).display !== 'none')"""


def test_the_language_switch_shows_one_language_and_tells_the_reader_which(endpoint, page):
    async def act(tab):
        before = await tab.value(SHOWN), await tab.value("document.documentElement.lang")
        await tab.click("label[for=show-en]")
        after = await tab.value(SHOWN), await tab.value("document.documentElement.lang")
        return before, after, await tab.value("document.title")

    (before, after, title), _ = _drive(endpoint, page.as_uri(), act)
    assert before == (["es"], "es")
    assert after == (["en"], "en")
    assert title == "Area of coca by region: demo"


def test_the_language_switch_works_without_scripts(endpoint, page):
    async def act(tab):
        before = await tab.value(SHOWN)
        await tab.click("label[for=show-en]")
        return before, await tab.value(SHOWN)

    (before, after), _ = _drive(endpoint, page.as_uri(), act, script=False)
    assert (before, after) == (["es"], ["en"])


def test_a_link_may_ask_for_english(endpoint, page):
    async def act(tab):
        return await tab.value(SHOWN)

    assert _drive(endpoint, page.as_uri() + "#en-classes", act)[0] == ["en"]


def test_the_page_logs_no_error_opens_no_dialog_and_makes_no_request(endpoint, page):
    async def act(tab):
        await tab.click("label[for=show-en]")
        pictures = await tab.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        return pictures, await tab.value("document.scripts.length")

    (pictures, scripts), tab = _drive(endpoint, page.as_uri(), act)
    assert pictures
    assert scripts == 1
    assert tab.named("Log.entryAdded") == []
    assert tab.named("Runtime.exceptionThrown") == []
    assert tab.named("Page.javascriptDialogOpening") == []
    asked = {e["request"]["url"].split(",")[0].split("#")[0] for e in tab.named("Network.requestWillBeSent")}
    assert asked == {page.as_uri(), "data:image/png;base64", "data:image/svg+xml;base64"}


def test_a_request_that_a_page_like_this_makes_is_seen_by_these_tests(endpoint, page, tmp_path):
    open_page = tmp_path / "open.html"
    text = page.read_text(encoding="utf-8").replace("<h1>", '<img src="http://127.0.0.1:9/x.png"><h1>', 1)
    open_page.write_text(text, encoding="utf-8")

    async def act(tab):
        await tab.wait_for("Log.entryAdded")

    _, tab = _drive(endpoint, open_page.as_uri(), act)
    assert any("Content Security Policy" in e["entry"]["text"] for e in tab.named("Log.entryAdded"))


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_telephone_shows_the_page_without_sideways_scrolling(endpoint, page, language):
    async def act(tab):
        return await tab.value("document.documentElement.scrollWidth")

    assert _drive(endpoint, f"{page.as_uri()}#{language}", act, width=390)[0] <= 390

"""cocal's form in ODK Web Forms in a real Chromium: filled in as a crew does, sent, exported as Central does.

home = installed(folder)                      # npm, by name and version; None where it cannot be had
with web_form(home, form_xml, points_csv) as form:
    form.choose((0.5, 0.5)); form.pick("¿Se llegó al punto?", "Sí"); ...
    form.send()
central_csv(form.sent, path)
"""

from __future__ import annotations

import csv
import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from playwright.sync_api import Locator, Page

from tests.support.browser import chromium

PACKAGES = ("@getodk/web-forms@0.22.0", "vue@3.5.29")
_PAGE = """<!doctype html><html lang="es"><head><meta charset="utf-8"><title>Form</title>
<link rel="icon" href="data:,"><script type="importmap">
{"imports": {"vue": "/node_modules/vue/dist/vue.esm-browser.prod.js"}}</script></head>
<body><div id="app"></div><script type="module">
import { createApp, h } from "vue";
import { OdkWebForm, webFormsPlugin } from "/node_modules/@getodk/web-forms/dist/index.js";
const formXml = await (await fetch("/form.xml")).text();
window.sent = [];
createApp({ render: () => h(OdkWebForm, {
  formXml, missingResourceBehavior: "ERROR",
  fetchFormAttachment: (url) => fetch("/" + String(url).split("/").pop()),
  onSubmit: async (payload) => {
    for (const data of payload.data) window.sent.push(await data.get("xml_submission_file").text());
  },
}) }).use(webFormsPlugin).mount("#app");
</script></body></html>"""
_GEOPOINT = ("Latitude", "Longitude", "Altitude", "Accuracy")


def installed(folder: Path) -> str | None:
    """Install the packages below `folder`; why it cannot be done, or None where it was."""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm"
    command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        return "npm did not answer within two minutes"
    return None if done.returncode == 0 else (done.stderr.splitlines() or ["npm failed"])[0]


@dataclass
class WebForm:
    """One open form; `sent` has the submissions as XML."""

    page: Page
    url: str
    sent: list[str] = field(default_factory=list)

    def open(self) -> None:
        self.page.goto(self.url)
        self.page.wait_for_selector(".map-block canvas")

    def stand(self, lat: float, lon: float, accuracy: float) -> None:
        """Where the receiver says that the crew is."""
        self.page.context.set_geolocation({"latitude": lat, "longitude": lon, "accuracy": accuracy})

    def choose(self, point: str) -> None:
        """Choose a point on the map: the markers are tried until it is the one."""
        box = self.page.locator(".map-block").bounding_box()
        assert box is not None
        self.page.wait_for_timeout(1000)  # the map fits its points
        for step in range(0, 400, 8):
            self.page.mouse.click(*_along(box, step / 400))
            card = self.page.locator(".map-properties")
            if card.count() and card.locator(".map-properties-header").inner_text().strip() == point:
                self.page.get_by_role("button", name="Save selected").click()
                return
        raise AssertionError(f"{point} is not on the map")

    def question(self, label: str) -> Locator:
        return self.page.locator(".question-container", has_text=label).first

    def pick(self, label: str, choice: str) -> None:
        self.question(label).get_by_label(choice, exact=True).check()

    def write(self, label: str, text: str) -> None:
        box = self.question(label).locator("input, textarea").first
        box.press_sequentially(text)
        box.press("Tab")

    def measure(self, label: str) -> None:
        self.question(label).get_by_role("button", name="Get location").click()
        self.page.get_by_role("button", name=re.compile("Save location")).click()

    def send(self) -> None:
        before = len(self.sent)
        self.page.get_by_role("button", name="Send").click()
        self.page.wait_for_function("window.sent.length > 0", timeout=10_000)
        self.sent += self.page.evaluate("window.sent")
        assert len(self.sent) == before + 1


def _along(box: dict, share: float) -> tuple[float, float]:
    """A place on the diagonal of the map on which the test lays its points, at the height of a marker."""
    return box["x"] + box["width"] * share, box["y"] + box["height"] * share


@contextmanager
def web_form(home: Path, form_xml: str, points: Path) -> Iterator[WebForm]:
    """Serve the form and the packages on loopback, and open a browser that asks no other host."""
    (home / "index.html").write_text(_PAGE, encoding="utf-8")
    (home / "form.xml").write_text(form_xml, encoding="utf-8")
    shutil.copy(points, home / "points.csv")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(home))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/index.html"
    try:
        with chromium() as browser:
            context = browser.new_context(
                permissions=["geolocation"], viewport={"width": 1000, "height": 1400}
            )
            context.route(lambda to: "127.0.0.1" not in to, lambda route: route.abort())
            yield WebForm(context.new_page(), url)
    finally:
        server.shutdown()
        server.server_close()


def central_csv(sent: Sequence[str], path: Path) -> Path:
    """The submissions as ODK Central exports them: a column per field, a geopoint as four."""
    rows = []
    for xml in sent:
        root = ET.fromstring(xml)
        row: dict[str, str] = {}
        for leaf in (e for e in root.iter() if len(e) == 0):
            name, text = leaf.tag.rsplit("}", 1)[-1], leaf.text or ""
            if name == "position":
                parts = [*text.split(), "", "", "", ""][:4]
                row |= {f"position-{k}": v for k, v in zip(_GEOPOINT, parts, strict=True)}
            else:
                row["meta-instanceID" if name == "instanceID" else name] = text
        rows.append(row | {"KEY": row["meta-instanceID"], "ReviewState": ""})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(k for row in rows for k in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path

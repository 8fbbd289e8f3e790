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
        """Choose the point in the middle of the map, which must be this one."""
        self.page.wait_for_timeout(1500)  # the map fits its points
        box = self.page.locator(".map-block").bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 - 10)
        head = self.page.locator(".map-properties-header")
        head.wait_for()
        assert head.inner_text().strip() == point
        self.page.get_by_role("button", name="Save selected").click()

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

    def answer(self, reached: bool) -> None:
        """Fill in a visit to productive coca, or why there was none."""
        self.pick("¿Se llegó al punto?", "Sí" if reached else "No")
        if reached:
            self.measure("Posición medida en el punto")
            self.pick("¿Qué hay en el punto?", "Coca")
            self.write("Cobertura de esa clase", "80")
            self.pick("Estado de la coca", "En producción")
            self.pick("¿La coca está bajo sombra?", "No, a pleno sol")
            self.pick("¿Hay otros cultivos", "No, coca sola")
            self.pick("Cómo se observó", "En el lugar")
        else:
            self.pick("¿Por qué no se llegó?", "Terreno o río")
        self.write("Observa (iniciales", "c1")

    def send(self) -> None:
        self.page.get_by_role("button", name="Send").click()
        self.page.wait_for_function("window.sent.length > 0", timeout=30_000)
        self.sent += self.page.evaluate("window.sent")


@contextmanager
def web_form(home: Path, form_xml: str) -> Iterator[WebForm]:
    """Serve form, points.csv of `home` and packages on loopback; the browser asks no other host."""
    (home / "index.html").write_text(_PAGE, encoding="utf-8")
    (home / "form.xml").write_text(form_xml, encoding="utf-8")

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

"""A STAC API on loopback (`rustac serve`), and a file server beside it that answers byte ranges."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.support.services.granules import RawGranule
from tests.support.services.loopback import Reply, StandIn, Trouble


class FilesStandIn(StandIn):
    """Files below a folder, whole or by ranges."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__()

    def endpoint(self, method: str, path: str) -> str:
        return "file"

    def answer(self, endpoint: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[Reply, Any]:
        path = self.folder / request.path.lstrip("/")
        if not path.is_file():
            return Reply(404, b""), request.path
        content = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if asked is None:
            return Reply(200, content, "image/tiff", {"Accept-Ranges": "bytes"}), request.path
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return Reply(206, content[first : last + 1], "image/tiff", headers), request.path

    def spoiled(self, trouble: Trouble, endpoint: str, body: bytes) -> bytes:
        return bytes(len(body))


@contextmanager
def stac_api(granules: Sequence[RawGranule], folder: Path, files_url: str) -> Iterator[str]:
    """The address of a STAC API that lists the granules; their rasters are below `files_url`."""
    items = folder / "items.json"
    items.write_text(
        json.dumps({"type": "FeatureCollection", "features": [g.item(files_url) for g in granules]})
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = shutil.which("rustac", path=str(Path(sys.executable).parent)) or "rustac"
    process = subprocess.Popen(
        [program, "serve", "-a", f"127.0.0.1:{port}", "--create-collections", str(items)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(url, timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()

"""The map under clients that mean harm: half-open connections, hosts, aborted logins, hostile requests."""

from __future__ import annotations

import functools
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path

from tests.serve.test_connections import (
    LIBRARY,
    LIMIT_LINE,
    NOT_PLAIN,
    POST,
    check_answers,
    half_open,
    request,
)
from tests.serve.test_requests import (
    ALTERING_HOSTS,
    METHODS,
    OTHER_HOSTS,
    PLACES,
    STRANGE_COOKIES,
    STRANGE_TOKENS,
    TOKEN,
    TRAVERSALS,
    tile_path,
)
from tests.support.offering import Server, served
from tests.support.shown_land import finished_land

ROOT = Path(__file__).parents[2]
HALF_OPEN = 1000
SLOW_READERS = 64


@functools.cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cocal-proof-serve-")


@functools.cache
def run() -> str:
    """The folder of a small finished run."""
    return str(finished_land(Path(_kept().name) / "world").root)


def seconds_for_an_answer(server: Server, source: str) -> float:
    began = time.monotonic()
    assert server.send(request(b"GET /data/house HTTP/1.1"), source).startswith(b"HTTP/1.1 200 ")
    return time.monotonic() - began


def a_thousand_half_open_connections_of_one_client_do_not_keep_a_second_one_waiting() -> str:
    """With the open files that macOS and Linux allow by default, and with as many as this process has."""
    figures = []
    for files in (256, 1024, 0):
        with served(run(), files=files) as server, ExitStack() as held:
            half_open(server, HALF_OPEN, "127.0.0.2", held)
            waits = {who: seconds_for_an_answer(server, who) for who in ("127.0.0.3", "127.0.0.1")}
            half_open(server, HALF_OPEN, "127.0.0.1", held)
            waits["127.0.0.1 itself"] = seconds_for_an_answer(server, "127.0.0.1")
            assert max(waits.values()) < 1, (files, waits)
            time.sleep(0.3)
            assert re.fullmatch(LIMIT_LINE, server.logged()), server.logged()[:2000]
            figures.append(f"{files or 'all'} files: {max(waits.values()):.2f} s")
    return f"{HALF_OPEN} held, longest wait of others and of the same: {'; '.join(figures)}; 1 line of log"


def floor(package: str) -> str:
    """The lowest version of a package that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = next(n for n in project["optional-dependencies"]["serve"] if n.startswith(f"{package}>="))
    return stated.removeprefix(f"{package}>=").partition(",")[0]


def a_hostile_host_gives_401_with_the_lowest_and_the_installed_starlette() -> str:
    """The lowest versions of what serves, in a folder of their own, before the installed ones on the path."""
    asked = []
    with tempfile.TemporaryDirectory() as folder:
        lowest = [f"{name}=={floor(name)}" for name in ("starlette", "uvicorn", "h11")]
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, *lowest]
        subprocess.run(install, check=True, capture_output=True)
        before = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        for name, more in ((", ".join(lowest), {"PYTHONPATH": before}), ("as installed", {})):
            environment = {"COCAL_SERVE_TOKEN": TOKEN, **more}
            with served(run(), "--restricted", "--host", "0.0.0.0", **environment) as server:
                for host in (*ALTERING_HOSTS, *OTHER_HOSTS):
                    for path in ("/data/house", "/data/small/all/points", tile_path("class", 14)):
                        assert server.ask(path, Host=host).status == 401, (name, host, path)
                assert server.ask("/data/house", Authorization=f"Bearer {TOKEN}").status == 200
                asked.append(f"{name}: {3 * len((*ALTERING_HOSTS, *OTHER_HOSTS))} of 401")
    return f"{'; '.join(asked)} (starlette {metadata.version('starlette')})"


def an_aborted_login_prints_no_traceback() -> str:
    whole = POST + b"\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\ntoken="
    aborted = [*(whole[:size] for size in range(1, len(whole))), *[whole] * 60]
    with served(run(), "--restricted", COCAL_SERVE_TOKEN=TOKEN) as server:
        assert server.ask("/data/house").status == 401  # it accepts
        for content in aborted:
            with server.connect() as connection:
                connection.sendall(content)
                time.sleep(0.01 * (len(content) % 3))  # so that some are read before the end
                if len(content) % 2:
                    connection.shutdown(socket.SHUT_WR)
        assert server.ask("/data/house").status == 401
        time.sleep(0.3)
        logged = set(server.logged().splitlines(keepends=True))
        other = logged - {"cocal: WARNING Invalid HTTP request received.\n"}
        assert all(re.fullmatch(LIMIT_LINE, line) for line in other), server.logged()[:2000]
    return f"{len(aborted)} logins aborted after 1 to {len(whole)} bytes: no traceback"


def hostile_requests_are_answered_as_before_with_the_security_headers() -> str:
    """Paths that lead out, other methods, places that are none, other hosts, heads that are not plain."""
    with served(run(), "--restricted") as server:
        for path in TRAVERSALS:
            assert server.ask(path).status in (400, 404), path
        for method in METHODS:
            assert server.ask("/data/house", method).status == 405, method
        for place in PLACES:
            assert server.ask(f"/data/small/all/pixel?{place}").status == 400, place
        for host in (*OTHER_HOSTS, *ALTERING_HOSTS):
            assert server.ask("/data/house", Host=host).status == 400, host
        for name, (status, content) in NOT_PLAIN.items():
            check_answers(name, status, server.send(content))
        logged = server.logged()
    with served(run(), "--restricted", COCAL_SERVE_TOKEN=TOKEN) as server:
        for value in STRANGE_TOKENS:
            assert server.ask("/data/house", Authorization=value).status == 401, value
        for value in STRANGE_COOKIES:
            assert server.ask("/data/house", Cookie=value).status == 401, value
        logged += server.logged()
    assert "Traceback" not in logged
    assert logged.count("\n") <= 2, logged
    lists = (
        TRAVERSALS, METHODS, PLACES, OTHER_HOSTS, ALTERING_HOSTS, NOT_PLAIN, STRANGE_TOKENS, STRANGE_COOKIES,
    )  # fmt: skip
    return (
        f"{sum(map(len, lists))} requests refused or answered as stated; {logged.count(chr(10))} lines of log"
    )


def clients_that_do_not_read_hold_no_memory() -> str:
    def resident_mb() -> float:
        pages = Path(f"/proc/{server.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6

    with served(run()) as server, ExitStack() as held:
        assert server.ask("/data/house").status == 200
        before = resident_mb()
        for _ in range(SLOW_READERS):
            held.enter_context(server.connect("127.0.0.2", receive_buffer=4096)).sendall(LIBRARY * 20)
        time.sleep(3)
        more, wait = resident_mb() - before, seconds_for_an_answer(server, "127.0.0.1")
        assert more < 64, more
        assert wait < 1, wait
    return f"{SLOW_READERS} clients ask for 20 MB and read nothing: {more:.0f} MB, another waits {wait:.2f} s"


REQUIREMENTS = (
    a_thousand_half_open_connections_of_one_client_do_not_keep_a_second_one_waiting,
    a_hostile_host_gives_401_with_the_lowest_and_the_installed_starlette,
    an_aborted_login_prints_no_traceback,
    hostile_requests_are_answered_as_before_with_the_security_headers,
    clients_that_do_not_read_hold_no_memory,
)

"""Clients that hold connections, leave, or send what is not HTTP, against the real command and server."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import struct
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.support.offering import Server, offered, served

from cocal.serve import Access, connections, make_server, serve_runs
from cocal.serve.guard import client_of
from cocal.serve.server import MapServer
from cocal.serve.turns import Turns

TOKEN = "correct-horse-battery-staple"
HOST = b"Host: 127.0.0.1\r\n"
LIBRARY = b"GET /assets/vendor/maplibre-gl/maplibre-gl.mjs HTTP/1.1\r\n" + HOST + b"\r\n"


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, HOST.strip(), *headers, b"Connection: close", b"", body])


LIMIT_LINE = r"cocal: WARNING connections ended: \d+: more than one client may have\n"
CHUNKED = b"Transfer-Encoding: chunked"
POST = b"POST /login HTTP/1.1"
NOT_PLAIN = {
    "HTTP/1.0": (200, request(b"GET /data/house HTTP/1.0")),
    "HTTP/1.0 without a host": (400, b"GET /data/house HTTP/1.0\r\n\r\n"),
    "a TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)),
    "every byte": (400, bytes(range(256))),
    "HEAD": (200, request(b"HEAD / HTTP/1.1")),
    "TRACE": (405, request(b"TRACE / HTTP/1.1", b"Cookie: x=y")),
    "OPTIONS *": (404, request(b"OPTIONS * HTTP/1.1")),
    "CONNECT": (404, request(b"CONNECT evil.example:80 HTTP/1.1")),
    "another host in the line": (404, request(b"GET http://evil.example/data/house HTTP/1.1")),
    "two lengths, chunked": (400, request(POST, b"Content-Length: 6", CHUNKED,
                                          body=b"0\r\n\r\nGET /data/house HTTP/1.1\r\n\r\n")),
    "two lengths": (400, request(POST, b"Content-Length: 6", b"Content-Length: 7")),
    "an unknown transfer encoding": (400, request(POST, b"Transfer-Encoding: xchunked")),
    "a length below zero": (400, request(POST, b"Content-Length: -1")),
    "a broken chunk to a form": (400, request(POST, CHUNKED, body=b"5\r\nabcdefgh\r\n")),
    "a broken chunk to a table": (400, request(b"POST /data/house HTTP/1.1", CHUNKED, body=b"Z\r\nabc\r\n")),
    "two hosts": (400, request(b"GET / HTTP/1.1", HOST.strip())),
    "a NUL in the path": (400, request(b"GET /\0 HTTP/1.1")),
    "a NUL in a header": (400, request(b"GET / HTTP/1.1", b"X: a\0b")),
    "bytes in the path": (400, request(b"GET /\xff\xfe HTTP/1.1")),
    "broken escapes": (404, request(b"GET /assets/%zz%f%%ff%c0%ae HTTP/1.1")),
    "broken escapes in a query": (404, request(b"GET /data/small/all/region?id=%zz%ff&=&&%=%00 HTTP/1.1")),
    "a surrogate": (404, request(b"GET /data/%ed%a0%80/regions HTTP/1.1")),
    "a slash too many": (404, request(b"GET /data/house/ HTTP/1.1")),
    "a path of 100 kB": (431, request(b"GET /" + b"a" * 100_000 + b" HTTP/1.1")),
    "a header of 20 kB": (431, request(b"GET / HTTP/1.1", b"X: " + b"a" * 20_000)),
    "10,000 header lines": (431, request(b"GET / HTTP/1.1", *[b"a: b"] * 10_000)),
    "a cookie of backslashes": (200, request(b"GET / HTTP/1.1", b'Cookie: cocal="' + b"\\" * 15_000)),
    "a WebSocket": (200, request(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket")),
    "a forwarded scheme": (200, request(b"GET / HTTP/1.1", b"X-Forwarded-Proto: javascript",
                                        b"X-Forwarded-For: \xff")),
    "garbage after a request": (200, b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGARBAGE\r\n\r\n"),
    "no body after Expect": (405, request(POST, b"Expect: 100-continue", b"Content-Length: 0")),
}  # fmt: skip


def check_answers(name: str, status: int, answers: bytes) -> None:
    """The first of `answers` has this status, all have the security headers, none leads elsewhere."""
    assert answers.startswith(b"HTTP/1.1 %d " % status), (name, answers[:200])
    policies = answers.lower().count(b"content-security-policy: default-src 'none'")
    assert policies == answers.count(b"HTTP/1.1 "), (name, answers[:2000])
    assert b"location:" not in answers.lower()


def half_open(server: Server, count: int, source: str, stack: ExitStack) -> None:
    for _ in range(count):
        connection = stack.enter_context(server.connect(source))
        connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"X: a")


@pytest.mark.parametrize("files", [256, 1024])
def test_a_thousand_half_open_connections_keep_nobody_waiting(shown, files):
    with served(str(shown.root), files=files) as server, ExitStack() as held:
        for source in ("127.0.0.2", "127.0.0.1"):
            half_open(server, 1000, source, held)
            began = time.monotonic()
            assert server.ask("/data/house").status == 200
            assert time.monotonic() - began < 1
        assert len(list(Path(f"/proc/{server.pid}/fd").iterdir())) < files / 2
        time.sleep(0.3)
        assert re.fullmatch(LIMIT_LINE, server.logged())


def test_what_is_not_a_plain_request_is_answered_with_the_policy_and_leaves_no_trace(shown):
    with served(str(shown.root), "--restricted") as server:
        for name, (status, content) in NOT_PLAIN.items():
            check_answers(name, status, server.send(content))
        kept = request(b"GET / HTTP/1.1").replace(b"Connection: close\r\n", b"")
        assert server.send(kept * 20 + request(b"GET / HTTP/1.1")).count(b"HTTP/1.1 200 OK") == 21
        assert server.ask("/data/house").status == 200
        assert server.logged() == "cocal: WARNING Invalid HTTP request received.\n"


def test_a_client_that_leaves_in_the_middle_prints_nothing(shown):
    reset = struct.pack("ii", 1, 0)
    with served(str(shown.root), "--restricted", COCAL_SERVE_TOKEN=TOKEN) as server:
        for number in range(60):
            connection = server.connect()
            if number % 3:
                connection.sendall(POST + b"\r\n" + HOST + b"Content-Length: 100\r\n\r\ntoken=")
            else:
                connection.sendall(LIBRARY)
            time.sleep(0.01 * (number % 2))
            if number % 4:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            connection.close()
        assert server.ask("/data/house").status == 401
        assert server.logged() == ""


def seconds_until_closed(connection: socket.socket, again: bytes) -> float:
    """Seconds until the server closes a connection on which a byte is sent every 50 ms."""
    began = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() - began < 20:
        try:
            if not connection.recv(1 << 16):
                break
        except TimeoutError:
            try:
                connection.sendall(again)
            except ConnectionError:
                break
        except ConnectionError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"a"),
        (POST + b"\r\n" + HOST + b"Content-Length: 4000\r\n\r\n", b"a"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"G"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 4000\r\n\r\n", b"a"),
    ],
    ids=["nothing", "head", "body", "next head", "body that nobody reads"],
)  # fmt: skip
def test_a_request_that_does_not_end_is_ended(shown, monkeypatch, start, again):
    monkeypatch.setattr(connections, "REQUEST_S", 1.0)
    with (
        offered(shown.root, restricted=True, token=TOKEN, local=False) as server,
        server.connect() as connection,
    ):
        connection.sendall(start)
        assert 0.9 < seconds_until_closed(connection, again) < 3


def test_a_client_that_does_not_read_holds_no_memory_and_is_ended(shown, monkeypatch):
    monkeypatch.setattr(connections, "DRAIN_S", 2.0)
    with offered(shown.root, restricted=True) as server, ExitStack() as stack:
        before = resident_mb()
        held = [stack.enter_context(server.connect(receive_buffer=4096)) for _ in range(40)]
        for connection in held:
            connection.sendall(LIBRARY * 20)
        time.sleep(1)
        assert resident_mb() - before < 40  # 1 MB of the library for each, and its copies, were 80 and more
        assert server.ask("/data/house").status == 200
        time.sleep(3)
        for connection in held:
            received = 0
            try:
                while found := connection.recv(1 << 16):
                    received += len(found)
            except ConnectionError:
                pass
            assert received < 20 * len(LIBRARY) * 1_000_000


def resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_one_client_that_asks_for_much_leaves_room_for_another():
    go = threading.Event()

    def slow(_: object) -> PlainTextResponse:
        go.wait(20)
        return PlainTextResponse("slow")

    def quick(_: object) -> PlainTextResponse:
        return PlainTextResponse("quick")

    turn = Turns().of
    app = Starlette(routes=[Route("/slow", turn(slow)), Route("/quick", turn(quick))])
    runner = make_server(app)
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as held:
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]})
        thread.start()
        server = Server(listener.getsockname()[1])
        try:
            for _ in range(30):
                greedy = held.enter_context(server.connect("127.0.0.2"))
                greedy.sendall(request(b"GET /slow HTTP/1.1"))
            time.sleep(0.3)
            began = time.monotonic()
            assert server.ask("/quick").body == b"quick"
            assert time.monotonic() - began < 1
        finally:
            go.set()
            runner.should_exit = True
            thread.join()


def test_a_stopped_server_does_not_wait_for_clients_that_do_not_read(shown):
    with served(str(shown.root)) as server, ExitStack() as held:
        half_open(server, 20, "127.0.0.2", held)
        held.enter_context(server.connect(receive_buffer=4096)).sendall(LIBRARY * 20)
        began = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        assert time.monotonic() - began < 15
        assert server.logged() in ("", "cocal: stopped; committed outputs are kept, run again to continue\n")


def test_the_address_is_announced_when_signals_are_handled(shown, monkeypatch):
    """One that came before left a coroutine that was never awaited, and its warning."""
    handlers, run = [], MapServer.run

    def announce(_):
        handlers.append(signal.getsignal(signal.SIGTERM))
        server[0].should_exit = True

    server = []
    monkeypatch.setattr(MapServer, "run", lambda self, sockets: (server.append(self), run(self, sockets)))
    serve_runs([shown.root], restricted=True, port=0, access=Access(), announce=announce)
    assert handlers == [server[0].handle_exit]


def test_wrong_tokens_are_counted_per_client(shown):
    def login(token: str, source: str) -> int:
        body = f"token={token}".encode()
        length = b"Content-Length: %d" % len(body)
        return int(server.send(request(POST, length, body=body), source).split()[1])

    def bearer(token: str, source: str) -> int:
        line = b"Authorization: Bearer " + token.encode()
        return int(server.send(request(b"GET /data/house HTTP/1.1", line), source).split()[1])

    with served(str(shown.root), COCAL_SERVE_TOKEN=TOKEN) as server:
        assert [login("wrong", "127.0.0.2") for _ in range(15)] == [303] * 15
        assert [bearer("wrong", "127.0.0.2") for _ in range(15)] == [401] * 15
        assert {login("wrong", "127.0.0.2"), login(TOKEN, "127.0.0.2"), bearer(TOKEN, "127.0.0.2")} == {429}
        assert (login(TOKEN, "127.0.0.3"), bearer(TOKEN, "127.0.0.3")) == (303, 200)
        assert server.logged() == "cocal: WARNING a wrong token was offered\n"


def test_an_address_of_ipv6_is_the_client_of_its_network():
    assert client_of("2001:db8:0:1::1") == client_of("2001:db8:0:1:ffff::2") != client_of("2001:db8:0:2::1")
    assert client_of("::ffff:10.0.0.1") == client_of("10.0.0.1") == "10.0.0.1"
    assert client_of("not an address") == ""


def test_a_kept_connection_serves_many_requests(shown):
    with served(str(shown.root)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for _ in range(50):
            connection.request("GET", "/data/house")
            assert len(connection.getresponse().read()) > 100
        connection.close()

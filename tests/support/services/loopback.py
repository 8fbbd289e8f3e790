"""An HTTP server on loopback that can fail in every way asked of it, and keeps a log of its requests."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HTML = b"<!DOCTYPE html><html><body><h1>503 upstream busy</h1></body></html>"


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trouble:
    """One way to fail. `kind` is a method of `Handler`, or `status` for a plain refusal."""

    kind: str = "status"
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": {"message": "trouble on demand"}}'
    seconds: float = 0.0
    type: str = "application/json"


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    endpoint: str
    at: float
    status: int | str
    about: Any = None


class StandIn:
    """A server; subclasses answer. `troubles[endpoint]` is used up request by request, `always` is not."""

    def __init__(self, certificate: Any = None) -> None:
        self.troubles: dict[str, deque[Trouble | None]] = defaultdict(deque)
        self.always: dict[str, Trouble] = {}
        self.log: list[Asked] = []
        self.lock = threading.Lock()
        self.in_flight = self.most_in_flight = 0
        self.slow = 0.0
        self.arrived: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def count(self, endpoint: str) -> int:
        return sum(asked.endpoint == endpoint for asked in self.log)

    def forget(self) -> None:
        """Empty the log and all troubles."""
        self.log.clear()
        self.troubles.clear()
        self.always.clear()

    def endpoint(self, method: str, path: str) -> str:
        raise NotImplementedError

    def answer(self, endpoint: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[Reply, Any]:
        """The reply, and what the request was about."""
        raise NotImplementedError

    def spoiled(self, trouble: Trouble, endpoint: str, body: bytes) -> bytes:
        """A body of status 200 that is wrong inside."""
        raise NotImplementedError


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one way to fail a method
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, BrokenPipeError, TimeoutError, ssl.SSLError):
                self.close_connection = True

        def do_POST(self) -> None:
            self._serve("POST")

        def do_GET(self) -> None:
            self._serve("GET")

        def do_HEAD(self) -> None:
            self._serve("HEAD")

        def _serve(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            endpoint = stand_in.endpoint(method, self.path)
            with stand_in.lock:
                stand_in.arrived.append(endpoint)
                stand_in.in_flight += 1
                stand_in.most_in_flight = max(stand_in.most_in_flight, stand_in.in_flight)
                waiting = stand_in.troubles[endpoint]
                trouble = waiting.popleft() if waiting else stand_in.always.get(endpoint)
            try:
                time.sleep(stand_in.slow)
                self._reply(endpoint, body, trouble)
            finally:
                with stand_in.lock:
                    stand_in.in_flight -= 1

        def _reply(self, endpoint: str, body: bytes, trouble: Trouble | None) -> None:
            at = time.time()
            if trouble and trouble.kind == "status":
                stand_in.log.append(Asked(endpoint, at, trouble.status))
                self._send(Reply(trouble.status, trouble.body, trouble.type, trouble.headers))
                return
            reply, about = stand_in.answer(endpoint, self, body)
            stand_in.log.append(Asked(endpoint, at, trouble.kind if trouble else reply.status, about))
            if trouble is None:
                self._send(reply)
            elif hasattr(self, f"_{trouble.kind}"):
                getattr(self, f"_{trouble.kind}")(reply, trouble)
            else:
                spoiled = stand_in.spoiled(trouble, endpoint, reply.body)
                self._send(Reply(200, spoiled, reply.type, reply.headers))

        def _head(self, reply: Reply, length: int | None, **more: str) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.type)
            for name, value in {**reply.headers, **more}.items():
                self.send_header(name, value)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()

        def _send(self, reply: Reply) -> None:
            self._head(reply, len(reply.body))
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        def _reset(self, *_: object) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def _silence(self, _: Reply, trouble: Trouble) -> None:
            time.sleep(trouble.seconds)
            self.close_connection = True

        def _drip(self, reply: Reply, trouble: Trouble) -> None:
            """One byte at a time, for ever (at most `seconds`)."""
            self._head(reply, len(reply.body))
            end = time.monotonic() + trouble.seconds
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if time.monotonic() > end:
                    return
                time.sleep(0.02)

        def _short(self, reply: Reply, _: Trouble) -> None:
            self._head(reply, len(reply.body))
            self.wfile.write(reply.body[: len(reply.body) // 2])

        def _short_without_length(self, reply: Reply, _: Trouble) -> None:
            self._head(reply, None)
            self.wfile.write(reply.body[: len(reply.body) // 2])

        def _chunked_cut(self, reply: Reply, _: Trouble) -> None:
            self._head(reply, None, **{"Transfer-Encoding": "chunked"})
            half = reply.body[: len(reply.body) // 2]
            self.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")

        def _html(self, reply: Reply, _: Trouble) -> None:
            self._send(Reply(200, HTML, "text/html"))

    return Handler

"""Servers on loopback that offer finished runs, in a thread or as a process, and requests as they go over the
wire.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocal.serve import Access, make_app, make_server, open_run
from cocal.serve.imagery import Imagery


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A map on loopback."""

    port: int
    pid: int = 0
    log: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def logged(self) -> str:
        """What the process wrote to stderr so far."""
        assert self.log is not None
        return self.log.read_text(encoding="utf-8")

    def connect(self, source: str = "127.0.0.1", *, receive_buffer: int = 0) -> socket.socket:
        """A connection from an address of loopback."""
        made = socket.socket()
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.settimeout(30)
        made.bind((source, 0))
        made.connect(("127.0.0.1", self.port))
        return made

    def send(self, content: bytes, source: str = "127.0.0.1") -> bytes:
        """All that comes back for these bytes until the server closes the connection."""
        answer = b""
        with self.connect(source) as connection:
            try:
                connection.sendall(content)
                while found := connection.recv(1 << 16):
                    answer += found
            except ConnectionError:  # closed before it had read everything
                return answer
        return answer

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        """The answer to a request whose path goes over the wire as it stands."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection._validate_path = lambda url: None  # type: ignore[attr-defined]
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@contextmanager
def offered(
    *paths: Path, restricted: bool, token: str | None = None, local: bool = True, imagery: str | None = None
) -> Iterator[Server]:
    """The runs on a free port, as `cocal serve` offers them, in a thread."""
    own = imagery and Imagery(imagery)
    runs = [open_run(path, restricted=restricted) for path in paths]
    hosts = Access().hosts if local else ("*",)
    app = make_app(runs, restricted=restricted, token=token, hosts=hosts, imagery=own or None)
    server = make_server(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Server(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def served(*arguments: str, files: int = 0, **environment: str) -> Iterator[Server]:
    """`cocal serve ARGUMENTS` as a process of its own, which may open `files` files (0: as this one)."""
    command = [sys.executable, "-c", "from cocal.cli import main; main()", "serve", *arguments, "--port", "0"]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clean = {k: v for k, v in os.environ.items() if k != "COCAL_SERVE_TOKEN"}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        limited = ["prlimit", f"--nofile={files}:{hard}", *command] if files else command
        process = subprocess.Popen(limited, stdout=subprocess.PIPE, stderr=log, env=clean | environment)
        try:
            assert process.stdout is not None
            said = process.stdout.readline().decode()
            assert "/ " in said, Path(log.name).read_text(encoding="utf-8")
            port = int(said.split("/ ")[0].rpartition(":")[2])
            yield Server(port, process.pid, Path(log.name))
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()

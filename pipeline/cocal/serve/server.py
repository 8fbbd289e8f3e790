"""The server process: port, socket, uvicorn, what it logs."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from cocal.errors import UsageError
from cocal.serve.app import make_app
from cocal.serve.connections import CLIENTS, TOO_MANY, LimitedConnection, Limits, most_connections
from cocal.serve.guard import Access, check_access, client_of
from cocal.serve.imagery import Imagery
from cocal.serve.runs import open_run

log = logging.getLogger(__name__)

_QUEUE = 2048
"""Connections that the system keeps until they are accepted."""

_RETRY_S = 0.1

_GRACE_S = 5.0
"""Time that responses have when the server is stopped."""

_LOG_EVERY_S = 60.0


class OncePerMinute(logging.Filter):
    """Lets a message through once a minute, with the number of those left out before, so that no client can
    make the log grow.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = record.getMessage().partition("\n")[0], time.monotonic()
        last, left_out = self._seen.get(kind, (now - _LOG_EVERY_S, 0))
        if now - last < _LOG_EVERY_S:
            self._seen[kind] = last, left_out + 1
            return False
        self._seen[kind] = now, 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more before)", None
        return True


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"minute": {"()": OncePerMinute}},
    "formatters": {"plain": {"format": "cocal: %(levelname)s %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "filters": ["minute"], "formatter": "plain"},
    },
    "loggers": {
        name: {"handlers": ["stderr"], "level": level, "propagate": False}
        for name, level in (("uvicorn", "WARNING"), ("cocal.serve", "WARNING"), ("asyncio", "ERROR"))
    },
}


class MapServer(uvicorn.Server):
    """uvicorn that accepts of one client what it may have, and whose end no client can put off.

    `opened` is called when it accepts connections and handles signals.
    """

    def __init__(self, config: uvicorn.Config, opened: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._opened = opened
        self.server_state: Limits = Limits()
        self._arriving: set[asyncio.Task[object]] = set()
        self._logged = -math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            self._listen(listener)
        if self._opened is not None:
            self._opened()

    def _listen(self, listener: socket.socket) -> None:
        """Accept in place of asyncio, which accepts all before it looks at one, until no file is left."""
        if not self.should_exit:
            asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Accept those who wait. Of one client the newest stay, as many as it may have."""
        loop, most = asyncio.get_running_loop(), most_connections()
        kept: dict[str, deque[socket.socket]] = {}
        while sum(map(len, kept.values())) < most:
            try:
                accepted, address = listener.accept()
            except BlockingIOError:
                break
            except OSError:  # no file is left
                loop.remove_reader(listener.fileno())
                loop.call_later(_RETRY_S, self._listen, listener)
                break
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body wait for no ACK
            own = kept.setdefault(client_of(address[0]), deque())
            own.append(accepted)
            if len(own) > most // CLIENTS and address[0] not in self.config.forwarded_allow_ips:
                own.popleft().close()
                self.server_state.ended[TOO_MANY] += 1
        for accepted in chain.from_iterable(kept.values()):
            task = loop.create_task(loop.connect_accepted_socket(self._connection, accepted))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def _connection(self) -> LimitedConnection:
        return LimitedConnection(self.config, self.server_state, self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        ended, now = self.server_state.ended, time.monotonic()
        if ended and now - self._logged > _LOG_EVERY_S:
            log.warning("connections ended: %s", "; ".join(f"{n}: {why}" for why, n in ended.items()))
            ended.clear()
            self._logged = now
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(_GRACE_S, self._abort)
        await super().shutdown(sockets)

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def make_server(
    app: ASGIApp, proxies: Sequence[str] = (), opened: Callable[[], None] | None = None
) -> MapServer:
    """The server of `app`, with limits on connections; `proxies` may state scheme and client of a request.

    `opened` is called when the server accepts connections; a signal from then on ends it in order.
    """
    config = uvicorn.Config(
        app, http=LimitedConnection, ws="none", loop="asyncio", backlog=_QUEUE, log_config=LOGGING,
        log_level="warning", access_log=False, server_header=False,
        proxy_headers=bool(proxies), forwarded_allow_ips=list(proxies),
    )  # fmt: skip
    return MapServer(config, opened)


def serve_runs(
    paths: Sequence[str | Path],
    *,
    restricted: bool,
    port: int,
    access: Access,
    announce: Callable[[str], None],
    imagery: str | None = None,
) -> None:
    """Serve the map of finished runs until the process is stopped.

    Parameters
    ----------
    paths
        Folders of runs, or their configurations.
    restricted
        False shows what public/ holds; True maps, pixels and field points too.
    port
        Port to listen on; port 0 takes a free one.
    access
        Address to listen on, and who may ask by which names.
    announce
        Called with the URL when the map is served.
    imagery
        The user's own image: a GeoTIFF, or an address of tiles; for the restricted profile.

    Raises
    ------
    UsageError
        A run cannot be shown, the port is taken, or other machines can reach the map and there is no token;
        `imagery` is no image, or the profile is public.
    """
    check_access(access)
    if imagery is not None and not restricted:
        raise UsageError("--imagery", "the restricted profile", "the public one", "add --restricted")
    own = None if imagery is None else Imagery(imagery)
    runs = [open_run(path, restricted=restricted) for path in paths]
    app = make_app(runs, restricted=restricted, token=access.token, hosts=access.hosts, imagery=own)
    serve_app(app, port=port, access=access, announce=announce)


def serve_app(app: ASGIApp, *, port: int, access: Access, announce: Callable[[str], None]) -> None:
    """Serve an application that is `guarded` until the process is stopped; parameters as of `serve_runs`.

    Raises
    ------
    UsageError
        The port is taken.
    """
    with _listen(access.host, port) as listener:
        shown = f"[{access.host}]" if ":" in access.host else access.host
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        make_server(app, access.proxies, lambda: announce(address)).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_QUEUE)
    except (OSError, OverflowError) as err:
        taken = isinstance(err, OSError) and err.errno == errno.EADDRINUSE
        raise UsageError(
            f"port {port} of {host} is taken" if taken else f"cannot serve the map on {host}, port {port}",
            "a free port of this machine", str(err),
            "choose another with --port, or --port 0 for any free one",
        ) from err  # fmt: skip

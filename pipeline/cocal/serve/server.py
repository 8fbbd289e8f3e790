"""The server process: port, socket, uvicorn, what it logs."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from cocal.errors import UsageError
from cocal.serve.app import make_app
from cocal.serve.connections import LimitedConnection
from cocal.serve.guard import Access, check_access
from cocal.serve.runs import open_run

_BURST, _QUEUE = 16, 2048
"""Connections accepted before those over the limits are ended, and those that the system keeps until then."""

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
    """uvicorn with a short queue of its own before the limits, and an end that no client can put off."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_QUEUE)  # asyncio accepts as many at once as it has been given: `_BURST`

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(_GRACE_S, self._abort)
        await super().shutdown(sockets)

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def make_server(app: ASGIApp, proxies: Sequence[str] = ()) -> MapServer:
    """The server of `app`, with limits on connections; `proxies` may state scheme and client of a request."""
    config = uvicorn.Config(
        app, http=LimitedConnection, ws="none", loop="asyncio", backlog=_BURST, log_config=LOGGING,
        log_level="warning", access_log=False, server_header=False,
        proxy_headers=bool(proxies), forwarded_allow_ips=list(proxies),
    )  # fmt: skip
    return MapServer(config)


def serve_runs(
    paths: Sequence[str | Path],
    *,
    restricted: bool,
    port: int,
    access: Access,
    announce: Callable[[str], None],
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
        Called with the URL when the port is open.

    Raises
    ------
    UsageError
        A run cannot be shown, the port is taken, or other machines can reach the map and there is no token.
    """
    check_access(access)
    runs = [open_run(path, restricted=restricted) for path in paths]
    app = make_app(runs, restricted=restricted, token=access.token, hosts=access.hosts)
    with _listen(access.host, port) as listener:
        shown = f"[{access.host}]" if ":" in access.host else access.host
        announce(f"http://{shown}:{listener.getsockname()[1]}/")
        make_server(app, access.proxies).run(sockets=[listener])


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

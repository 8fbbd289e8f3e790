"""The server process: port, socket, uvicorn."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from cocal.errors import UsageError
from cocal.serve.app import make_app
from cocal.serve.guard import allowed_hosts, check_binding
from cocal.serve.runs import open_run


def serve_runs(
    paths: Sequence[str | Path],
    *,
    restricted: bool,
    host: str,
    port: int,
    token: str | None,
    announce: Callable[[str], None],
) -> None:
    """Serve the map of finished runs until the process is stopped.

    Parameters
    ----------
    paths
        Folders of runs, or their configurations.
    restricted
        False shows what public/ holds; True maps, pixels and field points too.
    host, port
        Address to listen on; port 0 takes a free one.
    token
        If given, every request needs it; required if `host` is reachable from other machines.
    announce
        Called with the URL when the port is open.

    Raises
    ------
    UsageError
        A run cannot be shown, the port is taken, or `host` is reachable from other machines and there is no
        token.
    """
    check_binding(host, token)
    runs = [open_run(path, restricted=restricted) for path in paths]
    app = make_app(runs, restricted=restricted, token=token, hosts=allowed_hosts(host))
    with _listen(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        announce(f"http://{shown}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as err:
        taken = isinstance(err, OSError) and err.errno == errno.EADDRINUSE
        raise UsageError(
            f"port {port} of {host} is taken" if taken else f"cannot serve the map on {host}, port {port}",
            "a free port of this machine", str(err),
            "choose another with --port, or --port 0 for any free one",
        ) from err  # fmt: skip

"""The port on which the map is offered."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from cocal.errors import UsageError
from cocal.serve.app import make_app
from cocal.serve.guard import check_binding, is_loopback
from cocal.serve.runs import open_run


def serve(
    paths: Sequence[str | Path],
    *,
    restricted: bool,
    host: str,
    port: int,
    token: str | None,
    tell: Callable[[str], None],
) -> None:
    """Offer the map of finished runs until the process is stopped.

    Parameters
    ----------
    paths
        Folders of runs, or their configurations.
    restricted
        False shows what public/ holds; True maps, pixels and field points too.
    host, port
        Where; port 0 takes a free one.
    token
        Asked of everyone if given; needed where others can reach `host`.
    tell
        Gets the address when the port is open.

    Raises
    ------
    UsageError
        A run cannot be shown, the port is taken, or the map would be open to strangers.
    """
    check_binding(host, token)
    runs = [open_run(path, restricted=restricted) for path in paths]
    app = make_app(runs, restricted=restricted, token=token, local=is_loopback(host))
    with _listen(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        tell(f"http://{shown}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as err:
        taken = isinstance(err, OSError) and err.errno == errno.EADDRINUSE
        raise UsageError(
            f"port {port} of {host} is taken" if taken else f"the map cannot be offered on {host}, port {port}",
            "a free port of this machine", str(err), "choose another with --port, or --port 0 for any free one",
        ) from err  # fmt: skip

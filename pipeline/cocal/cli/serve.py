"""To look at finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="folders of finished runs, such as runs/demo")
    ],
    restricted: Annotated[
        bool,
        typer.Option("--restricted", help="show class maps, pixels and field points: not for the public"),
    ] = False,
    host: Annotated[str, typer.Option(help="elsewhere than loopback a token is needed")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8765,
) -> None:
    """Show finished runs on a map in the browser. With COCAL_SERVE_TOKEN set, everyone is asked for it."""
    import os

    from cocal.serve import serve as offer

    token = os.environ.get("COCAL_SERVE_TOKEN") or None
    offer(runs, restricted=restricted, host=host, port=port, token=token, tell=_tell_address)


def _tell_address(address: str) -> None:
    """On its own line and at once: other programs wait for it."""
    print(f"map: {address} (stop it with Ctrl+C)", flush=True)  # noqa: T201 - the command's own output

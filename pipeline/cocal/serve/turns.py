"""How many requests are computed at once, in all and of one client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from cocal.serve.guard import client_of

_AT_ONCE, _FOR_ONE = 8, 6
"""Requests computed at once, in all and of one client: a browser keeps six connections to a host."""


class Turns:
    """Handlers that compute, in threads: `_AT_ONCE` in all, `_FOR_ONE` of one client, so that a client that
    asks for many tiles does not keep others waiting.
    """

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(_AT_ONCE)
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        """`handler` for a route; it begins when it is the client's turn."""

        async def answer(request: Request) -> Response:
            client = client_of(request.client.host) if request.client else ""
            async with self._own.setdefault(client, asyncio.Semaphore(_FOR_ONE)), self._all:
                return await run_in_threadpool(handler, request)

        return answer

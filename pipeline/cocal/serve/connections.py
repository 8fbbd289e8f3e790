"""Connections: how many there may be, and how long each may wait for its client.

uvicorn limits neither. A connection waits while its client has not sent a complete request, head and body, or
does not take what is sent. It is ended after a time, however slowly bytes come, or earlier if room is
needed for another one: the one that has waited longest ends first. A connection whose request is being
answered is not ended.
"""

from __future__ import annotations

import asyncio
import math
import resource
from collections import Counter
from collections.abc import Iterable

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from cocal.serve.guard import HEADERS, client_of

REQUEST_S = 10.0
"""Time in which a client must send a complete request, counted from the connection or the last response."""

DRAIN_S = 60.0
"""Time in which a client must take the 64 KB that are ready for it."""

MOST_CONNECTIONS, CLIENTS = 256, 4
"""Connections in all, and how many clients at least share them."""

TOO_MANY = "more than one client may have"


def most_connections() -> int:
    """How many connections there may be: 256, or a quarter of the files that the process may open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, files // 4)


class Limits(ServerState):
    """What the connections of a server share."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: Counter[str] = Counter()
        """How many connections were ended, by reason; whoever logs them sets it to zero."""


class LimitedConnection(H11Protocol):
    """A connection of uvicorn with a deadline for what its client must do next."""

    server_state: Limits
    connections: set[LimitedConnection]  # type: ignore[assignment]

    peer = ""
    """The client; "" for a stated proxy, which connects for many."""

    waits_since = math.inf
    """Time of the loop since which it is for the client to go on; infinite while it is not."""

    _deadline: asyncio.TimerHandle | None = None

    @property
    def lacks_request(self) -> bool:
        """Whether the client has to send a request, or the rest of one."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self.peer = "" if address in self.config.forwarded_allow_ips else client_of(address)
        self._wait(REQUEST_S)
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._go_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.ProtocolError:  # of bytes that are not HTTP after a response began
            self.transport.abort()
        if not self.lacks_request and not self.flow.write_paused:
            self._go_on()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, with the security headers, unless a response has begun; then close."""
        if self.cycle is not None:  # a request whose body is wrong: its handler sends nothing any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = msg.encode()
            fixed = {"Content-Type": "text/plain", "Content-Length": str(len(body)), "Connection": "close"}
            headers = list((fixed | HEADERS).items())
            response = h11.Response(status_code=400, headers=headers, reason="Bad Request")
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _should_upgrade(self) -> bool:
        return False  # no WebSocket: such a request is answered as any other, and not logged

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.lacks_request:
            self._wait(DRAIN_S if self.transport.get_write_buffer_size() else REQUEST_S)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait(DRAIN_S)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.lacks_request:
            self._wait(REQUEST_S)
        else:
            self._go_on()

    def end(self, why: str) -> None:
        """Close the connection at once, without what it still had to send."""
        self.connections.discard(self)
        self.server_state.ended[why] += 1
        self.transport.abort()

    def _make_room(self) -> None:
        """End the connection that has waited longest if there are too many; this one waits too."""
        most = most_connections()
        own = [c for c in self.connections if c.peer == self.peer] if self.peer else []
        if len(own) > most // CLIENTS:
            _longest_waiting(own).end(TOO_MANY)
        elif len(self.connections) > most:
            _longest_waiting(self.connections).end("more than there may be")

    def _wait(self, seconds: float) -> None:
        self._go_on()
        self.waits_since = self.loop.time()
        self._deadline = self.loop.call_later(seconds, self.end, "no request, or no reader, in time")

    def _go_on(self) -> None:
        self.waits_since = math.inf
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _longest_waiting(connections: Iterable[LimitedConnection]) -> LimitedConnection:
    return min(connections, key=lambda c: c.waits_since)

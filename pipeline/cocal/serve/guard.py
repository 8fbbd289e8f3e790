"""Access to the map, and the security headers of every response.

The Host header must name this machine, or a stated name, so that a page of another site cannot reach the map
through a host name that it controls (DNS rebinding). With a token every request but those for the code of the
page needs it: as `Authorization: Bearer`, or once in a form, which sets a cookie that is valid as long as the
server runs. What a request may do follows from `scope["path"]`, never from a URL made with its Host header.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import psutil
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cocal.errors import UsageError

LEAST_TOKEN = 20
COOKIE = "cocal"
_MOST_BODY = 4096
_MOST_HEADERS, _MOST_HEAD_BYTES = 100, 16 * 1024
_CHUNK = 64 * 1024
_ATTEMPTS, _ATTEMPTS_S, _MOST_CLIENTS = 30, 60.0, 1000
"""Wrong tokens that a client may offer in a minute, and the clients that are remembered for it."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)

log = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src "
    "'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}


def is_loopback(host: str) -> bool:
    """True for localhost and the addresses that only this machine can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Access:
    """Where the map is served, and who may ask by which names.

    `token`: what a request must offer; `names`: names of the map beside those of this machine; `proxies`:
    addresses whose `X-Forwarded-Proto` and `X-Forwarded-For` count.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    names: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that a Host header may hold: of loopback, of the address served on, and those stated.

        Where the map is served on every address of this machine (0.0.0.0, ::), they are all its addresses,
        and its own name.
        """
        bound = [self.host]
        if self.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            found = [a for interface in psutil.net_if_addrs().values() for a in interface]
            internet = [a.address for a in found if a.family in (socket.AF_INET, socket.AF_INET6)]
            bound = [*(address.partition("%")[0] for address in internet), socket.gethostname()]
        own = (f"[{name}]" if ":" in name else name for name in bound)
        return tuple(dict.fromkeys(name.lower() for name in (*_LOOPBACK, *own, *self.names)))


def check_access(access: Access) -> None:
    """Check that the map may be served like this.

    Raises
    ------
    UsageError
        Other machines can reach the map and there is no token; the token is short or not ASCII; a name is no
        host name, a proxy no address.
    """
    token, host = access.token, access.host
    remedy = (
        f"set COCAL_SERVE_TOKEN to {LEAST_TOKEN} random characters or more "
        '(python -c "import secrets; print(secrets.token_urlsafe())")'
    )
    if token is None and not is_loopback(host):
        raise UsageError(
            f"the map would be open to all who reach {host}", "a token", "none", f"{remedy}, or use 127.0.0.1"
        )
    if token is None and (access.names or access.proxies):
        raise UsageError(
            "the map would be open to all who reach the proxy", "a token", "none",
            f"{remedy}, or leave --name and --proxy out",
        )  # fmt: skip
    if token is not None and (len(token) < LEAST_TOKEN or not token.isascii()):
        raise UsageError(
            "the token is too short to be secret, or not ASCII", f"{LEAST_TOKEN} characters", str(len(token)),
            remedy
        )  # fmt: skip
    for name in access.names:
        if not _NAME.fullmatch(name):
            raise UsageError(
                "--name", "a host name, such as map.example.org", repr(name), "leave scheme and port out"
            )
    for proxy in access.proxies:
        try:
            ipaddress.ip_address(proxy)
        except ValueError as err:
            raise UsageError(
                "--proxy", "the address of the proxy, such as 10.0.0.2", repr(proxy), ""
            ) from err


def guarded(app: ASGIApp, check: TokenCheck | None, hosts: Sequence[str]) -> ASGIApp:
    """`app` behind the checks of form, token and Host, with HEADERS on every response, and `no-store` on
    those that do not say how they may be kept.

    A response goes out in pieces, so that a client that does not read holds one piece in memory.
    """
    named = TrustedHostMiddleware(app, list(hosts), www_redirect=False)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.update(HEADERS)
            for piece in _pieces(message):
                await send(piece)

        refusal = None
        if scope["type"] == "http":
            refusal = malformed(scope) or (check and check.refusal(scope))
        try:
            await (refusal or named)(scope, receive, send_on)
        except ClientDisconnect:
            return

    return answer


def _pieces(message: Message) -> Iterator[Message]:
    """The messages that send the body of `message` in pieces of `_CHUNK` bytes."""
    body = message.get("body", b"")
    starts = range(0, len(body), _CHUNK)
    for start in starts[:-1]:
        yield {"type": message["type"], "body": body[start : start + _CHUNK], "more_body": True}
    yield {**message, "body": body[starts[-1] :]} if starts else message


def malformed(scope: Scope) -> Response | None:
    """The response to a head that is too large, or whose body has two lengths (request smuggling)."""
    headers = scope["headers"]
    size = len(scope["path"]) + len(scope["query_string"]) + sum(len(k) + len(v) for k, v in headers)
    if len(headers) > _MOST_HEADERS or size > _MOST_HEAD_BYTES:
        return JSONResponse({"error": "the head is too large"}, 431, {"Connection": "close"})
    names = {name for name, _ in headers}
    if {b"transfer-encoding", b"content-length"} <= names:
        return JSONResponse({"error": "two lengths"}, 400, {"Connection": "close"})
    return None


class Attempts:
    """How often each client offered a wrong token in the last minute."""

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[float, int]] = {}

    def spent(self, client: str) -> bool:
        """Whether the client has to wait before it offers a token again."""
        began, count = self._wrong.get(client, (0.0, 0))
        return count >= _ATTEMPTS and time.monotonic() - began < _ATTEMPTS_S

    def count(self, client: str) -> None:
        """Remember a wrong token."""
        now = time.monotonic()
        began, count = self._wrong.pop(client, (now, 0))
        self._wrong[client] = (began, count + 1) if now - began < _ATTEMPTS_S else (now, 1)
        if len(self._wrong) > _MOST_CLIENTS:
            del self._wrong[next(iter(self._wrong))]
        log.warning("a wrong token was offered")


class TokenCheck:
    """Whether a request holds the token, or the cookie that the form of /login gives for it."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._session = secrets.token_urlsafe(32)
        self._attempts = Attempts()

    def refusal(self, scope: Scope) -> Response | None:
        """The response to a request without access; None lets the request pass."""
        path, headers = scope["path"], Headers(scope=scope)
        if path == "/login" or path.startswith("/assets/") or _equal(_cookie(headers), self._session):
            return None
        scheme, _, offered = headers.get("authorization", "").partition(" ")
        status = self._status(scope, offered) if scheme.lower() == "bearer" else 401
        if status == 200:
            return None
        return RedirectResponse("/login", 303) if (status, path) == (401, "/") else _refused(status)

    async def log_in(self, request: Request) -> Response:
        """The response to the form of /login: the cookie, for the token."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BODY:
                return JSONResponse({"error": "too long"}, 413, {"Connection": "close"})
        status = self._status(request.scope, parse_qs(body.decode("latin-1")).get("token", [""])[0])
        if status != 200:
            return RedirectResponse("/login?again", 303) if status == 401 else _refused(status)
        answer = RedirectResponse("/", 303)
        secure = request.scope["scheme"] == "https"
        answer.set_cookie(COOKIE, self._session, httponly=True, secure=secure, samesite="strict", path="/")
        return answer

    def _status(self, scope: Scope, offered: str) -> int:
        """200 for the token, 401 for another, 429 after too many others."""
        client = client_of(scope["client"][0]) if scope["client"] else ""
        if self._attempts.spent(client):
            return 429
        if _equal(offered, self._token):
            return 200
        self._attempts.count(client)
        return 401


def _refused(status: int) -> Response:
    if status == 429:
        return JSONResponse({"error": "too many wrong tokens"}, 429, {"Retry-After": f"{_ATTEMPTS_S:.0f}"})
    return JSONResponse({"error": "a token is needed"}, 401)


def client_of(address: str) -> str:
    """What counts as one client: an address, of IPv6 its first 64 bits; "" if it is no address.

    Examples
    --------
    >>> client_of("2001:db8::1") == client_of("2001:db8::2"), client_of("::ffff:10.0.0.1")
    (True, '10.0.0.1')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or found.exploded[:19])


def _equal(offered: str, wanted: str) -> bool:
    """Whether they are equal, compared in constant time."""
    return hmac.compare_digest(offered.encode(), wanted.encode())


def _cookie(headers: Headers) -> str:
    """The session's cookie, split by hand: the standard library takes quadratic time for some headers."""
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""

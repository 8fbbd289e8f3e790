"""Who may ask, and what a browser may do with an answer.

On loopback a request must name the machine itself (a page elsewhere cannot reach the map by a host name that it controls). With a
token everything but the code of the page needs it: as `Authorization: Bearer`, or once in a form, for which the browser gets a cookie
that lives as long as the server.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cocal.errors import UsageError

LEAST_TOKEN = 20
COOKIE = "cocal"
_OPEN = ("/login", "/assets/")
_MOST_BODY = 4096

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; "
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
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """True for localhost and the addresses that reach this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_binding(host: str, token: str | None) -> None:
    """Pass if the map may be offered on `host`.

    Raises
    ------
    UsageError
        It can be reached from elsewhere and there is no token, or one that can be guessed.
    """
    remedy = (
        f"set COCAL_SERVE_TOKEN to {LEAST_TOKEN} random characters or more "
        '(python -c "import secrets; print(secrets.token_urlsafe())")'
    )
    if token is None and not is_loopback(host):
        raise UsageError(
            f"the map would be open to all who reach {host}", "a token", "none", f"{remedy}, or use 127.0.0.1"
        )
    if token is not None and (len(token) < LEAST_TOKEN or not token.isascii()):
        raise UsageError(
            "the token is too short to be secret, or not ASCII", f"{LEAST_TOKEN} characters", str(len(token)), remedy
        )  # fmt: skip


class Guard:
    """ASGI middleware: refuses who may not ask, and puts the policy on every answer."""

    def __init__(self, app: ASGIApp, token: str | None, local: bool) -> None:
        self.app, self.token, self.local = app, token, local
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        request = Request(scope, receive)
        answer = await self._refusal(request)
        await (answer or self.app)(scope, receive, send_with_policy)

    async def _refusal(self, request: Request) -> Response | None:
        """The answer to whom the map is not open, and to the form; None lets the request pass."""
        if self.local and not is_loopback(_host(request.headers)):
            return JSONResponse({"error": "this map answers to localhost only"}, 421)
        if self.token is None:
            return None
        if request.method == "POST" and request.url.path == "/login":
            return await self._log_in(request)
        if request.url.path.startswith(_OPEN) or self._is_known(request.headers):
            return None
        if request.url.path == "/":
            return RedirectResponse("/login", 303)
        return JSONResponse({"error": "a token is needed"}, 401)

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, offered = headers.get("authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and _equal(offered, self.token or "")) or _equal(
            _cookie(headers), self._session
        )

    async def _log_in(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BODY:
                return JSONResponse({"error": "too long"}, 413)
        offered = parse_qs(body.decode("latin-1")).get("token", [""])[0]
        if not _equal(offered, self.token or ""):
            return RedirectResponse("/login?again", 303)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, self._session, httponly=True, samesite="strict", path="/")
        return answer


def _equal(offered: str, wanted: str) -> bool:
    """Whether they are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(offered.encode(), wanted.encode())


def _host(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""

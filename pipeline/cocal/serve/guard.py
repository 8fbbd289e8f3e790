"""Access to the map, and the security headers of every response.

On loopback the Host header must name this machine, so that a page of another site cannot reach the map
through a host name that it controls (DNS rebinding). With a token every request but those for the code of the
page needs it: as `Authorization: Bearer`, or once in a form, which sets a cookie that is valid as long as the
server runs.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cocal.errors import UsageError

LEAST_TOKEN = 20
COOKIE = "cocal"
_OPEN = ("/login", "/assets/")
_MOST_BODY = 4096

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
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """True for localhost and the addresses that only this machine can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_binding(host: str, token: str | None) -> None:
    """Check that the map may be served on `host`.

    Raises
    ------
    UsageError
        Other machines can reach `host` and there is no token, or the token is short or not ASCII.
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
            "the token is too short to be secret, or not ASCII", f"{LEAST_TOKEN} characters", str(len(token)),
            remedy
        )  # fmt: skip


def allowed_hosts(host: str) -> tuple[str, ...]:
    """The names that a Host header may hold if the map is served on `host`; ("*",) if others may reach it."""
    if not is_loopback(host):
        return ("*",)
    return ("localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host)


def guarded(app: ASGIApp, token: str | None, hosts: Sequence[str]) -> ASGIApp:
    """`app` behind the checks of Host and token, with HEADERS on every response."""
    inner = app if token is None else TokenCheck(app, token)
    checked = TrustedHostMiddleware(inner, hosts, www_redirect=False)

    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await checked(scope, receive, send_with_headers)

    return with_headers


class TokenCheck:
    """ASGI middleware that answers 401 to requests without the token, and handles the form of /login."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = await self._refusal(Request(scope, receive)) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        """The response to a request without access and to the form; None lets the request pass."""
        if request.method == "POST" and request.url.path == "/login":
            return await self._log_in(request)
        if request.url.path.startswith(_OPEN) or self._has_access(request.headers):
            return None
        if request.url.path == "/":
            return RedirectResponse("/login", 303)
        return JSONResponse({"error": "a token is needed"}, 401)

    def _has_access(self, headers: Headers) -> bool:
        scheme, _, offered = headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and _equal(offered, self.token)
        return bearer or _equal(_cookie(headers), self._session)

    async def _log_in(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BODY:
                return JSONResponse({"error": "too long"}, 413)
        offered = parse_qs(body.decode("latin-1")).get("token", [""])[0]
        if not _equal(offered, self.token):
            return RedirectResponse("/login?again", 303)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, self._session, httponly=True, samesite="strict", path="/")
        return answer


def _equal(offered: str, wanted: str) -> bool:
    """Whether they are equal, compared in constant time."""
    return hmac.compare_digest(offered.encode(), wanted.encode())


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""

"""What stands around every request: who may ask, headers that tie the browser's hands, failures that tell nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aftersail.core.web.listen import host_of, is_loopback

_log = structlog.get_logger(__name__)

# Pico draws its chevrons and ticks as data: images.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_FOR_ANYBODY: Final = ("/webhooks/", "/healthz", "/readyz", "/metrics")  # the last two tell their reasons to few
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def is_local(headers: Headers) -> bool:
    """Tell whether a request was made to this machine's own address, and through no proxy."""
    return is_loopback(host_of(headers.get("host", ""))) and not any(name in headers for name in _FORWARDED)


class SecureHeaders:
    """Adds the headers to every answer; only static files may be kept by the browser, and must be asked for again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        keep = "no-cache" if scope["path"].startswith("/static/") else "no-store"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS | {"Cache-Control": keep})
            await send(message)

        await self._app(scope, receive, send_with_headers)


class LocalOnly:
    """Lets only this machine's own browser see the pages.

    The socket is bound to the loopback address, but two ways lead around that: a page of another site whose name was
    rebound to 127.0.0.1 (its Host header gives it away), and a reverse proxy that was meant for webhooks alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        guarded = scope["type"] == "http" and not scope["path"].startswith(_FOR_ANYBODY)
        if guarded and not is_local(Headers(scope=scope)):
            why = "These pages have no sign-in yet and answer only to this machine: open http://127.0.0.1 here.\n"
            await PlainTextResponse(why, status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Failures:
    """Turns what nobody expected into a log entry with its traceback and an answer that tells nothing."""

    def __init__(self, app: ASGIApp, answer: Callable[[Scope, Exception], Response]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            _log.exception("request_failed", path=scope.get("path"), error=type(error).__name__)
            if scope["type"] != "http" or started:
                raise
            await self._answer(scope, error)(scope, receive, send)

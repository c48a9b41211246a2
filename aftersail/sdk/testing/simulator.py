"""A platform in a box: keeps state, answers in process or over loopback HTTP, and fails when told to."""

from __future__ import annotations

import inspect
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import httpx

from aftersail.sdk.retry import parse_retry_after
from aftersail.sdk.testing.faults import Alteration, Fault, Planned
from aftersail.sdk.testing.weather import Weather

HandlerT = TypeVar("HandlerT", bound=Callable[..., httpx.Response])
_MARK = "_simulator_routes"
_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "server"}


def route(method: str, path: str) -> Callable[[HandlerT], HandlerT]:
    """Mark a method of a `Simulator` as the handler of `method path`.

    `{name}` in the path stands for one segment, `{name:path}` for the rest; both arrive as keyword arguments.

    Example:
        ```python
        @route("GET", "/orders/{order_id}")
        def get_order(self, request, order_id):
            return httpx.Response(200, json=self.orders[order_id])
        ```
    """

    def mark(handler: HandlerT) -> HandlerT:
        setattr(handler, _MARK, [*getattr(handler, _MARK, []), (method.upper(), path)])
        return handler

    return mark


@dataclass(frozen=True)
class Call:
    """One call that reached the simulator.

    Attributes:
        operation: the handler's name, or what `operation_of` made of it.
        status: what was answered; None where the connection was broken.
        at: when, by the platform's clock.
    """

    operation: str
    method: str
    path: str
    status: int | None
    request: httpx.Request
    at: datetime


@dataclass(frozen=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    name: str


def _compile(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+(?::path)?\})", path)
    made = [
        f"(?P<{part[1:-1].removesuffix(':path')}>{'.+' if part.endswith(':path}') else '[^/]+'})"
        if part.startswith("{")
        else re.escape(part)
        for part in parts
    ]
    return re.compile("".join(made))


class Simulator:
    """Subclass this and mark handlers with `route`; each takes the request and its path parameters.

    One lock is held while a handler runs, so handlers need none of their own.

    Args:
        clock: what the platform thinks the time is, UTC; the system's clock by default.

    Attributes:
        calls: what has arrived, oldest first.
        hasty: those that came before a `Retry-After`, answered to the same operation, had passed.
        weather: what may strike a call for which no fault was planned by hand.
    """

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self.now: Callable[[], datetime] = clock or (lambda: datetime.now(UTC))
        self.calls: list[Call] = []
        self.hasty: list[Call] = []
        self.weather: list[Weather] = []
        self.lock = threading.RLock()
        self._planned: list[Planned] = []
        self._closed_until: dict[str, datetime] = {}
        self._routes = [
            _Route(method, _compile(path), name)
            for name, handler in inspect.getmembers(type(self), callable)
            for method, path in getattr(handler, _MARK, [])
        ]

    def operation_of(self, request: httpx.Request, handler: str) -> str:
        """Name the operation of a request, for faults and the log; a GraphQL simulator reads the body."""
        del request
        return handler

    def fail_next(
        self,
        target: str,
        fault: Fault | int | str,
        *,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> None:
        """Let the next calls of `target` fail.

        Args:
            target: operation name or path; `*` stands for any part.
            fault: a `Fault` or its name, or an HTTP status to answer instead of doing anything.
            times: how many calls fail.
            headers: of the answer, where `fault` is a status, such as `Retry-After`.
            body: JSON of the answer, where `fault` is a status.
        """
        planned = fault if isinstance(fault, int) else Fault(fault)
        with self.lock:
            self._planned.append(Planned(target, planned, times, headers or {}, body))

    def alter_next(self, target: str, alteration: Alteration, *, times: int = 1) -> None:
        """Let the next answers of `target` take effect but arrive changed, such as `duplicated("orders")`."""
        with self.lock:
            self._planned.append(Planned(target, alteration, times))

    def heal(self) -> None:
        """Forget every fault that has not struck yet, and clear the sky."""
        with self.lock:
            self._planned.clear()
            self.weather.clear()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or raise what the client would see of a broken connection."""
        request.read()
        with self.lock:
            found = self._find(request)
            operation = self.operation_of(request, found[0]) if found else ""
            at, reopens = self.now(), self._closed_until.get(operation)
            hasty = reopens is not None and at < reopens
            status: int | None = None
            try:
                response = self._answer(request, found, operation)
                status = response.status_code
            finally:
                call = Call(operation, request.method, request.url.path, status, request, at)
                self.calls.append(call)
                self.hasty += [call] if hasty else []
            self._close(operation, response, at)
            response.headers["date"] = format_datetime(at, usegmt=True)
            return response

    def _close(self, operation: str, response: httpx.Response, at: datetime) -> None:
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            reopens = parse_retry_after(response.headers.get("retry-after"), now=at)
            if reopens is not None:
                self._closed_until[operation] = reopens

    def _planned_for(self, operation: str, path: str) -> Planned | None:
        by_hand = next((item for item in self._planned if item.hits(operation, path)), None)
        by_chance = (planned for weather in self.weather if (planned := weather.strike(operation, path)))
        return by_hand or next(by_chance, None)

    def _answer(
        self, request: httpx.Request, found: tuple[str, dict[str, str]] | None, operation: str
    ) -> httpx.Response:
        planned = self._planned_for(operation, request.url.path)
        if planned is not None:
            planned.times -= 1
            instead = planned.before(request)
            if instead is not None:
                return instead
        if found is None:
            text = f"{type(self).__name__} has no route for {request.method} {request.url.path}"
            return httpx.Response(404, json={"message": text})
        name, params = found
        response: httpx.Response = getattr(self, name)(request, **params)
        return response if planned is None else planned.after(request, response)

    def _find(self, request: httpx.Request) -> tuple[str, dict[str, str]] | None:
        for candidate in self._routes:
            match = candidate.pattern.fullmatch(request.url.path)
            if match and candidate.method == request.method:
                return candidate.name, match.groupdict()
        return None

    def transport(self) -> httpx.BaseTransport:
        """Return the way to this simulator without a network; closing it does not stop the simulator."""
        return httpx.MockTransport(self.handle)

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Listen on loopback and yield the base address; a fault of the way closes the connection without an answer.

        Args:
            port: a fixed port, or 0 for a free one.
        """
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(simulator: Simulator) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _any(self) -> None:
            host = self.headers.get("Host", "127.0.0.1")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = httpx.Request(
                self.command, f"http://{host}{self.path}", headers=list(self.headers.items()), content=body
            )
            try:
                response = simulator.handle(request)
            except httpx.TransportError:
                self._break_off()
                return
            self.send_response_only(response.status_code)  # the date is the simulator's, not this machine's
            for name, value in response.headers.multi_items():
                if name not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        def _break_off(self) -> None:
            # Linger of zero seconds makes the close a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Keep quiet: `calls` is the log."""

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _any  # noqa: N815 - names the base class looks up

    return Handler

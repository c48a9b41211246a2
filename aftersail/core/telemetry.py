"""Where the rooms say what they do, for whoever watches: spans of work, and the calls that connectors make.

It stands below all rooms, since the SDK's HTTP client and the outbox both speak through it, and it imports nothing:
who listens is put in by `core.runtime.telemetry` (OpenTelemetry) and `core.web.metrics` (Prometheus). While nobody
does, a span costs one comparison. What is said here leaves the house: ids of tickets and channels, names of operations
and states, never what a buyer wrote, an address or a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

Attributes = dict[str, str | int]
Tracer = Callable[[str, Attributes], AbstractContextManager[Any]]
"""Opens a span: its name, its attributes."""
HttpObserver = Callable[[str, str, int | None, float], None]
"""Hears of one request: channel, operation, HTTP status (None: no answer), seconds."""

_NOTHING: Final = nullcontext()
_tracer: Tracer | None = None
_http_observers: tuple[HttpObserver, ...] = ()


def span(name: str, **attributes: str | int | None) -> AbstractContextManager[Any]:
    """Mark a piece of work while a `with` block runs; an attribute that is None is left out."""
    if _tracer is None:
        return _NOTHING
    return _tracer(name, {f"aftersail.{key}": value for key, value in attributes.items() if value is not None})


def trace_with(tracer: Tracer | None) -> None:
    """Have spans opened by this tracer from now on; None for by nobody."""
    global _tracer  # noqa: PLW0603 - one process has one tracer, like its log
    _tracer = tracer


def http_call(channel: str, operation: str, status: int | None, seconds: float) -> None:
    """Tell who listens that a connector has made a request."""
    for observer in _http_observers:
        observer(channel, operation, status, seconds)


def observe_http(observer: HttpObserver) -> Callable[[], None]:
    """Hear of every request of a connector in this process from now on; the answer ends that."""
    global _http_observers  # noqa: PLW0603 - as above
    _http_observers = (*_http_observers, observer)

    def stop() -> None:
        global _http_observers  # noqa: PLW0603 - as above
        _http_observers = tuple(each for each in _http_observers if each is not observer)

    return stop

"""What can go wrong on the way to a platform and back, before and after the effect."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import httpx

Alteration = Callable[[Any], Any]
"""Takes the decoded JSON of an answer and returns what is sent instead."""


class Fault(StrEnum):
    """A failure of the way, not of the platform's rules."""

    REFUSED = "refused"
    """No connection: surely no effect, and the client can know it."""
    RESET_BEFORE = "reset_before"
    """The connection breaks before the effect; the client cannot know that."""
    RESET_AFTER = "reset_after"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    ERROR_AFTER = "error_after"
    """HTTP 500 although the effect took place."""
    CUT = "cut"
    """The effect takes place and the connection breaks in the middle of the answer's body."""
    GARBAGE = "garbage"
    """The effect takes place and the answer's body is complete, but only half of its JSON."""
    PORTAL = "portal"
    """Somebody on the way answers 200 with a page of its own; no effect."""


@dataclass
class Planned:
    """One fault that waits for its call.

    Attributes:
        target: operation name or path, with `*` for any part.
        fault: a failure of the way, an HTTP status answered instead of the effect, or a change of the answer.
        times: how many calls it still hits.
        headers: of the answer, where `fault` is a status.
        body: JSON of the answer, where `fault` is a status.
    """

    target: str
    fault: Fault | int | Alteration
    times: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    def hits(self, operation: str, path: str) -> bool:
        """Tell whether this fault waits for such a call."""
        return self.times > 0 and (fnmatchcase(operation, self.target) or fnmatchcase(path, self.target))

    def before(self, request: httpx.Request) -> httpx.Response | None:
        """Fail before the effect: raise, or answer instead; None lets the call through."""
        if self.fault is Fault.REFUSED:
            raise httpx.ConnectError("connection refused", request=request)
        if self.fault is Fault.RESET_BEFORE:
            raise httpx.ReadError("connection reset", request=request)
        if self.fault is Fault.TIMEOUT_BEFORE:
            raise httpx.ReadTimeout("timed out", request=request)
        if self.fault is Fault.PORTAL:
            return httpx.Response(200, html="<html><title>Sign in to the network</title></html>")
        if isinstance(self.fault, int):
            return httpx.Response(self.fault, headers=dict(self.headers), json=self.body)
        return None

    def after(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """Fail after the effect: raise, or spoil the answer."""
        if self.fault is Fault.RESET_AFTER:
            raise httpx.ReadError("connection reset", request=request)
        if self.fault is Fault.TIMEOUT_AFTER:
            raise httpx.ReadTimeout("timed out", request=request)
        if self.fault is Fault.CUT:
            raise httpx.RemoteProtocolError("the peer closed the connection in the body", request=request)
        if self.fault is Fault.ERROR_AFTER:
            return httpx.Response(500, json={"message": "internal error"})
        if self.fault is Fault.GARBAGE:
            return httpx.Response(response.status_code, headers=_plain(response), content=_cut(response.content))
        if callable(self.fault):
            altered = json.dumps(self.fault(response.json())).encode()
            return httpx.Response(response.status_code, headers=_plain(response), content=altered)
        return response


def _cut(body: bytes) -> bytes:
    return body[: len(body) // 2] + b"\x00" if body else b"{"


def _plain(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in {"content-length", "content-type"}}


def duplicated(*keys: str) -> Alteration:
    """Give every item of the list at `keys` twice, as a page that overlaps with itself."""

    def alter(body: Any) -> Any:
        _at(body, keys)[:] = [item for item in _at(body, keys) for _ in range(2)]
        return body

    return alter


def shuffled(*keys: str, seed: int = 0) -> Alteration:
    """Give the items of the list at `keys` in another order."""

    def alter(body: Any) -> Any:
        random.Random(seed).shuffle(_at(body, keys))  # noqa: S311 - an order, and it must repeat
        return body

    return alter


def emptied(*keys: str) -> Alteration:
    """Leave the list at `keys` empty; what stood in it is lost unless the answer's cursor says otherwise."""

    def alter(body: Any) -> Any:
        _at(body, keys).clear()
        return body

    return alter


def replaced(other: Any) -> Alteration:
    """Answer with valid JSON of another shape."""
    return lambda _: other


def _at(body: Any, keys: tuple[str, ...]) -> list[Any]:
    for key in keys:
        body = body[key]
    if not isinstance(body, list):
        raise TypeError(f"{'.'.join(keys)} holds no list; name the way to the page's items")
    return body

"""Recordings: HTTP exchanges in a dated JSON file, scrubbed when written, replayed without a network."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import httpx
import respx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aftersail.core.contract import Instant
from aftersail.sdk.redaction import MASK, Redactor

MAX_AGE = timedelta(days=365)
"""After this a recording of a live platform must be made anew."""

_KEPT_HEADERS = {"accept", "content-type", "content-language", "etag", "link", "retry-after"}
_RATE_HEADER = re.compile(r"rate-?limit|call-limit", re.IGNORECASE)
_SECRET_FIELDS = {
    "accesstoken",
    "apikey",
    "authorization",
    "clientassertion",
    "clientsecret",
    "idtoken",
    "password",
    "refreshtoken",
    "restricteddatatoken",
    "secret",
}
_SECRET_SHAPES = {
    "a bearer token": re.compile(r"\bBearer [A-Za-z0-9._~+/=-]{16,}"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\."),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a Shopify token": re.compile(r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}"),
    "an Amazon token": re.compile(r"\bAtz[ar]\|"),
}
_ADDRESS = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
# RFC 2606 and RFC 6761: nobody's domains.
_NOBODYS = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost|example\.(?:com|net|org))$", re.IGNORECASE)


class RecordedRequest(BaseModel):
    """What was sent: method, address without secrets, kept headers, body as JSON or text (bytes as base64)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    encoding: Literal["json", "text", "base64", "none"] = "none"


class RecordedResponse(BaseModel):
    """What was answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    encoding: Literal["json", "text", "base64", "none"] = "none"


class Exchange(BaseModel):
    """One request and its answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: RecordedRequest
    response: RecordedResponse


class Recording(BaseModel):
    """A recording as it lies in its file.

    Attributes:
        recorded_at: when, UTC; in the file, since a checkout resets a file's own time.
        api_version: the platform's version that answered.
        origin: whether a live platform or our simulator answered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recorded_at: Instant
    api_version: str = Field(min_length=1)
    origin: Literal["simulator", "live"]
    exchanges: tuple[Exchange, ...]

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read a recording.

        Raises:
            ValueError: the file is no recording; names the file and the field.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path.name} is no recording: {error}") from error

    def expired(self, now: datetime, max_age: timedelta = MAX_AGE) -> bool:
        """Tell whether it must be made anew. A simulator's recording does not age: the simulator is in the tree."""
        return self.origin == "live" and now - self.recorded_at > max_age


class Scrubber:
    """Takes out of an exchange what must not be kept: known secrets, token fields, headers nobody needs."""

    def __init__(self, secrets: Iterable[SecretStr] = (), keep_headers: Iterable[str] = ()) -> None:
        self._redact = Redactor(secrets)
        self._kept = _KEPT_HEADERS | {name.lower() for name in keep_headers}

    def request(self, request: httpx.Request) -> RecordedRequest:
        """Scrub a request."""
        query = [(name, MASK if _is_secret(name) else value) for name, value in request.url.params.multi_items()]
        url = str(request.url.copy_with(query=urlencode(query).encode() if query else None))
        body, encoding = self._body(request.content, request.headers.get("content-type", ""))
        return RecordedRequest(
            method=request.method,
            url=self._redact(url),
            headers=self._headers(request.headers),
            body=body,
            encoding=encoding,
        )

    def response(self, response: httpx.Response) -> RecordedResponse:
        """Scrub an answer."""
        body, encoding = self._body(response.content, response.headers.get("content-type", ""))
        return RecordedResponse(
            status=response.status_code, headers=self._headers(response.headers), body=body, encoding=encoding
        )

    def _headers(self, headers: httpx.Headers) -> dict[str, str]:
        kept = ((name, value) for name, value in headers.items() if name in self._kept or _RATE_HEADER.search(name))
        return {name: self._redact(value) for name, value in kept}

    def _body(self, content: bytes, content_type: str) -> tuple[Any, Literal["json", "text", "base64", "none"]]:
        if not content:
            return None, "none"
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return b64encode(content).decode(), "base64"
        if content_type.startswith("application/x-www-form-urlencoded"):
            pairs = parse_qsl(text, keep_blank_values=True)
            return self._redact(urlencode([(k, MASK if _is_secret(k) else v) for k, v in pairs])), "text"
        try:
            return self._clean(json.loads(text)), "json"
        except ValueError:
            return self._redact(text), "text"

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: MASK if _is_secret(name) and isinstance(item, str) else self._clean(item)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._clean(item) for item in value]
        return self._redact(value) if isinstance(value, str) else value


def _is_secret(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()) in _SECRET_FIELDS


class RecordingTransport(httpx.BaseTransport):
    """Passes calls on to `inner` and writes them, scrubbed, to `path` when it is closed.

    Args:
        inner: the network (`httpx.HTTPTransport()`) or a simulator's transport.
        path: the file to write.
        api_version: of the platform.
        origin: `live` or `simulator`.
        secrets: every secret of the channel's settings.
        keep_headers: names of headers to keep besides the usual few.
        now: dates the file; UTC.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        path: Path,
        *,
        api_version: str,
        origin: Literal["simulator", "live"],
        secrets: Sequence[SecretStr] = (),
        keep_headers: Sequence[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inner = inner
        self._path = path
        self._api_version = api_version
        self._origin: Literal["simulator", "live"] = origin
        self._scrub = Scrubber(secrets, keep_headers)
        self._now = now
        self._exchanges: list[Exchange] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass one call on and keep it."""
        request.read()
        response = self._inner.handle_request(request)
        response.read()
        self._exchanges.append(Exchange(request=self._scrub.request(request), response=self._scrub.response(response)))
        return response

    def close(self) -> None:
        """Write the file and close what is inside."""
        recording = Recording(
            recorded_at=self._now(),
            api_version=self._api_version,
            origin=self._origin,
            exchanges=tuple(self._exchanges),
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(recording.model_dump(mode="json"), indent=1, ensure_ascii=False)
        self._path.write_text(text + "\n", encoding="utf-8")
        self._inner.close()


class OutsideRecordingError(AssertionError):
    """A request left that the recording does not hold, or a recorded one never came."""


class Player:
    """Answers requests from a recording; each exchange is used once, in the order it was recorded."""

    def __init__(self, recording: Recording, *, name: str, secrets: Sequence[SecretStr], match_body: bool) -> None:
        self._left = list(recording.exchanges)
        self._name = name
        self._scrub = Scrubber(secrets)
        self._match_body = match_body
        self.outside: OutsideRecordingError | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request.

        Raises:
            OutsideRecordingError: the recording holds no such request any more; names the nearest.
        """
        asked = self._scrub.request(request)
        found = next((item for item in self._left if self._same(item.request, asked)), None)
        if found is None:
            near = next((item.request for item in self._left if item.request.url == asked.url), None)
            hint = f"; the next recorded body is {near.body!r}" if near else ""
            self.outside = OutsideRecordingError(
                f"{asked.method} {asked.url} with {asked.body!r} is not in {self._name}{hint}; record it anew"
            )
            raise self.outside
        self._left.remove(found)
        return _to_response(found.response)

    def _same(self, recorded: RecordedRequest, asked: RecordedRequest) -> bool:
        if (recorded.method, recorded.url) != (asked.method, asked.url):
            return False
        return not self._match_body or recorded.body == asked.body

    def finish(self) -> None:
        """Check that nothing went outside and nothing is left.

        Raises:
            OutsideRecordingError: as it says.
        """
        if self.outside is not None:
            raise self.outside
        if self._left:
            unused = ", ".join(f"{item.request.method} {item.request.url}" for item in self._left)
            raise OutsideRecordingError(f"{self._name} holds exchanges that were never used: {unused}")


def _to_response(recorded: RecordedResponse) -> httpx.Response:
    if recorded.encoding == "json":
        content = json.dumps(recorded.body).encode()
    elif recorded.encoding == "base64":
        content = b64decode(recorded.body)
    else:
        content = (recorded.body or "").encode()
    return httpx.Response(recorded.status, headers=recorded.headers, content=content)


@contextmanager
def replay(path: Path, *, secrets: Sequence[SecretStr] = (), match_body: bool = True) -> Iterator[Player]:
    """Answer every HTTP request from a recording while the block runs; nothing reaches the network.

    The connector's context must have no transport of its own.

    Args:
        path: the recording.
        secrets: of the settings the test uses, so that scrubbed requests compare equal.
        match_body: whether bodies must be the same as recorded.

    Raises:
        OutsideRecordingError: a request is not in the recording, or an exchange was never used.
    """
    player = Player(Recording.load(path), name=path.name, secrets=secrets, match_body=match_body)
    with respx.mock(assert_all_called=False) as router:
        router.route().mock(side_effect=player.answer)
        yield player
    player.finish()


def scan(path: Path, *, secrets: Sequence[SecretStr] = ()) -> tuple[str, ...]:
    """Look through a recording for what should not be in a repository; empty when it is clean."""
    text = path.read_text(encoding="utf-8")
    found = [f"{path.name} holds a secret of the settings"] if Redactor(secrets)(text) != text else []
    found += [f"{path.name} holds {what}" for what, shape in _SECRET_SHAPES.items() if shape.search(text)]
    domains = {match.group(1) for match in _ADDRESS.finditer(text) if not _NOBODYS.search(match.group(1))}
    found += [f"{path.name} holds mail addresses at {domain}" for domain in sorted(domains)]
    for exchange in Recording.load(path).exchanges:
        found += _loose_ends(path.name, exchange)
    return tuple(found)


def _loose_ends(name: str, exchange: Exchange) -> Iterator[str]:
    for side in (exchange.request, exchange.response):
        yield from (
            f"{name} keeps the header {header}"
            for header in side.headers
            if re.search(r"authorization|cookie|token|secret|api-?key", header, re.IGNORECASE)
        )
        yield from (f"{name} keeps the field {field}" for field in _secret_fields(side.body))


def _secret_fields(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if _is_secret(name) and isinstance(item, str) and item != MASK:
                yield name
            yield from _secret_fields(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secret_fields(item)

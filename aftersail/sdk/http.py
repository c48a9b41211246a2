"""One HTTP client per channel: budget, retries of reads, errors of the closed set, no blind retry of a write."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

import httpx
import structlog
import tenacity
from pydantic import SecretStr

from aftersail.core.contract import Ambiguous, ChannelContext, ChannelError, Invalid, RateLimited, Unavailable
from aftersail.core.telemetry import http_call, span
from aftersail.sdk.auth import TOKEN_REQUEST, TokenAuth
from aftersail.sdk.errormap import DEFAULT_ERRORS, DEFAULT_RULES, ErrorMap, ErrorRule
from aftersail.sdk.limits import Budget, Limit, Observer
from aftersail.sdk.redaction import Redactor
from aftersail.sdk.retry import retry_at_of

__all__ = ["DEFAULT_ERRORS", "DEFAULT_RULES", "ErrorMap", "ErrorRule", "HttpClient", "Limit", "PacedContext"]

ATTEMPTS = 4
"""How often a read is tried in all."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
_LONGEST_MESSAGE = 300
# Raised before a single byte of the request has left: surely nothing happened.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class PacedContext(ChannelContext):
    """A context that also says how to wait, so that a test never sleeps.

    Attributes:
        sleep: waits the given seconds.
    """

    sleep: Callable[[float], None] = time.sleep


@dataclass
class _FailedError(Exception):
    """A failed attempt: what to raise in the end, whether another attempt may mend it, and how long to wait first."""

    error: ChannelError
    retry: bool = False
    wait: float | None = None


@dataclass(frozen=True)
class _Call:
    operation: str
    write: bool
    decode: bool


class HttpClient:
    """The way of one channel to its platform.

    A read is tried a few times, with jitter, and honours `Retry-After` up to `patience`. A write is sent once: when it
    could not be sent at all it is `Unavailable`, when its outcome is unknown it is `Ambiguous`. Known secret values
    (those given, those of the auth object) never appear in an error or a log line.

    Args:
        context: the channel's clock, chance and transport.
        base_url: where paths start. An absolute address of another host is refused, so that credentials stay home.
        auth: signs each request; a `TokenAuth` is refreshed once on 401.
        headers: sent with every request.
        errors: what a failure means on this platform.
        limits: declared budgets, per operation.
        secrets: values to keep out of every text.
        timeout: seconds, for connecting and for each read.
        observe: told of every answer, to correct the budget from live headers.
        patience: longest wait in seconds before `RateLimited` is raised instead.
    """

    def __init__(
        self,
        context: ChannelContext,
        *,
        base_url: str,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        errors: ErrorMap = DEFAULT_ERRORS,
        limits: Sequence[Limit] = (),
        secrets: Sequence[SecretStr] = (),
        timeout: float = 30.0,
        observe: Observer | None = None,
        patience: float = 20.0,
    ) -> None:
        self._context = context
        self._errors = errors
        self._observe = observe
        self._patience = patience
        self._sleep = context.sleep if isinstance(context, PacedContext) else time.sleep
        self.redact = Redactor(secrets)
        if isinstance(auth, TokenAuth):
            self.redact.sources.append(auth.secrets)
        self.budget = Budget(limits, now=context.now, sleep=self._sleep, patience=patience)
        self._client = httpx.Client(
            base_url=base_url, auth=auth, headers=headers, timeout=timeout, transport=context.transport
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        write: bool = False,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        cost: float = 1.0,
    ) -> httpx.Response:
        """Send one request and return its answer, body read.

        Args:
            method: HTTP method.
            path: relative to the base address.
            operation: name for budget, log and errors.
            write: whether it changes something on the platform.
            params: query.
            json: body as JSON.
            content: body as bytes.
            data: body as a form.
            headers: on top of the client's.
            cost: what it takes from the budget.

        Raises:
            ChannelError: one of the closed set.
        """
        call = _Call(operation, write, decode=False)
        return self._run(call, self._build(method, path, params, json, content, data, headers), cost)

    def json(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        write: bool = False,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        cost: float = 1.0,
    ) -> Any:
        """Send one request and return its decoded JSON; None for an answer without a body.

        Raises:
            ChannelError: as `request`. A body that is no JSON is `Unavailable` for a read, `Ambiguous` for a write.
        """
        call = _Call(operation, write, decode=True)
        response = self._run(call, self._build(method, path, params, json, content, data, headers), cost)
        return response.json() if response.content else None

    def close(self) -> None:
        """Release every connection; calling it twice does no harm."""
        self._client.close()

    def _build(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        json: Any,
        content: bytes | None,
        data: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> Callable[[], httpx.Request]:
        def build() -> httpx.Request:
            request = self._client.build_request(
                method, path, params=params, json=json, content=content, data=data, headers=headers
            )
            if request.url.host != self._client.base_url.host:
                raise Invalid(self.redact(f"{request.url.host} is not this channel's host; nothing was sent"))
            return request

        return build

    def _run(self, call: _Call, build: Callable[[], httpx.Request], cost: float) -> httpx.Response:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(1 if call.write else ATTEMPTS),
            retry=tenacity.retry_if_exception(self._may_retry),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        failed: _FailedError | None = None
        try:
            return retrying(self._attempt, call, build, cost)
        except _FailedError as error:
            failed = error
        # Outside the handler, so that no chained exception carries headers or an address with a secret in it.
        raise failed.error

    def _may_retry(self, error: BaseException) -> bool:
        return isinstance(error, _FailedError) and error.retry and (error.wait or 0.0) <= self._patience

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _FailedError) and error.wait is not None:
            return error.wait
        ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**state.attempt_number)
        return self._context.random.uniform(ceiling / 2, ceiling)

    def _attempt(self, call: _Call, build: Callable[[], httpx.Request], cost: float) -> httpx.Response:
        request = build()
        self._keep_waiting(call)
        self.budget.draw(call.operation, cost)
        failed: _FailedError | None = None
        try:
            response = self._send(call, request)
        except httpx.HTTPError as error:
            failed = self._not_answered(call, error)
        except Unavailable as error:  # the token endpoint failed
            failed = _FailedError(error, retry=not call.write)
        except httpx.InvalidURL as error:
            raise Invalid(self.redact(f"{call.operation}: {error}; check the channel's address")) from None
        if failed is not None:
            raise failed
        _log.debug(
            "http_answer", channel=self._context.channel_id, operation=call.operation, status=response.status_code
        )
        if self._observe is not None:
            self._observe(self.budget, call.operation, response)
        rule = self._errors.rule_for(response)
        if rule is not None:
            self._refuse(call, rule, response)
        if call.decode and response.content and not _is_json(response):
            self._unreadable(call)
        return response

    def _send(self, call: _Call, request: httpx.Request) -> httpx.Response:
        channel, status = self._context.channel_id, None
        began = time.perf_counter()
        with span("http", channel=channel, operation=call.operation) as told:
            try:
                response = self._client.send(request)
                status = response.status_code
            finally:
                http_call(channel, call.operation, status, time.perf_counter() - began)
            if told is not None:
                told.set_attribute("http.response.status_code", status)
        return response

    def _keep_waiting(self, call: _Call) -> None:
        """Wait, or raise, where the platform was asked too often before: it may have told another process so."""
        now = self._context.now()
        until = self._context.holds.until(call.operation)
        if until is None or until <= now:
            return
        if (wait := (until - now) / timedelta(seconds=1)) > self._patience:
            raise RateLimited(f"{call.operation}: the platform has asked to wait", retry_at=until)
        self._sleep(wait)

    def _not_answered(self, call: _Call, error: httpx.HTTPError) -> _FailedError:
        # The text of a transport's exception is the system's own; the request it belongs to is not repeated.
        what = self.redact(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        if call.write and not _was_for_token(error) and not isinstance(error, _NOT_SENT):
            return _FailedError(
                Ambiguous(f"{call.operation}: no answer after sending ({what}); it may or may not have happened")
            )
        return _FailedError(
            Unavailable(f"{call.operation}: the platform could not be reached ({what})"), retry=not call.write
        )

    def _refuse(self, call: _Call, rule: ErrorRule, response: httpx.Response) -> NoReturn:
        now = self._context.now()
        kind = rule.error_for(write=call.write)
        said = self._errors.message_of(response)
        detail = f"{call.operation}: {rule.message} (HTTP {response.status_code})"
        if said:
            detail += f"; it says: {said[:_LONGEST_MESSAGE]}"
        detail, code = self.redact(detail), self._errors.code_of(response)
        retry_at = retry_at_of(response, now=now)
        if retry_at is not None:
            self._context.holds.hold(call.operation, retry_at)
        error = (
            RateLimited(detail, retry_at=retry_at, code=code)
            if issubclass(kind, RateLimited)
            else kind(detail, code=code)
        )
        wait = None if retry_at is None else (retry_at - now) / timedelta(seconds=1)
        raise _FailedError(error, retry=rule.retry and not call.write, wait=wait)

    def _unreadable(self, call: _Call) -> NoReturn:
        if call.write:
            raise _FailedError(Ambiguous(f"{call.operation}: the answer is no JSON; it may or may not have happened"))
        raise _FailedError(Unavailable(f"{call.operation}: the answer is no JSON"), retry=True)


def _was_for_token(error: httpx.HTTPError) -> bool:
    try:
        return TOKEN_REQUEST in error.request.extensions
    except RuntimeError:  # a transport of somebody else's that names no request
        return False


def _is_json(response: httpx.Response) -> bool:
    try:
        response.json()
    except ValueError:  # UnicodeDecodeError and JSONDecodeError are both of this kind
        return False
    return True

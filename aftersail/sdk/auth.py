"""OAuth 2 for connectors: access tokens fetched when needed, renewed before they expire and once on 401."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Final, Literal, NotRequired, TypedDict, Unpack

import httpx
from pydantic import SecretStr

from aftersail.core.contract import AuthExpired, ChannelContext, ChannelError, RateLimited, Unavailable
from aftersail.sdk.retry import retry_at_of

TOKEN_REQUEST: Final = "aftersail.token"  # noqa: S105 - the name of a mark, not a secret
"""Mark of a request for a token: when it fails, the call behind it was not sent."""

_EARLY = timedelta(seconds=60)
_DEFAULT_LIFE = 3600.0  # RFC 6749, 5.1: `expires_in` is only recommended.


class TokenOptions(TypedDict):
    """What every grant is told.

    Attributes:
        token_url: the platform's token endpoint.
        client_id: the app's public id.
        client_secret: the app's secret.
        client_auth: whether id and secret go in the form, which is usual, or as basic authentication.
        header: where the token goes, `Authorization` by default.
        prefix: what stands before it, `Bearer ` by default.
        extra: more form fields, such as `scope`.
    """

    token_url: str
    client_id: str
    client_secret: SecretStr
    client_auth: NotRequired[Literal["body", "basic"]]
    header: NotRequired[str]
    prefix: NotRequired[str]
    extra: NotRequired[Mapping[str, str]]


class TokenAuth(httpx.Auth, ABC):
    """Base of both grants: keeps one token, lets one thread renew it while the others wait.

    Args:
        context: the channel's clock.
        options: see `TokenOptions`.
    """

    def __init__(self, context: ChannelContext, **options: Unpack[TokenOptions]) -> None:
        self._context = context
        self._url = options["token_url"]
        self._client_id = options["client_id"]
        self._client_secret = options["client_secret"]
        self._client_auth = options.get("client_auth", "body")
        self._header = options.get("header", "Authorization")
        self._prefix = options.get("prefix", "Bearer ")
        self._extra = dict(options.get("extra", {}))
        self._token: SecretStr | None = None
        self._renew_at: datetime | None = None
        self._lock = threading.Lock()

    def secrets(self) -> tuple[SecretStr, ...]:
        """Hand out every secret value it holds at this moment, for redaction."""
        return (self._client_secret, *([self._token] if self._token else []))

    def renewing(self) -> AbstractContextManager[None]:
        """Stay alone while a token is renewed; here nothing is shared with other processes."""
        return nullcontext()

    @abstractmethod
    def grant(self) -> dict[str, str]:
        """Name the form fields of the grant."""

    def keep(self, body: Mapping[str, object]) -> None:
        """Take over what else the token endpoint answered."""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put a live token on the request; renew it once where the platform answers 401."""
        token = yield from self._live(refused=None)
        request.headers[self._header] = self._prefix + token.get_secret_value()
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            token = yield from self._live(refused=token)
            request.headers[self._header] = self._prefix + token.get_secret_value()
            yield request

    def _live(self, refused: SecretStr | None) -> Generator[httpx.Request, httpx.Response, SecretStr]:
        with self._lock:
            fresh = self._token is not None and self._renew_at is not None and self._context.now() < self._renew_at
            # Whoever waited for the lock while another thread renewed takes that token instead of renewing again.
            if self._token is not None and fresh and self._token is not refused:
                return self._token
            self._keep_waiting()
            with self.renewing():
                response = yield self._token_request()
                response.read()
                self._token = self._accept(response)
            return self._token

    def _keep_waiting(self) -> None:
        until = self._context.holds.until(TOKEN_REQUEST)
        if until is not None and until > self._context.now():
            raise RateLimited("token: the token endpoint has asked to wait", retry_at=until)

    def _token_request(self) -> httpx.Request:
        form = {**self.grant(), **self._extra}
        secret = self._client_secret.get_secret_value()
        if self._client_auth == "body":
            form |= {"client_id": self._client_id, "client_secret": secret}
        request = httpx.Request(
            "POST",
            self._url,
            data=form,
            headers={"Accept": "application/json"},
            extensions={TOKEN_REQUEST: True, "timeout": httpx.Timeout(30.0).as_dict()},
        )
        if self._client_auth == "basic":
            request = next(httpx.BasicAuth(self._client_id, secret).auth_flow(request))
        return request

    def _accept(self, response: httpx.Response) -> SecretStr:
        body = _json_object(response)
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response, body)
        token = body.get("access_token")
        if not isinstance(token, str) or not token:
            raise Unavailable("token: the token endpoint answered without an access token")
        life = body.get("expires_in")
        try:
            seconds = float(life) if isinstance(life, (int, float, str)) else _DEFAULT_LIFE
        except ValueError:
            seconds = _DEFAULT_LIFE
        # A token that lives for less than two margins is renewed half-way instead of at once.
        early = min(_EARLY, timedelta(seconds=seconds / 2))
        self._renew_at = self._context.now() + timedelta(seconds=seconds) - early
        self.keep(body)
        return SecretStr(token)

    def _refusal(self, response: httpx.Response, body: Mapping[str, object]) -> ChannelError:
        status, code = response.status_code, body.get("error")
        named = code if isinstance(code, str) else None
        if status == httpx.codes.TOO_MANY_REQUESTS:
            retry_at = retry_at_of(response, now=self._context.now())
            if retry_at is not None:
                self._context.holds.hold(TOKEN_REQUEST, retry_at)
            return RateLimited("token: the token endpoint asks to wait", retry_at=retry_at, code=named)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return Unavailable(f"token: the token endpoint failed (HTTP {status})", code=named)
        return AuthExpired(
            f"token: the platform refuses the channel's credentials (HTTP {status}); connect the account again",
            code=named,
        )


class RefreshTokenAuth(TokenAuth):
    """The refresh-token grant (RFC 6749, 6): eBay, Amazon LWA and most shops that a seller connects once.

    A platform that answers with a new refresh token is followed, over the end of the process and with all others: the
    host keeps it in place of the field's value, and one process at a time renews.

    Args:
        context: the channel's clock and keeper.
        refresh_token: what the seller's consent gave.
        field: the name of the settings' field it stands in.
        options: as for `TokenAuth`.
    """

    def __init__(
        self,
        context: ChannelContext,
        *,
        refresh_token: SecretStr,
        field: str = "refresh_token",
        **options: Unpack[TokenOptions],
    ) -> None:
        super().__init__(context, **options)
        self._refresh_token = refresh_token
        self._field = field

    def secrets(self) -> tuple[SecretStr, ...]:
        """Hand out every secret value it holds at this moment, for redaction."""
        return (*super().secrets(), self._refresh_token)

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Stay alone, and begin with what another process may have been given meanwhile."""
        keeper = self._context.keeper
        if keeper is None:
            yield
            return
        with keeper.renewing(self._field):
            self._refresh_token = keeper.read(self._field) or self._refresh_token
            yield

    def grant(self) -> dict[str, str]:
        """Name the form fields of the grant."""
        return {"grant_type": "refresh_token", "refresh_token": self._refresh_token.get_secret_value()}

    def keep(self, body: Mapping[str, object]) -> None:
        """Follow a refresh token that rotates."""
        rotated = body.get("refresh_token")
        if not isinstance(rotated, str) or not rotated or rotated == self._refresh_token.get_secret_value():
            return
        self._refresh_token = SecretStr(rotated)
        if self._context.keeper is not None:
            self._context.keeper.replace(self._field, self._refresh_token)


class ClientCredentialsAuth(TokenAuth):
    """The client-credentials grant (RFC 6749, 4.4): carriers and app-level calls."""

    def grant(self) -> dict[str, str]:
        """Name the form fields of the grant."""
        return {"grant_type": "client_credentials"}


def _json_object(response: httpx.Response) -> Mapping[str, object]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

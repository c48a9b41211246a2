"""Failures of a platform as data: which status or code means which error of the closed set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from aftersail.core.contract import (
    Ambiguous,
    AuthExpired,
    ChannelError,
    Invalid,
    NotAllowed,
    RateLimited,
    Unavailable,
)

_OK = range(200, 300)


@dataclass(frozen=True, kw_only=True)
class ErrorRule:
    """One row of an error map; a row matches when everything it names matches.

    Attributes:
        status: HTTP status or a range of them; None for any, also for a 2xx that carries an error code.
        code: the platform's own code; None for any.
        error: what is raised.
        message: one sentence for a person: what failed, and what mends it.
        on_write: what is raised instead when the call was a write. Left out, `Unavailable` becomes `Ambiguous`, since
            after sending nobody knows; name `Unavailable` here only where the platform promises that nothing happened.
        retry: whether a read is tried again. A write never is.
    """

    error: type[ChannelError]
    message: str
    status: int | range | None = None
    code: str | None = None
    on_write: type[ChannelError] | None = None
    retry: bool = False

    def matches(self, status: int, code: str | None) -> bool:
        """Tell whether this row speaks of the answer. A row without a code never turns a 2xx into a failure."""
        if self.code is None and status in _OK:
            return False
        if isinstance(self.status, int) and status != self.status:
            return False
        if isinstance(self.status, range) and status not in self.status:
            return False
        return self.code is None or self.code == code

    def error_for(self, *, write: bool) -> type[ChannelError]:
        """Name the error for a read or a write."""
        if not write:
            return self.error
        return self.on_write or (Ambiguous if self.error is Unavailable else self.error)


DEFAULT_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(status=401, error=AuthExpired, message="the platform refuses the credentials; renew them"),
    ErrorRule(
        status=403,
        error=AuthExpired,
        message="the credentials do not allow this call; renew them with the scopes that the plugin's README lists",
    ),
    ErrorRule(status=404, error=Invalid, message="the platform does not know what was asked for"),
    ErrorRule(status=408, error=Unavailable, message="the platform gave up waiting for the request", retry=True),
    ErrorRule(status=409, error=NotAllowed, message="the platform refuses this in the present state"),
    ErrorRule(status=425, error=Unavailable, message="the platform asks to send the request later", retry=True),
    ErrorRule(status=429, error=RateLimited, message="the platform asks to wait", retry=True),
    ErrorRule(
        status=range(300, 400), error=Invalid, message="the platform redirects elsewhere; check the channel's address"
    ),
    ErrorRule(status=range(400, 500), error=Invalid, message="the platform refuses the request as wrong"),
    ErrorRule(status=range(500, 600), error=Unavailable, message="the platform failed", retry=True),
    ErrorRule(status=None, error=Unavailable, message="the platform answered with an unknown status"),
)
"""What HTTP itself says (RFC 9110); a connector's own rows come before these."""


class ErrorMap:
    """Rows in order, first match wins; the defaults stand behind the connector's own.

    Args:
        rules: the connector's own rows.
        code_of: reads the platform's own code from an answer; None where it has none.
        message_of: reads the platform's own sentence; it is redacted and cut before a person sees it.
    """

    def __init__(
        self,
        rules: Sequence[ErrorRule] = (),
        *,
        code_of: Callable[[httpx.Response], str | None] | None = None,
        message_of: Callable[[httpx.Response], str | None] | None = None,
    ) -> None:
        self.rules = (*rules, *DEFAULT_RULES)
        self._code_of = code_of
        self._message_of = message_of

    def code_of(self, response: httpx.Response) -> str | None:
        """Read the platform's own code; an answer of another shape has none."""
        return _quietly(self._code_of, response)

    def message_of(self, response: httpx.Response) -> str | None:
        """Read the platform's own sentence; an answer of another shape has none."""
        return _quietly(self._message_of, response)

    def rule_for(self, response: httpx.Response) -> ErrorRule | None:
        """Find the row that speaks of an answer; None where it is no failure."""
        code = self.code_of(response)
        return next((rule for rule in self.rules if rule.matches(response.status_code, code)), None)


def _quietly(read: Callable[[httpx.Response], str | None] | None, response: httpx.Response) -> str | None:
    if read is None:
        return None
    try:
        found = read(response)
    except (ValueError, LookupError, TypeError, AttributeError):  # an error page instead of the platform's JSON
        return None
    return None if found is None else str(found)


DEFAULT_ERRORS = ErrorMap()
"""HTTP's own meaning and nothing else."""

"""The closed set of ways a channel can fail. Connectors map every failure of a platform into it.

ChannelError
├── RateLimited      the platform said "later", and when
├── AuthExpired      the credentials no longer work; a person must renew them
├── NotAllowed       the platform refuses this action, for good or in this state
├── AlreadyDone      what was asked for has happened before
├── InProgress       what was asked for is under way; ask again later
├── Invalid          the request itself is wrong; the same request will fail again
├── Ambiguous        nobody knows whether it happened; only a look-up or a person may settle it
├── Unavailable      the platform could not be reached and nothing happened
└── CursorExpired    the cursor is too old; start the window again
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class Recovery(StrEnum):
    """What the host does after an error."""

    WAIT = "wait"
    REAUTHENTICATE = "reauthenticate"
    PERSON = "person"
    SETTLED = "settled"
    LOOK_UP = "look_up"
    RESTART_WINDOW = "restart_window"


class ChannelError(Exception):
    """Base of everything a connector may raise; anything else is a defect of the connector.

    Attributes:
        detail: one sentence for a person: what failed and, where known, what mends it. Holds no secret.
        code: the platform's own error code, for the log.
        recovery: what the host does next.
    """

    recovery: Recovery = Recovery.PERSON

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code

    def __str__(self) -> str:
        return f"{self.detail} [{self.code}]" if self.code else self.detail


class RateLimited(ChannelError):  # noqa: N818 - the closed set is a vocabulary; "Error" behind each word adds nothing
    """The platform asks to wait.

    Attributes:
        retry_at: no call before this instant (UTC); None where the platform did not say.
    """

    recovery = Recovery.WAIT

    def __init__(self, detail: str, *, retry_at: datetime | None = None, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_at = retry_at


class AuthExpired(ChannelError):  # noqa: N818
    """The credentials are refused. The channel needs attention; other channels go on."""

    recovery = Recovery.REAUTHENTICATE


class NotAllowed(ChannelError):  # noqa: N818
    """The platform refuses the action.

    Attributes:
        alternative: a deep link to the page where a person can do it, or another hook's name.
    """

    def __init__(self, detail: str, *, alternative: str | None = None, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.alternative = alternative


class AlreadyDone(ChannelError):  # noqa: N818
    """The effect exists already, from us or from somebody else; a look-up tells which."""

    recovery = Recovery.SETTLED


class InProgress(ChannelError):  # noqa: N818
    """The platform is still working on it; ask again, do not send again."""

    recovery = Recovery.LOOK_UP


class Invalid(ChannelError):  # noqa: N818
    """The request is wrong and nothing happened; the same request would fail again."""


class Ambiguous(ChannelError):  # noqa: N818
    """A write may or may not have happened: a timeout, a reset, a 5xx or an unreadable answer after sending."""

    recovery = Recovery.LOOK_UP


class Unavailable(ChannelError):  # noqa: N818
    """The platform could not be reached, and the request surely had no effect."""

    recovery = Recovery.WAIT


class CursorExpired(ChannelError):  # noqa: N818
    """The cursor is no longer accepted; the host starts the window again and drops what it already has."""

    recovery = Recovery.RESTART_WINDOW

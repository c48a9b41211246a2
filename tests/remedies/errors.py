"""The closed set of errors, and the two ways in which a connector can be broken."""

from __future__ import annotations

from collections.abc import Callable

from aftersail.sdk import (
    AlreadyDone,
    Ambiguous,
    AuthExpired,
    CursorExpired,
    InProgress,
    Invalid,
    NotAllowed,
    RateLimited,
    Unavailable,
)


def raising(error: BaseException) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


LATER = {error.__name__: raising(error("later")) for error in (RateLimited, Unavailable, AuthExpired)}
"""Nothing happened, and it may be tried again."""

NEVER = {error.__name__: raising(error("never")) for error in (NotAllowed, Invalid)}
"""Nothing happened, and nothing will."""

WHO_KNOWS: dict[str, Callable[[], object]] = {
    **{error.__name__: raising(error("?")) for error in (Ambiguous, AlreadyDone, InProgress, CursorExpired)},
    "exception": raising(ZeroDivisionError("a defect")),
    "wrong type": lambda: "done",
}
"""Nobody knows whether it happened."""

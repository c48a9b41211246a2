"""Making what comes in fit the store: whoever can send a mail must not be able to hold up the page it comes with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from aftersail.core.contract import Party, Record

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(days=1)
_FAR: Final = timedelta(days=3660)
_LONGEST_PARTY: Final = 320

RecordT = TypeVar("RecordT", bound=Record)


def storable(record: RecordT, now: datetime) -> RecordT:
    """Take out what no database or calendar can hold.

    NUL characters go (PostgreSQL refuses them in text and JSON), and half a surrogate pair, which UTF-8 cannot write,
    becomes U+FFFD. Something sent or opened before 2000 or more than a
    day ahead of `now` counts as of then or as of now; a deadline more than ten years away is none. An address longer
    than any mail server takes is none either.
    """
    changes = {
        name: fixed
        for name in type(record).model_fields
        if (fixed := _fixed(name, value := getattr(record, name), now)) is not value
    }
    if isinstance(record, Party):
        changes |= _party(record)
    return record.model_copy(update=changes) if changes else record


def _party(party: Party) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if party.email and len(party.email) > _LONGEST_PARTY:
        changes["email"] = None
    if party.external_id and len(party.external_id) > _LONGEST_PARTY:
        changes["external_id"] = shortened(party.external_id, _LONGEST_PARTY)
    return changes


def _fixed(name: str, value: Any, now: datetime) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(_mark, value) if _UNSTORABLE.search(value) else value
    if isinstance(value, Record):
        return storable(value, now)
    if isinstance(value, tuple):
        fixed = tuple(_fixed(name, each, now) for each in value)
        return value if all(new is old for new, old in zip(fixed, value, strict=True)) else fixed
    if isinstance(value, datetime):
        return _near(name, value, now)
    return value


def _mark(unstorable: re.Match[str]) -> str:
    return "" if unstorable[0] == "\x00" else "\ufffd"


def _near(name: str, value: datetime, now: datetime) -> datetime | None:
    if name == "respond_by":
        return value if _EARLIEST <= value <= now + _FAR else None
    return _EARLIEST if value < _EARLIEST else now if value > now + _AHEAD else value


def fitted(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Cut a row's texts to the length of their columns, which PostgreSQL would refuse and SQLite would not."""
    return {name: _cut(table.c[name].type, value) for name, value in row.items()}


def _cut(column: sa.types.TypeEngine[Any], value: Any) -> Any:
    length = getattr(column, "length", None)
    return value[:length] if length is not None and isinstance(value, str) else value


def shortened(identity: str, longest: int) -> str:
    """Return an identity as it is, or one as long as allowed with a digest of the whole, so that it stays unique."""
    if len(identity) <= longest:
        return identity
    digest = sha256(identity.encode()).hexdigest()
    return f"{identity[: longest - len(digest) - 1]}~{digest}"

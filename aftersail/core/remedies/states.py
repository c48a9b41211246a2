"""The states of a remedy, and the only way from one to the next.

```
planned ──► approved ──► claimed ──► sent ──► settled
   │            │  ▲        │          │
   ▼            ▼  └────────┤          ├──► refused
cancelled   refused         └──────────┴──► unknown ──► settled | refused | sent | approved
```

`claimed` is durable before the request leaves. `unknown` means that nobody knows whether it happened: only a look-up,
the same key with the same body, or a person leads out of it. What was unknown once and is approved again keeps its
`sent_at`, and goes back to unknown, never to refused, where the second attempt is not possible.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


class RemedyKind(StrEnum):
    """What leaves the house; each kind has a queue of its own, so that a long one never holds up another."""

    REPLY = "reply"
    REFUND = "refund"
    CASE = "case"
    LABEL = "label"


class RemedyState(StrEnum):
    """Where a remedy stands."""

    PLANNED = "planned"
    """Waits for a person's approval."""
    APPROVED = "approved"
    """May be sent; surely not sent yet."""
    CLAIMED = "claimed"
    """A worker is sending it right now, or died doing so."""
    SENT = "sent"
    """The platform has it and works on it."""
    SETTLED = "settled"
    REFUSED = "refused"
    """Surely did not happen, and will not by itself."""
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


_S = RemedyState
_FROM: Final[dict[RemedyState, frozenset[RemedyState]]] = {
    _S.PLANNED: frozenset(),
    _S.APPROVED: frozenset({_S.PLANNED, _S.APPROVED, _S.CLAIMED, _S.UNKNOWN}),
    _S.CLAIMED: frozenset({_S.APPROVED}),
    _S.SENT: frozenset({_S.CLAIMED, _S.UNKNOWN, _S.SENT}),
    _S.SETTLED: frozenset({_S.CLAIMED, _S.SENT, _S.UNKNOWN}),
    _S.REFUSED: frozenset({_S.APPROVED, _S.CLAIMED, _S.SENT, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.APPROVED, _S.CLAIMED, _S.SENT, _S.UNKNOWN}),
    _S.CANCELLED: frozenset({_S.PLANNED, _S.APPROVED}),
}
FINAL: Final = frozenset({_S.SETTLED, _S.REFUSED, _S.CANCELLED})
"""States that nothing leads out of."""


def move(
    unit: Unit,
    key: str,
    to: RemedyState,
    *,
    source: RemedyState | None = None,
    only: sa.ColumnElement[bool] | None = None,
    **values: Any,
) -> bool:
    """Move a remedy, if it stands where that is allowed; tell whether it moved.

    The check and the change are one statement, so two workers can never both succeed. `source` narrows the states it
    may come from to one, `only` is one more condition on its row.
    """
    allowed = _FROM[to] & {source} if source else _FROM[to]
    table = tables.remedy
    moved = sa.update(table).where(table.c.key == key, table.c.state.in_(sorted(allowed))).values(state=to, **values)
    if only is not None:
        moved = moved.where(only)
    return unit.conn.execute(moved).rowcount == 1

"""What a policy decides, and the trace of why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, overload

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from aftersail.core.clocks import Target
from aftersail.core.contract import Instant, Record
from aftersail.core.policy.entitlement import Entitlement
from aftersail.core.policy.expressions import ClauseResult, Outcome
from aftersail.core.policy.planned import AskPerson, PlannedAction, PlannedRefund, PlannedReply


@dataclass(frozen=True, slots=True)
class RowTrace:
    """One row of the pack as it came out. No `Record`, since a decision makes hundreds of them.

    Attributes:
        section: the part of the pack it stands in; `pack` for all rows of a pack that does not bind here.
        where: file and line.
        clauses: the clauses that decided it.
        notes: what became of it where that is not plain.
        pack: the pack it stands in, as `id@version`, where that is not plain.
        source: where it was read and when, for a row of a law or a marketplace.
    """

    section: Literal[
        "tier", "target", "rule", "pack", "window", "exception", "liability", "cost", "refund_due", "route", "remedy"
    ]
    row: str
    where: str
    outcome: Outcome
    clauses: tuple[ClauseResult, ...] = ()
    notes: tuple[str, ...] = ()
    pack: str = ""
    source: str = ""


class TraceRows(Sequence[RowTrace]):
    """The rows of a trace, made when somebody first looks: most decisions are acted upon and never read.

    Args:
        make: makes the rows, from what does not change any more.
    """

    def __init__(self, make: Callable[[], Iterable[RowTrace]] = tuple) -> None:
        self._make = make

    @cached_property
    def _rows(self) -> tuple[RowTrace, ...]:
        return tuple(self._make())

    @overload
    def __getitem__(self, at: int) -> RowTrace: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[RowTrace, ...]: ...
    def __getitem__(self, at: int | slice) -> RowTrace | tuple[RowTrace, ...]:
        return self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RowTrace]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        return self._rows == (other._rows if isinstance(other, TraceRows) else other)

    def __hash__(self) -> int:
        return hash(self._rows)

    def __repr__(self) -> str:
        return repr(self._rows)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """As JSON they are a list of rows, whoever made them."""
        rows = handler.generate_schema(tuple[RowTrace, ...])
        read = core_schema.no_info_after_validator_function(lambda found: cls(found.__iter__), rows)
        return core_schema.json_or_python_schema(
            json_schema=read,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), read]),
            serialization=core_schema.plain_serializer_function_ser_schema(tuple, return_schema=rows),
        )


class Trace(Record):
    """Why a decision came out as it did.

    Attributes:
        facts: every fact that was known, as a person reads it.
        missing: why a fact is not known, where there is more to say than that.
        money: every conversion and share, as arithmetic.
    """

    parents: tuple[str, ...] = ()
    facts: dict[str, str] = Field(default_factory=dict)
    missing: dict[str, str] = Field(default_factory=dict)
    rows: TraceRows = TraceRows()
    money: tuple[str, ...] = ()

    def with_outcome(self, outcome: Outcome) -> tuple[RowTrace, ...]:
        """Return the rows that came out so: those that matched, those that were rejected, those nobody can tell."""
        return tuple(row for row in self.rows if row.outcome is outcome)


class Decision(Record):
    """What one version of a pack says about one ticket at one instant. Equal arguments give equal decisions.

    Attributes:
        at: the instant it was made for (UTC), as the caller gave it.
        tier: None where no row of the grading table holds.
        targets: the promises that now run, of every source.
        summary: one line of why.
        entitlement: what law, marketplace and the seller's offer add up to; None where nothing is claimed, or the pack
            has no rows about that.
    """

    pack_id: str
    pack_version: int
    pack_hash: str
    at: Instant
    tier: str | None
    targets: tuple[Target, ...]
    actions: tuple[PlannedAction, ...]
    summary: str
    entitlement: Entitlement | None = None
    trace: Trace

    @property
    def refund(self) -> PlannedRefund | None:
        """The refund that is planned, if any."""
        return next((action for action in self.actions if isinstance(action, PlannedRefund)), None)

    @property
    def reply(self) -> PlannedReply | None:
        """The reply that is planned, if any."""
        return next((action for action in self.actions if isinstance(action, PlannedReply)), None)

    @property
    def asks(self) -> tuple[AskPerson, ...]:
        """What a person has to decide."""
        return tuple(action for action in self.actions if isinstance(action, AskPerson))

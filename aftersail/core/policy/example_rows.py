"""What a pack's examples say: given facts, and what is to be decided on them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from aftersail.core.clocks import Metric
from aftersail.core.contract import Instant, Record


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Expected(Record):
    """What must come out; what is not given may come out in any way. `none` stands for "nothing of the kind".

    Attributes:
        tier: the tier.
        action: the kinds of all planned actions, in any order, such as `[refund, reply]`.
        amount: the refund, whether it is paid or a person is asked to approve it.
        template: of the reply.
        asks: whether anything is left to a person; a text must stand in the reasons told to that person.
        marks: flags and tags that must be among those planned.
        due: by when each metric must be met, the earliest of all sources; an instant with its zone.
    """

    tier: str | None = None
    action: Annotated[tuple[str, ...], BeforeValidator(_as_list)] | None = None
    amount: str | None = None
    template: str | None = None
    asks: bool | str | None = None
    marks: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    due: dict[Metric, Instant] = Field(default_factory=dict)


class ExampleRow(Record):
    """One example.

    Attributes:
        name: what it shows, in words.
        at: when the request was filed and judged; without it, when the pack begins.
        given: facts by name; money as `"19.99 USD"`, instants with their zone.
    """

    name: Annotated[str, Field(min_length=1)]
    at: Instant | None = None
    given: dict[str, Any]
    expect: Expected


class ExampleFile(Record):
    """A file of examples beside a pack, `NAME.examples.yaml` beside `NAME.yaml`."""

    examples: Annotated[tuple[ExampleRow, ...], Field(min_length=1)]

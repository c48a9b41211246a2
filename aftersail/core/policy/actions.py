"""What a rule may do."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field, model_validator

from aftersail.core.contract import Record
from aftersail.core.policy.values import Amount, Duration, Name, Names, refuse


class RefundAction(Record):
    """Money back: a share of the claim, or a fixed amount."""

    percent: Annotated[Decimal, Field(gt=0, le=100)] | None = None
    amount: Amount | None = None

    @model_validator(mode="after")
    def _one(self) -> RefundAction:
        if (self.percent is None) == (self.amount is None):
            raise refuse("a refund is a share or an amount", 'write {percent: 50} or {amount: "5.00 USD"}')
        return self


class ReplyAction(Record):
    """An answer to the buyer."""

    template: Name


class AskAction(Record):
    """Leave it to a person. What rules of lower priority would pay or answer is left to that person too."""

    why: Annotated[str, Field(min_length=1)]


class ReplacementAction(Record):
    """Offer to send the goods once more."""


class ReturnAction(Record):
    """Offer to take the goods back; `label` says whether the seller pays for and sends the label."""

    label: bool


class AssignAction(Record):
    """Hand the ticket to a team, or to somebody of a role."""

    team: Name | None = None
    role: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> AssignAction:
        if (self.team is None) == (self.role is None):
            raise refuse("a ticket goes to a team or a role", "write {team: returns} or {role: supervisor}")
        return self

    def __str__(self) -> str:
        return f"team {self.team}" if self.team else f"role {self.role}"


class ApproveAction(Record):
    """Ask somebody of a role to approve what this rule does; until then rules below neither pay nor answer."""

    role: Name
    why: Annotated[str, Field(min_length=1)]


class ExtendAction(Record):
    """Prolong the buyer's service, as a compensation."""

    duration: Duration


class NotifyAction(Record):
    """Tell everybody of some roles."""

    roles: Names
    why: Annotated[str, Field(min_length=1)]


class Action(Record):
    """One thing a rule does; exactly one of the fields is given."""

    refund: RefundAction | None = None
    reply: ReplyAction | None = None
    ask_person: AskAction | None = None
    flag: Name | None = None
    tag: Name | None = None
    offer_replacement: ReplacementAction | None = None
    offer_return: ReturnAction | None = None
    assign: AssignAction | None = None
    approve: ApproveAction | None = None
    extend_service: ExtendAction | None = None
    notify: NotifyAction | None = None

    @model_validator(mode="after")
    def _one(self) -> Action:
        if len([name for name, value in self if value is not None]) != 1:
            raise refuse(
                "an action does one thing",
                f"begin a new list item for each: {', '.join(type(self).model_fields)}",
            )
        return self


REMEDIES: Final = ("refund", "offer_replacement", "offer_return", "extend_service")
"""The actions that give the buyer something."""

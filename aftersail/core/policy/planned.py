"""What a decision plans: nothing of it has been done yet."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from aftersail.core.contract import Money, Record


class Planned(Record):
    """What all planned actions have, beside `brief`, a few words for a list, and `sentence`, for whoever asks why.

    Attributes:
        rule: the rule that says so.
    """

    rule: str


class PlannedRefund(Planned):
    """Money the pack wants to give back without asking anybody.

    Attributes:
        amount: in the currency of the claim.
        percent: the share of the claim; None where the rule names a fixed amount.
        why: the arithmetic, for a person.
    """

    kind: Literal["refund"] = "refund"
    amount: Money
    percent: Decimal | None = None
    why: str

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"refund {self.amount}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        return f"Pay back {self.amount}, as rule {self.rule} says: {self.why}."


class PlannedReply(Planned):
    """An answer the pack wants to send without asking anybody."""

    kind: Literal["reply"] = "reply"
    template: str

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"reply {self.template}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        return f"Send the reply {self.template!r}, as rule {self.rule} says."


class PlannedOffer(Planned):
    """A remedy to be offered to the buyer.

    Attributes:
        label: for a return: whether the seller sends the label.
    """

    kind: Literal["offer"] = "offer"
    remedy: Literal["replacement", "return"]
    label: bool = False

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"offer a {self.remedy}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        label = ", with a label" if self.label else ""
        return f"Offer the buyer a {self.remedy}{label}, as rule {self.rule} says."


class Assign(Planned):
    """The ticket goes to a team, or to somebody of a role; exactly one of them is given."""

    kind: Literal["assign"] = "assign"
    team: str | None = None
    role: str | None = None

    @property
    def whom(self) -> str:
        """Where it goes."""
        return f"team {self.team}" if self.team else f"somebody of the role {self.role}"

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"assign to {self.whom}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        return f"Give the ticket to {self.whom}, as rule {self.rule} says."


class ExtendService(Planned):
    """The buyer's service is prolonged."""

    kind: Literal["extend_service"] = "extend_service"
    duration: timedelta

    @property
    def brief(self) -> str:
        """The action in a few words."""
        days, rest = divmod(self.duration, timedelta(days=1))
        length = f"{days} days" if not rest else f"{self.duration // timedelta(minutes=1)} min"
        return f"prolong the service by {length}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        return f"{self.brief[:1].upper()}{self.brief[1:]}, as rule {self.rule} says."


class Notify(Planned):
    """Everybody of some roles is told."""

    kind: Literal["notify"] = "notify"
    roles: tuple[str, ...]
    why: str

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"tell {' and '.join(self.roles)}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        return f"Tell {' and '.join(self.roles)} (rule {self.rule}): {self.why}."


class AskPerson(Planned):
    """What a person has to decide.

    Attributes:
        rule: the rule, or the rules with commas between, that led here; `tier ...` for a row of the grading table,
            `window` where nobody can tell whether the claim was filed in time.
        role: who it has to be: the role a rule names, or the lowest whose authority the proposed refund is within;
            None for anybody.
        proposed: the refund that would have been planned, capped at what is left; a person may approve it.
    """

    kind: Literal["ask_person"] = "ask_person"
    why: str
    role: str | None = None
    proposed: PlannedRefund | None = None

    @property
    def whom(self) -> str:
        """Who decides."""
        return f"somebody of the role {self.role}" if self.role else "a person"

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"{self.whom} decides, because {self.why}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        proposal = f" It could pay {self.proposed.amount}." if self.proposed else ""
        return f"Ask {self.whom} (rule {self.rule}): {self.why}.{proposal}"


class Flag(Planned):
    """A mark for people to see, such as `high-risk`."""

    kind: Literal["flag"] = "flag"
    name: str

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"flag {self.name}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        return f"Flag the ticket {self.name!r}, as rule {self.rule} says."


class Tag(Planned):
    """A label on the ticket."""

    kind: Literal["tag"] = "tag"
    name: str

    @property
    def brief(self) -> str:
        """The action in a few words."""
        return f"tag {self.name}"

    @property
    def sentence(self) -> str:
        """The action as a sentence."""
        return f"Tag the ticket {self.name!r}, as rule {self.rule} says."


PlannedAction: TypeAlias = Annotated[
    PlannedRefund | PlannedReply | PlannedOffer | AskPerson | Assign | ExtendService | Notify | Flag | Tag,
    Field(discriminator="kind"),
]

"""The rules of the contract suite: an id, the tier it belongs to, why a seller is hurt by breaking it, and the fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import pytest

TestT = TypeVar("TestT", bound=Callable[..., Any])
RULE_MARK = "_contract_rule"


class Tier(StrEnum):
    """How far a connector can be trusted; a tier holds when its rules and those below it hold."""

    BRONZE = "bronze"
    """It says truly what it can do, and what it fetches is whole."""
    SILVER = "silver"
    """It fails well: every failure has the right name, no write happens twice, no secret leaks."""
    GOLD = "gold"
    """It is backed by recordings that are clean and fresh."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One promise of the contract.

    Attributes:
        id: stable name.
        why: what happens to a seller when it is broken.
        fix: what the author does.
    """

    id: str
    tier: Tier
    why: str
    fix: str

    def broken(self, what: str) -> NoReturn:
        """Fail the test with the rule, what was seen, why it matters and the fix."""
        pytest.fail(f"contract rule {self.id} is broken: {what}\n  why: {self.why}\n  fix: {self.fix}", pytrace=False)

    def require(self, holds: object, what: str) -> None:
        """Fail unless `holds`."""
        if not holds:
            self.broken(what)

    def __call__(self, test: TestT) -> TestT:
        """Mark a test as the proof of this rule."""
        setattr(test, RULE_MARK, self)
        return test


def _bronze(rule_id: str, why: str, fix: str) -> Rule:
    return Rule(id=rule_id, tier=Tier.BRONZE, why=why, fix=fix)


def _silver(rule_id: str, why: str, fix: str) -> Rule:
    return Rule(id=rule_id, tier=Tier.SILVER, why=why, fix=fix)


def _gold(rule_id: str, why: str, fix: str) -> Rule:
    return Rule(id=rule_id, tier=Tier.GOLD, why=why, fix=fix)


SETTINGS = _bronze(
    "settings-documented",
    "the form and `aftersail channel add` show a seller fields without a meaning",
    "give every field of the settings model a title and a description",
)
SECRETS = _bronze(
    "secrets-marked",
    "a password in clear ends up in a log, a form or a bug report",
    "make the field a pydantic.SecretStr, or name it in `public_fields` where it is no secret",
)
CAPABILITIES = _bronze(
    "capabilities-true",
    "policy plans remedies the channel cannot carry out, and a buyer waits for a task nobody was given",
    "let the declared capabilities agree with the operations the class overrides",
)
ACCOUNT = _bronze(
    "account-checked",
    "a seller learns of wrong settings only when the first message is lost",
    "implement check_account with the platform's cheapest call",
)
IDS = _bronze(
    "ids-stable",
    "one message becomes two tickets, or two messages become one",
    "use the platform's own id as external_id and raise revision whenever the content changes",
)
TIMES = _bronze(
    "times-plausible",
    "clocks count from a wrong instant and targets are missed or faked",
    "build times with their zone; mind seconds and milliseconds",
)
CURSOR = _bronze(
    "cursor-resumes",
    "after a restart a message is never fetched, and nobody knows",
    "put all that is needed to go on into the cursor and keep nothing in the connector",
)
EMPTY = _bronze(
    "empty-page",
    "a quiet channel shows an error, or is asked again without end",
    "return Page() with more=False where there is nothing",
)
CREDENTIALS = _silver(
    "credentials-refused",
    "a dead token looks like a broken platform, and nobody renews it",
    "map the platform's refusal of credentials to AuthExpired",
)
LEAK = _silver(
    "no-secret-in-text",
    "a token in an error text is in every log and ticket",
    "give the settings' secrets to HttpClient(secrets=...) and put no header or address into a message",
)
READ_ERRORS = _silver(
    "read-errors-named",
    "the host waits where it should ask a person, or asks a person where it should wait",
    "let HttpClient map failures, and add ErrorRules for what the platform says in its own way",
)
RETRIES = _silver(
    "retries-bounded",
    "a platform in trouble is hammered and bans the seller's account",
    "leave retries to HttpClient and loop over no failure yourself",
)
WRITE_ERRORS = _silver(
    "write-outcome-unknown",
    "money or a letter goes out twice after a lost answer, or never",
    "pass write=True to HttpClient for whatever changes something, and do not catch Ambiguous",
)
WRITE_REFUSED = _silver(
    "write-refused-cleanly",
    "a refusal that looks like an unknown outcome stops at a person's desk for nothing",
    "let 429 be RateLimited and 401 AuthExpired; nothing happened then",
)
WRITES_TRIED = _silver(
    "writes-tried",
    "what was never tried on a simulator is tried on a buyer",
    "give the scene a Write for every operation that changes something",
)
SAME_KEY = _silver(
    "same-key-once",
    "a refund is paid twice",
    "send RefundRequest.key as the platform's idempotency key, or declare `lookup` or `none`",
)
LOOKUP = _silver(
    "lookup-tells",
    "a refund of unknown outcome is paid again, or never",
    "find the refund by our key (or amount and time) in the platform's own list",
)
LABEL_KEY = _silver(
    "same-label-once",
    "a return label is bought and paid for twice",
    "send LabelRequest.key as the platform's idempotency key, or declare the label idempotency `none`",
)
OVER_REFUND = _silver(
    "over-refund-refused",
    "more goes back than the buyer paid",
    "map the platform's refusal to Invalid or NotAllowed, or check the amount before the call",
)
WEBHOOK = _silver(
    "webhook-verified",
    "a stranger can make the desk fetch or answer at will",
    "check the signature over the raw body with sdk.webhooks.verify_hmac",
)
CLOSE = _silver(
    "close-releases",
    "a long-running desk runs out of connections",
    "close the HttpClient in close(), and let a second call do no harm",
)
RECORDINGS = _gold(
    "recordings-clean",
    "a recording leaks a secret or a buyer's address, or proves what the platform did years ago",
    "record anew with RecordingTransport(secrets=...) and buyers at example.com",
)

ALL: tuple[Rule, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
"""Every rule, in the order of this page."""

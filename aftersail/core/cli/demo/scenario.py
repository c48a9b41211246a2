"""A morning at a small shop: its orders, its parcels and its buyers' mail. All people are invented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import Field
from ruamel.yaml import YAML

from aftersail.core.contract import Record

SHOP: Final = "Harbour & Pine"
ADDRESS: Final = "help@harbour-pine.example"
_CARRIER: Final = 100003  # FedEx, in 17TRACK's list of carriers
MAIL_HOST: Final = "mx.harbour-pine.example"


class Parcel(Record):
    """Where an order's parcel is, in the tracker's words."""

    number: str
    status: str
    words: str


class Purchase(Record):
    """An order of the scenario, placed `days` ago."""

    number: str
    buyer: str
    email: str
    title: str
    sku: str
    quantity: int
    price: str
    currency: str
    locale: str
    country: str
    days: int
    parcel: Parcel | None = None


class Letter(Record):
    """A buyer's mail, sent `minutes` ago; `answers` is the number of the letter it follows."""

    minutes: int
    sender: str
    email: str
    subject: str
    text: str
    answers: int | None = None
    headers: dict[str, str] = Field(default_factory=dict)


class Scenario(Record):
    """Everything that happened this morning."""

    purchases: tuple[Purchase, ...]
    letters: tuple[Letter, ...]


@cache
def scenario() -> Scenario:
    """Read the scenario."""
    return Scenario.model_validate(YAML(typ="safe", pure=True).load(Path(__file__).with_name("scenario.yaml")))


def fill_shop(shop: Any, now: datetime) -> None:
    """Place the orders, and let one buyer ask for a return on the shop's own page too."""
    made = {}
    for purchase in scenario().purchases:
        made[purchase.number] = shop.add_order(
            number=purchase.number,
            email=purchase.email,
            buyer=purchase.buyer,
            lines=[(purchase.title, purchase.sku, purchase.quantity, purchase.price)],
            currency=purchase.currency,
            locale=purchase.locale,
            country=purchase.country,
            tracking=("dhl", purchase.parcel.number) if purchase.parcel else None,
            placed_at=now - timedelta(days=purchase.days),
        )
    shop.add_return_request(
        made["1004"], reason="size_too_small", note="Me quedan pequeños", requested_at=now - timedelta(minutes=60)
    )


def fill_tracker(tracker: Any, now: datetime) -> None:
    """Let the parcels move."""
    for purchase in scenario().purchases:
        if purchase.parcel:
            parcel = purchase.parcel
            tracker.registered[parcel.number] = _CARRIER  # the shop's label printer has told the tracker already
            tracker.move(parcel.number, parcel.status, parcel.words, purchase.country, at=now - timedelta(hours=20))


def letters(now: datetime) -> Iterator[tuple[EmailMessage, datetime]]:
    """Write the mails as the shop's own receiving host would hand them over."""
    for index, letter in enumerate(scenario().letters):
        sent_at = now - timedelta(minutes=letter.minutes)
        domain = letter.email.partition("@")[2]
        mail = EmailMessage()
        mail["Authentication-Results"] = f"{MAIL_HOST}; dmarc=pass header.from={domain}"
        mail["From"] = f"{letter.sender} <{letter.email}>"
        mail["To"] = ADDRESS
        mail["Subject"] = letter.subject
        mail["Date"] = format_datetime(sent_at)
        mail["Message-ID"] = f"<{index}.{sent_at:%Y%m%d%H%M%S}@{domain}>"
        if letter.answers is not None:
            first = scenario().letters[letter.answers]
            first_at = now - timedelta(minutes=first.minutes)
            mail["In-Reply-To"] = f"<{letter.answers}.{first_at:%Y%m%d%H%M%S}@{first.email.partition('@')[2]}>"
        for name, value in letter.headers.items():
            mail[name] = value
        mail.set_content(letter.text)
        yield mail, sent_at

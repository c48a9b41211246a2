"""Buyers of the local shop: what they bought and what they write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

from tests.faults.shop import HOST

BROKEN = "Order #{number}: the lamp arrived broken, it was damaged in transit."


def buy(shop, number, price="80.00"):
    """Let buyer `number` order a lamp."""
    return shop.shop.add_order(
        number=str(number),
        email=f"buyer{number}@example.com",
        buyer=f"Buyer {number}",
        lines=[("Lamp", "LAMP", 1, price)],
        currency="USD",
        locale="en-US",
        country="US",
        placed_at=datetime.now(UTC) - timedelta(days=3),
    )


def letter(number, text=BROKEN, subject="", sender=""):
    """What buyer `number` writes, as the receiving host hands it over."""
    mail = EmailMessage()
    mail["Authentication-Results"] = f"{HOST}; dmarc=pass header.from=example.com"
    mail["From"] = sender or f"Buyer {number} <buyer{number}@example.com>"
    mail["To"] = "help@shop.example"
    mail["Subject"] = subject or f"Order #{number}"
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{number}@example.com>"
    mail.set_content(text.format(number=number))
    return mail


def complain(shop, number, **changed):
    """Let buyer `number` order something dear that arrives broken; return the order."""
    order = buy(shop, number)
    shop.mail.deliver(letter(number, **changed))
    return order

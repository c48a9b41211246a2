"""Triage: buyers' messages in six languages, and a year's subject lines."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Result, alternate, result

from aftersail.core.triage import Triage

MESSAGES = (
    ("Order 1001", "Hello, the lamp arrived broken, the glass is in pieces. Please send the money back.", "damaged"),
    ("Bestellung 1002", "Guten Tag, mein Paket ist immer noch nicht angekommen. Wo bleibt es?", "not_received"),
    ("Commande 1003", "Bonjour, je voudrais retourner cet article et être remboursé.", "return_request"),
    ("Pedido 1004", "Hola, me han enviado un artículo equivocado, no es lo que pedí.", "wrong_item"),
    ("Fattura", "Buongiorno, potete inviarmi la fattura per il mio ordine? Grazie.", "invoice"),
    ("注文について", "商品がまだ届きません。いつ届きますか。", "not_received"),
)
"""Subject, text, and what a person would say it is about. All invented."""

_TIMES = 50


def run() -> Iterator[Result]:
    """Measure."""
    triage = Triage.shipped()
    found = [triage.assess(subject=subject, text=text).reason for subject, text, _ in MESSAGES]
    right = sum(reason == wanted for reason, (_, _, wanted) in zip(found, MESSAGES, strict=True))
    if right < len(MESSAGES) - 1:
        raise AssertionError(f"triage reads these messages as {found}")

    def assess() -> None:
        for _ in range(_TIMES):
            for subject, text, _reason in MESSAGES:
                triage.assess(subject=subject, text=text)

    best = min(alternate({"ours": assess}, rounds=5)["ours"])
    yield result("triage, six languages", len(MESSAGES) * _TIMES / best, "messages/s", more=True)

"""Triage: how many buyers' messages a second, in six languages and in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import Result, alternate, result
from ruamel.yaml import YAML

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
_GOAL = 5000
_SENTENCES = Path(__file__).parents[1] / "tests" / "triage" / "sentences"


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

    sentences = tuple(_sentences())

    def assess_all() -> None:
        for sentence in sentences:
            triage.assess(subject="", text=sentence)

    best = {name: min(times) for name, times in alternate({"six": assess, "all": assess_all}, rounds=5).items()}
    six, every = len(MESSAGES) * _TIMES / best["six"], len(sentences) / best["all"]
    yield result("triage, six languages", six, "messages/s", goal=_GOAL, more=True)
    yield result("triage, one sentence each, all 17 languages", every, "messages/s", goal=_GOAL, more=True)


def _sentences() -> Iterator[str]:
    """What the tests hold buyers to write, language after language."""
    for path in sorted(_SENTENCES.glob("*.yaml")):
        for listed in YAML(typ="safe").load(path.read_text(encoding="utf-8")).values():
            yield from listed

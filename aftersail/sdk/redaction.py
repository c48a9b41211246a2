"""Known secret values, taken out of every text, log line and recording."""

from __future__ import annotations

import logging
import threading
import weakref
from base64 import b64encode
from collections.abc import Callable, Iterable
from urllib.parse import quote

from pydantic import SecretStr

MASK = "**********"
_SHORTEST = 4  # Anything shorter would blank out ordinary words.


class Redactor:
    """Replaces secret values by a mask, also where they are percent-encoded or in base64.

    Attributes:
        sources: further places to ask for values at the moment of use, such as a token that is refreshed.
    """

    def __init__(self, secrets: Iterable[SecretStr] = ()) -> None:
        self._values = {secret.get_secret_value() for secret in secrets}
        self.sources: list[Callable[[], Iterable[SecretStr]]] = []
        _watch(self)

    def _shapes(self) -> list[str]:
        values = self._values | {secret.get_secret_value() for source in self.sources for secret in source()}
        shapes: set[str] = set()
        for value in values:
            if len(value) >= _SHORTEST:
                shapes |= {value, quote(value, safe=""), b64encode(value.encode()).decode()}
        return sorted(shapes, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return `text` without any known secret value."""
        for shape in self._shapes():
            text = text.replace(shape, MASK)
        return text


_live: weakref.WeakSet[Redactor] = weakref.WeakSet()
_lock = threading.Lock()


def _redact_record(record: logging.LogRecord) -> bool:
    with _lock:
        redactors = list(_live)
    text = record.getMessage()
    for redact in redactors:
        text = redact(text)
    record.msg, record.args = text, ()
    return True


def _watch(redactor: Redactor) -> None:
    # httpx logs whole addresses and httpcore whole headers, so their loggers pass through every live redactor.
    with _lock:
        _live.add(redactor)
    for name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_redact_record)

"""Amazon's marketplaces: ids and the language buyers there most likely write.

Ids: SP-API documentation, page "Marketplace IDs", checked 2026-11-22. A marketplace that is missing here works all the
same, only without a language.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

LANGUAGES: Final = MappingProxyType(
    {
        "A13V1IB3VIYZZH": "fr",
        "A1805IZSGTT6HS": "nl",
        "A19VAU5U5O7RUS": "en",
        "A1AM78C64UM0Y8": "es",
        "A1C3SOZRARQ6R3": "pl",
        "A1F83G8C2ARO7P": "en",
        "A1PA6795UKMFR9": "de",
        "A1RKKUPIHCS9HS": "es",
        "A1VC38T7YXB528": "ja",
        "A28R8C7NBKEWEA": "en",
        "A2NODRKZP88ZB9": "sv",
        "A2Q3Y263D00KWC": "pt",
        "A33AVAJ2PDY3EV": "tr",
        "A39IBJ37TRP1C6": "en",
        "APJ6JRA9NG5V4": "it",
        "ATVPDKIKX0DER": "en",
    }
)
"""A prior for language detection. Countries with several languages (Belgium, Canada, India, the Gulf) have none."""

TLDS: Final = (
    "ae", "ca", "co.jp", "co.uk", "com", "com.au", "com.be", "com.br", "com.mx", "com.tr", "de",
    "eg", "es", "fr", "ie", "in", "it", "nl", "pl", "sa", "se", "sg",
)  # fmt: skip
"""Ends of Amazon's 22 shop domains."""

"""Parts of countries as ISO 3166-2 names them, as far as platforms can be trusted to write them so."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

# ISO 3166-2, checked 2026-11-22. Platforms use other codes for other countries (Shopify writes Mexican states by codes
# of its own), take free text (Amazon, eBay), and hold for states what are none, such as AE for American forces abroad.
_CODES: Final = MappingProxyType(
    {
        "AU": frozenset(["ACT", "NSW", "NT", "QLD", "SA", "TAS", "VIC", "WA"]),
        "CA": frozenset(["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"]),
        "US": frozenset(
            """
            AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO MP MS MT NC ND NE NH NJ NM
            NV NY OH OK OR PA PR RI SC SD TN TX UM UT VA VI VT WA WI WV WY
            """.split()  # noqa: SIM905 - 57 quoted codes would take five times the room
        ),
    }
)


def region_of(country: str | None, code: object) -> str | None:
    """Name a part of a country by ISO 3166-2, such as `US-CA`.

    Args:
        country: ISO 3166-1 alpha-2.
        code: what the platform calls the state, province or region.

    Returns:
        The name; None for whatever is not surely one: free text, and countries other than AU, CA and US.
    """
    word = code.strip().upper() if isinstance(code, str) else ""
    return f"{country}-{word}" if country is not None and word in _CODES.get(country, ()) else None

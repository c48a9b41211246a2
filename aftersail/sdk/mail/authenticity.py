"""Whether a mail is from whom it claims, as the receiving host has written into it (RFC 8601)."""

from __future__ import annotations

import re
from email import policy
from email.message import Message as MimePart
from email.parser import BytesHeaderParser
from typing import Any

from aftersail.core.contract import Authenticity
from aftersail.sdk.mail.decode import addresses, raw_text

_SERVER = re.compile(r"\s*(?:\([^()]*\)\s*)*\"?([^\s;\"]+)")


def authenticity_of(content: bytes, authserv_id: str | None) -> Authenticity:
    """Read the verdict of the seller's own receiving host.

    Only the topmost `Authentication-Results` of `authserv_id` counts: a sender can write such headers too, but not
    above the ones the receiving host adds. DMARC decides; where the host has no DMARC verdict, a DKIM signature of the
    author's own domain (or of a domain above it) passes.

    Args:
        content: the mail as it lies in the mailbox.
        authserv_id: the name the host writes first into the header; None trusts nobody.
    """
    return authenticity_in(BytesHeaderParser(policy=policy.compat32).parsebytes(content), authserv_id)


def authenticity_in(root: MimePart, authserv_id: str | None) -> Authenticity:
    """Do the work of `authenticity_of` on a mail that is parsed already."""
    if not authserv_id:
        return Authenticity.UNKNOWN
    for value in root.get_all("authentication-results", []):
        text = raw_text(str(value))
        named = _SERVER.match(text)
        if named and named.group(1).lower() == authserv_id.strip().lower():
            return _verdict(text, _author_domain(root))
    return Authenticity.UNKNOWN


def _author_domain(root: MimePart) -> str | None:
    """Name the domain of the one author; None where a mail has none or several, since readers then show another one."""
    authors = [address for value in root.get_all("from", []) for _, address in addresses(str(value))]
    return authors[0].rpartition("@")[2] if len(authors) == 1 else None


def _verdict(text: str, author: str | None) -> Authenticity:
    import authres  # noqa: PLC0415 - only a mailbox with a trusted host pays for it

    try:
        results = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}").results or []
    except Exception:  # noqa: BLE001 - the parser raises its own and others' errors on a broken header
        return Authenticity.UNKNOWN
    dmarc = [item for item in results if item.method == "dmarc"]
    if any(item.result == "fail" for item in dmarc):
        return Authenticity.FAIL
    if author is None:
        return Authenticity.UNKNOWN
    if any(item.result == "pass" for item in dmarc):
        named = {domain for item in dmarc for domain in _properties(item, "from")}
        return Authenticity.PASS if named <= {author} else Authenticity.UNKNOWN
    signers = {
        domain
        for item in results
        if item.method == "dkim" and item.result == "pass"
        for domain in (_properties(item, "d") or _properties(item, "i"))
    }
    aligned = any("." in signer and (author == signer or author.endswith(f".{signer}")) for signer in signers)
    return Authenticity.PASS if aligned else Authenticity.UNKNOWN


def _properties(result: Any, name: str) -> list[str]:
    """Read the domains of a result's `header.<name>` properties."""
    return [
        str(item.value).rpartition("@")[2].strip().rstrip(".").lower()
        for item in result.properties
        if item.type == "header" and item.name == name
    ]

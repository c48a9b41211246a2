"""Bytes to text, whatever a mail says of its charset; headers to values, whoever wrote them."""

from __future__ import annotations

import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses

# WHATWG Encoding Standard, "Names and labels", checked 2026-11-22: senders often name a subset of what they use.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
# Python knows codecs that no mail may name: they escape, compress, or ask the network library.
_NO_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
_SAMPLE = 65_536
"""Bytes that are enough to guess a charset from."""

_HEADER_CAP = 65_536
"""Characters of one header that are looked at; a longer one is an attack."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"=\?[^?\s]{1,60}\?[bq]\?[^?\s]*\?=", re.IGNORECASE)
_IDS = re.compile(r"<[^<>]{1,900}>")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]{1,200}@[^\s<>()\[\],;:\"@]{1,253}")


def clean(text: str) -> str:
    """Take out what no database and no JSON can hold: NUL and lone surrogates; line ends become newlines."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATES.sub("\ufffd", text)


def _codec(charset: str | None) -> str | None:
    """Name the codec that reads a charset, the wider one where senders mix the two up; None for an unknown one."""
    try:
        name = codecs.lookup((charset or "").partition("*")[0].strip(" \t\"'")).name
    except (LookupError, ValueError, UnicodeError):
        return None
    return None if name in _NO_CHARSETS else _SUPERSETS.get(name, name)


def _strictly(content: bytes, codec: str) -> str | None:
    try:
        return content.decode(codec)
    except (ValueError, LookupError):  # LookupError: a codec from bytes to bytes, such as base64
        return None


def _guess(content: bytes) -> str | None:
    import chardet  # noqa: PLC0415 - tens of milliseconds that a mail with an honest charset never pays

    # Mail is written on today's machines: with every era allowed, short German or French passes for a Mac charset.
    found = chardet.detect(content[:_SAMPLE], encoding_era=chardet.EncodingEra.MODERN_WEB)
    return _codec(found["encoding"])


def _mostly(content: bytes, codec: str) -> str | None:
    """Decode with replacement characters, where most of what is not ASCII comes out as real characters."""
    try:
        text = content.decode(codec, "replace")
    except (ValueError, LookupError):
        return None
    foreign = sum(not character.isascii() for character in text[:_SAMPLE])
    return text if text[:_SAMPLE].count("\ufffd") * 2 < foreign else None


def decode_text(content: bytes, charset: str | None) -> str:
    """Decode text by its declared charset, by UTF-8, by a guess, in that order; never raises."""
    declared = _codec(charset)
    tries: list[str] = [declared] if declared and declared != "ascii" else []
    if b"\x1b" in content:
        tries.append("iso2022_jp")
    tries.append("utf-8")
    for codec in tries:
        text = _strictly(content, codec)
        if text is not None:
            return clean(text)
    for likely in (tries[0], _guess(content)):
        text = _mostly(content, likely) if likely else None
        if text is not None:
            return clean(text)
    return clean(content.decode("cp1252", "replace"))


def raw_text(value: str) -> str:
    """Make text of a header as the parser hands it out: unfolded, 8-bit characters decoded, encoded words untouched."""
    value = _FOLD.sub(" ", value[:_HEADER_CAP])
    if not value.isascii():
        value = decode_text(value.encode("utf-8", "surrogateescape"), None)
    return clean(value)


def _words(text: str) -> str:
    """Decode the encoded words (RFC 2047) of a text; what is broken stays as it is."""
    if not text.isascii():
        return _WORD.sub(lambda found: _words(found.group()), text)
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(part if isinstance(part, str) else decode_text(part, charset) for part, charset in parts)


def header_text(value: str) -> str:
    """Read a header for a person: unfolded, encoded words decoded, white space collapsed."""
    return _SPACE.sub(" ", clean(_words(raw_text(value)))).strip()


def _lower_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def addresses(value: str) -> tuple[tuple[str, str], ...]:
    """Read an address header into (display name, address) pairs; the domain in lower case, unreadable ones left out."""
    text = raw_text(value)
    try:
        found = getaddresses([text])
    except (ValueError, IndexError, TypeError, AttributeError):  # the parser's own defects on broken lists
        found = []
    pairs = [(header_text(name), address) for name, address in found if _ADDRESS.fullmatch(address)]
    if not pairs:
        pairs = [("", address) for address in _ADDRESS.findall(_words(text))]
    return tuple((name, _lower_domain(address)) for name, address in pairs)


def message_ids(value: str) -> tuple[str, ...]:
    """Find the message ids in a threading header, in angle brackets, each once and in order."""
    found = (_SPACE.sub("", item) for item in _IDS.findall(raw_text(value)))
    return tuple(dict.fromkeys(item for item in found if item != "<>"))

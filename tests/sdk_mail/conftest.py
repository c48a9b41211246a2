from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from aftersail.sdk import RawMail
from aftersail.sdk.mail import ParsedMail, parse_mail

RECEIVED = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def read() -> Callable[..., ParsedMail]:
    """Parse a mail given as headers and body."""

    def read(content: bytes | str, **options) -> ParsedMail:
        data = content.encode() if isinstance(content, str) else content
        return parse_mail(RawMail(content=data, received_at=RECEIVED, mailbox="box"), **options)

    return read

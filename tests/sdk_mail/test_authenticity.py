from __future__ import annotations

import pytest

from aftersail.sdk import Authenticity
from aftersail.sdk.mail import authenticity_of

PASS, FAIL, UNKNOWN = Authenticity.PASS, Authenticity.FAIL, Authenticity.UNKNOWN
HOST = "mx.shop.example"


def judged(*results: str, author: str = "From: a@amazon.example", trusted: str | None = HOST) -> Authenticity:
    headers = "".join(f"Authentication-Results: {result}\r\n" for result in results)
    return authenticity_of(f"{headers}{author}\r\n\r\nx".encode(), trusted)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (f"{HOST}; dmarc=pass header.from=amazon.example", PASS),
        (f"{HOST} 1; spf=fail smtp.mailfrom=x.example; dmarc=pass (p=REJECT) header.from=amazon.example", PASS),
        ("MX.shop.example;\r\n dkim=pass header.d=x.example;\r\n dmarc=pass header.from=AMAZON.example", PASS),
        (f"{HOST}; dmarc=pass", PASS),
        (f"{HOST}; dmarc=pass header.from=other.example", UNKNOWN),
        (f"{HOST}; dmarc=fail header.from=amazon.example; dkim=pass header.d=amazon.example", FAIL),
        (f"{HOST}; dmarc=none header.from=amazon.example", UNKNOWN),
        (f"{HOST}; dmarc=temperror header.from=amazon.example", UNKNOWN),
        (f"{HOST}; dkim=pass header.d=amazon.example", PASS),
        (f"{HOST}; dkim=pass header.i=@amazon.example", PASS),
        (f"{HOST}; dkim=fail header.d=amazon.example", UNKNOWN),
        (f"{HOST}; dkim=pass header.d=evil.example", UNKNOWN),
        (f"{HOST}; dkim=pass header.d=notamazon.example", UNKNOWN),
        (f"{HOST}; dkim=pass header.d=example", UNKNOWN),
        (f"{HOST}; spf=pass smtp.mailfrom=a@amazon.example", UNKNOWN),
        (f"{HOST}; none", UNKNOWN),
        (f"{HOST}; ===", UNKNOWN),
        ("mx.other.example; dmarc=pass header.from=amazon.example", UNKNOWN),
        (f"evil.{HOST}; dmarc=pass header.from=amazon.example", UNKNOWN),
        ("; dmarc=pass", UNKNOWN),
    ],
)
def test_the_trusted_host_decides(result, expected):
    assert judged(result) is expected


def test_only_the_topmost_verdict_of_the_trusted_host_counts():
    forged = f"{HOST}; dmarc=pass header.from=amazon.example"
    assert judged(f"{HOST}; dmarc=fail header.from=amazon.example", forged) is FAIL
    assert judged(f"{HOST}; spf=none", forged) is UNKNOWN
    assert judged("other.example; dmarc=fail", forged) is PASS


def test_nobody_is_trusted_without_a_name():
    assert judged(f"{HOST}; dmarc=pass header.from=amazon.example", trusted=None) is UNKNOWN


def test_a_subdomain_of_the_signer_is_aligned():
    assert judged(f"{HOST}; dkim=pass header.d=amazon.example", author="From: a@marketplace.amazon.example") is PASS


def test_a_name_that_only_ends_alike_is_not_aligned():
    assert judged(f"{HOST}; dkim=pass header.d=amazon.example", author="From: a@notamazon.example") is UNKNOWN


@pytest.mark.parametrize(
    "author",
    ["From: a@amazon.example\r\nFrom: b@evil.example", "From: a@amazon.example, b@evil.example", "Subject: no author"],
)
def test_no_single_author_never_passes(author):
    assert judged(f"{HOST}; dmarc=pass header.from=amazon.example", author=author) is UNKNOWN


def test_the_verdict_goes_with_the_raw_mail(read):
    content = f"Authentication-Results: {HOST}; dmarc=pass header.from=b.example\r\nFrom: a@b.example\r\n\r\nx"
    mail = read(content, authserv_id=HOST)
    assert (mail.authenticity, mail.raw.authenticity) == (PASS, PASS)
    assert read(content).authenticity is UNKNOWN

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from aftersail.sdk import WebhookRequest
from aftersail.sdk.webhooks import is_recent, sign, verify_hmac

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
# RFC 4231, test case 2.
KEY, DATA = SecretStr("Jefe"), b"what do ya want for nothing?"
DIGEST = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def delivery(signature, body=DATA, header="x-sign", **more):
    return WebhookRequest(headers={header: signature, **more}, body=body, received_at=NOW)


def test_the_rfcs_own_vector():
    assert verify_hmac(delivery(DIGEST), secret=KEY, header="X-Sign", encoding="hex")
    assert verify_hmac(delivery(DIGEST.upper()), secret=KEY, header="x-sign", encoding="hex")
    assert verify_hmac(delivery(f"sha256={DIGEST}"), secret=KEY, header="x-sign", encoding="hex", prefix="sha256=")
    assert verify_hmac(delivery(b64encode(bytes.fromhex(DIGEST)).decode()), secret=KEY, header="x-sign")
    assert sign(DATA, secret=KEY, encoding="hex") == DIGEST


@pytest.mark.parametrize("digest", ["sha1", "sha512"])
def test_other_digests(digest):
    expected = hmac.new(b"Jefe", DATA, getattr(hashlib, digest)).hexdigest()
    assert verify_hmac(delivery(expected), secret=KEY, header="x-sign", encoding="hex", digest=digest)


def test_more_than_the_body_can_be_signed():
    def signed(request):
        return request.headers["x-time"].encode() + b"." + request.body

    good = delivery(sign(b"17." + DATA, secret=KEY), **{"x-time": "17"})
    assert verify_hmac(good, secret=KEY, header="x-sign", signed=signed)
    assert not verify_hmac(good, secret=KEY, header="x-sign")
    late = good.model_copy(update={"headers": {**good.headers, "x-time": "18"}})
    assert not verify_hmac(late, secret=KEY, header="x-sign", signed=signed)


@pytest.mark.parametrize("signature", ["", "sha256=", DIGEST[:-1], DIGEST + "0", "ÄÖÜ", "\x00"])
def test_what_is_no_signature(signature):
    for prefix in ("", "sha256="):
        assert not verify_hmac(delivery(signature), secret=KEY, header="x-sign", encoding="hex", prefix=prefix)
    assert not verify_hmac(delivery(DIGEST, header="other"), secret=KEY, header="x-sign", encoding="hex")


def test_an_empty_secret_verifies_nothing():
    empty = SecretStr("")
    assert not verify_hmac(delivery(sign(DATA, secret=empty)), secret=empty, header="x-sign")


@given(body=st.binary(min_size=1), at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_flipped_bit_is_noticed(body, at, bit):
    signature = sign(body, secret=KEY)
    assert verify_hmac(delivery(signature, body), secret=KEY, header="x-sign")
    flipped = bytearray(body)
    flipped[at % len(body)] ^= 1 << bit
    assert not verify_hmac(delivery(signature, bytes(flipped)), secret=KEY, header="x-sign")


@given(st.text())
def test_no_text_is_accepted_or_raises(text):
    assert not verify_hmac(delivery(text), secret=KEY, header="x-sign")


@pytest.mark.parametrize(("seconds", "recent"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_age(seconds, recent):
    assert is_recent(delivery(DIGEST), NOW - timedelta(seconds=seconds)) is recent

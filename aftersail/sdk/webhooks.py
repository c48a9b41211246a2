"""Checking that a webhook is from whom it claims, over the raw body and in constant time."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from aftersail.core.contract import WebhookRequest

RECENT = timedelta(minutes=5)
"""How old a signed delivery may be where the platform signs its time."""


def raw_body(request: WebhookRequest) -> bytes:
    """What most platforms sign: the body as it arrived."""
    return request.body


def sign(
    payload: bytes,
    *,
    secret: SecretStr,
    digest: Literal["sha1", "sha256", "sha512"] = "sha256",
    encoding: Literal["base64", "hex"] = "base64",
) -> str:
    """Compute the HMAC of `payload` as a platform would send it; simulators sign with it."""
    mac = hmac.new(secret.get_secret_value().encode(), payload, getattr(hashlib, digest)).digest()
    return b64encode(mac).decode() if encoding == "base64" else mac.hex()


def verify_hmac(
    request: WebhookRequest,
    *,
    secret: SecretStr,
    header: str,
    digest: Literal["sha1", "sha256", "sha512"] = "sha256",
    encoding: Literal["base64", "hex"] = "base64",
    prefix: str = "",
    signed: Callable[[WebhookRequest], bytes] = raw_body,
) -> bool:
    """Tell whether the signature in `header` fits what was signed.

    An empty secret or a missing header is never right: a channel without a webhook secret takes no webhooks.

    Args:
        request: the delivery, body untouched.
        secret: shared with the platform.
        header: name of the header with the signature, in any case.
        digest: hash function of the HMAC.
        encoding: how the platform writes the signature; hex digits may be in capitals.
        prefix: what stands before the signature, such as `sha256=`.
        signed: what the platform signs, where it is not the body alone.
    """
    given = request.headers.get(header.lower(), "")
    if not secret.get_secret_value() or not given.startswith(prefix) or given == prefix:
        return False
    given = given.removeprefix(prefix)
    expected = sign(signed(request), secret=secret, digest=digest, encoding=encoding)
    if encoding == "hex":
        given = given.lower()
    return hmac.compare_digest(given.encode(), expected.encode())


def is_recent(request: WebhookRequest, sent_at: datetime, *, window: timedelta = RECENT) -> bool:
    """Tell whether a delivery was sent within `window` of its arrival, either way, so that a replay is refused."""
    return abs(request.received_at - sent_at) <= window

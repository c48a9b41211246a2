"""The door for webhooks: a genuine delivery makes its channel due now. It is a hint to fetch, polling is the truth."""

from __future__ import annotations

import asyncio
from typing import Final

import sqlalchemy as sa
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aftersail.core.contract import ChannelError, WebhookHint, WebhookRequest
from aftersail.core.host import Channel, HostError
from aftersail.core.host.channel import ConnectorDefectError
from aftersail.core.runtime.app import App
from aftersail.core.runtime.channels import ChannelConfigError
from aftersail.core.runtime.secrets import SecretError
from aftersail.core.store import tables
from aftersail.core.store.unit import unit_of_work

_log = structlog.get_logger(__name__)

MAX_BODY: Final = 1_048_576
"""Bytes a delivery may have: a platform's own are some kilobytes."""

_BODY_SECONDS: Final = 10.0


def webhook_route(app: App) -> Route:
    """Make the route `/webhooks/{channel}`. GET is there because some platforms prove an address with one."""

    async def webhook(request: Request) -> Response:
        name = request.path_params["channel"]
        if name not in app.settings.channels:
            return PlainTextResponse("no such channel\n", status_code=404)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _body(request)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("the body did not arrive in time\n", status_code=408)
        if body is None:
            return PlainTextResponse(f"the body is larger than {MAX_BODY} bytes\n", status_code=413)
        arrived = WebhookRequest(
            method=request.method,
            headers={key.lower(): ", ".join(request.headers.getlist(key)) for key in request.headers},
            query=dict(request.query_params),
            body=body,
            received_at=app.now(),
        )
        return await run_in_threadpool(_receive, app, name, arrived)

    return Route("/webhooks/{channel}", webhook, methods=["GET", "POST"], include_in_schema=False)


async def _body(request: Request) -> bytes | None:
    """Read the body as it came; None as soon as it is too large."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY:
            return None
    return bytes(chunks)


def _receive(app: App, name: str, arrived: WebhookRequest) -> Response:
    try:
        channel = app.channels.get(name)
        if not channel.can("verify_webhook"):
            return PlainTextResponse("this channel takes no webhooks\n", status_code=404)
        genuine = channel.verify_webhook(arrived)
    except (ChannelConfigError, ChannelError, ConnectorDefectError, HostError, SecretError) as error:
        # Nobody can say whether it is genuine now; the platform sends it again, and polling goes on meanwhile.
        _log.warning("webhook_unverified", channel=name, error=type(error).__name__, detail=str(error))
        return PlainTextResponse("it cannot be verified now; send it again later\n", status_code=503)
    if not genuine:
        _log.warning("webhook_forged", channel=name, bytes=len(arrived.body))
        return PlainTextResponse("the signature is not genuine\n", status_code=401)
    hint = _parse(channel, arrived)
    if hint.response is None or hint.streams:
        make_due(app, name)
    return _answer(hint)


def _parse(channel: Channel, arrived: WebhookRequest) -> WebhookHint:
    """Read a genuine delivery; one that cannot be read still says that something happened."""
    if not channel.can("parse_webhook"):
        return WebhookHint()
    try:
        return channel.parse_webhook(arrived)
    except (ChannelError, ConnectorDefectError) as error:
        _log.warning("webhook_unread", channel=channel.id, error=type(error).__name__, detail=str(error))
        return WebhookHint()


def make_due(app: App, channel: str) -> bool:
    """Bring a channel's next sync forward to now; tell whether it moved.

    While a sync is under way (no due time) a burst of deliveries asks for one more after it, since it may have read
    past what they speak of. A channel that backs off after a failure is left alone: a webhook does not mend it.
    """
    table = tables.channel
    with unit_of_work(app.engine, app.now()) as unit:
        healthy = (table.c.id == channel, table.c.active, table.c.failures == 0)
        forward = sa.update(table).where(*healthy, table.c.due_at > unit.now).values(due_at=unit.now)
        moved = unit.conn.execute(forward).rowcount
        if not moved:
            unit.conn.execute(sa.update(table).where(*healthy, table.c.due_at.is_(None)).values(hinted_at=unit.now))
    return bool(moved)


def _answer(hint: WebhookHint) -> Response:
    if hint.response is None:
        return Response(status_code=200)
    is_json = hint.response.lstrip().startswith(("{", "["))
    return Response(hint.response, media_type="application/json" if is_json else "text/plain")

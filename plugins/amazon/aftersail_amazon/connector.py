"""The connector: what the desk asks of Amazon."""

from __future__ import annotations

from datetime import timedelta
from decimal import InvalidOperation
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from aftersail.sdk import (
    Account,
    AttachmentMode,
    Capabilities,
    ChannelContext,
    Connector,
    CursorExpired,
    DeadlineSource,
    Inbound,
    Instant,
    Invalid,
    LinkKind,
    Message,
    Order,
    Page,
    RawMail,
    ReplyCapability,
    ReplyMode,
    Sandbox,
)
from aftersail.sdk.overlap import OVERLAP
from aftersail_amazon.api import ORDERS_PER_PAGE, Json, OrderPage, SellingPartnerApi, timestamp
from aftersail_amazon.mapping import is_pending, to_order
from aftersail_amazon.relay import read_relay_mail
from aftersail_amazon.settings import AmazonSettings

TOKEN_LIFE: Final = timedelta(hours=23, minutes=55)
"""How long a pagination token is used: Amazon honours it for 24 hours."""


class _Position(BaseModel):
    """Where the stream of orders stands; the cursor is this as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: Instant
    until: Instant | None = None
    token: str | None = None
    token_at: Instant | None = None
    size: int = ORDERS_PER_PAGE


class AmazonConnector(Connector[AmazonSettings]):
    """One selling account: messages by relay mail, orders by API. Amazon offers no API to read or answer messages."""

    kind: ClassVar[str] = "amazon"
    title: ClassVar[str] = "Amazon"
    settings_model: ClassVar = AmazonSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=Inbound.EMAIL,
        reply=ReplyCapability(mode=ReplyMode.EMAIL_RELAY, attachments=AttachmentMode.UPLOAD),
        deadline_source=DeadlineSource.DERIVED,
        links=LinkKind.ORDER,
        sandbox=Sandbox.PARTIAL,
    )

    def __init__(self, settings: AmazonSettings, context: ChannelContext) -> None:
        super().__init__(settings, context)
        self._api = SellingPartnerApi(settings, context)

    def close(self) -> None:
        """Release every connection."""
        self._api.close()

    def check_account(self) -> Account:
        """Search for one order. It takes one of the 20 calls that are saved up; Amazon does not name the account."""
        since = self.context.now() - timedelta(days=1)
        self._api.search_orders(
            updated_after=timestamp(since), marketplace_ids=self.settings.marketplace_ids, included=(), limit=1
        )
        return Account(external_id=self.settings.seller_id, title=f"Amazon {self.settings.seller_id}")

    def fetch_orders(self, cursor: str | None, limit: int) -> Page[Order]:
        """Fetch orders by their last change; those whose payment is pending come once they are orders.

        A pagination token that has grown too old is dropped and the same search starts again, so nothing is lost.

        Raises:
            CursorExpired: the cursor is unreadable, or Amazon refuses the token before its time.
        """
        position = self._position(cursor, limit)
        page = self._search(position)
        orders: dict[str, Order] = {}
        skipped: list[str] = []
        for raw in page.orders:
            if is_pending(raw):
                continue
            try:
                made = to_order(raw)
                orders[made.external_id] = made
            except (LookupError, ValueError, TypeError, AttributeError, InvalidOperation) as error:
                skipped.append(_unreadable(raw, error))
        behind = self._behind(position, page)
        return Page[Order](
            items=tuple(orders.values()),
            cursor=behind.model_dump_json(exclude_defaults=True),
            more=behind.token is not None,
            skipped=tuple(skipped),
        )

    def _search(self, position: _Position) -> OrderPage:
        try:
            return self._api.search_orders(
                updated_after=timestamp(position.after),
                marketplace_ids=self.settings.marketplace_ids,
                limit=position.size,
                token=position.token,
            )
        except Invalid as error:
            if position.token is None:
                raise
            raise CursorExpired("Amazon refuses the page's token; the search starts again", code=error.code) from error

    def _position(self, cursor: str | None, limit: int) -> _Position:
        now, size = self.context.now(), max(1, min(limit, ORDERS_PER_PAGE))
        if cursor is None:
            return _Position(after=now - timedelta(days=self.settings.history_days), size=size)
        try:
            found = _Position.model_validate_json(cursor)
        except ValidationError as error:
            raise CursorExpired("the cursor is unreadable; the search starts again") from error
        fresh = found.token_at is not None and now - found.token_at < TOKEN_LIFE
        return found if found.token and fresh else _Position(after=found.after, size=size)

    def _behind(self, position: _Position, page: OrderPage) -> _Position:
        # What changes while the pages are read lies after the first page's end, and the next search begins there.
        until = position.until or page.until or self.context.now()
        if page.token is not None:
            update = {"until": until, "token": page.token, "token_at": self.context.now()}
            return position.model_copy(update=update)
        return _Position(after=max(until - OVERLAP, position.after))

    def claim_email(self, mail: RawMail) -> Message | None:
        """Recognise Amazon's relay mail and notices; the answer goes back through the same mailbox.

        Nothing in a mail is followed: the link that tells Amazon "no response needed" is only kept for a person.
        """
        if self.settings.mailbox is not None and mail.mailbox != self.settings.mailbox:
            return None
        return read_relay_mail(mail, marketplace_ids=self.settings.marketplace_ids)


def _unreadable(raw: Json, error: Exception) -> str:
    # Only the name of a missing field is told: the text of other errors repeats what is in the order.
    what = f"lacks {error}" if isinstance(error, KeyError) else f"is unreadable ({type(error).__name__})"
    return f"order {raw.get('orderId') or 'without an id'} {what}"

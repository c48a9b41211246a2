"""The connector: what the desk asks of eBay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar

from aftersail.sdk import (
    Account,
    Ambiguous,
    AuthExpired,
    Capabilities,
    ChannelContext,
    Connector,
    Inbound,
    Invalid,
    LinkKind,
    Message,
    Order,
    Page,
    Receipt,
    Reply,
    ReplyCapability,
    ReplyMode,
    Sandbox,
)
from aftersail_ebay.api import CONVERSATIONS_PER_PAGE, LONGEST_TEXT, ORDERS_PER_PAGE, EbayApi, Json
from aftersail_ebay.mapping import instant
from aftersail_ebay.settings import EbaySettings
from aftersail_ebay.streams import Conversations, Orders
from aftersail_ebay.walk import Position, Walk

_MISSING_SCOPE = "1100"


class EbayConnector(Connector[EbaySettings]):
    """One seller on eBay: messages with members in and out, orders in."""

    kind: ClassVar[str] = "ebay"
    title: ClassVar[str] = "eBay"
    settings_model: ClassVar = EbaySettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        inbound=Inbound.API,
        reply=ReplyCapability(mode=ReplyMode.API, max_chars=LONGEST_TEXT),
        links=LinkKind.LISTING,
        sandbox=Sandbox.PARTIAL,
    )

    def __init__(self, settings: EbaySettings, context: ChannelContext) -> None:
        super().__init__(settings, context)
        self._api = EbayApi(settings, context)

    def close(self) -> None:
        """Release every connection."""
        self._api.close()

    def check_account(self) -> Account:
        """Ask for one conversation and one order. A single missing scope is a warning, both are AuthExpired.

        eBay does not name the account with the scopes used here; the id is the user name of the settings.
        """
        since = self.context.now() - timedelta(days=1)
        tries: tuple[tuple[str, Callable[[], object]], ...] = (
            ("commerce.message", lambda: self._api.conversations(since=since, limit=1, offset=0)),
            ("sell.fulfillment.readonly", lambda: self._api.orders(since=since, limit=1, offset=0)),
        )
        missing: list[str] = []
        for scope, read in tries:
            try:
                read()
            except AuthExpired as error:
                if error.code != _MISSING_SCOPE or missing:
                    raise
                missing.append(f"the token lacks the scope {scope}; connect the account again with it")
        return Account(external_id=self.settings.username, title=self.settings.username, warnings=tuple(missing))

    def fetch_messages(self, cursor: str | None, limit: int) -> Page[Message]:
        """Fetch conversations with members in which something was written, each whole, without eBay's own notices."""
        position = self._position(cursor, min(limit, CONVERSATIONS_PER_PAGE))
        source = Conversations(self._api, seller=self.settings.username)
        items, behind, more = Walk(source, position, limit).step()
        return Page[Message](items=items, cursor=behind.cursor(), more=more, skipped=tuple(source.skipped))

    def post_reply(self, reply: Reply) -> Receipt:
        """Write into the conversation the buyer wrote in; at most 2000 characters, no files.

        Raises:
            Invalid: too long, with files, or without a conversation; nothing was sent.
            Ambiguous: it may have been sent; the conversation on eBay tells.
        """
        conversation = reply.thread_id or reply.to
        if not conversation:
            raise Invalid("sendMessage: the answer names no conversation; answer a message that came from eBay")
        if len(reply.text) > LONGEST_TEXT:
            raise Invalid(
                f"sendMessage: the text has {len(reply.text)} characters, eBay takes {LONGEST_TEXT}; shorten it"
            )
        if reply.attachments:
            raise Invalid("sendMessage: files cannot be sent to eBay from here; send the text without them")
        sent = self._api.send_message(conversation, reply.text)
        if not sent.get("messageId"):
            raise Ambiguous("sendMessage: eBay took the message but gave it no id")
        return Receipt(external_id=str(sent["messageId"]), at=self._sent_at(sent))

    def _sent_at(self, sent: Json) -> datetime:
        try:
            return instant(sent.get("createdDate"))
        except ValueError:
            return self.context.now()

    def fetch_orders(self, cursor: str | None, limit: int) -> Page[Order]:
        """Fetch orders by their last change, with parcels where the settings ask for them."""
        position = self._position(cursor, min(limit, ORDERS_PER_PAGE))
        source = Orders(self._api, with_parcels=self.settings.with_parcels)
        items, behind, more = Walk(source, position, limit).step()
        return Page[Order](items=items, cursor=behind.cursor(), more=more, skipped=tuple(source.skipped))

    def _position(self, cursor: str | None, size: int) -> Position:
        history = timedelta(days=self.settings.history_days)
        return Position.take_up(cursor, now=self.context.now(), size=max(1, size), history=history)

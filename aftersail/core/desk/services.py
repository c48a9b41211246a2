"""What the desk needs of the other rooms, put together by the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aftersail.core.contract import Capabilities
from aftersail.core.desk.declared import NOTHING, Declared
from aftersail.core.desk.roster import NOBODY, Roster
from aftersail.core.policy import PackNotFoundError

if TYPE_CHECKING:
    from aftersail.core.jobs import Jobs
    from aftersail.core.policy import Pack, PackLibrary
    from aftersail.core.triage import Triage


@dataclass(frozen=True, kw_only=True)
class ChannelInfo:
    """What the desk must know of a channel without talking to it.

    Attributes:
        mailbox: the e-mail channel through which this channel's buyers are answered; None where it answers itself.
        signature: who signs, `shop_name` in templates.
        return_address: where goods come back to; None where the settings do not say.
    """

    id: str
    kind: str
    title: str
    capabilities: Capabilities
    operations: frozenset[str]
    mailbox: str | None = None
    signature: str = ""
    return_address: str | None = None


@dataclass(frozen=True, kw_only=True)
class Services:
    """The desk's neighbours.

    Attributes:
        pack_id: the policy pack in use; the version is the one in force when a request was filed.
        channels: every configured channel, by id.
        roster: who works at the desk.
        declared: what the seller says of goods, delivery and buyers.
    """

    packs: PackLibrary
    pack_id: str
    triage: Triage
    jobs: Jobs
    channels: Mapping[str, ChannelInfo]
    roster: Roster = NOBODY
    declared: Declared = NOTHING


def pack_of(services: Services, ticket: Any) -> Pack:
    """The pack that judges a ticket: the version it was judged by before, else the one in force when it was filed.

    So nothing is judged again by another version, whatever is activated later. What is older than the pack is judged
    by its first version. A ticket whose version is gone from the folders is judged by the pack in use.
    """
    if ticket.pack_version is not None:
        with suppress(PackNotFoundError):  # `judge` writes down that another one judged
            return services.packs.get(ticket.pack_id, ticket.pack_version, at=ticket.filed_at)
    return pack_in_force(services, ticket.filed_at)


def pack_in_force(services: Services, at: datetime) -> Pack:
    """The version in force at an instant, or the first, where that is earlier than all."""
    packs = services.packs
    try:
        return packs.in_force(services.pack_id, at)
    except PackNotFoundError:
        return packs.get(services.pack_id, min(packs.versions(services.pack_id)))


def clock_pack(services: Services, ticket: Any, now: datetime) -> Pack:
    """The pack that judges a ticket, with the opening hours that hold `now`: for its clocks."""
    return pack_of(services, ticket).with_hours_of(pack_in_force(services, max(ticket.filed_at, now)))

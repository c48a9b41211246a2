"""What the desk needs of the other rooms, put together by the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aftersail.core.contract import Capabilities

if TYPE_CHECKING:
    from aftersail.core.jobs import Jobs
    from aftersail.core.policy import PackLibrary
    from aftersail.core.triage import Triage


@dataclass(frozen=True, kw_only=True)
class ChannelInfo:
    """What the desk must know of a channel without talking to it.

    Attributes:
        mailbox: the e-mail channel through which this channel's buyers are answered; None where it answers itself.
        signature: who signs, `shop_name` in templates.
    """

    id: str
    kind: str
    title: str
    capabilities: Capabilities
    operations: frozenset[str]
    mailbox: str | None = None
    signature: str = ""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The desk's neighbours.

    Attributes:
        pack_id: the policy pack in use; the version is the one in force when a request was filed.
        channels: every configured channel, by id.
    """

    packs: PackLibrary
    pack_id: str
    triage: Triage
    jobs: Jobs
    channels: Mapping[str, ChannelInfo]

"""One line for each thing that happens, read from the store's own history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final


def _page(_: Any, data: Mapping[str, Any]) -> str:
    skipped = f", {len(data['skipped'])} unreadable" if data["skipped"] else ""
    return f"page of {data['items']} {data['stream']}: {data['new']} new, {data['revised']} revised{skipped}"


def _opened(row: Any, data: Mapping[str, Any]) -> str:
    due = ""
    if data.get("due_at"):
        at = datetime.fromisoformat(data["due_at"]).astimezone()
        due = f"; {data['due_metric']} due {at:%a %H:%M} ({data['due_source']})"
    subject = f"ticket {row.ticket} “{data['subject']}”"
    return f"{subject}: {data.get('language', '?')}, {data['reason']}, tier {data.get('tier') or '?'}{due}"


_LINES: Final[Mapping[str, tuple[str, Callable[[Any, Mapping[str, Any]], str]]]] = {
    "page": ("cyan", _page),
    "ticket_opened": ("bold", _opened),
    "decided": ("blue", lambda row, data: f"ticket {row.ticket} decided: {data['why']}"),
    "order_linked": ("cyan", lambda row, data: f"ticket {row.ticket} is about order {data['order']}"),
    "shipment_moved": ("cyan", lambda _, data: f"parcel {data['shipment']}: {data['status']}"),
    "case_stored": ("cyan", lambda row, data: f"ticket {row.ticket}: the shop has a return request ({data['status']})"),
    "reply_settled": ("green", lambda row, _: f"ticket {row.ticket}: answer sent"),
    "refund_settled": ("bold green", lambda row, data: f"ticket {row.ticket}: refund booked as {data['external_id']}"),
    "refund_refused": ("red", lambda row, data: f"ticket {row.ticket}: refund refused: {data['why']}"),
    "refund_unknown": ("red", lambda row, data: f"ticket {row.ticket}: refund unknown: {data['why']}"),
    "task_opened": ("yellow", lambda row, data: f"ticket {row.ticket} waits for a person: {data['why']}"),
    "clock_warned": ("yellow", lambda row, data: f"ticket {row.ticket}: {data['metric']} comes near"),
    "clock_breached": ("red", lambda row, data: f"ticket {row.ticket}: {data['metric']} ran out"),
    "channel_failed": ("red", lambda _, data: f"cannot sync: {data['why']}"),
}


def line_of(row: Any) -> tuple[str, str] | None:
    """Return style and text of a history row; None for what the demo does not show."""
    found = _LINES.get(row.kind)
    return (found[0], found[1](row, row.data)) if found else None

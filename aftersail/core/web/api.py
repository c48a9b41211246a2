"""The HTTP API: what the pages show, as JSON. Instants are UTC, amounts are decimals in a string."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import AwareDatetime

from aftersail.core.contract import Record
from aftersail.core.desk.tickets import TicketState
from aftersail.core.insight.alarms import Spike, reason_spikes
from aftersail.core.insight.figures import Figures, figures
from aftersail.core.insight.health import DeskHealth, desk_health
from aftersail.core.remedies import RemedyState
from aftersail.core.runtime.app import App
from aftersail.core.store.engine import reading
from aftersail.core.web.listing import PAGE, refunds, tickets
from aftersail.core.web.models import RefundList, TicketList, TicketView
from aftersail.core.web.ticket import own_solutions, ticket_view

HIGHEST: Final = 2**63 - 1
"""The highest number the databases know."""

LONGEST: Final = timedelta(days=366)
"""The longest window figures are counted over."""

Limit = Annotated[int, Query(ge=1, le=500, description="rows to return")]
Offset = Annotated[int, Query(ge=0, le=HIGHEST, description="rows to skip")]
ChannelId = Annotated[str | None, Query(max_length=64, description="id of one channel")]


class FiguresAnswer(Record):
    """Figures of a window, and the reasons that spike right now."""

    figures: Figures
    spikes: tuple[Spike, ...]


class Problem(Record):
    """Why a request was not answered."""

    detail: str


def api_routes(app: App) -> APIRouter:
    """Make the routes under `/api`."""
    routes = APIRouter(prefix="/api", tags=["desk"])

    @routes.get("/tickets", summary="List tickets, most urgent first")
    def list_tickets(
        state: TicketState | None = None, channel: ChannelId = None, limit: Limit = PAGE, offset: Offset = 0
    ) -> TicketList:
        with reading(app.engine).connect() as conn:
            return tickets(conn, state=state, channel=channel, limit=limit, offset=offset)

    @routes.get("/tickets/{number}", summary="Everything about one ticket", responses={404: {"model": Problem}})
    def one_ticket(number: Annotated[int, Path(ge=1, le=HIGHEST)]) -> TicketView:
        with reading(app.engine).connect() as conn:
            found = ticket_view(conn, number, own_solutions(app))
        if found is None:
            raise HTTPException(404, f"there is no ticket {number}")
        return found

    @routes.get("/refunds", summary="The ledger of refunds, newest first")
    def list_refunds(
        state: RemedyState | None = None, channel: ChannelId = None, limit: Limit = PAGE, offset: Offset = 0
    ) -> RefundList:
        with reading(app.engine).connect() as conn:
            return refunds(conn, state=state, channel=channel, limit=limit, offset=offset)

    @routes.get("/channels", summary="How the channels and the desk stand now")
    def list_channels() -> DeskHealth:
        with reading(app.engine).connect() as conn:
            return desk_health(conn, app.now())

    @routes.get("/figures", summary="What happened in a window", responses={400: {"model": Problem}})
    def count_figures(
        since: Annotated[AwareDatetime | None, Query(description="default: 7 days before `until`")] = None,
        until: Annotated[AwareDatetime | None, Query(description="default: now; not part of the window")] = None,
    ) -> FiguresAnswer:
        now = app.now()
        begin, end = _window(since, until, now)
        with reading(app.engine).connect() as conn:
            return FiguresAnswer(figures=figures(conn, begin, end), spikes=reason_spikes(conn, now))

    return routes


def _window(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    end = until or now
    begin = since or end - timedelta(days=7)
    if not timedelta() <= end - begin <= LONGEST:
        raise HTTPException(400, f"`since` must be before `until`, at most {LONGEST.days} days")
    return begin, end

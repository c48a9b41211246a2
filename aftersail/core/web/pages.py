"""The pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from aftersail.core.desk.tickets import TicketState
from aftersail.core.insight.board import report
from aftersail.core.insight.health import desk_health
from aftersail.core.insight.kpis import calendars_of
from aftersail.core.remedies import RemedyState
from aftersail.core.runtime.app import App
from aftersail.core.store.engine import reading
from aftersail.core.web.api import HIGHEST
from aftersail.core.web.listing import PAGE, channel_ids, refunds, tickets
from aftersail.core.web.ticket import own_solutions, ticket_view

ALL: Final = "all"
_DAYS: Final = (1, 7, 30, 90)
_PAGE_NUMBER: Final = re.compile("[0-9]{1,6}")


class Pages:
    """Makes every page from the store; holds nothing between two requests."""

    def __init__(self, app: App, templates: jinja2.Environment) -> None:
        self._app = app
        self._templates = templates

    def routes(self) -> list[Route]:
        """Name every page's address."""
        pages: dict[str, Callable[[Request], Response]] = {
            "/": self.inbox,
            "/tickets/{number:int}": self.ticket,
            "/channels": self.channels,
            "/refunds": self.refunds,
            "/figures": self.figures,
        }
        return [Route(path, page, methods=["GET"], include_in_schema=False) for path, page in pages.items()]

    def inbox(self, request: Request) -> Response:
        """Show the tickets, most urgent first."""
        return self._list(request, "inbox.html", "Inbox", tickets, [*TicketState, ALL], TicketState.OPEN)

    def ticket(self, request: Request) -> Response:
        """Show one ticket."""
        number = request.path_params["number"]
        found = None
        if number <= HIGHEST:
            with reading(self._app.engine).connect() as conn:
                found = ticket_view(conn, number, own_solutions(self._app))
        if found is None:
            raise HTTPException(404, f"There is no ticket {number}.")
        return self._render("ticket.html", title=f"Ticket {number}", found=found)

    def channels(self, request: Request) -> Response:
        """Show how every channel stands."""
        del request
        with reading(self._app.engine).connect() as conn:
            health = desk_health(conn, self._app.now())
        return self._render("channels.html", title="Channels", health=health)

    def refunds(self, request: Request) -> Response:
        """Show the ledger of refunds."""
        return self._list(request, "refunds.html", "Refunds", refunds, [*RemedyState, ALL], ALL)

    def _list(
        self, request: Request, template: str, title: str, read: Callable[..., Any], states: list[str], default: str
    ) -> Response:
        """Show one page of a list, narrowed to a state and a channel."""
        state, channel, page = (
            _one_of(request, "state", states, default),
            request.query_params.get("channel"),
            _page(request),
        )
        with reading(self._app.engine).connect() as conn:
            wanted = None if state == ALL else state
            listed = read(conn, state=wanted, channel=channel or None, offset=(page - 1) * PAGE)
            channels = channel_ids(conn)
        path, chosen = request.url.path, {"state": state, "channel": channel or None}
        return self._render(
            template,
            title=title,
            listed=listed,
            channels=channels,
            states=states,
            chosen=chosen,
            pager=_pager(path, chosen, page, listed.total),
            address=_address(path, chosen | {"page": page if page > 1 else None}),
        )

    def figures(self, request: Request) -> Response:
        """Show the live board: what happened in the last days, and how the desk stands now."""
        days = int(_one_of(request, "days", [str(each) for each in _DAYS], "7"))
        now = self._app.now()
        with reading(self._app.engine).connect() as conn:
            board = report(conn, now - timedelta(days=days), now, calendars_of(self._app.packs))
        return self._render(
            "figures.html",
            title="Figures",
            board=board,
            days=days,
            choices=_DAYS,
            address=_address("/figures", {"days": days}),
        )

    def error(self, status: int, what: str) -> Response:
        """Say that there is nothing to show."""
        return self._render("error.html", title=what, status=status, status_code=status)

    def _render(self, template: str, *, status_code: int = 200, **values: Any) -> Response:
        text = self._templates.get_template(template).render(now=self._app.now(), **values)
        return HTMLResponse(text, status_code=status_code)


def _one_of(request: Request, name: str, known: list[Any], default: str) -> str:
    """Take a choice from the address; one that is not known is the default, as if nothing was chosen."""
    value = request.query_params.get(name, default)
    return value if value in known else default


def _page(request: Request) -> int:
    value = request.query_params.get("page", "1")
    return max(int(value), 1) if _PAGE_NUMBER.fullmatch(value) else 1


def _address(path: str, query: dict[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _pager(path: str, chosen: dict[str, Any], page: int, total: int) -> dict[str, Any]:
    pages = max(1, -(-total // PAGE))
    return {
        "page": page,
        "pages": pages,
        "before": _address(path, chosen | {"page": page - 1}) if page > 1 else None,
        "after": _address(path, chosen | {"page": page + 1}) if page < pages else None,
    }

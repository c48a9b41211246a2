"""The demo's summary: every figure read from the store and held against the simulators' own ledgers."""

from __future__ import annotations

import shutil
import sys
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aftersail.core.cli.demo.stage import Stage
from aftersail.core.remedies import RemedyKind, RemedyState
from aftersail.core.store import tables
from aftersail.core.store.engine import reading


def print_summary(console: Console, engine: sa.Engine, stage: Stage, took: float, peak: float) -> bool:
    """Print the summary and tell whether store and ledgers agree."""
    with reading(engine).connect() as conn:
        figures = _figures(conn)
        replies, refunds = _replies(conn), _refunds(conn)
        first = conn.scalar(sa.select(sa.func.min(tables.ticket.c.id)))
    console.print()
    table = Table(title="What the store holds", title_justify="left", box=None, show_header=False)
    for name, value in figures.items():
        table.add_row(name, str(value))
    console.print(table)
    really_sent = sorted(mail.message_id for mail in stage.mail.sent)
    really_booked = sorted((booked.order_id, booked.amount, booked.currency) for booked in stage.shop.ledger)
    agreed = _compare(console, "answers sent", replies, really_sent, "mails that SMTP took")
    agreed = _compare(console, "refunds settled", refunds, really_booked, "refunds the shop booked") and agreed
    console.print(Text(f"\ntook {took:.1f} s, daemon's peak memory {peak:.0f} MiB", style="dim"))
    program = "aftersail" if shutil.which("aftersail") else sys.argv[0]
    console.print("\nLook closer:")
    for command in ("inbox", f"ticket show {first}", f"policy explain {first}", "refund list"):
        console.print(Text(f"  {program} --config {stage.config} {command}"))
    return agreed


def _compare(console: Console, what: str, store: list[Any], ledger: list[Any], where: str) -> bool:
    same = store == ledger
    verdict = Text("agrees", style="green") if same else Text("DIFFERS", style="bold red")
    console.print(Text(f"{what}: {len(store)} in the store, {len(ledger)} {where}: ").append(verdict))
    if not same:
        console.print(Text(f"  only in the store: {[item for item in store if item not in ledger]}"))
        console.print(Text(f"  only in the ledger: {[item for item in ledger if item not in store]}"))
    return same


def _figures(conn: sa.Connection) -> dict[str, object]:
    remedy, message, ticket = tables.remedy, tables.message, tables.ticket

    def count(table: sa.Table, *where: Any) -> int:
        return int(conn.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0)

    refund = remedy.c.kind == RemedyKind.REFUND
    parked = count(remedy, refund, remedy.c.state == RemedyState.PLANNED)
    languages = conn.scalars(sa.select(ticket.c.language).distinct().order_by(ticket.c.language)).all()
    return {
        "messages in": count(message, message.c.direction == "inbound"),
        "orders": count(tables.orders),
        "tickets": count(ticket),
        "languages": ", ".join(languages),
        "answers sent": count(remedy, remedy.c.kind == RemedyKind.REPLY, remedy.c.state == RemedyState.SETTLED),
        "refunds settled": _money(conn, RemedyState.SETTLED),
        "refunds parked for a person": f"{parked} ({_money(conn, RemedyState.PLANNED)})",
        "open tasks": count(tables.task, tables.task.c.closed_at.is_(None)),
        "clocks running": count(tables.clock, tables.clock.c.state == "running"),
        "clocks met": count(tables.clock, tables.clock.c.state == "met"),
    }


def _money(conn: sa.Connection, state: RemedyState) -> str:
    table = tables.remedy
    total = sa.select(table.c.currency, sa.func.sum(table.c.amount, type_=table.c.amount.type))
    where = (table.c.kind == RemedyKind.REFUND, table.c.state == state)
    rows = conn.execute(total.where(*where).group_by(table.c.currency).order_by(table.c.currency)).all()
    return ", ".join(f"{amount:.2f} {currency}" for currency, amount in rows) or "none"


def _replies(conn: sa.Connection) -> list[str]:
    table = tables.remedy
    where = (table.c.kind == RemedyKind.REPLY, table.c.state == RemedyState.SETTLED)
    return sorted(conn.scalars(sa.select(table.c.external_id).where(*where)))


def _refunds(conn: sa.Connection) -> list[tuple[str, Decimal, str]]:
    table = tables.remedy
    columns = (table.c.order_id, table.c.booked, table.c.currency)
    where = (table.c.kind == RemedyKind.REFUND, table.c.state == RemedyState.SETTLED)
    return sorted(
        (order, booked, currency) for order, booked, currency in conn.execute(sa.select(*columns).where(*where))
    )

"""Returns: one RMA number for the same lines of the same ticket, however often somebody asks for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from aftersail.core.contract import Label, Money
from aftersail.core.remedies.plan import remedy_key
from aftersail.core.remedies.states import RemedyState
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit


class ReturnError(Exception):
    """The return cannot be opened; the text says why."""


def open_rma(
    unit: Unit, *, ticket: int, channel: str, order_id: str, lines: Collection[str], case_id: str | None, actor: str
) -> tuple[Any, bool]:
    """Write an RMA down; tell whether it is new, or was there before.

    The caller holds the order's row locked, so that two calls at once cannot both be first.

    Args:
        unit: the transaction.
        ticket: the ticket it belongs to.
        channel: of the order.
        order_id: the platform's id of the order.
        lines: the order lines that come back, by their external id; each comes back whole.
        case_id: the platform's return request, where there is one.
        actor: who opens it.

    Raises:
        ReturnError: some of the lines come back under another number already.
    """
    table = tables.rma
    wanted = sorted(lines)
    key = remedy_key("rma", ticket, *wanted)
    known = unit.conn.execute(
        sa.select(table).where(table.c.channel == channel, table.c.order_id == order_id).order_by(table.c.number)
    ).all()
    for row in known:
        if row.key == key:
            return row, False
        shared = sorted(set(row.lines) & set(wanted))
        if shared:
            raise ReturnError(
                f"line {shared[0]} comes back as {row.number} already (ticket {row.ticket}); name the other lines only"
            )
    count = unit.conn.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.ticket == ticket)) or 0
    values = {
        "key": key,
        "number": f"RMA-{ticket}-{count + 1}",
        "ticket": ticket,
        "channel": channel,
        "order_id": order_id,
        "case_id": case_id,
        "lines": wanted,
        "opened_at": unit.now,
        "opened_by": actor,
    }
    unit.conn.execute(sa.insert(table).values(**values))
    unit.record("return_opened", channel, ticket, actor=actor, rma=values["number"], lines=wanted)
    return unit.conn.execute(sa.select(table).where(table.c.key == key)).one(), True


def update_rma(unit: Unit, key: str, **values: Any) -> None:
    """Write down what was planned for a return."""
    unit.conn.execute(sa.update(tables.rma).where(tables.rma.c.key == key).values(**values))


def rma_rows(conn: sa.Connection, *where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """List returns with what became of their approval and their label, oldest first."""
    rma, approval, label = tables.rma, tables.remedy.alias(), tables.remedy.alias()
    joined = rma.outerjoin(approval, approval.c.key == rma.c.approval).outerjoin(label, label.c.key == rma.c.label)
    columns = (
        *(rma.c[name] for name in ("number", "ticket", "channel", "order_id", "case_id", "lines")),
        rma.c.opened_at,
        rma.c.opened_by,
        approval.c.state.label("approval"),
        label.c.state.label("label"),
        label.c.result.label("result"),
    )
    rows = conn.execute(sa.select(*columns).select_from(joined).where(*where).order_by(rma.c.opened_at, rma.c.number))
    return [_shown(dict(row._mapping)) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Say of the label what fits on a line; its file stays in the store."""
    bought = label_of(row.pop("result"))
    return row | {
        "tracking_number": bought.parcel.tracking_number if bought else None,
        "label_link": bought.url if bought else None,
        "label_cost": str(bought.cost) if bought and bought.cost else None,
    }


def label_costs(conn: sa.Connection, ticket: int) -> list[Money | None]:
    """List what each label bought for a ticket's returns cost; None for one whose price nobody knows."""
    rma, remedy = tables.rma, tables.remedy
    bought = sa.select(remedy.c.result).join(rma, rma.c.label == remedy.c.key)
    wanted = bought.where(rma.c.ticket == ticket, remedy.c.state == RemedyState.SETTLED).order_by(rma.c.opened_at)
    labels = [label_of(result) for result in conn.scalars(wanted)]
    return [label.cost if label is not None else None for label in labels]


def label_of(result: Any) -> Label | None:
    """Read the label a platform handed over."""
    return None if result is None else Label.model_validate(result)


def bought_label(conn: sa.Connection, number: str) -> Label:
    """Read the label of a return.

    Raises:
        ReturnError: there is no such return, or no label of it yet; the text says where it stands.
    """
    rma, remedy = tables.rma, tables.remedy
    joined = rma.outerjoin(remedy, remedy.c.key == rma.c.label)
    columns = sa.select(rma.c.ticket, remedy.c.state, remedy.c.result)
    row = conn.execute(columns.select_from(joined).where(rma.c.number == number)).first()
    if row is None:
        raise ReturnError(f"there is no return {number}; `aftersail ticket show` lists those of a ticket")
    label = label_of(row.result)
    if label is not None:
        return label
    if row.state is None:
        raise ReturnError(f"no label was asked for {number}; aftersail return open {row.ticket} --label")
    if row.state == RemedyState.SETTLED:
        raise ReturnError(f"the label of {number} was bought by hand; it is on the platform's page")
    raise ReturnError(f"the label of {number} is {row.state}; it is there once it is settled")

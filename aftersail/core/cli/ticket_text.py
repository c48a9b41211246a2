"""A ticket as a page of text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from aftersail.core.cli.output import show, visible


def print_ticket(view: Mapping[str, Any]) -> None:
    """Print a ticket from top to bottom; nothing in it is read as markup."""
    console = Console(file=sys.stdout, highlight=False)
    console.print(Text(visible(f"Ticket {view['id']}: {view['subject']}"), style="bold"))
    for line in _head(view):
        console.print(Text(visible(line)))
    for message in view["messages"]:
        arrow = "→" if message["direction"] == "outbound" else "←"
        title = f"{arrow} {message['author'] or 'unknown'}, {show(message['sent_at'])}"
        text = Text(visible(message["text"]) or "(empty)")
        console.print(Panel(text, title=Text(visible(title)), title_align="left"))
    for title, lines in _sections(view):
        if lines:
            console.print(Rule(title, align="left", style="dim"))
            for line in lines:
                console.print(Text(visible(line)))


def _head(view: Mapping[str, Any]) -> Iterator[str]:
    buyer = f"{view['buyer_name'] or 'unknown'} <{view['buyer_email'] or '?'}>"
    yield f"{view['state']}, tier {show(view['tier'])}, {view['language']}, channel {view['channel']}, buyer {buyer}"
    if view["merged_into"]:
        yield f"merged into ticket {view['merged_into']}: its conversation goes on there"
    graded = f", set by an agent: {', '.join(view['graded'])}" if view["graded"] else ""
    yield f"reason: {view['reason']} ({view['reason_because']}){graded}"
    yield f"owner: {view['owner'] or 'nobody yet'}"
    if view["due_at"]:
        yield f"due {show(view['due_at'])} ({view['due_metric']}, {view['due_source']})"
    order = view["order"]
    if order:
        total = f"{order['total']:.2f} {order['currency']}"
        yield f"order {order['number']}: {total}, placed {show(order['placed_at'])}, {order['link'] or ''}"
    for shipment in view["shipments"]:
        yield f"parcel {shipment['tracking_number']}: {shipment['status']} {show(shipment['moved_at'])}"


def _sections(view: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    yield (
        "Cases",
        [f"{case['kind']} {case['external_id']}: {case['status']}, {case['reason_text']}" for case in view["cases"]],
    )
    yield "Clocks", [_clock(clock) for clock in view["clocks"]]
    yield (
        "Decisions",
        [
            f"{show(decision['at'])}: {decision['summary']} (pack {decision['pack_id']} {decision['pack_version']})"
            for decision in view["decisions"]
        ],
    )
    yield "Returns", [_return(rma) for rma in view["returns"]]
    yield "Remedies", [_remedy(remedy) for remedy in view["remedies"]]
    yield "To do", [_task(task) for task in view["tasks"] if not task["closed_at"]]
    yield "Appeals", [_appeal(appeal) for appeal in view["appeals"]]
    yield "More time", [_extension(extension) for extension in view["extensions"]]
    yield "What usually helps", [line for solution in view.get("solutions", ()) for line in _solution(solution)]
    yield "History", [f"{show(event['at'])}: {event['kind']} by {event['actor']}" for event in view["events"]]


def _task(task: Mapping[str, Any]) -> str:
    return f"{task['id']} {task['kind']}: {task['why']} {task['link'] or ''}"


def _clock(clock: Mapping[str, Any]) -> str:
    breached = ", breached" if clock["breached_at"] else ""
    return f"{clock['metric']}: due {show(clock['due_at'])}, {clock['state']}{breached} ({clock['source']})"


def _remedy(remedy: Mapping[str, Any]) -> str:
    money = f" {remedy['amount']:.2f} {remedy['currency']}" if remedy["amount"] is not None else ""
    detail = f", {remedy['detail']}" if remedy["detail"] else ""
    return f"{remedy['kind']}{money}: {remedy['state']}{detail}; {remedy['why']} [{remedy['key'][:8]}]"


def _return(rma: Mapping[str, Any]) -> str:
    approval = f", approval {rma['approval']}" if rma["approval"] else ""
    label = f", label {rma['label']}" if rma["label"] else ""
    bought = f": parcel {rma['tracking_number']}, {rma['label_cost'] or 'price unknown'} {rma['label_link'] or ''}"
    shown = f"{approval}{label}{bought.rstrip() if rma['tracking_number'] else ''}"
    return f"{rma['number']}: {show(rma['lines'])}, opened {show(rma['opened_at'])} by {rma['opened_by']}{shown}"


def _appeal(appeal: Mapping[str, Any]) -> str:
    who = appeal["decided_by"] or appeal["mediator"] or appeal["reviewer"] or "nobody yet"
    said = f": {appeal['note']}" if appeal["note"] else ""
    until = f", service extended until {show(appeal['extended_until'])}" if appeal["extended_until"] else ""
    lodged = f"by {appeal['lodged_by']}, {show(appeal['filed_at'])}: {appeal['why']}"
    return f"{appeal['kind']} {appeal['id']} {lodged}; {appeal['state']}, {who}{said}{until}"


def _extension(extension: Mapping[str, Any]) -> str:
    more = timedelta(seconds=extension["seconds"])
    waits = " until the buyer's notice has left" if extension["state"] == "asked" else ""
    return f"{more} asked by {extension['asked_by']}: {extension['reason']}; {extension['state']}{waits}"


def _solution(solution: Mapping[str, Any]) -> Iterator[str]:
    yield f"{solution['title']} ({', '.join(solution['remedies']) or 'no remedy'})"
    for number, step in enumerate(solution["steps"], start=1):
        yield f"  {number}. {step}"
    for name in solution["templates"]:
        lacks = ", which the pack in use does not have" if name in solution["missing_templates"] else ""
        yield f"  template {name}{lacks}"

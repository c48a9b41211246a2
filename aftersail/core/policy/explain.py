"""Prints a decision so that somebody who has never seen the code understands it."""

from __future__ import annotations

from collections.abc import Iterable

from aftersail.core.clocks import Target
from aftersail.core.policy.decision import (
    AskPerson,
    Decision,
    Flag,
    PlannedAction,
    PlannedRefund,
    PlannedReply,
    RowTrace,
)
from aftersail.core.policy.expressions import ClauseResult, Outcome

_SECTIONS = {"tier": "grading", "target": "time limit", "rule": "rule"}


def explain(decision: Decision) -> str:
    """Write a decision down: what is done, by which pack, from which facts, and why each row did or did not count."""
    trace = decision.trace
    parents = f", which builds on {', '.join(trace.parents)}" if trace.parents else ""
    source = (
        f"Decided on {decision.at:%Y-%m-%d %H:%M:%S} UTC by policy {decision.pack_id},"
        f" version {decision.pack_version}{parents} (fingerprint {decision.pack_hash[:12]})."
    )
    blocks = [
        [decision.summary[:1].upper() + decision.summary[1:] + "."],
        [source],
        _titled("What happens", (_action(action) for action in decision.actions)) or ["What happens", "  nothing yet"],
        _titled("Time limits", (_target(target) for target in decision.targets)),
        _titled("Money", trace.money),
        _titled("What counted", (_row(row) for row in trace.with_outcome(Outcome.HOLDS))),
        _titled("What nobody can tell", (_row(row) for row in trace.with_outcome(Outcome.UNKNOWN))),
        _titled("What did not count", (_row(row) for row in trace.with_outcome(Outcome.FAILS))),
        _titled("What was known", (f"{name}: {value}" for name, value in trace.facts.items())),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"  {line}" for line in lines]
    return [title, *found] if found else []


def _action(action: PlannedAction) -> str:
    match action:
        case PlannedRefund():
            return f"Pay back {action.amount}, as rule {action.rule} says: {action.why}."
        case PlannedReply():
            return f"Send the reply {action.template!r}, as rule {action.rule} says."
        case AskPerson():
            proposal = f" It could pay {action.proposed.amount}." if action.proposed else ""
            return f"Ask a person (rule {action.rule}): {action.why}.{proposal}"
        case Flag():
            return f"Flag the ticket {action.name!r}, as rule {action.rule} says."
        case _:
            return f"Tag the ticket {action.name!r}, as rule {action.rule} says."


def _target(target: Target) -> str:
    hours, rest = divmod(int(target.duration.total_seconds()), 3600)
    minutes = rest // 60
    length = " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)
    if target.duration.days and not target.duration.seconds and target.basis not in {"elapsed", "business_time"}:
        length = f"{target.duration.days} days"
    calendar = f", calendar {target.calendar}" if target.calendar else ""
    metric, basis = str(target.metric).replace("_", " "), str(target.basis).replace("_", " ")
    return f"{metric}: {length or target.duration} ({basis}{calendar}; {target.source.label}, row {target.row})"


def _row(row: RowTrace) -> str:
    clauses = "; ".join(_clause(clause) for clause in row.clauses) or "always"
    notes = "".join(f"\n      {note}" for note in row.notes)
    return f"{_SECTIONS[row.section]} {row.row} ({row.where}): {clauses}{notes}"


def _clause(clause: ClauseResult) -> str:
    if clause.outcome is Outcome.UNKNOWN:
        return f"{clause.text} - cannot tell: {clause.because}"
    known = ", ".join(f"{name} is {value}" for name, value in clause.values.items())
    return f"{clause.text} - {'yes' if clause.outcome is Outcome.HOLDS else 'no'}, {known}"

"""Prints a decision so that somebody who has never seen the code understands it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from aftersail.core.clocks import Target
from aftersail.core.policy.decision import Decision, RowTrace
from aftersail.core.policy.entitlement import Entitlement, Ground, Share
from aftersail.core.policy.expressions import ClauseResult, Outcome
from aftersail.core.policy.facts import show
from aftersail.core.policy.rights import Component

_MOST_NAMES = 4

_SECTIONS = {
    "tier": "grading",
    "target": "time limit",
    "rule": "rule",
    "window": "filing window",
    "exception": "exception",
    "liability": "liability",
    "cost": "cost",
    "refund_due": "refund deadline",
    "route": "way of the money",
    "remedy": "choice of remedy",
    "pack": "pack",
}


def explain(decision: Decision, clocks: Iterable[str] = ()) -> str:
    """Write a decision down: what is done, by which pack, from which facts, and why each row did or did not count.

    `clocks` tells how the ticket's clocks came to their due instants, a line each.
    """
    trace = decision.trace
    parents = f", which builds on {', '.join(trace.parents)}" if trace.parents else ""
    source = (
        f"Decided on {decision.at:%Y-%m-%d %H:%M:%S} UTC by policy {decision.pack_id},"
        f" version {decision.pack_version}{parents} (fingerprint {decision.pack_hash[:12]})."
    )
    blocks = [
        [decision.summary[:1].upper() + decision.summary[1:] + "."],
        [source],
        _titled("What happens", (action.sentence for action in decision.actions)) or ["What happens", "  nothing yet"],
        _titled("What the buyer is entitled to", _entitled(decision.entitlement)),
        _titled("What to mind", decision.entitlement.warnings if decision.entitlement else ()),
        _titled("Time limits", (_target(target) for target in decision.targets)),
        _titled("How the clocks run", clocks),
        _titled("Money", trace.money),
        _titled("What counted", (_row(row) for row in trace.with_outcome(Outcome.HOLDS))),
        _titled("What nobody can tell", (_row(row) for row in trace.with_outcome(Outcome.UNKNOWN))),
        _titled("What did not count", _rejected(trace.with_outcome(Outcome.FAILS))),
        _titled("What was known", (f"{name}: {value}" for name, value in trace.facts.items())),
        _titled("What was not known", (f"{name}: {why}" for name, why in trace.missing.items())),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    found = [f"  {line}" for line in lines]
    return [title, *found] if found else []


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
    notes = "".join(f"\n      {note}" for note in row.notes)
    pack = f" of {row.pack}" if row.pack else ""
    source = f"\n      read in {row.source}" if row.source else ""
    return f"{_SECTIONS[row.section]} {row.row}{pack} ({row.where}): {_clauses(row)}{notes}{source}"


def _rejected(rows: Iterable[RowTrace]) -> Iterator[str]:
    """Write down what was rejected; rows of one file that the same facts rule out are told together.

    A pack builds on laws of places the buyer does not live in: nobody reads a hundred lines that say so.
    """
    alike: dict[tuple[str, str], list[RowTrace]] = {}
    for row in rows:
        same = "; ".join(_known(clause) for clause in row.clauses) if row.pack else _clauses(row)
        alike.setdefault((row.where.partition(":")[0], same), []).append(row)
    for (file, _), found in alike.items():
        if len(found) == 1 or any(row.notes for row in found):
            yield from map(_row, found)
            continue
        sections = Counter(_SECTIONS[row.section] for row in found)
        kinds = ", ".join(f"{count} x {section}" for section, count in sections.items())
        names = _shortened([row.row for row in found], ", ")
        why = _shortened([_clauses(row) for row in found], " / ")
        yield f"{found[0].pack or file}, {kinds} ({names}): {why}"


def _clauses(row: RowTrace) -> str:
    return "; ".join(_clause(clause) for clause in row.clauses) or "always"


def _shortened(texts: Iterable[str], sign: str) -> str:
    different = list(dict.fromkeys(texts))
    more = len(different) - _MOST_NAMES
    return sign.join(different[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _known(clause: ClauseResult) -> str:
    return ", ".join(f"{name} is {value}" for name, value in clause.values.items())


def _clause(clause: ClauseResult) -> str:
    if clause.outcome is Outcome.UNKNOWN:
        return f"{clause.text} - cannot tell: {clause.because}"
    first, *others = clause.text.split(" or ")
    wanted = clause.text
    if len(others) > _MOST_NAMES:
        wanted = f"{first} or {' or '.join(others[: _MOST_NAMES - 1])} or {len(others) + 1 - _MOST_NAMES} others"
    return f"{wanted} - {'yes' if clause.outcome is Outcome.HOLDS else 'no'}, {_known(clause)}"


_COMPONENTS = {
    Component.ITEM: "The goods",
    Component.OUTBOUND_STANDARD: "Standard delivery",
    Component.OUTBOUND_EXPRESS: "What faster delivery cost more",
    Component.RETURN_FREIGHT: "Return freight",
    Component.DUTY: "Import duty",
    Component.TAX: "Tax",
    Component.RESTOCKING: "Restocking fee",
}
_IN_TIME = {True: "yes", False: "no", None: "nobody can tell"}


def _entitled(entitlement: Entitlement | None) -> Iterator[str]:
    if entitlement is None:
        return
    yield f"Asked for: {_words(entitlement.right)}."
    window = entitlement.window
    if window is not None:
        ends = f" It ends at {show(window.ends_at)}, not included." if window.ends_at else ""
        yield f"In time: {_IN_TIME[window.open]}. {_sentence(window.why)}{ends}{_ground(window.ground)}"
    if entitlement.liable is not None:
        liable = entitlement.liable
        yield f"Answers for it: {liable.party or 'nobody can tell'}.{_because(liable.why)}{_ground(liable.ground)}"
    for share in entitlement.costs:
        yield _share(share)
    due = entitlement.refund_due
    if due is not None:
        by = f"by {show(due.due_at)}" if due.due_at else "not due yet"
        yield f"Money back: {by}{', held' if due.held else ''}.{_because(due.why)}{_ground(due.ground)}"
    if entitlement.routes is not None:
        ways = ", then ".join(_words(kind) for kind in entitlement.routes.order)
        consent = "; store credit only with consent" if entitlement.routes.store_credit_needs_consent else ""
        yield f"Way of the money: {ways}{consent}.{_ground(entitlement.routes.ground)}"
    if entitlement.remedies is not None:
        options = " or ".join(_words(option) for option in entitlement.remedies.options)
        yield f"The {entitlement.remedies.choice} chooses: {options}.{_ground(entitlement.remedies.ground)}"


def _share(share: Share) -> str:
    amount = f", {share.amount}" if share.amount else ""
    kept = f" ({share.percent.normalize():f} % kept back)" if share.percent is not None else ""
    payer = f"the {share.payer} bears it{amount}{kept}" if share.payer else "nobody can tell who bears it"
    return f"{_COMPONENTS[share.component]}: {payer}.{_because(share.why)}{_ground(share.ground)}"


def _because(why: str) -> str:
    return f" {_sentence(why)}" if why else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _ground(ground: Ground | None) -> str:
    return f" [{ground}]" if ground else ""


def _words(code: str) -> str:
    return str(code).replace("_", " ")

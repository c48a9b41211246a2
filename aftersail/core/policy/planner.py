"""From matched rules to planned actions: who goes first, who waits, and what a person has to decide.

Rules are taken by priority. One rule gives the buyer something (money, a replacement, a return, longer service), the
first one; of answers and of owners the first counts too. Once a person is asked, rules of lower priority neither give
nor answer: nobody should be told one thing while somebody else decides another. Flags, tags, owners and notices go on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from aftersail.core.policy.compiled import Pack, Rule
from aftersail.core.policy.decision import RowTrace
from aftersail.core.policy.expressions import Finding, Outcome, View
from aftersail.core.policy.facts import Facts
from aftersail.core.policy.payment import pay
from aftersail.core.policy.planned import (
    AskPerson,
    Assign,
    ExtendService,
    Flag,
    Notify,
    PlannedAction,
    PlannedOffer,
    PlannedRefund,
    PlannedReply,
    Tag,
)


class Planner:
    """Plans one decision.

    Attributes:
        actions: what is planned, in order of priority.
        steps: the arithmetic of every amount.
    """

    def __init__(self, pack: Pack, facts: Facts, view: View) -> None:
        self.actions: list[PlannedAction] = []
        self.steps: list[str] = []
        self._pack = pack
        self._facts = facts
        self._view = view
        self._asked_by: str | None = None
        self._given_by: str | None = None
        self._answered_by: str | None = None
        self._assigned_by: str | None = None
        self._gives = ""
        self._marks: set[tuple[str, str]] = set()
        self._notes: dict[str, list[str]] = defaultdict(list)

    def run(self) -> None:
        """Plan the actions of the pack's rules, the highest priority first."""
        rules, judge = self._pack.rules, self._view.judge
        found = (rules[at] for at in self._pack.rule_index.candidates(self._view.values))
        judged = ((rule, judge(rule.condition)) for rule in found)
        open_ = ((rule, finding) for rule, finding in judged if finding.outcome is not Outcome.FAILS)
        for _, group in groupby(open_, key=lambda each: each[0].row.priority):
            self._group(list(group))

    def rows(self) -> Iterable[RowTrace]:
        """Make the trace of every rule; those the plan could pass over are judged only here."""
        for rule in self._pack.rules:
            finding = self._view.judge(rule.condition)
            notes = tuple(self._notes.get(rule.id, ()))
            yield RowTrace("rule", rule.id, rule.where, finding.outcome, finding.clauses, notes)

    def _group(self, judged: Sequence[tuple[Rule, Finding]]) -> None:
        """Plan rules of equal priority: questions first, since money and answers wait for them."""
        matched = [rule for rule, finding in judged if finding.outcome is Outcome.HOLDS]
        asks = [*self._explicit(matched), *self._unclear(judged), *self._conflict(matched)]
        held_by = self._asked_by or next((ask.rule for ask in asks), None)
        for rule in matched:
            if rule.remedies:
                asks += self._give(rule, held_by, self._notes[rule.id])
        for rule in matched:
            if not rule.remedies and self._asked_by is None:
                asks += (AskPerson(rule=rule.id, why=ask.why, role=ask.role) for ask in rule.row.approvals)
        self.actions += asks
        askers = [ask.rule for ask in asks]
        for rule in matched:
            self._reply(rule, self._asked_by, askers, self._notes[rule.id])
            self._mark(rule, self._notes[rule.id])
        if askers and self._asked_by is None:
            self._asked_by = askers[0]

    def _explicit(self, matched: Sequence[Rule]) -> Iterable[AskPerson]:
        for rule in matched:
            for ask in rule.row.asks:
                if self._asked_by is None:
                    yield AskPerson(rule=rule.id, why=ask.why)
                else:
                    self._notes[rule.id].append(f"a person has been asked already by {self._asked_by}")

    def _unclear(self, judged: Sequence[tuple[Rule, Finding]]) -> Iterable[AskPerson]:
        for rule, finding in judged:
            if finding.outcome is not Outcome.UNKNOWN:
                continue
            because = "; ".join(dict.fromkeys(clause.because for clause in finding.clauses if clause.because))
            self._notes[rule.id].append(f"cannot tell: {because}")
            gives = bool(rule.remedies) and self._given_by is None
            if (gives or rule.row.asks or rule.row.approvals) and self._asked_by is None:
                does = _verbs(rule.remedies) if gives else "asks a person"
                why = f"cannot tell whether rule {rule.id} {does}: {because}"
                yield AskPerson(rule=rule.id, why=why)

    def _conflict(self, matched: Sequence[Rule]) -> Iterable[AskPerson]:
        givers = [rule.id for rule in matched if rule.remedies]
        if len(givers) > 1 and self._given_by is None and self._asked_by is None:
            both = {_verbs(rule.remedies) for rule in matched if rule.remedies}
            what = f"both {both.pop()}" if len(both) == 1 else f"do different things: {' or '.join(sorted(both))}"
            why = (
                f"rules {' and '.join(givers)} have the same priority and {what.removesuffix('s')};"
                " give one of them a higher priority"
            )
            yield AskPerson(rule=", ".join(givers), why=why)

    def _give(self, rule: Rule, held_by: str | None, notes: list[str]) -> Iterable[AskPerson]:
        """Plan what a rule gives the buyer, or return the question that stands in its way."""
        name = rule.id
        done = "paid" if rule.row.refunds else "given"
        if held_by is not None:
            notes.append(f"not {done}: {held_by} asks a person first")
        elif self._given_by is not None:
            notes.append(f"not {done}: {self._given_by} {self._gives} already")
        else:
            refund, question = self._refund(rule, notes)
            if question is not None:
                return [question]
            if refund is not None:
                self.actions.append(refund)
            self.actions += _given(rule)
            self._given_by, self._gives = name, _verbs(rule.remedies)
        return []

    def _refund(self, rule: Rule, notes: list[str]) -> tuple[PlannedRefund | None, AskPerson | None]:
        """Return the refund of a rule, or what a person is asked: about the money, or for the approval it wants."""
        approval = next(iter(rule.row.approvals), None)
        if not rule.row.refunds:
            if approval is None:
                return None, None
            notes.append(f"not given: {approval.role} has to approve it first")
            return None, AskPerson(rule=rule.id, why=approval.why, role=approval.role)
        payment = pay(self._pack, self._facts, rule.id, rule.row.refunds[0])
        self.steps += payment.steps
        if isinstance(payment.action, AskPerson):
            notes.append(f"not paid: {payment.action.why}")
            return None, payment.action
        if approval is not None:
            notes.append(f"not paid: {approval.role} has to approve it first")
            question = AskPerson(rule=rule.id, why=approval.why, role=approval.role, proposed=payment.action)
            return None, question
        return payment.action, None

    def _reply(self, rule: Rule, asked_before: str | None, askers: Sequence[str], notes: list[str]) -> None:
        """Answer, unless a person is asked: by a higher rule, by another one of this priority, or about its refund."""
        own_remedy_waits = bool(rule.remedies) and self._given_by != rule.id
        others = [asker for asker in askers if asker != rule.id]
        for action in rule.row.then:
            if action.reply is None:
                continue
            template = action.reply.template
            if asked_before or others:
                notes.append(f"{template} not sent: {asked_before or others[0]} asks a person first")
            elif own_remedy_waits:
                what = "refund" if rule.row.refunds else "remedy"
                notes.append(f"{template} not sent: the {what} it belongs to is not planned")
            elif self._answered_by is not None:
                notes.append(f"{template} not sent: {self._answered_by} answers already")
            else:
                self.actions.append(PlannedReply(rule=rule.id, template=template))
                self._answered_by = rule.id

    def _mark(self, rule: Rule, notes: list[str]) -> None:
        """Plan what goes on whoever decides: marks, the owner, notices."""
        name = rule.id
        for action in rule.row.then:
            for kind, word in (("flag", action.flag), ("tag", action.tag)):
                if word is None or (kind, word) in self._marks:
                    continue
                self._marks.add((kind, word))
                mark = Flag if kind == "flag" else Tag
                self.actions.append(mark(rule=name, name=word))
            if action.notify is not None:
                self.actions.append(Notify(rule=name, roles=action.notify.roles, why=action.notify.why))
            if action.assign is not None and self._assigned_by is not None:
                notes.append(f"not assigned to {action.assign}: {self._assigned_by} assigns already")
            elif action.assign is not None:
                self.actions.append(Assign(rule=name, team=action.assign.team, role=action.assign.role))
                self._assigned_by = name


_VERBS = {
    "refund": "pays",
    "offer_replacement": "offers a replacement",
    "offer_return": "offers a return",
    "extend_service": "prolongs the service",
}


def _verbs(remedies: Sequence[str]) -> str:
    return " and ".join(_VERBS[name] for name in dict.fromkeys(remedies))


def _given(rule: Rule) -> Iterable[PlannedAction]:
    """Return what a rule gives beside money."""
    for action in rule.row.then:
        if action.offer_replacement is not None:
            yield PlannedOffer(rule=rule.id, remedy="replacement")
        if action.offer_return is not None:
            yield PlannedOffer(rule=rule.id, remedy="return", label=action.offer_return.label)
        if action.extend_service is not None:
            yield ExtendService(rule=rule.id, duration=action.extend_service.duration)

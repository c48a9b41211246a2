"""From matched rules to planned actions: who goes first, who waits, and what a person has to decide.

Rules are taken by priority. Of each kind of action the first wins. Once a person is asked, rules of lower priority
neither pay nor answer: nobody should be told one thing while somebody else decides another. Flags and tags go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from aftersail.core.policy.compiled import Pack, Rule
from aftersail.core.policy.decision import AskPerson, Flag, PlannedAction, PlannedRefund, PlannedReply, RowTrace, Tag
from aftersail.core.policy.expressions import Finding, Outcome, View
from aftersail.core.policy.facts import Facts
from aftersail.core.policy.payment import pay


class Planner:
    """Plans one decision.

    Attributes:
        actions: what is planned, in order of priority.
        rows: the trace of every rule.
        steps: the arithmetic of every amount.
    """

    def __init__(self, pack: Pack, facts: Facts, view: View) -> None:
        self.actions: list[PlannedAction] = []
        self.rows: list[RowTrace] = []
        self.steps: list[str] = []
        self._pack = pack
        self._facts = facts
        self._view = view
        self._asked_by: str | None = None
        self._paid_by: str | None = None
        self._answered_by: str | None = None
        self._marks: set[tuple[str, str]] = set()

    def run(self, rules: Iterable[Rule]) -> None:
        """Plan the actions of rules that come highest priority first."""
        for _, group in groupby(rules, key=lambda rule: rule.row.priority):
            self._group([(rule, self._view.judge(rule.condition)) for rule in group])

    def _group(self, judged: Sequence[tuple[Rule, Finding]]) -> None:
        """Plan rules of equal priority: questions first, since money and answers wait for them."""
        notes: dict[str, list[str]] = {rule.row.id: [] for rule, _ in judged}
        matched = [rule for rule, finding in judged if finding.outcome is Outcome.HOLDS]
        asks = [*self._explicit(matched, notes), *self._unclear(judged, notes), *self._conflict(matched)]
        held_by = self._asked_by or next((ask.rule for ask in asks), None)
        refunds: dict[str, PlannedRefund | AskPerson] = {}
        for rule in matched:
            if rule.row.refunds:
                refunds |= self._refund(rule, held_by, notes[rule.row.id])
        for outcome in refunds.values():
            if isinstance(outcome, AskPerson):
                asks.append(outcome)
            else:
                self.actions.append(outcome)
                self._paid_by = outcome.rule
        self.actions += asks
        askers = [ask.rule for ask in asks]
        for rule in matched:
            self._reply(rule, self._asked_by, askers, notes[rule.row.id])
            self._mark(rule)
        if askers and self._asked_by is None:
            self._asked_by = askers[0]
        for rule, finding in judged:
            self.rows.append(
                RowTrace(
                    section="rule",
                    row=rule.row.id,
                    where=rule.where,
                    outcome=finding.outcome,
                    clauses=finding.clauses,
                    notes=tuple(notes[rule.row.id]),
                )
            )

    def _explicit(self, matched: Sequence[Rule], notes: dict[str, list[str]]) -> Iterable[AskPerson]:
        for rule in matched:
            for ask in rule.row.asks:
                if self._asked_by is None:
                    yield AskPerson(rule=rule.row.id, why=ask.why)
                else:
                    notes[rule.row.id].append(f"a person has been asked already by {self._asked_by}")

    def _unclear(self, judged: Sequence[tuple[Rule, Finding]], notes: dict[str, list[str]]) -> Iterable[AskPerson]:
        for rule, finding in judged:
            if finding.outcome is not Outcome.UNKNOWN:
                continue
            because = "; ".join(dict.fromkeys(clause.because for clause in finding.clauses if clause.because))
            notes[rule.row.id].append(f"cannot tell: {because}")
            pays = bool(rule.row.refunds) and self._paid_by is None
            if (pays or rule.row.asks) and self._asked_by is None:
                why = f"cannot tell whether rule {rule.row.id} {'pays' if pays else 'asks a person'}: {because}"
                yield AskPerson(rule=rule.row.id, why=why)

    def _conflict(self, matched: Sequence[Rule]) -> Iterable[AskPerson]:
        payers = [rule.row.id for rule in matched if rule.row.refunds]
        if len(payers) > 1 and self._paid_by is None and self._asked_by is None:
            why = (
                f"rules {' and '.join(payers)} have the same priority and both pay; give one of them a higher priority"
            )
            yield AskPerson(rule=", ".join(payers), why=why)

    def _refund(self, rule: Rule, held_by: str | None, notes: list[str]) -> dict[str, PlannedRefund | AskPerson]:
        if held_by is not None:
            notes.append(f"not paid: {held_by} asks a person first")
            return {}
        if self._paid_by is not None:
            notes.append(f"not paid: {self._paid_by} pays already")
            return {}
        payment = pay(self._pack, self._facts, rule.row.id, rule.row.refunds[0])
        self.steps += payment.steps
        if isinstance(payment.action, AskPerson):
            notes.append(f"not paid: {payment.action.why}")
        return {rule.row.id: payment.action}

    def _reply(self, rule: Rule, asked_before: str | None, askers: Sequence[str], notes: list[str]) -> None:
        """Answer, unless a person is asked: by a higher rule, by another one of this priority, or about its refund."""
        own_refund_waits = bool(rule.row.refunds) and self._paid_by != rule.row.id
        others = [asker for asker in askers if asker != rule.row.id]
        for action in rule.row.then:
            if action.reply is None:
                continue
            template = action.reply.template
            if asked_before or others:
                notes.append(f"{template} not sent: {asked_before or others[0]} asks a person first")
            elif own_refund_waits:
                notes.append(f"{template} not sent: the refund it belongs to is not planned")
            elif self._answered_by is not None:
                notes.append(f"{template} not sent: {self._answered_by} answers already")
            else:
                self.actions.append(PlannedReply(rule=rule.row.id, template=template))
                self._answered_by = rule.row.id

    def _mark(self, rule: Rule) -> None:
        for action in rule.row.then:
            for kind, name in (("flag", action.flag), ("tag", action.tag)):
                if name is None or (kind, name) in self._marks:
                    continue
                self._marks.add((kind, name))
                mark = Flag if kind == "flag" else Tag
                self.actions.append(mark(rule=rule.row.id, name=name))

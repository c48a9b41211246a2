"""The language of conditions: a small part of CEL, split into clauses and typed against the catalogue of facts.

A condition compares facts with values and joins such clauses with `&&`, `||`, `!` and parentheses. It cannot
calculate, loop or define anything, so its work is bounded by its length, and it means the same on every engine.

clause   = fact | fact.method(text) | operand relation operand | operand "in" operand
operand  = fact | number | "text" | true | false | [literal, ...] | size(fact) | timestamp("2026-11-22T00:00:00Z")
relation = == | != | < | <= | > | >=
method   = startsWith | endsWith | contains
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aftersail.core.policy.comparing import Comparison, comparison
from aftersail.core.policy.facts import CATALOGUE, Fact, FactType, nearest

MAX_LENGTH: Final = 2000
"""Longest condition in characters; a longer one is a sign of a missing fact."""

MAX_DEPTH: Final = 20
"""Deepest nesting of parentheses and of all/any/not."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>-?\d+(?:\.\d+)?)(?![\w.])
    |(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],])""",
    re.VERBOSE | re.ASCII,
)
_METHODS = ("contains", "endsWith", "startsWith")
_ORDERED = frozenset({FactType.INT, FactType.MONEY, FactType.INSTANT})
_EQUALITIES = frozenset({"==", "!="})
RELATIONS: Final = _EQUALITIES | {"<", "<=", ">", ">=", "in"}
"""What stands between two operands."""
_LOOKALIKES = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "=": "==",
    "&": "&&",
    "|": "||",
    "has": "nothing: a fact that is not",
}


class ConditionError(ValueError):
    """A condition that does not parse or type-check.

    Attributes:
        column: where in the condition's text, counted from 0.
        message: what is wrong.
        fix: what mends it; empty where the message says it all.
    """

    def __init__(self, message: str, column: int, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.fix = fix


@dataclass(frozen=True)
class Token:
    """One word of a condition; `kind` is text, number, name or sign, `end` is the column behind it."""

    kind: str
    value: str
    column: int

    @property
    def end(self) -> int:
        """The column behind the token."""
        return self.column + len(self.value)


@dataclass(frozen=True)
class Clause:
    """One typed clause.

    Attributes:
        text: as written.
        engine_text: as an engine gets it: a whole number beside money carries a decimal point, since CEL does not
            compare whole numbers with decimals.
        facts: the facts it asks about.
        comparison: the same for Python, where it is one fact beside literals.
    """

    text: str
    engine_text: str
    facts: tuple[str, ...]
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Operand:
    """One side of a comparison: its type, its tokens, and its fact or its literals."""

    type: FactType
    tokens: tuple[Token, ...]
    fact: Fact | None = None
    literals: tuple[Token, ...] = ()
    is_list: bool = False


def tokens_of(text: str) -> tuple[Token, ...]:
    """Cut a condition into words.

    Raises:
        ConditionError: a character that begins no word, or a condition that is empty or too long.
    """
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"a condition of {len(text)} characters", 0, f"split it: {MAX_LENGTH} is the limit")
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            sign = text[position]
            if sign in "\"'":
                raise ConditionError("this text is never closed", position, f"add the closing {sign}")
            meant = _LOOKALIKES.get(sign)
            fix = f"write {meant}" if meant else "a condition compares facts with values, it does not calculate"
            raise ConditionError(f"{sign!r} means nothing here", position, fix)
        if match.lastgroup is not None and match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), position))
        position = match.end()
    if not found:
        raise ConditionError("the condition is empty", 0, "write a clause such as: order.total < 20")
    return tuple(found)


def check_clause(text: str, tokens: tuple[Token, ...]) -> Clause:
    """Type one clause against the catalogue.

    Args:
        text: the whole condition the tokens were cut from.
        tokens: the clause's own tokens.

    Raises:
        ConditionError: an unknown fact, a type that does not fit, or a word out of place.
    """
    reader = _Reader(tokens)
    left = reader.operand()
    operands = [left]
    compared = _comparison(left, "==", "true") if left.type is FactType.BOOL else None
    if reader.left():
        sign = reader.take()
        right = reader.operand()
        operands.append(right)
        if reader.left():
            token = reader.take()
            raise ConditionError(f"{token.value!r} is one word too many", token.column, "join clauses with && or ||")
        _check_relation(left, sign, right)
        compared = _comparison(left, sign.value, *(token.value for token in right.literals))
    elif left.type is not FactType.BOOL:
        raise ConditionError(
            f"this is {left.type}, not a question",
            tokens[0].column,
            "compare it with something, as in: order.lines > 1",
        )
    facts = tuple(dict.fromkeys(operand.fact.name for operand in operands if operand.fact is not None))
    if not facts and len(operands) > 1:
        raise ConditionError("no fact is asked about", tokens[0].column, "compare a fact with a value")
    start, end = tokens[0].column, tokens[-1].end
    return Clause(text[start:end], _engine_text(text, tokens, operands), facts, compared)


def _comparison(left: Operand, relation: str, *literals: str) -> Comparison | None:
    """Return a clause for Python to answer, where a fact itself stands on its left: not its size, nor a part of it."""
    if left.fact is None or len(left.tokens) > 1:
        return None
    return comparison(left.fact.name, left.type, relation, literals)


def _engine_text(text: str, tokens: tuple[Token, ...], operands: list[Operand]) -> str:
    start, end = tokens[0].column, tokens[-1].end
    about_money = any(operand.fact is not None and operand.type is FactType.MONEY for operand in operands)
    written = text[start:end]
    if not about_money:
        return written
    for token in sorted((t for o in operands for t in o.literals), key=lambda t: t.column, reverse=True):
        if "." not in token.value:
            written = written[: token.end - start] + ".0" + written[token.end - start :]
    return written


class _Reader:
    """Reads one clause from left to right."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._at = 0

    def left(self) -> bool:
        return self._at < len(self._tokens)

    def take(self) -> Token:
        if not self.left():
            raise ConditionError("the clause ends too early", self._tokens[-1].end, "a value or a fact is missing here")
        self._at += 1
        return self._tokens[self._at - 1]

    def _next_is(self, sign: str) -> bool:
        return self.left() and self._tokens[self._at].value == sign

    def _expect(self, sign: str) -> None:
        token = self.take()
        if token.value != sign:
            raise ConditionError(f"{token.value!r} stands where {sign!r} belongs", token.column, f"write {sign}")

    def operand(self) -> Operand:
        token = self.take()
        if token.kind in {"text", "number"} or token.value in {"true", "false"}:
            return Operand(_literal_type(token), (token,), literals=(token,))
        if token.value == "[":
            return self._list(token)
        if token.kind != "name":
            raise ConditionError(f"{token.value!r} stands where a fact or a value belongs", token.column)
        if self._next_is("("):
            return self._call(token)
        fact = _fact(token)
        return Operand(fact.type, (token,), fact=fact)

    def _list(self, start: Token) -> Operand:
        literals: list[Token] = []
        while not self._next_is("]"):
            if literals:
                self._expect(",")
            item = self.take()
            if item.kind not in {"text", "number"}:
                raise ConditionError(f"{item.value!r} in a list", item.column, "a list holds texts or numbers")
            if literals and _literal_type(item) is not _literal_type(literals[0]) and item.kind != "number":
                raise ConditionError("the list mixes types", item.column, "a list holds values of one type")
            literals.append(item)
        self._expect("]")
        if not literals:
            raise ConditionError("the list is empty", start.column, "nothing is ever in an empty list")
        kinds = {_literal_type(item) for item in literals}
        kind = kinds.pop() if len(kinds) == 1 else FactType.MONEY
        return Operand(kind, (start,), literals=tuple(literals), is_list=True)

    def _call(self, name: Token) -> Operand:
        self._expect("(")
        argument = self.take()
        self._expect(")")
        if name.value == "timestamp":
            _check_instant(argument)
            return Operand(FactType.INSTANT, (name, argument))
        if name.value == "size":
            fact = _fact(argument)
            if fact.type is not FactType.TEXTS:
                raise ConditionError(f"{fact.name} is {fact.type}", argument.column, "size() counts a list of text")
            return Operand(FactType.INT, (name, argument), fact=fact)
        owner, _, method = name.value.rpartition(".")
        if not owner or method not in _METHODS:
            raise _unknown_function(name, method)
        fact = _fact(Token("name", owner, name.column))
        if fact.type is not FactType.TEXT or argument.kind != "text":
            raise ConditionError(f"{method} needs a text fact and a text", name.column, f"{owner} is {fact.type}")
        return Operand(FactType.BOOL, (name, argument), fact=fact)


def _unknown_function(name: Token, method: str) -> ConditionError:
    if method in {"has", "defined"}:
        fix = "leave it out: where a fact is not known, a person decides"
    else:
        guess = nearest(method, (*_METHODS, "size", "timestamp"))
        fix = f"did you mean {guess}?" if guess else f"there are {', '.join(_METHODS)}, size and timestamp"
    return ConditionError(f"no such function: {method}", name.column, fix)


def _fact(token: Token) -> Fact:
    fact = CATALOGUE.get(token.value)
    if fact is not None:
        return fact
    if token.value.lower() in _LOOKALIKES:
        raise ConditionError(
            f"{token.value!r} is no word of conditions", token.column, f"write {_LOOKALIKES[token.value.lower()]}"
        )
    guess = nearest(token.value, CATALOGUE)
    fix = (
        f"did you mean {guess}?"
        if guess
        else "a fact has a dot in its name, such as order.total; a text stands in quotes"
    )
    raise ConditionError(f"no such fact: {token.value}", token.column, fix)


def _literal_type(token: Token) -> FactType:
    if token.kind == "text":
        return FactType.TEXT
    if token.kind == "number":
        return FactType.MONEY if "." in token.value else FactType.INT
    return FactType.BOOL


def _check_instant(token: Token) -> None:
    try:
        instant = datetime.fromisoformat(token.value.strip("\"'"))
    except ValueError:
        instant = None
    if token.kind != "text" or instant is None or instant.tzinfo is None or "T" not in token.value:
        raise ConditionError("no instant", token.column, 'write it as timestamp("2026-11-22T00:00:00Z")')


def _check_relation(left: Operand, sign: Token, right: Operand) -> None:
    if sign.value == "in":
        _check_in(left, sign, right)
        return
    if sign.value not in RELATIONS:
        meant = nearest(sign.value, tuple(RELATIONS)) or _LOOKALIKES.get(sign.value)
        raise ConditionError(
            f"{sign.value!r} stands where a relation belongs",
            sign.column,
            f"write {meant}" if meant else "relations are == != < <= > >= in",
        )
    if left.is_list or right.is_list or FactType.TEXTS in {left.type, right.type}:
        raise ConditionError("a list cannot be compared", sign.column, "ask with `in`")
    _check_same(left, right)
    if sign.value not in _EQUALITIES and (_common(left, right) not in _ORDERED):
        raise ConditionError(f"{left.type} has no order", sign.column, "ask with == or !=")
    _check_vocabulary(left, right)
    _check_vocabulary(right, left)


def _check_in(left: Operand, sign: Token, right: Operand) -> None:
    if right.fact is not None and right.type is FactType.TEXTS and left.type is FactType.TEXT and not left.is_list:
        return
    if not right.is_list:
        raise ConditionError(
            "`in` asks about a list", sign.column, 'write it as: ticket.reason in ["damaged", "unusable"]'
        )
    if left.is_list or left.type is FactType.TEXTS:
        raise ConditionError("a list cannot be in a list", sign.column)
    _check_same(left, right)
    _check_vocabulary(left, right)


def _common(left: Operand, right: Operand) -> FactType:
    """Return the type both sides share; a whole number written beside money is money."""
    return FactType.MONEY if FactType.MONEY in {left.type, right.type} else left.type


def _check_same(left: Operand, right: Operand) -> None:
    if left.type is right.type:
        return
    numeric = {FactType.INT, FactType.MONEY}
    for one, other in ((left, right), (right, left)):
        if one.type is FactType.MONEY and one.fact is not None and other.fact is None and other.type in numeric:
            return
    literal = left if left.fact is None else right
    other = right if literal is left else left
    column = literal.tokens[0].column
    fix = f"{other.fact.name} is {other.type}: {other.fact.meaning}" if other.fact else ""
    if literal.type is FactType.TEXT and other.type in numeric:
        fix += "; write the number without quotes"
    raise ConditionError(f"{literal.type} is compared with {other.type}", column, fix)


def _check_vocabulary(about: Operand, literals: Operand) -> None:
    fact = about.fact
    if fact is None or not fact.values or about.type is not FactType.TEXT:
        return
    for token in literals.literals:
        word = token.value[1:-1]
        if token.kind == "text" and "\\" not in word and word not in fact.values:
            guess = nearest(word, fact.values)
            fix = f'did you mean "{guess}"?' if guess else f"it is one of {', '.join(sorted(fact.values))}"
            raise ConditionError(f'{fact.name} is never "{word}"', token.column, fix)

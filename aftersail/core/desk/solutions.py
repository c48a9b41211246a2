"""The library of solutions: for each kind of complaint what usually helps, step by step, shown beside the ticket.

It proposes and decides nothing: what may be paid is the pack's, and who may pay it is `authority`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationError

from aftersail.core.contract import Record
from aftersail.core.policy import PackError, Problem, Reason
from aftersail.core.policy.document import Document, read_document
from aftersail.core.policy.facts import nearest
from aftersail.core.policy.values import Name

_SHIPPED: Final = Path(__file__).with_name("solutions.yaml")


class Offer(StrEnum):
    """What may be offered to the buyer."""

    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    REPLACEMENT = "replacement"
    MISSING_PART = "missing_part"
    RETURN_LABEL = "return_label"
    STORE_CREDIT = "store_credit"
    CANCELLATION = "cancellation"
    INFORMATION = "information"


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Solution(Record):
    """What usually helps with some kinds of complaint.

    Attributes:
        steps: what the agent does, in this order.
        templates: templates of the pack in use that fit.
        remedies: what may be offered, the one that is tried first in front.
    """

    id: Name
    title: Annotated[str, Field(min_length=1)]
    reasons: Annotated[tuple[Reason, ...], BeforeValidator(_as_list), Field(min_length=1)]
    steps: Annotated[tuple[str, ...], Field(min_length=1)]
    templates: Annotated[tuple[Name, ...], BeforeValidator(_as_list)] = ()
    remedies: Annotated[tuple[Offer, ...], BeforeValidator(_as_list)] = ()


class SolutionFile(Record):
    """A file of solutions."""

    solutions: tuple[Solution, ...]


def read_solutions(path: Path) -> tuple[Solution, ...]:
    """Read and check a file of solutions.

    Raises:
        PackError: it is not there, or something in it is wrong; with line, column and fix.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        fix = "`desk.solutions` in the settings names it"
        problem = Problem(file=str(path), line=1, column=1, message=f"cannot be read: {error.strerror}", fix=fix)
        raise PackError([problem]) from None
    document = read_document(content, str(path))
    try:
        found = SolutionFile.model_validate(document.data).solutions
    except ValidationError as error:
        raise PackError(_problems(document, error)) from None
    ids = [solution.id for solution in found]
    twice = [
        document.problem(("solutions", index, "id"), f"there are two solutions called {name}", "give one another id")
        for index, name in enumerate(ids)
        if name in ids[:index]
    ]
    if twice:
        raise PackError(twice)
    return found


def _problems(document: Document, error: ValidationError) -> list[Problem]:
    problems = []
    for detail in error.errors(include_url=False):
        path = tuple(detail["loc"])
        if detail["type"] == "extra_forbidden":
            known = SolutionFile.model_fields if len(path) == 1 else Solution.model_fields
            guess = nearest(str(path[-1]), known)
            fix = f"did you mean {guess}?" if guess else f"known here are {', '.join(known)}"
            problems.append(document.problem(path, f"`{path[-1]}` is no key here", fix, at_key=True))
        elif detail["type"] == "missing":
            problems.append(document.problem(path[:-1], f"`{path[-1]}` is missing", f"add {path[-1]}"))
        else:
            problems.append(document.problem(path, detail["msg"][:1].lower() + detail["msg"][1:]))
    return problems


@lru_cache(maxsize=1)
def shipped_solutions() -> tuple[Solution, ...]:
    """The solutions that come with aftersail: at least one for every reason."""
    return read_solutions(_SHIPPED)


def solutions_for(reason: str, own: Iterable[Solution] = ()) -> tuple[Solution, ...]:
    """Find what helps with a reason: the seller's own solutions first; a shipped one of the same id gives way."""
    mine = tuple(own)
    known = {solution.id for solution in mine}
    library = (*mine, *(solution for solution in shipped_solutions() if solution.id not in known))
    return tuple(solution for solution in library if reason in solution.reasons)

"""Turns pydantic's findings about a pack file into problems with a place and a fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aftersail.core.policy.document import Document, Path
from aftersail.core.policy.facts import nearest
from aftersail.core.policy.pack import PackFile
from aftersail.core.policy.problems import Problem

_EXAMPLES: Final = {
    "id": "id: my-pack",
    "version": "version: 1",
    "title": "title: What this pack is for",
    "effective_from": "effective_from: 2026-11-22",
    "currency": "currency: USD",
    "date": "date: 2026-11-22",
    "source": "source: where the rates come from",
    "values": "values: {EUR: 1.10}",
    "timezone": "timezone: Europe/Berlin",
    "hours": 'hours: "Mo-Fr 09:00-18:00"',
    "country": "country: DE",
    "tier": "tier: urgent",
    "when": 'when: ticket.reason == "damaged"',
    "metric": "metric: first_response",
    "duration": "duration: 4h",
    "basis": "basis: elapsed",
    "clocks": "clocks: [{metric: first_response, duration: 4h, basis: elapsed}]",
    "right": "right: withdrawal",
    "start": "start: delivered_last",
    "from": "from: fulfilled",
    "add": "add: 10d",
    "party": "party: merchant",
    "payer": "payer: merchant",
    "component": "component: return_freight",
    "reasons": "reasons: [damaged, unusable]",
    "order": "order: [original]",
    "choice": "choice: buyer",
    "options": "options: [refund, replacement]",
    "page": "page: Directive 2011/83/EU, Art 9",
    "checked_on": "checked_on: 2026-11-22",
    "verified": "verified: true",
    "priority": "priority: 100",
    "then": 'then: [ask_person: {why: "..."}]',
    "template": "template: acknowledge",
    "why": 'why: "what the person has to decide"',
    "subject": "subject: Your order {{ order_number }}",
    "text": "text: Dear {{ buyer_name }}, ...",
}


def problems_of(error: ValidationError, document: Document) -> list[Problem]:
    """List what pydantic found, each where it stands in the file.

    A key that is missing because it is misspelt is told once, where it is misspelt; a list that is too short because
    its items are wrong is told of by its items.
    """
    details = error.errors(include_url=False)
    misspelt = {
        (*detail["loc"][:-1], nearest(str(detail["loc"][-1]), _keys_at(detail["loc"][:-1])))
        for detail in details
        if detail["type"] == "extra_forbidden"
    }
    told = [
        detail
        for detail in details
        if not (detail["type"] == "missing" and detail["loc"] in misspelt)
        and not (detail["type"] == "too_short" and any(_inside(other["loc"], detail["loc"]) for other in details))
    ]
    problems = [_problem(detail, document) for detail in told]
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _inside(path: Path, outer: Path) -> bool:
    return len(path) > len(outer) and path[: len(outer)] == outer


def _problem(detail: ErrorDetails, document: Document) -> Problem:
    path = tuple(detail["loc"])
    kind = detail["type"]
    key = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        known = _keys_at(path[:-1])
        guess = nearest(key, known)
        fix = f"did you mean {guess}?" if guess else f"known here are {', '.join(sorted(known))}"
        if " " in key:
            fix = "put the text before it in quotes: between braces a comma begins a new key"
        return document.problem(path, f"`{key}` is no key here", fix, at_key=True)
    if kind == "missing":
        example = _EXAMPLES.get(key)
        return document.problem(path[:-1], f"`{key}` is missing", f"add {example}" if example else f"add {key}")
    if key == "[key]":
        message = f"`{path[-2]}` cannot be a name here" if len(path) > 1 else "this cannot be a name"
        return document.problem(path[:-1], message, _fix(detail, ""), at_key=True)
    if kind == "pack":
        context: Mapping[str, Any] = detail.get("ctx", {})
        return document.problem(path, str(context["what"]), str(context["fix"]))
    if kind in {"model_type", "model_attributes_type", "dict_type", "tuple_type", "list_type"}:
        shape = "a list" if kind in {"tuple_type", "list_type"} else "a mapping"
        example = _EXAMPLES.get(key)
        return document.problem(path, f"{key or 'a pack'} must be {shape}", f"write it as {example}" if example else "")
    return document.problem(path, detail["msg"][:1].lower() + detail["msg"][1:], _fix(detail, key))


def _fix(detail: ErrorDetails, key: str) -> str:
    context: Mapping[str, Any] = detail.get("ctx", {})
    given = detail["input"]
    if detail["type"] == "enum":
        known = tuple(word.strip("' ") for word in str(context["expected"]).replace(" or ", ", ").split(","))
        guess = nearest(given, known) if isinstance(given, str) else None
        return f"did you mean {guess}?" if guess else f"one of {', '.join(known)}"
    if detail["type"] == "string_pattern_mismatch":
        return _PATTERN_FIXES.get(str(context["pattern"]), "")
    if detail["type"] == "string_type" and given is not None:
        return f'put it in quotes: "{given}"'
    example = _EXAMPLES.get(key)
    return f"write it as {example}" if example else ""


_PATTERN_FIXES: Final = {
    r"^[A-Z]{3}$": "write an ISO 4217 code in capitals, such as USD",
    r"^[a-z0-9][a-z0-9_-]*$": "write small letters, digits, - and _",
    r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$": "write a BCP 47 tag, such as de or pt-BR",
}


def _keys_at(path: Path) -> tuple[str, ...]:
    """Return the keys the model has at a path."""
    annotation: Any = PackFile
    for step in path:
        fields = _fields(_model_in(annotation))
        if isinstance(step, str) and step in fields:
            annotation = fields[step]
        else:
            annotation = next((arg for arg in reversed(get_args(annotation)) if arg is not Ellipsis), None)
    return tuple(_fields(_model_in(annotation)))


def _fields(model: type[BaseModel] | None) -> dict[str, Any]:
    """Return a model's annotations by the keys a file has them under."""
    fields = model.model_fields if model is not None else {}
    return {field.alias or name: field.annotation for name, field in fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model in an annotation that is one, or is a model or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {tuple, dict, list}:
        return None
    return next((found for arg in get_args(annotation) if (found := _model_in(arg)) is not None), None)

"""Reads one YAML file into plain values and remembers where each of them stood."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from aftersail.core.policy.problems import PackError, Problem

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES: Final = 1_000_000
"""Largest pack file."""

_MAX_DEPTH: Final = 50
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Place:
    """Where a key and its value stand, lines and columns from 0; `key` is None for an item of a list."""

    value: tuple[int, int]
    key: tuple[int, int] | None = None


@dataclass
class Document:
    """A YAML file as plain values.

    Numbers with a decimal point are `Decimal`, so that no rate passes through a float. Dates stay text.

    Attributes:
        data: what the file says.
        places: where each value stands, by its path from the top.
    """

    name: str
    lines: list[str]
    data: Any = None
    places: dict[Path, Place] = field(default_factory=dict)

    def problem(self, path: Path, message: str, fix: str = "", *, at_key: bool = False, offset: int = 0) -> Problem:
        """Say what is wrong at a path; an unknown path is blamed on the nearest one above it.

        Args:
            path: keys and indexes from the top of the file.
            message: what is wrong.
            fix: what mends it.
            at_key: point at the key and not at its value.
            offset: how many characters into a one-line text the mistake is.
        """
        known = path
        while known not in self.places and known:
            known = known[:-1]
        place = self.places.get(known, Place((0, 0)))
        line, column = place.key if at_key and place.key is not None and known == path else place.value
        if offset and known == path:
            column += self._shift(line, column, offset)
        return self.at(line, column, message, fix)

    def _shift(self, line: int, column: int, offset: int) -> int:
        source = self.lines[line] if line < len(self.lines) else ""
        opening = 1 if source[column : column + 1] in {'"', "'"} else 0
        if source[column : column + 1] in {"|", ">"} or column + opening + offset > len(source):
            return 0
        return opening + offset

    def at(self, line: int, column: int, message: str, fix: str = "") -> Problem:
        """Say what is wrong at a line and column, both counted from 0; behind the last line means at its end."""
        if self.lines and line >= len(self.lines):
            line, column = len(self.lines) - 1, len(self.lines[-1])
        source = self.lines[line].rstrip() if line < len(self.lines) else ""
        return Problem(
            file=self.name, line=line + 1, column=column + 1, message=message, source=source.expandtabs(1), fix=fix
        )


def read_document(content: bytes, name: str) -> Document:
    """Read a YAML 1.2 file.

    Args:
        content: the file's bytes, UTF-8.
        name: what problems call the file.

    Raises:
        PackError: it is no YAML, too large, or uses what packs do without: anchors, aliases, tags, merges, duplicate
            keys, several documents.
    """
    document = Document(name, [])
    if len(content) > MAX_BYTES:
        message = f"the file has {len(content)} bytes, the limit is {MAX_BYTES}"
        raise PackError([document.at(0, 0, message, "split it into packs that extend each other")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n")
        raise PackError([document.at(line, 0, "this is not UTF-8", "save the file as UTF-8")]) from None
    document.lines = text.splitlines()
    node = _compose(text, document)
    problems: list[Problem] = []
    document.data = _build(node, (), document, problems, 0)
    if problems:
        raise PackError(problems)
    return document


def _compose(text: str, document: Document) -> Node:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    yaml.allow_duplicate_keys = True  # found below, with the place of both
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        what = ", ".join(str(part) for part in (error.context, error.problem) if part)
        raise PackError([document.at(line, column, f"this is no YAML: {what}", "mind quotes and indents")]) from None
    except YAMLError as error:
        raise PackError([document.at(0, 0, f"this is no YAML: {str(error).splitlines()[0]}")]) from None
    except RecursionError:
        raise PackError([document.at(0, 0, "this is nested too deeply", "a pack needs no such depth")]) from None
    except Exception as error:  # noqa: BLE001 - whatever the parser trips over, it is the file that is refused
        what = f"this is no YAML: {type(error).__name__}"
        raise PackError([document.at(0, 0, what, "mind quotes and indents")]) from None
    if not isinstance(node, Node):
        raise PackError([document.at(0, 0, "the file is empty", "begin with: id: my-pack")])
    return node


def _build(node: Node, path: Path, document: Document, problems: list[Problem], depth: int) -> Any:
    line, column = node.start_mark.line, node.start_mark.column
    document.places.setdefault(path, Place((line, column)))
    refused = _refused(node, depth)
    if refused:
        problems.append(document.at(line, column, *refused))
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, path, document, problems, depth)
    if isinstance(node, SequenceNode):
        return [_build(item, (*path, at), document, problems, depth + 1) for at, item in enumerate(node.value)]
    try:
        return _scalar(node)
    except (ValueError, ArithmeticError):
        problems.append(document.at(line, column, f"{str(node.value)[:40]!r} is no number", "put text in quotes"))
        return None


def _refused(node: Node, depth: int) -> tuple[str, str] | None:
    if node.anchor is not None:
        return "packs have no anchors or aliases", "write the value out"
    if depth > _MAX_DEPTH:
        return "this is nested too deeply", "a pack needs no such depth"
    kind = str(node.tag).removeprefix(_TAG)
    if kind not in {"map", "seq", "str", "int", "float", "bool", "null", "timestamp"}:
        return f"{kind!r} is no kind of value that packs have", "write plain text, numbers, lists and mappings"
    return None


def _mapping(node: MappingNode, path: Path, document: Document, problems: list[Problem], depth: int) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line, column = key_node.start_mark.line, key_node.start_mark.column
        if not isinstance(key_node, ScalarNode) or _refused(key_node, depth):
            problems.append(document.at(line, column, "a key must be a plain word", "write it as: word: value"))
            continue
        key = str(key_node.value)
        below = (*path, key)
        if key in data:
            first = document.places[below].key or (0, 0)
            message = f"`{key}` stands here a second time; the first is in line {first[0] + 1}"
            problems.append(document.at(line, column, message, "keep one of them"))
            continue
        start = value_node.start_mark
        document.places[below] = Place((start.line, start.column), (line, column))
        data[key] = _build(value_node, below, document, problems, depth + 1)
    return data


def _scalar(node: Node) -> Any:
    text = str(node.value)
    match str(node.tag).removeprefix(_TAG):
        case "int":
            return int(text.replace("_", ""), 0) if text[:2] in {"0o", "0x"} else int(text.replace("_", ""))
        case "float":
            return Decimal(text)
        case "bool":
            return text.lower() == "true"
        case "null":
            return None
        case _:
            return text

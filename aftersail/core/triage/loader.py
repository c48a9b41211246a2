"""Reading phrase packs: one YAML file per language, checked line by line."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from aftersail.core.policy.reasons import Reason
from aftersail.core.triage.grammar import PhraseError, Rule, parse
from aftersail.core.triage.language import LANGUAGES
from aftersail.core.triage.matching import PhrasePack

_REASONS = frozenset(str(reason) for reason in Reason) - {"other"}
HINTS = frozenset(f"{reason}?" for reason in _REASONS)
SECTIONS = _REASONS | HINTS | {"ignore", "escalation", "severity_high", "severity_low"}
SHIPPED = Path(__file__).parent / "phrases"


class PackError(ValueError):
    """A pack of phrases or codes is wrong: names the file, the line, what is wrong and the fix."""

    def __init__(self, path: Path, line: int, wrong: str, fix: str) -> None:
        super().__init__(f"{path}:{line}: {wrong}; {fix}")
        self.path = path
        self.line = line


class PhraseBook:
    """Phrase packs by language, each loaded at its first use. Thread-safe.

    Every folder may hold `<language>.yaml` for any of `LANGUAGES`; a seller's own folder adds to the shipped one.
    """

    def __init__(self, *folders: Path) -> None:
        self._files = {
            language: tuple(path for folder in folders if (path := folder / f"{language}.yaml").is_file())
            for language in LANGUAGES
        }
        self._folders = folders
        self._packs: dict[str, PhrasePack] = {}
        self._lock = threading.Lock()

    @classmethod
    def shipped(cls) -> PhraseBook:
        """The packs that come with aftersail."""
        return cls(SHIPPED)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that have a pack."""
        return tuple(language for language in LANGUAGES if self._files[language])

    def pack(self, language: str) -> PhrasePack | None:
        """The pack of a language; None where there is none.

        Raises:
            PackError: the file is wrong.
        """
        if not self._files.get(language):
            return None
        with self._lock:
            if language not in self._packs:
                self._packs[language] = _load(language, self._files[language])
            return self._packs[language]

    def check(self) -> None:
        """Load everything.

        Raises:
            PackError: a file is wrong, or is named for no language of ours.
        """
        for folder in self._folders:
            for path in sorted(folder.glob("*.y*ml")):
                if path.suffix != ".yaml" or path.stem not in LANGUAGES:
                    raise PackError(path, 1, "no language of ours", f"name it {', '.join(LANGUAGES)} plus .yaml")
        for language in self.languages:
            self.pack(language)


def entries(path: Path) -> Iterator[tuple[str, int, Node]]:
    """Top-level keys of a YAML file with line and value.

    Raises:
        PackError: not readable, not a mapping, or a key stands twice.
    """
    try:
        root = YAML(typ="safe", pure=True).compose(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or error
        raise PackError(path, line, f"not YAML: {problem}", "correct the line, or put the phrase in quotes") from error
    except UnicodeDecodeError as error:
        raise PackError(path, 1, f"not UTF-8: {error.reason}", "save the file as UTF-8") from error
    if not isinstance(root, MappingNode):
        raise PackError(path, 1, "the file must hold sections, such as `damaged:`", "write `section:` and a list below")
    seen: dict[str, int] = {}
    for key, value in root.value:
        line = key.start_mark.line + 1
        name = str(key.value)
        if name in seen:
            raise PackError(path, line, f"{name!r} stands twice, first in line {seen[name]}", "join the two")
        seen[name] = line
        yield name, line, value


def _load(language: str, files: tuple[Path, ...]) -> PhrasePack:
    rules: list[Rule] = []
    places: dict[object, tuple[str, Path, int]] = {}
    words: dict[str, str] = {}
    for path in files:
        for section, line, node in entries(path):
            if section == "words":
                _name_words(path, line, node, words)
                continue
            if section not in SECTIONS:
                raise PackError(
                    path,
                    line,
                    f"unknown section {section!r}",
                    f"use words or one of {', '.join(sorted(SECTIONS - HINTS))}",
                )
            if not isinstance(node, SequenceNode) or not node.value:
                raise PackError(path, line, f"section {section!r} is no list of phrases", "write `- phrase` below it")
            for item in node.value:
                rule = _rule(path, item, section, language, words)
                _claim(rule, places, path, item.start_mark.line + 1)
                rules.append(rule)
    return PhrasePack(language, rules)


def _name_words(path: Path, line: int, node: Node, words: dict[str, str]) -> None:
    """Read the `words` of a file; a later file may use and change those of an earlier one."""
    if not isinstance(node, MappingNode):
        raise PackError(path, line, "section 'words' must map a name to its words", "write `  not: no|not|never` below")
    for key, value in node.value:
        if not isinstance(value, ScalarNode) or any(mark in str(value.value) for mark in "()<>"):
            wrong = f"the words of {str(key.value)!r} must be one text without brackets"
            raise PackError(path, key.start_mark.line + 1, wrong, "write them with | between")
        words[str(key.value)] = str(value.value)


def _rule(path: Path, item: Node, section: str, language: str, words: Mapping[str, str]) -> Rule:
    line = item.start_mark.line + 1
    if not isinstance(item, ScalarNode):
        raise PackError(path, line, "a phrase must be text", "write `- phrase`")
    try:
        return parse(str(item.value), section, language, words)
    except PhraseError as error:
        raise PackError(path, line, str(error), "see the head of core/triage/grammar.py") from error


def _claim(rule: Rule, places: dict[object, tuple[str, Path, int]], path: Path, line: int) -> None:
    """Refuse a plain phrase, or the same parts joined, that stands for two reasons; wider groups may overlap."""
    if rule.hint or rule.section in {"escalation", "severity_high", "severity_low"}:
        return
    claimed: tuple[object, ...] = (rule.parts,) if len(rule.parts) > 1 else rule.parts[0]
    for phrase in claimed:
        section, first_path, first_line = places.setdefault(phrase, (rule.section, path, line))
        if section != rule.section:
            said = phrase.strip() if isinstance(phrase, str) else " + ".join(part[0].strip() for part in rule.parts)
            wrong = f"{said!r} stands for {rule.section!r} and, in {first_path.name}:{first_line}, for {section!r}"
            raise PackError(path, line, wrong, "keep it in one section")

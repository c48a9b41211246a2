"""The two CEL engines, behind one interface."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from aftersail.core.policy.facts import CATALOGUE, FactType

EngineValue: TypeAlias = str | bool | int | float | datetime | list[str]


class EngineError(Exception):
    """The engine could not answer; whoever asked must take it as "not known", never as false."""


class EngineMissingError(ImportError):
    """No CEL engine is installed."""


class Engine(Protocol):
    """Compiles clauses and answers them. Programs and bound values belong to the engine that made them."""

    name: str

    def __hash__(self) -> int:
        """An engine is itself and no other."""

    def compile(self, text: str) -> object:
        """Compile one clause.

        Raises:
            EngineError: the engine does not accept it; clauses that passed `check_clause` are accepted.
        """

    def bind(self, values: Mapping[str, EngineValue]) -> object:
        """Prepare values, by flat fact name, for any number of evaluations."""

    def evaluate(self, program: object, bound: object) -> bool:
        """Answer a clause.

        Raises:
            EngineError: it failed, or its answer is no truth value.
        """


class CelExprEngine:
    """`cel-expr-python`, the CEL project's own C++ runtime: it checks types a second time."""

    name = "cel-expr-python"

    def __init__(self) -> None:
        from cel_expr_python import cel  # noqa: PLC0415 - 16 MB that only a seller's desk has

        kinds = {
            FactType.TEXT: cel.Type.STRING,
            FactType.BOOL: cel.Type.BOOL,
            FactType.INT: cel.Type.INT,
            FactType.MONEY: cel.Type.DOUBLE,
            FactType.INSTANT: cel.Type.TIMESTAMP,
            FactType.TEXTS: cel.Type.List(cel.Type.STRING),
        }
        self._bool = cel.Type.BOOL
        self._env: Any = cel.NewEnv(variables={name: kinds[fact.type] for name, fact in CATALOGUE.items()})

    def compile(self, text: str) -> object:
        """Compile one clause."""
        try:
            program = self._env.compile(text)
        except (RuntimeError, ValueError) as error:
            raise EngineError(str(error)) from None
        if program.return_type() != self._bool:
            raise EngineError(f"{text} is no question")
        return program

    def bind(self, values: Mapping[str, EngineValue]) -> object:
        """Prepare values."""
        return self._env.Activation(dict(values))

    def evaluate(self, program: Any, bound: object) -> bool:
        """Answer a clause."""
        answer = program.eval(bound).value()
        if not isinstance(answer, bool):
            raise EngineError(str(answer))
        return answer


class RustCelEngine:
    """`common-expression-language`, in Rust: for Pythons and systems the C++ runtime has no wheel for."""

    name = "common-expression-language"

    def __init__(self) -> None:
        import cel  # noqa: PLC0415 - as above, and half a second of import

        self._cel: Any = cel

    def compile(self, text: str) -> object:
        """Compile one clause."""
        try:
            return self._cel.compile(text)
        except ValueError as error:
            raise EngineError(str(error)) from None

    def bind(self, values: Mapping[str, EngineValue]) -> object:
        """Prepare values."""
        tree: dict[str, dict[str, EngineValue]] = {}
        for name, value in values.items():
            family, _, field = name.partition(".")
            tree.setdefault(family, {})[field] = value
        return self._cel.Context(tree)

    def evaluate(self, program: Any, bound: object) -> bool:
        """Answer a clause."""
        try:
            answer = program.execute(bound)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise EngineError(str(error)) from None
        if not isinstance(answer, bool):
            raise EngineError(f"the answer is {answer!r}")
        return answer


@lru_cache(maxsize=1)
def default_engine() -> Engine:
    """Return the first engine that is installed.

    Raises:
        EngineMissingError: none is; `pip install aftersail[desk]` brings one.
    """
    for make in (CelExprEngine, RustCelEngine):
        try:
            return make()
        except ImportError:
            continue
    raise EngineMissingError("policy packs need a CEL engine: pip install 'aftersail[desk]'")

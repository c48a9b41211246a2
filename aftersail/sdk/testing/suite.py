"""What all rules of the contract suite share: the scene, and how reads and writes are tried on it."""

from __future__ import annotations

import traceback
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from aftersail.core.contract import Ambiguous, ChannelError, Page
from aftersail.sdk.connector import Connector
from aftersail.sdk.testing import rules
from aftersail.sdk.testing.rules import RULE_MARK, Rule
from aftersail.sdk.testing.scene import Scene, Write, secrets_of

STREAMS = ("fetch_messages", "fetch_cases", "fetch_orders")
WRITES = ("post_reply", "issue_refund", "decide_case", "attach_evidence", "buy_label")
FOREVER = 10_000
"""So many calls as no test makes."""
_PAGES = 500
ErrorT = TypeVar("ErrorT", bound=ChannelError)


class Suite(ABC):
    """The ground the rules stand on.

    Attributes:
        connector_class: the connector under test.
        recordings: folder of the plugin's recordings; None where it has none yet (the gold tier then does not hold).
        public_fields: settings fields that are named like a secret but are none.
    """

    connector_class: ClassVar[type[Connector[Any]]]
    recordings: ClassVar[Path | None] = None
    public_fields: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def make(self) -> Scene:
        """Build a fresh scene; every stream holds at least three items, every secret is a word found nowhere else."""

    def make_empty(self) -> Scene:
        """Build a scene whose platform holds nothing; needed where the connector fetches a stream."""
        rules.EMPTY.broken("make_empty() is missing")

    @pytest.fixture(autouse=True)
    def _name_rule(self, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
        rule = getattr(request.function, RULE_MARK, None)
        if isinstance(rule, Rule):
            record_property("aftersail_connector", self.connector_class.kind)
            record_property("aftersail_rule", rule.id)
            record_property("aftersail_tier", rule.tier.value)

    def streams(self) -> list[str]:
        """Name the streams the connector fetches."""
        return [hook for hook in STREAMS if hook in self.connector_class.operations()]

    def reads(self) -> Iterator[tuple[str, Callable[[Connector[Any]], Any]]]:
        """Yield every reading operation that needs no argument of its own."""
        yield "check_account", lambda connector: connector.check_account()
        for hook in self.streams():
            yield hook, lambda connector, hook=hook: self.fetch(connector, hook, None, 10)  # type: ignore[misc]

    def bind(self, scene: Scene, read: Callable[[Connector[Any]], Any]) -> Callable[[], Any]:
        """Build a connector on the scene and wait with the read."""
        connector = scene.connect(self.connector_class)
        return lambda: read(connector)

    @staticmethod
    def fetch(connector: Connector[Any], hook: str, cursor: str | None, limit: int) -> Page[Any]:
        """Fetch one page."""
        page = getattr(connector, hook)(cursor=cursor, limit=limit)
        rules.CURSOR.require(isinstance(page, Page), f"{hook} answered {type(page).__name__} instead of a Page")
        return typing.cast("Page[Any]", page)

    def pages(self, scene: Scene, hook: str, *, limit: int, restart: bool = False) -> Iterator[Page[Any]]:
        """Fetch page by page to the end of the stream; `restart` takes a new connector for each page."""
        connector, cursor = scene.connect(self.connector_class), None
        for _ in range(_PAGES):
            page = self.fetch(connector, hook, cursor, limit)
            yield page
            if not page.more:
                return
            cursor = page.cursor or cursor
            if restart:
                connector.close()
                connector = scene.connect(self.connector_class)
        rules.CURSOR.broken(f"{hook} says `more` after {_PAGES} pages")

    def writes(self) -> Iterator[tuple[int, Write]]:
        """Yield the scene's writes with their place in the scene."""
        yield from enumerate(self.make().writes)

    def scene_of(self, index: int) -> tuple[Scene, Write]:
        """Build a fresh scene and hand out one of its writes."""
        scene = self.make()
        return scene, scene.writes[index]

    def index_of(self, hook: str) -> int:
        """Find the write of an operation, such as `issue_refund`."""
        found = [index for index, write in self.writes() if write.hook == hook]
        rules.WRITES_TRIED.require(found, f"the scene tries no {hook}")
        return found[0]

    def run(self, scene: Scene, write: Write, **instead: Any) -> Callable[[], Any]:
        """Build a connector on the scene and wait with the write."""
        connector = scene.connect(self.connector_class)
        return lambda: getattr(connector, write.hook)(**{**write.arguments, **instead})

    def again(self, scene: Scene, write: Write) -> None:
        """Send the same write once more; an answer of "done before" is as good as the first result."""
        try:
            self.run(scene, write)()
        except ChannelError as error:
            settled = error.recovery.value in {"settled", "look_up"} and not isinstance(error, Ambiguous)
            rules.SAME_KEY.require(settled, f"the same refund sent again raised {type(error).__name__}: {error}")

    def expect(
        self,
        rule: Rule,
        scene: Scene,
        wanted: type[ErrorT] | tuple[type[ErrorT], ...],
        what: str,
        call: Callable[[], Any],
    ) -> ErrorT:
        """Make the call fail as wanted, and check its text for secrets."""
        kinds = wanted if isinstance(wanted, tuple) else (wanted,)
        names = " or ".join(kind.__name__ for kind in kinds)
        try:
            result = call()
        except kinds as error:
            self.no_leak(scene, "".join(traceback.format_exception(error)), f"the error of {what}")
            return error
        except Exception as error:  # noqa: BLE001 - whatever else comes is what the rule is about
            rule.broken(f"{what} raised {type(error).__name__} ({error}) instead of {names}")
        return rule.broken(f"{what} answered {result!r} instead of raising {names}")

    @staticmethod
    def no_leak(scene: Scene, text: str, where: str) -> None:
        """Check a text for secrets of the settings."""
        for secret in (*secrets_of(scene.settings), *secrets_of(scene.bad_settings)):
            rules.LEAK.require(secret.get_secret_value() not in text, f"{where} holds a secret of the settings")

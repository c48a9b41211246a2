"""The rules of declaring, fetching and reading."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from aftersail.core.contract import (
    Account,
    AuthExpired,
    Capabilities,
    ChannelError,
    Page,
    RateLimited,
    Record,
    Unavailable,
)
from aftersail.core.contract.capabilities import contradictions
from aftersail.sdk.testing import rules
from aftersail.sdk.testing.faults import Fault
from aftersail.sdk.testing.scene import Scene, secrets_of
from aftersail.sdk.testing.suite import FOREVER, Suite

_SECRET_NAME = re.compile(r"(^|_)(secret|password|passphrase|token|api_?key|private_?key)(_|$)")
_CALLS = 10
_LARGEST_CURSOR = 64 * 1024


class ReadRules(Suite):
    """Bronze, and of silver what concerns reading."""

    @rules.SETTINGS
    def test_settings_are_documented(self) -> None:
        """Every field has a title and a description."""
        for name, info in self.connector_class.settings_model.model_fields.items():
            rules.SETTINGS.require(info.title, f"the field {name!r} has no title")
            rules.SETTINGS.require(info.description, f"the field {name!r} has no description")

    @rules.SECRETS
    def test_secrets_are_marked(self) -> None:
        """What is named like a secret is one."""
        for name, info in self.connector_class.settings_model.model_fields.items():
            if _SECRET_NAME.search(name) and name not in self.public_fields:
                kinds = {info.annotation, *typing.get_args(info.annotation)}
                rules.SECRETS.require(kinds & {SecretStr, SecretBytes}, f"the field {name!r} is no SecretStr")

    @rules.CAPABILITIES
    def test_capabilities_are_true(self) -> None:
        """Declaration and code agree."""
        connector = self.connector_class
        rules.CAPABILITIES.require(isinstance(connector.capabilities, Capabilities), "capabilities are missing")
        for contradiction in contradictions(connector.capabilities, connector.operations()):
            rules.CAPABILITIES.broken(contradiction)
        shape = re.fullmatch(r"[a-z][a-z0-9-]*", connector.kind)
        rules.CAPABILITIES.require(shape, f"kind {connector.kind!r} is no lower-case name")

    @rules.ACCOUNT
    def test_account_is_checked(self) -> None:
        """Good settings are answered with the account."""
        rules.ACCOUNT.require("check_account" in self.connector_class.operations(), "there is no check_account")
        account: object = self.make().connect(self.connector_class).check_account()
        rules.ACCOUNT.require(
            isinstance(account, Account) and account.external_id, f"check_account answered {account!r}"
        )

    @rules.IDS
    def test_ids_are_stable(self) -> None:
        """The same item has the same id, in one page, over pages and over two runs."""
        scene = self.make()
        for hook in self.streams():
            pages = list(self.pages(scene, hook, limit=2))
            for page in pages:
                ids = [item.external_id for item in page.items]
                rules.IDS.require(len(set(ids)) == len(ids), f"{hook} gives one id twice in a page: {ids}")
            first, second = _by_id(pages), _by_id(list(self.pages(scene, hook, limit=2)))
            rules.IDS.require(first, f"{hook} fetched nothing; let make() fill every stream")
            rules.IDS.require(first.keys() == second.keys(), f"{hook} gives other ids in a second run")
            changed = [key for key, item in first.items() if item != second[key]]
            rules.IDS.require(not changed, f"{hook} gives other content under the same id and revision: {changed}")

    @rules.TIMES
    def test_times_are_plausible(self) -> None:
        """Every time has a zone and lies between 2000 and tomorrow, unless it is a deadline."""
        scene = self.make()
        latest = scene.clock() + timedelta(days=1)
        for hook in self.streams():
            for page in self.pages(scene, hook, limit=50):
                for item in page.items:
                    for name, at in _times(item):
                        rules.TIMES.require(at.tzinfo is not None, f"{hook}: {name} of {item.external_id} has no zone")
                        sane = datetime(2000, 1, 1, tzinfo=UTC) < at
                        rules.TIMES.require(sane, f"{hook}: {name} of {item.external_id} is {at}")
                        past = at <= latest or name in {"respond_by", "estimated_delivery"}
                        rules.TIMES.require(past, f"{hook}: {name} of {item.external_id} lies in the future: {at}")

    @rules.CURSOR
    def test_cursor_resumes(self) -> None:
        """A new connector goes on from a saved cursor and misses nothing."""
        for hook in self.streams():
            scene = self.make()
            whole = _by_id(list(self.pages(scene, hook, limit=500)))
            pages = list(self.pages(scene, hook, limit=2, restart=True))
            rules.CURSOR.require(len(whole) > 2, f"{hook} fetched {len(whole)} items; let make() give at least three")  # noqa: PLR2004 - as said
            missed = sorted(key[0] for key in whole.keys() - _by_id(pages).keys())
            rules.CURSOR.require(not missed, f"{hook}, resumed after every page, misses {missed}")
            cursors = [page.cursor for page in pages if page.cursor is not None]
            rules.CURSOR.require(cursors, f"{hook} gives no cursor at all")
            rules.CURSOR.require(
                max(map(len, cursors)) <= _LARGEST_CURSOR, f"{hook} gives a cursor above {_LARGEST_CURSOR} characters"
            )

    @rules.EMPTY
    def test_empty_page(self) -> None:
        """Nothing there is an empty page and the end."""
        for hook in self.streams():
            page = self.fetch(self.make_empty().connect(self.connector_class), hook, None, 50)
            rules.EMPTY.require(not page.items and not page.more, f"{hook} answered {page!r}")

    # -- silver: reading ---------------------------------------------------------------------------------------------

    @rules.CREDENTIALS
    def test_bad_credentials(self) -> None:
        """Wrong credentials are AuthExpired."""
        scene = self.make()
        connector = scene.connect(self.connector_class, scene.bad_settings)
        self.expect(rules.CREDENTIALS, scene, AuthExpired, "check_account with bad settings", connector.check_account)

    @rules.READ_ERRORS
    def test_read_errors_are_named(self) -> None:
        """401, 429, 500, a timeout and cut JSON each have their name."""
        for hook, read in self.reads():
            for fault, error in (
                (401, AuthExpired),
                (500, Unavailable),
                (Fault.TIMEOUT_AFTER, Unavailable),
                (Fault.GARBAGE, Unavailable),
            ):
                scene = self.make()
                scene.simulator.fail_next("*", fault, times=FOREVER)
                self.expect(rules.READ_ERRORS, scene, error, f"{hook} under {fault}", self.bind(scene, read))
            scene = self.make()
            scene.simulator.fail_next("*", 429, times=FOREVER, headers={"Retry-After": "600"})
            limited = self.expect(rules.READ_ERRORS, scene, RateLimited, f"{hook} under 429", self.bind(scene, read))
            wanted = scene.clock() + timedelta(seconds=600)
            rules.READ_ERRORS.require(
                limited.retry_at == wanted, f"{hook}: Retry-After of 600 s became {limited.retry_at}"
            )

    @rules.RETRIES
    def test_retries_are_bounded(self) -> None:
        """A platform in trouble is asked a few times, not for ever."""
        for hook, read in self.reads():
            scene = self.make()
            scene.simulator.fail_next("*", 503, times=FOREVER)
            self.expect(rules.RETRIES, scene, Unavailable, f"{hook} under 503", self.bind(scene, read))
            made = len(scene.simulator.calls)
            rules.RETRIES.require(made <= _CALLS, f"{hook} made {made} calls to a platform that answers 503")

    @rules.LEAK
    def test_no_secret_in_text(self, caplog: pytest.LogCaptureFixture) -> None:
        """No failure puts a secret of the settings into a text or a log line."""
        caplog.set_level("DEBUG")
        for hook, read in self.reads():
            for fault in (401, 500, Fault.REFUSED, Fault.GARBAGE):
                scene = self.make()
                scene.simulator.fail_next("*", fault, times=FOREVER, body={"message": _echo(scene)})
                self.expect(rules.LEAK, scene, ChannelError, f"{hook} under {fault}", self.bind(scene, read))
                self.no_leak(scene, caplog.text, f"the log of {hook} under {fault}")


def _by_id(pages: list[Page[Any]]) -> dict[tuple[str, int], Any]:
    return {(item.external_id, item.revision): item for page in pages for item in page.items}


def _times(value: BaseModel) -> Iterator[tuple[str, datetime]]:
    for name in type(value).model_fields:
        item = getattr(value, name)
        if isinstance(item, datetime):
            yield name, item
        elif isinstance(item, Record):
            yield from _times(item)


def _echo(scene: Scene) -> str:
    return " ".join(secret.get_secret_value() for secret in secrets_of(scene.settings))

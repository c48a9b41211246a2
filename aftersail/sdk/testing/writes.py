"""The rules of writing, of webhooks, of closing and of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from aftersail.core.contract import (
    Ambiguous,
    AuthExpired,
    Idempotency,
    Invalid,
    Money,
    NotAllowed,
    RateLimited,
    RefundReceipt,
    RefundRequest,
    Unavailable,
    WebhookHint,
)
from aftersail.sdk.testing import rules
from aftersail.sdk.testing.faults import Fault
from aftersail.sdk.testing.recordings import Recording, scan
from aftersail.sdk.testing.scene import WatchedTransport, secrets_of
from aftersail.sdk.testing.suite import FOREVER, WRITES, Suite

_SENT_BLINDLY = (Fault.RESET_BEFORE, Fault.TIMEOUT_BEFORE)
_TOOK_EFFECT = (Fault.RESET_AFTER, Fault.TIMEOUT_AFTER, Fault.ERROR_AFTER, Fault.GARBAGE)


class WriteRules(Suite):
    """Of silver what concerns writing, webhooks and closing."""

    @rules.WRITES_TRIED
    def test_every_write_is_tried(self) -> None:
        """The scene has a write for each writing operation."""
        tried = {write.hook for write in self.make().writes}
        missing = sorted(self.connector_class.operations() & set(WRITES) - tried)
        rules.WRITES_TRIED.require(not missing, f"the scene tries no {', '.join(missing)}")

    @rules.WRITE_ERRORS
    def test_unknown_outcomes_are_ambiguous(self) -> None:
        """After sending, a broken way means Ambiguous and no second try."""
        for index, write in self.writes():
            for fault in (*_SENT_BLINDLY, *_TOOK_EFFECT):
                scene, fresh = self.scene_of(index)
                before = fresh.effects()
                scene.simulator.fail_next(fresh.operation, fault)
                what = f"{write.hook} under {fault}"
                self.expect(rules.WRITE_ERRORS, scene, Ambiguous, what, self.run(scene, fresh))
                done = fresh.effects() - before
                wanted = 1 if fault in _TOOK_EFFECT else 0
                rules.WRITE_ERRORS.require(done == wanted, f"{what} had {done} effects instead of {wanted}")

    @rules.WRITE_REFUSED
    def test_refused_writes_have_no_effect(self) -> None:
        """No connection, 429 and 401 are no unknown outcomes."""
        for index, write in self.writes():
            for fault, error in ((Fault.REFUSED, Unavailable), (429, RateLimited), (401, AuthExpired)):
                scene, fresh = self.scene_of(index)
                before = fresh.effects()
                scene.simulator.fail_next(fresh.operation, fault, times=FOREVER)
                what = f"{write.hook} under {fault}"
                self.expect(rules.WRITE_REFUSED, scene, error, what, self.run(scene, fresh))
                rules.WRITE_REFUSED.require(fresh.effects() == before, f"{what} had an effect")

    @rules.SAME_KEY
    def test_same_key_pays_once(self) -> None:
        """Where keys or states protect a refund, sending it again has no second effect."""
        if self.connector_class.capabilities.refund.idempotency not in {Idempotency.KEY, Idempotency.NATURAL}:
            pytest.skip("the platform honours no keys")
        index = self.index_of("issue_refund")
        scene, write = self.scene_of(index)
        before = write.effects()
        self.run(scene, write)()
        self.again(scene, write)
        rules.SAME_KEY.require(write.effects() - before == 1, "the same refund sent twice was booked twice")
        scene, write = self.scene_of(index)
        before = write.effects()
        scene.simulator.fail_next(write.operation, Fault.TIMEOUT_AFTER)
        self.expect(rules.SAME_KEY, scene, Ambiguous, "issue_refund under timeout_after", self.run(scene, write))
        self.again(scene, write)
        rules.SAME_KEY.require(
            write.effects() - before == 1, "a refund sent again after a lost answer was booked twice"
        )

    @rules.LABEL_KEY
    def test_same_key_buys_one_label(self) -> None:
        """Where keys protect a label, asking again gives the same one, also after a lost answer."""
        if self.connector_class.capabilities.label.idempotency is not Idempotency.KEY:
            pytest.skip("the platform honours no keys for labels")
        index = self.index_of("buy_label")
        for lost in (False, True):
            scene, write = self.scene_of(index)
            before = write.effects()
            first = None
            if lost:
                scene.simulator.fail_next(write.operation, Fault.TIMEOUT_AFTER)
                what = "buy_label under timeout_after"
                self.expect(rules.LABEL_KEY, scene, Ambiguous, what, self.run(scene, write))
            else:
                first = self.run(scene, write)()
            label = self.run(scene, write)()
            same = first is None or first.external_id == label.external_id
            rules.LABEL_KEY.require(same, f"the same request gave {label!r} after {first!r}")
            bought = write.effects() - before
            rules.LABEL_KEY.require(bought == 1, f"the same label asked for twice was bought {bought} times")

    @rules.LOOKUP
    def test_lookup_tells(self) -> None:
        """Before a refund the look-up finds nothing, after a lost answer it finds it."""
        if "lookup_refund" not in self.connector_class.operations():
            pytest.skip("the connector looks no refund up")
        scene, write = self.scene_of(self.index_of("issue_refund"))
        refund: RefundRequest = write.arguments["refund"]
        before = scene.connect(self.connector_class).lookup_refund(refund)
        rules.LOOKUP.require(before is None, f"the look-up found {before!r} before anything was sent")
        scene.simulator.fail_next(write.operation, Fault.TIMEOUT_AFTER)
        self.expect(rules.LOOKUP, scene, Ambiguous, "issue_refund under timeout_after", self.run(scene, write))
        found = scene.connect(self.connector_class).lookup_refund(refund)
        if not isinstance(found, RefundReceipt):
            rules.LOOKUP.broken("the look-up does not find a refund whose answer was lost")
        rules.LOOKUP.require(found.amount == refund.amount, f"the look-up says {found.amount}, not {refund.amount}")

    @rules.OVER_REFUND
    def test_over_refund_is_refused(self) -> None:
        """More than was paid never goes back."""
        if "issue_refund" not in self.connector_class.operations():
            pytest.skip("the connector refunds nothing")
        scene, write = self.scene_of(self.index_of("issue_refund"))
        refund: RefundRequest = write.arguments["refund"]
        huge = Money(amount=refund.amount.amount * 1_000_000, currency=refund.amount.currency)
        before = write.effects()
        call = self.run(scene, write, refund=refund.model_copy(update={"amount": huge, "lines": ()}))
        self.expect(rules.OVER_REFUND, scene, (Invalid, NotAllowed), f"a refund of {huge}", call)
        rules.OVER_REFUND.require(write.effects() == before, f"a refund of {huge} was booked")

    @rules.WEBHOOK
    def test_webhooks_are_verified(self) -> None:
        """A genuine delivery passes, a tampered, unsigned or empty one does not."""
        if "verify_webhook" not in self.connector_class.operations():
            pytest.skip("the connector takes no webhooks")
        scene = self.make()
        connector, genuine = scene.connect(self.connector_class), scene.webhook
        if genuine is None:
            rules.WEBHOOK.broken("the scene has no webhook")
        rules.WEBHOOK.require(connector.verify_webhook(genuine) is True, "a genuine delivery is refused")
        for what, forged in (
            ("a changed body", genuine.model_copy(update={"body": genuine.body + b" "})),
            ("no headers", genuine.model_copy(update={"headers": {}})),
            ("another key's signature", genuine.model_copy(update={"headers": _reversed(genuine.headers)})),
        ):
            rules.WEBHOOK.require(connector.verify_webhook(forged) is False, f"a delivery with {what} is accepted")
        if "parse_webhook" in self.connector_class.operations():
            hint = connector.parse_webhook(genuine)
            rules.WEBHOOK.require(isinstance(hint, WebhookHint), f"parse_webhook answered {hint!r}")

    @rules.CLOSE
    def test_close_releases(self) -> None:
        """Closing lets the connections go; a second time does no harm."""
        scene = self.make()
        watched = WatchedTransport(scene.simulator.transport())
        connector = scene.connect(self.connector_class, transport=watched)
        connector.check_account()
        connector.close()
        connector.close()
        rules.CLOSE.require(watched.closed, "close() left the HTTP client open")


class RecordingRules(Suite):
    """Gold."""

    @rules.RECORDINGS
    def test_recordings_are_clean(self) -> None:
        """Every recording is dated, fresh and without secrets."""
        if self.recordings is None:
            pytest.skip("the plugin has no recordings")
        files = sorted(self.recordings.glob("**/*.json"))
        rules.RECORDINGS.require(files, f"{self.recordings.name} holds no recording")
        secrets = secrets_of(self.make().settings)
        for path in files:
            for finding in scan(path, secrets=secrets):
                rules.RECORDINGS.broken(finding)
            recording = Recording.load(path)
            rules.RECORDINGS.require(recording.exchanges, f"{path.name} is empty")
            rules.RECORDINGS.require(not recording.expired(datetime.now(UTC)), f"{path.name} is too old")


def _reversed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value[::-1] for name, value in headers.items()}

"""The contract suite is itself tested: a sound connector keeps every rule, and for each rule a broken one goes red."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import ClassVar

import httpx
import pytest
from pydantic import Field, SecretStr

from aftersail.sdk import (
    Account,
    AlreadyDone,
    Ambiguous,
    Capabilities,
    ChannelError,
    Connector,
    ConnectorSettings,
    Idempotency,
    Inbound,
    Label,
    LabelCapability,
    LabelRequest,
    Message,
    Money,
    Page,
    Parcel,
    PartialRefund,
    RefundCapability,
    RefundMode,
    RefundReceipt,
    RefundRequest,
    RefundState,
    Stream,
    Unavailable,
    WebhookHint,
    WebhookRequest,
)
from aftersail.sdk.http import ErrorMap, ErrorRule, HttpClient
from aftersail.sdk.testing import rules
from aftersail.sdk.testing.context import FixedClock, make_context
from aftersail.sdk.testing.contract import ConnectorContract, Scene, Write
from aftersail.sdk.testing.recordings import RecordingTransport
from aftersail.sdk.testing.rules import RULE_MARK, Rule
from aftersail.sdk.testing.simulator import Simulator, route
from aftersail.sdk.webhooks import sign, verify_hmac

TOKEN, HOOK_SECRET = "market-token-for-tests", "market-hook-secret"


class Market(Simulator):
    def __init__(self, clock):
        super().__init__(clock=clock)
        self.messages = []
        self.refunds = []
        self.labels = {}
        self.paid = 20

    def _guard(self, request):
        if request.headers.get("x-token") != TOKEN:
            return httpx.Response(401, json={"message": "bad token"})
        return None

    @route("GET", "/me")
    def me(self, request):
        return self._guard(request) or httpx.Response(200, json={"id": "seller-1"})

    @route("GET", "/messages")
    def list_messages(self, request):
        if refused := self._guard(request):
            return refused
        start, limit = int(request.url.params["from"]), int(request.url.params["limit"])
        chosen = self.messages[start : start + limit]
        return httpx.Response(
            200, json={"items": chosen, "next": start + len(chosen), "left": len(self.messages) - start - limit}
        )

    @route("GET", "/refunds")
    def list_refunds(self, request):
        return self._guard(request) or httpx.Response(200, json=self.refunds)

    @route("POST", "/refunds")
    def refund(self, request):
        if refused := self._guard(request):
            return refused
        asked = json.loads(request.content)
        known = next((item for item in self.refunds if asked["key"] and item["key"] == asked["key"]), None)
        if known is None:
            if asked["amount"] > self.paid:
                return httpx.Response(422, json={"message": "too much"})
            known = {**asked, "id": f"R{len(self.refunds)}"}
            self.refunds.append(known)
        return httpx.Response(200, json=known)

    @route("POST", "/labels")
    def label(self, request):
        if refused := self._guard(request):
            return refused
        key = json.loads(request.content)["key"]
        return httpx.Response(200, json={"id": self.labels.setdefault(key, f"L{len(self.labels)}")})


class MarketSettings(ConnectorSettings):
    token: SecretStr = Field(title="Token", description="From the market's settings page.")
    hook_secret: SecretStr = Field(title="Webhook secret", description="Signs webhooks.")


class MarketConnector(Connector[MarketSettings]):
    kind = "market"
    title = "Market"
    settings_model: ClassVar = MarketSettings
    capabilities = Capabilities(
        inbound=Inbound.API,
        refund=RefundCapability(mode=RefundMode.SYNC, partial=PartialRefund.AMOUNT, idempotency=Idempotency.KEY),
        label=LabelCapability(idempotency=Idempotency.KEY),
    )
    errors = ErrorMap()

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.http = HttpClient(
            context,
            base_url="https://market.example",
            headers={"X-Token": settings.token.get_secret_value()},
            secrets=[settings.token, settings.hook_secret],
            errors=self.errors,
        )

    def close(self):
        self.http.close()

    def check_account(self):
        return Account(external_id=self.http.json("GET", "/me", operation="me")["id"], title="A seller")

    def fetch_messages(self, cursor, limit):
        got = self.http.json("GET", "/messages", operation="messages", params={"from": cursor or 0, "limit": limit})
        return Page[Message](
            items=tuple(self.read(item) for item in got["items"]), cursor=str(got["next"]), more=got["left"] > 0
        )

    def read(self, item):
        return Message(external_id=item["id"], sent_at=datetime.fromisoformat(item["at"]), text="Where is it?")

    def issue_refund(self, refund):
        body = {"key": refund.key, "amount": int(refund.amount.amount)}
        return self.receipt(self.http.json("POST", "/refunds", operation="refund", write=True, json=body))

    def lookup_refund(self, refund):
        listed = self.http.json("GET", "/refunds", operation="refunds")
        return next((self.receipt(item) for item in listed if item["key"] == refund.key), None)

    def buy_label(self, request):
        body = {"key": request.key, "order": request.order_id}
        got = self.http.json("POST", "/labels", operation="label", write=True, json=body)
        return Label(external_id=got["id"], parcel=Parcel(tracking_number=f"T{got['id']}"))

    def receipt(self, item):
        return RefundReceipt(
            external_id=item["id"],
            state=RefundState.SETTLED,
            amount=Money.of(item["amount"], "USD"),
            at=self.context.now(),
        )

    def verify_webhook(self, request):
        return verify_hmac(request, secret=self.settings.hook_secret, header="x-sign")

    def parse_webhook(self, request):
        return WebhookHint(streams=(Stream.MESSAGES,))


class MarketContract(ConnectorContract):
    connector_class = MarketConnector

    def make_empty(self):
        clock = FixedClock()
        good = MarketSettings(token=TOKEN, hook_secret=HOOK_SECRET)
        bad = MarketSettings(token="an-older-market-token", hook_secret=HOOK_SECRET)
        return Scene(settings=good, bad_settings=bad, simulator=Market(clock), clock=clock)

    def make(self):
        scene = self.make_empty()
        market = scene.simulator
        market.messages = [{"id": f"M{n}", "at": (scene.clock() - timedelta(minutes=n)).isoformat()} for n in range(5)]
        refund = RefundRequest(key="k1", order_id="1", amount=Money.of(5, "USD"), planned_at=scene.clock())
        write = Write(
            hook="issue_refund",
            arguments={"refund": refund},
            operation="refund",
            effects=lambda: len(market.refunds),
        )
        label = Write(
            hook="buy_label",
            arguments={"request": LabelRequest(key="k2", order_id="1", reference="RMA-1-1")},
            operation="label",
            effects=lambda: len(market.labels),
        )
        signature = sign(b"{}", secret=SecretStr(HOOK_SECRET))
        webhook = WebhookRequest(headers={"x-sign": signature}, body=b"{}", received_at=scene.clock())
        return Scene(
            settings=scene.settings,
            bad_settings=scene.bad_settings,
            simulator=market,
            writes=(write, label),
            webhook=webhook,
            clock=scene.clock,
        )


@pytest.fixture(scope="module")
def good_recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    contract = MarketContract()
    scene = contract.make()
    inner = scene.simulator.transport()
    transport = RecordingTransport(inner, folder / "me.json", api_version="1", origin="simulator")
    connector = scene.connect(MarketConnector, transport=transport)
    connector.check_account()
    connector.close()
    return folder


TESTS = {
    rule.id: name
    for name in dir(ConnectorContract)
    if isinstance(rule := getattr(getattr(ConnectorContract, name), RULE_MARK, None), Rule)
}


def try_rule(contract, rule, caplog):
    method = getattr(contract, TESTS[rule.id])
    if rule is rules.LEAK:
        method(caplog)
    else:
        method()


def test_every_rule_has_one_test_and_a_broken_connector():
    assert set(TESTS) == {rule.id for rule in rules.ALL}
    elsewhere = {rules.WRITES_TRIED.id, rules.RECORDINGS.id}
    assert {rule.id for rule, _ in BROKEN} | elsewhere == {rule.id for rule in rules.ALL}


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
def test_a_sound_connector_keeps_every_rule(rule, caplog, good_recordings):
    contract = MarketContract()
    contract.recordings = good_recordings
    try_rule(contract, rule, caplog)


# -- one broken connector (or scene) per rule --------------------------------------------------------------------------


class UntitledSettings(MarketSettings):
    site: str = Field(default="us", description="Which site.")


class PlainSettings(MarketSettings):
    api_key: str = Field(default="x", title="Key", description="The key.")


class Untitled(MarketConnector):
    settings_model = UntitledSettings


class PlainSecret(MarketConnector):
    settings_model = PlainSettings


class ClaimsReplies(MarketConnector):
    capabilities = MarketConnector.capabilities.model_copy(update={"case_actions": ("approve",)})


class LooksLabelsUp(MarketConnector):
    capabilities = MarketConnector.capabilities.model_copy(
        update={"label": LabelCapability(idempotency=Idempotency.LOOKUP)}
    )


class ClaimsLabels(MarketConnector):
    @classmethod
    def operations(cls):
        return super().operations() - {"buy_label"}


class NoAccount(MarketConnector):
    def check_account(self):
        return Account(external_id="", title="nobody")


class AlwaysTheSameId(MarketConnector):
    def read(self, item):
        return super().read(item).model_copy(update={"external_id": "M"})


class NewIdsEachTime(MarketConnector):
    count = 0

    def read(self, item):
        type(self).count += 1
        return super().read(item).model_copy(update={"external_id": f"{item['id']}-{self.count}"})


class ChangesUnderOneRevision(NewIdsEachTime):
    def read(self, item):
        type(self).count += 1
        return MarketConnector.read(self, item).model_copy(update={"text": str(self.count)})


class NoZone(MarketConnector):
    def read(self, item):
        return Message.model_construct(
            **{**dict(super().read(item)), "sent_at": datetime.fromisoformat(item["at"]).replace(tzinfo=None)}
        )


class MillisecondsAsSeconds(MarketConnector):
    def read(self, item):
        return super().read(item).model_copy(update={"sent_at": datetime(9999, 1, 1, tzinfo=UTC)})


class ForgetsOnRestart(MarketConnector):
    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.at = 0

    def fetch_messages(self, cursor, limit):
        if cursor is not None and self.at == 0:
            return Page[Message](cursor=cursor)
        page = super().fetch_messages(str(self.at), limit)
        self.at = int(page.cursor)
        return page


class SkipsOne(MarketConnector):
    def fetch_messages(self, cursor, limit):
        page = super().fetch_messages(cursor, limit)
        return page.model_copy(update={"cursor": str(int(page.cursor) + 1)}) if limit < 10 else page


class NeverEnds(MarketConnector):
    def fetch_messages(self, cursor, limit):
        return super().fetch_messages(cursor, limit).model_copy(update={"more": True})


class RaisesWhenEmpty(MarketConnector):
    def fetch_messages(self, cursor, limit):
        page = super().fetch_messages(cursor, limit)
        return page if page.items else page.model_copy(update={"more": True})


class CallsDeadTokensUnavailable(MarketConnector):
    errors = ErrorMap([ErrorRule(status=401, error=Unavailable, message="down")])


class PutsTheTokenIntoTheText(MarketConnector):
    def fetch_messages(self, cursor, limit):
        try:
            return super().fetch_messages(cursor, limit)
        except ChannelError as error:
            raise type(error)(f"{error.detail} with {self.settings.token.get_secret_value()}") from None


class ChainsTheToken(MarketConnector):
    def check_account(self):
        try:
            return super().check_account()
        except ChannelError as error:
            cause = ValueError(f"headers: {self.settings.token.get_secret_value()}")
            raise error from cause


class SwallowsErrors(MarketConnector):
    def fetch_messages(self, cursor, limit):
        try:
            return super().fetch_messages(cursor, limit)
        except ChannelError:
            return Page[Message](cursor=cursor)


class IgnoresRetryAfter(MarketConnector):
    def fetch_messages(self, cursor, limit):
        try:
            return super().fetch_messages(cursor, limit)
        except ChannelError as error:
            if hasattr(error, "retry_at"):
                error.retry_at = None
            raise


class Hammers(MarketConnector):
    def check_account(self):
        for _ in range(5):
            try:
                return super().check_account()
            except Unavailable as error:
                last = error
        raise last


class RefundsAsARead(MarketConnector):
    def issue_refund(self, refund):
        body = {"key": refund.key, "amount": int(refund.amount.amount)}
        return self.receipt(self.http.json("POST", "/refunds", operation="refund", json=body))


class TriesTwice(MarketConnector):
    def issue_refund(self, refund):
        try:
            return super().issue_refund(refund)
        except Ambiguous:
            return super().issue_refund(refund)


class EverythingIsAmbiguous(MarketConnector):
    def issue_refund(self, refund):
        try:
            return super().issue_refund(refund)
        except ChannelError as error:
            raise Ambiguous(error.detail) from None


class SendsAKeyOfItsOwn(MarketConnector):
    count = 0

    def issue_refund(self, refund):
        type(self).count += 1
        return super().issue_refund(refund.model_copy(update={"key": f"own-{self.count}"}))


class BuysUnderAKeyOfItsOwn(MarketConnector):
    count = 0

    def buy_label(self, request):
        type(self).count += 1
        return super().buy_label(request.model_copy(update={"key": f"own-{self.count}"}))


class BuysAnotherAfterALostAnswer(MarketConnector):
    lost: ClassVar = set()

    def buy_label(self, request):
        again = request.key in self.lost
        try:
            return super().buy_label(request.model_copy(update={"key": "again"}) if again else request)
        except Ambiguous:
            self.lost.add(request.key)
            raise


class NamesAnotherLabel(MarketConnector):
    count = 0

    def buy_label(self, request):
        type(self).count += 1
        return super().buy_label(request).model_copy(update={"external_id": f"L-{self.count}"})


class FindsNothing(MarketConnector):
    def lookup_refund(self, refund):
        return None


class FindsAnything(MarketConnector):
    def lookup_refund(self, refund):
        return self.receipt({"id": "R0", "amount": 5})


class FindsTheWrongAmount(MarketConnector):
    def lookup_refund(self, refund):
        found = super().lookup_refund(refund)
        return found and found.model_copy(update={"amount": Money.of(6, "USD")})


class CapsQuietly(MarketConnector):
    def issue_refund(self, refund):
        capped = min(refund.amount.amount, 20)
        return super().issue_refund(refund.model_copy(update={"amount": Money.of(capped, "USD")}))


class TrustsEverybody(MarketConnector):
    def verify_webhook(self, request):
        return True


class ChecksTheHeaderOnly(MarketConnector):
    def verify_webhook(self, request):
        return request.headers.get("x-sign") == sign(b"{}", secret=self.settings.hook_secret)


class TrustsNobody(MarketConnector):
    def verify_webhook(self, request):
        return False


class StaysOpen(MarketConnector):
    def close(self):
        pass


BROKEN = [
    (rules.SETTINGS, Untitled),
    (rules.SECRETS, PlainSecret),
    (rules.CAPABILITIES, ClaimsReplies),
    (rules.CAPABILITIES, LooksLabelsUp),
    (rules.CAPABILITIES, ClaimsLabels),
    (rules.ACCOUNT, NoAccount),
    (rules.IDS, AlwaysTheSameId),
    (rules.IDS, NewIdsEachTime),
    (rules.IDS, ChangesUnderOneRevision),
    (rules.TIMES, NoZone),
    (rules.TIMES, MillisecondsAsSeconds),
    (rules.CURSOR, ForgetsOnRestart),
    (rules.CURSOR, SkipsOne),
    (rules.CURSOR, NeverEnds),
    (rules.EMPTY, RaisesWhenEmpty),
    (rules.CREDENTIALS, CallsDeadTokensUnavailable),
    (rules.LEAK, PutsTheTokenIntoTheText),
    (rules.LEAK, ChainsTheToken),
    (rules.READ_ERRORS, SwallowsErrors),
    (rules.READ_ERRORS, IgnoresRetryAfter),
    (rules.RETRIES, Hammers),
    (rules.WRITE_ERRORS, RefundsAsARead),
    (rules.WRITE_ERRORS, TriesTwice),
    (rules.WRITE_REFUSED, EverythingIsAmbiguous),
    (rules.SAME_KEY, SendsAKeyOfItsOwn),
    (rules.LABEL_KEY, BuysUnderAKeyOfItsOwn),
    (rules.LABEL_KEY, BuysAnotherAfterALostAnswer),
    (rules.LABEL_KEY, NamesAnotherLabel),
    (rules.LOOKUP, FindsNothing),
    (rules.LOOKUP, FindsAnything),
    (rules.LOOKUP, FindsTheWrongAmount),
    (rules.OVER_REFUND, CapsQuietly),
    (rules.WEBHOOK, TrustsEverybody),
    (rules.WEBHOOK, ChecksTheHeaderOnly),
    (rules.WEBHOOK, TrustsNobody),
    (rules.CLOSE, StaysOpen),
]


@pytest.mark.parametrize(("rule", "broken"), BROKEN, ids=lambda value: getattr(value, "id", None) or value.__name__)
def test_a_broken_connector_goes_red(rule, broken, caplog):
    contract = MarketContract()
    contract.connector_class = broken
    with pytest.raises(pytest.fail.Exception) as caught:
        try_rule(contract, rule, caplog)
    text = str(caught.value)
    assert f"contract rule {rule.id} is broken" in text
    assert rule.why in text
    assert rule.fix in text


class NoWrites(MarketContract):
    def make(self):
        scene = super().make()
        return Scene(**{**vars(scene), "writes": ()})


def test_an_untried_write_goes_red(caplog):
    with pytest.raises(
        pytest.fail.Exception, match="writes-tried is broken: the scene tries no buy_label, issue_refund"
    ):
        try_rule(NoWrites(), rules.WRITES_TRIED, caplog)


class Poor(MarketContract):
    def make(self):
        return self.make_empty()


def test_a_scene_with_too_little_goes_red_instead_of_passing_by(caplog):
    for rule in (rules.IDS, rules.CURSOR):
        with pytest.raises(pytest.fail.Exception, match="fetched"):
            try_rule(Poor(), rule, caplog)


def spoil(folder, path, **changes):
    body = json.loads((folder / "me.json").read_text())
    body.update(changes.pop("top", {}))
    body["exchanges"][0]["response"].update(changes)
    path.write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"body": {"note": f"uses {TOKEN}"}}, "a secret of the settings"),
        ({"body": {"mail": "somebody@gmail.com"}}, "mail addresses at gmail.com"),
        ({"body": {"access_token": "abc"}}, "the field access_token"),
        ({"headers": {"Set-Cookie": "session=1"}}, "the header Set-Cookie"),
        ({"body": "Bearer abcdefghijklmnopqrstuvwxyz"}, "a bearer token"),
        ({"top": {"origin": "live", "recorded_at": "2020-01-01T00:00:00Z"}}, "too old"),
        ({"top": {"exchanges": [{"request": {"method": "GET", "url": "/"}, "response": {"status": 200}}]}}, None),
    ],
)
def test_a_bad_recording_goes_red(changes, found, good_recordings, tmp_path, caplog):
    spoil(good_recordings, tmp_path / "bad.json", **changes)
    contract = MarketContract()
    contract.recordings = tmp_path
    if found is None:
        try_rule(contract, rules.RECORDINGS, caplog)
        return
    with pytest.raises(pytest.fail.Exception, match=found):
        try_rule(contract, rules.RECORDINGS, caplog)


def test_no_recording_at_all_goes_red(tmp_path, caplog):
    contract = MarketContract()
    contract.recordings = tmp_path
    with pytest.raises(pytest.fail.Exception, match="holds no recording"):
        try_rule(contract, rules.RECORDINGS, caplog)


def test_an_error_of_done_before_is_as_good_as_the_first_result(caplog):
    class SaysDone(MarketConnector):
        def issue_refund(self, refund):
            if self.lookup_refund(refund) is not None:
                raise AlreadyDone("it was paid before")
            return super().issue_refund(refund)

    contract = MarketContract()
    contract.connector_class = SaysDone
    try_rule(contract, rules.SAME_KEY, caplog)


def test_standing_of_a_run():
    from aftersail.sdk.testing.pytest_plugin import standings

    def report(rule, kind="market"):
        properties = [("aftersail_connector", kind), ("aftersail_rule", rule.id), ("aftersail_tier", rule.tier.value)]
        return SimpleNamespace(user_properties=properties)

    every = [("passed", report(rule)) for rule in rules.ALL]
    assert standings(every)["market"].tier == "gold"
    without = [("skipped" if rule.tier is rules.Tier.GOLD else "passed", report(rule)) for rule in rules.ALL]
    assert standings(without)["market"].tier == "silver"
    assert standings([*every, ("failed", report(rules.SAME_KEY))])["market"].tier == "bronze"
    assert standings([*every, ("error", report(rules.IDS))])["market"].tier == "none"
    assert standings(every[:3])["market"].tier == "none"
    assert standings([("passed", SimpleNamespace(user_properties=[]))]) == {}


def test_the_context_of_a_test_has_a_clock_that_stands_still():
    context = make_context("a")
    assert context.now() == context.now()
    context.sleep(90)
    assert context.now() == FixedClock()() + timedelta(seconds=90)
    with pytest.raises(ValueError, match="zone"):
        FixedClock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused

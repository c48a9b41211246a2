"""How long a buyer may ask, to the second: counting, zones, roll-over, seasons, estimates, exceptions, layers."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersail.core.clocks import Calendar, CalendarSpec
from aftersail.core.policy import make_facts
from aftersail.core.policy.decision import Decision
from aftersail.core.policy.entitlement import Window
from aftersail.core.policy.expressions import Outcome
from aftersail.core.policy.rights import WindowRow
from aftersail.core.policy.windows import end_of
from tests.policy.world import AT, MARKET, OWN, World, day

BERLIN = ZoneInfo("Europe/Berlin")
US = {"order__country": "US"}
ONLY_MINE = OWN.replace("extends: [law-x, market-m]\n", "")


def window_of(decision: Decision) -> Window:
    assert decision.entitlement is not None
    assert decision.entitlement.window is not None
    return decision.entitlement.window


def mine(days: int, more: str = "start: delivered_last") -> str:
    return f"windows:\n  - {{id: ours, right: withdrawal, days: {days}, {more}}}\n"


class TestFilingWindow:
    @pytest.mark.parametrize(
        ("filed", "open_", "left"),
        [
            ("2026-12-02T22:59:59", True, 0),  # 23:59:59 in Berlin
            ("2026-12-02T22:59:59.999999", True, 0),
            ("2026-12-02T23:00:00", False, -1),
            ("2026-11-02T23:30:00", True, 29),  # 00:30 of the 3rd in Berlin
        ],
    )
    def test_f19_day_30_to_its_last_second_and_no_longer(
        self, world: World, filed: str, open_: bool, left: int
    ) -> None:
        body = mine(30, "start: delivered_last, timezone: Europe/Berlin")
        window = window_of(world.decide(body, head=ONLY_MINE, claim__filed_at=day(filed)))
        assert (window.open, window.days_left) == (open_, left)
        assert window.ends_at == datetime(2026, 12, 3, tzinfo=BERLIN)
        assert "30 days, that day not counted: last day Wed 2026-12-02" in window.why

    def test_f19_a_request_counts_from_when_it_was_sent_not_from_when_it_was_judged(self, world: World) -> None:
        decision = world.decide(mine(15), head=ONLY_MINE, at=day("2027-03-01"), claim__filed_at=day("2026-11-17T23:00"))
        assert window_of(decision).open is True

    def test_japan_counts_the_day_of_delivery(self, world: World) -> None:
        body = mine(8, "start: delivered_last, count_start_day: true, timezone: Asia/Tokyo")
        delivered = day("2026-11-01T16:00")  # the 2nd in Tokyo
        window = window_of(world.decide(body, head=ONLY_MINE, order__delivered_last_at=delivered))
        assert window.ends_at == datetime(2026, 11, 10, tzinfo=ZoneInfo("Asia/Tokyo"))
        assert window.open is False

    @pytest.mark.parametrize(
        ("delivered", "last"),
        [
            ("2026-11-02T09:00", "Mon 2026-11-16"),
            ("2026-11-06T09:00", "Fri 2026-11-20"),
            ("2026-11-07T09:00", "Mon 2026-11-23"),  # a Saturday
            ("2026-12-11T09:00", "Mon 2026-12-28"),  # 25 December, then the 26th, then a Sunday
        ],
    )
    def test_an_end_on_a_closed_day_runs_to_the_end_of_the_next_working_day(
        self, world: World, delivered: str, last: str
    ) -> None:
        decision = world.decide(order__delivered_last_at=day(delivered), claim__filed_at=day(delivered))
        assert last in window_of(decision).why
        assert window_of(decision).ends_at == datetime.combine(
            date.fromisoformat(last[4:]) + timedelta(days=1), datetime.min.time(), BERLIN
        )

    def test_the_last_parcel_counts_else_the_delivery_of_the_order(self, world: World) -> None:
        known = {"order__delivered_last_at": None, "order__delivered_at": day("2026-11-03T09:00")}
        assert "last day Tue 2026-11-17" in window_of(world.decide(**known)).why

    @pytest.mark.parametrize(
        ("start", "fact"),
        [
            ("delivered_line", "claim__delivered_at"),
            ("delivered_first", "order__delivered_first_at"),
            ("placed", "order__placed_at"),
            ("contract", "order__placed_at"),
            ("fulfilled", "order__fulfilled_at"),
        ],
    )
    def test_each_window_counts_from_its_own_event(self, world: World, start: str, fact: str) -> None:
        body = mine(1, f"start: {start}")
        decision = world.decide(body, head=ONLY_MINE, **{fact: day("2026-11-15T10:00")})
        assert window_of(decision).open is True
        assert window_of(decision).ends_at == day("2026-11-17")

    def test_a_start_nobody_knows_is_estimated_and_says_so(self, world: World) -> None:
        decision = world.decide(order__delivered_last_at=None, order__fulfilled_at=day("2026-11-01T10:00"))
        window = window_of(decision)
        assert window.estimated
        assert "by estimate: sent Sun 2026-11-01 and 10 days" in window.why
        assert window.ends_at == datetime(2026, 11, 26, tzinfo=BERLIN)

    def test_without_start_and_estimate_nobody_can_tell_and_a_person_decides(self, world: World) -> None:
        decision = world.decide(order__delivered_last_at=None)
        assert window_of(decision).open is None
        (ask,) = decision.asks
        assert "cannot tell whether this was asked for in time: fact order.delivered_last_at is missing" in ask.why

    def test_what_is_still_on_its_way_can_be_withdrawn_from(self, world: World) -> None:
        window = window_of(world.decide(order__delivered_last_at=None, parcel__status="in_transit"))
        assert window.open is True
        assert window.ends_at is None

    def test_a_request_before_the_delivery_is_in_time(self, world: World) -> None:
        assert window_of(world.decide(claim__filed_at=day("2026-10-01"))).open is True

    def test_without_the_time_of_filing_only_an_open_window_is_sure(self, world: World) -> None:
        late = {"claim__filed_at": None, "at": day("2026-11-17")}
        assert window_of(world.decide(claim__filed_at=None, at=day("2026-11-16T10:00"))).open is True
        assert window_of(world.decide(**late)).open is None

    def test_an_unlimited_window_never_ends(self, world: World) -> None:
        body = "windows: [{id: ever, right: withdrawal, unlimited: true, start: placed}]\n"
        window = window_of(world.decide(body, claim__filed_at=day("2036-01-01")))
        assert (window.open, window.unlimited, window.ends_at) == (True, True, None)
        assert window.ground is not None
        assert window.ground.row == "ever"

    @pytest.mark.parametrize(
        ("placed", "filed", "open_"),
        [
            ("2025-11-01T00:00", "2026-01-31T23:59:59", True),
            ("2025-12-31T23:59", "2026-01-31T23:59:59", True),
            ("2025-12-31T23:59", "2026-02-01T00:00:00", False),
            ("2025-10-31T23:59", "2026-01-15T00:00:00", False),
        ],
    )
    def test_vector_27_a_season_goes_by_the_day_of_purchase_its_last_day_included(
        self, world: World, placed: str, filed: str, open_: bool
    ) -> None:
        known = {"order__delivered_last_at": day("2025-11-05"), "ticket__connector": "amazon", **US}
        window = window_of(world.decide(order__placed_at=day(placed), claim__filed_at=day(filed), **known))
        assert window.open is open_

    def test_a_season_nobody_can_rule_out_leaves_it_open(self, world: World) -> None:
        known = {"order__delivered_last_at": day("2025-11-05"), "ticket__connector": "amazon", **US}
        window = window_of(world.decide(claim__filed_at=day("2026-01-15"), **known))
        assert window.open is None
        assert "order.placed_at is missing" in window.why

    def test_of_two_seasons_the_longer_counts(self, world: World) -> None:
        one = "{bought_from: 2026-10-01, bought_until: 2026-12-31, until: 2027-01-15}"
        other = "{bought_from: 2026-10-01, bought_until: 2026-12-31, until: 2027-01-31}"
        for seasons in (f"[{one}, {other}]", f"[{other}, {one}]"):
            body = mine(14, f"start: delivered_last, seasons: {seasons}")
            window = window_of(world.decide(body, head=ONLY_MINE, order__placed_at=day("2026-10-30")))
            assert window.ends_at == day("2027-02-01")

    def test_a_season_never_shortens(self, world: World) -> None:
        known = {"order__delivered_last_at": day("2026-01-20"), "ticket__connector": "amazon", **US}
        decision = world.decide(order__placed_at=day("2025-12-31"), claim__filed_at=day("2026-02-19"), **known)
        assert window_of(decision).open is True


class TestExceptions:
    def test_an_exception_takes_the_laws_right_away_and_is_named(self, world: World) -> None:
        decision = world.decide(item__custom=True)
        window = window_of(decision)
        assert window.open is False
        assert window.why == "no right of withdrawal: custom of law-x, Directive X, Art 16"
        assert window.ground is not None
        assert (window.ground.row, window.ground.page) == ("custom", "Directive X, Art 16")

    def test_an_exception_of_the_law_does_not_shorten_the_sellers_own_offer(self, world: World) -> None:
        window = window_of(world.decide(mine(30), item__custom=True))
        assert window.open is True
        assert window.ground is not None
        assert window.ground.row == "ours"

    @pytest.mark.parametrize("unsealed", [True, False, None])
    def test_evidence_that_is_missing_makes_a_person_decide(self, world: World, unsealed: bool | None) -> None:
        decision = world.decide(order__category=("hygiene",), item__unsealed=unsealed)
        assert window_of(decision).open is {True: False, False: True, None: None}[unsealed]
        assert bool(decision.asks) is (unsealed is None)
        if unsealed is None:
            assert "cannot rule out hygiene of law-x, Directive X, Art 16" in decision.asks[0].why

    @pytest.mark.parametrize(
        ("consent", "acknowledged", "consent_at", "open_"),
        [
            (True, True, "2026-11-02", False),
            (True, False, "2026-11-02", True),
            (False, True, "2026-11-02", True),
            (True, True, None, None),
            (None, True, "2026-11-02", None),
            (None, False, "2026-11-02", True),
        ],
    )
    def test_f24_digital_goods_depend_on_consent_and_its_proof(
        self, world: World, consent: bool | None, acknowledged: bool, consent_at: str | None, open_: bool | None
    ) -> None:
        decision = world.decide(
            item__digital=True,
            digital__consent=consent,
            digital__acknowledged=acknowledged,
            digital__consent_at=day(consent_at) if consent_at else None,
        )
        assert window_of(decision).open is open_
        assert bool(decision.asks) is (open_ is None)

    def test_several_exceptions_nobody_can_rule_out_are_told_in_one_breath(self, world: World) -> None:
        (ask,) = world.decide(item__custom=None, item__digital=None).asks
        said = "cannot rule out the exceptions custom, downloaded of law-x: nobody knows digital.acknowledged,"
        assert said in ask.why
        assert "item.custom, item.digital" in ask.why


class TestLayers:
    def test_f18_a_german_buyer_gets_the_floor_though_the_pack_says_seven(self, world: World) -> None:
        body = mine(7, "start: delivered_last, timezone: Europe/Berlin, yields: true")
        german, american = world.decide(body), world.decide(body, **US)
        assert window_of(german).open is True
        assert window_of(german).ground is not None
        assert str(window_of(german).ground) == "law: law-x, row withdrawal, Directive X, Art 9"
        assert window_of(american).open is False
        assert window_of(american).ends_at == datetime(2026, 11, 10, tzinfo=BERLIN)
        (lost,) = [row for row in german.trace.rows if row.row == "ours"]
        assert lost.outcome is Outcome.HOLDS
        assert "withdrawal of law-x is better for the buyer" in lost.notes

    def test_the_latest_end_of_law_marketplace_and_own_counts(self, world: World) -> None:
        amazon = {"ticket__connector": "amazon", "claim__filed_at": day("2026-11-25")}
        assert window_of(world.decide(**amazon)).ground.row == "thirty"
        assert window_of(world.decide(mine(60), **amazon)).ground.row == "ours"
        assert window_of(world.decide(mine(60), **amazon)).ends_at == day("2027-01-02")

    def test_where_nothing_binds_there_is_no_such_right(self, world: World) -> None:
        decision = world.decide(**US)
        assert window_of(decision).open is False
        assert window_of(decision).why == "no row that binds here gives a right of withdrawal"

    def test_without_the_country_nobody_can_tell_whether_the_law_binds(self, world: World) -> None:
        decision = world.decide(order__country=None)
        assert window_of(decision).open is None
        assert "fact order.country is missing" in decision.asks[0].why

    def test_what_is_open_by_the_own_offer_needs_no_law(self, world: World) -> None:
        window = window_of(world.decide(mine(60), order__country=None))
        assert (window.open, window.ends_at) == (True, day("2027-01-02"))
        shorter = mine(12, "start: delivered_last, yields: true")
        window = window_of(world.decide(shorter, order__country=None, claim__filed_at=day("2026-11-10")))
        assert (window.open, window.ends_at, window.days_left) == (True, None, None)
        assert "perhaps longer: cannot tell whether row withdrawal of law-x counts" in window.why

    def test_f17_the_most_specific_row_of_a_pack_counts_and_is_named(self, world: World) -> None:
        body = (
            "windows:\n"
            "  - {id: all, right: withdrawal, days: 60, start: delivered_last}\n"
            "  - {id: tv, right: withdrawal, days: 20, start: delivered_last, when: {category: [tv]}, yields: true}\n"
            "  - {id: tv-dear, right: withdrawal, days: 40, start: delivered_last,"
            ' when: {category: [tv], amount: {from: "500.00 EUR"}}}\n'
        )
        from aftersail.core.contract import Money

        def row(**known: object) -> str:
            return window_of(world.decide(body, claim__filed_at=day("2026-11-05"), **US, **known)).ground.row

        cheap, dear = Money.of("499.99", "EUR"), Money.of("500", "EUR")
        assert row() == "all"
        assert row(order__category=("tv", "x"), order__total=cheap) == "tv"
        assert row(order__category=("tv",), order__total=dear) == "tv-dear"
        decision = world.decide(body, order__category=("tv",), order__total=dear, **US)
        assert "the more specific row tv-dear counts" in [
            note for trace in decision.trace.rows if trace.row == "tv" for note in trace.notes
        ]

    def test_a_row_nobody_can_tell_about_decides_only_where_it_makes_no_difference(self, world: World) -> None:
        body = (
            "windows:\n"
            "  - {id: all, right: withdrawal, days: 60, start: delivered_last}\n"
            "  - {id: tv, right: withdrawal, days: 20, start: delivered_last, when: {category: [tv]}, yields: true}\n"
        )
        unknown = {"order__category": None, **US}
        assert window_of(world.decide(body, claim__filed_at=day("2026-11-10"), **unknown)).open is True
        assert window_of(world.decide(body, claim__filed_at=day("2026-12-10"), **unknown)).open is None
        assert window_of(world.decide(body, claim__filed_at=day("2027-12-10"), **unknown)).open is False


class TestUnverifiedAndStale:
    RUMOUR = MARKET.replace("timezone: UTC, source: help", "timezone: UTC, source: rumour")

    def test_a_row_nobody_verified_never_decides_alone(self, world: World) -> None:
        world.write("market-m", self.RUMOUR)
        amazon = {"ticket__connector": "amazon"}
        in_time, late = {"claim__filed_at": day("2026-11-25")}, {"claim__filed_at": day("2027-06-01")}
        placed = {"order__placed_at": day("2026-10-30")}
        # Neither may it give, nor may it refuse.
        for filed in (in_time, late):
            decision = world.decide(**amazon, **US, **filed, **placed)
            assert window_of(decision).open is None
            assert "row thirty of market-m is not verified" in decision.asks[0].why
        # Where the law gives the same answer, it is not alone.
        assert window_of(world.decide(**amazon, **placed)).open is True
        assert window_of(world.decide(**amazon, **late, **placed)).open is False
        assert window_of(world.decide(**amazon, **in_time, **placed)).open is None

    def test_an_unverified_row_warns(self, world: World) -> None:
        world.write("market-m", self.RUMOUR)
        decision = world.decide(ticket__connector="amazon", order__placed_at=day("2026-10-30"))
        assert any(
            "A forum, of market-m (row thirty): nobody has verified it" in w for w in decision.entitlement.warnings
        )

    @pytest.mark.parametrize(("at", "warns"), [("2027-06-01", False), ("2027-06-02", True)])
    def test_a_row_older_than_a_year_warns_at_the_instant_of_the_decision(
        self, world: World, at: str, warns: bool
    ) -> None:
        decision = world.decide(at=day(at))
        said = [w for w in decision.entitlement.warnings if "nobody has looked it up since 2026-06-01" in w]
        assert bool(said) is warns
        assert window_of(decision).open is True


class TestFactsOfTheWindow:
    RULES = (
        "authority: {automation: '20.00 EUR'}\n"
        "rules:\n"
        "  - {id: late, priority: 2, when: '!window.open', then: [{flag: late}]}\n"
        "  - {id: soon, priority: 1, when: window.open && window.days_left <= 3, then: [{flag: soon}]}\n"
        "  - {id: until, priority: 1, when: 'window.ends_at > timestamp(\"2026-11-17T00:00:00Z\")', then: [{tag: t}]}\n"
    )

    def marks(self, decision: Decision) -> list[str]:
        return [action.name for action in decision.actions if action.kind in {"flag", "tag"}]

    def test_rules_can_ask_about_the_window(self, world: World) -> None:
        assert self.marks(world.decide(self.RULES)) == ["soon"]
        assert self.marks(world.decide(self.RULES, claim__filed_at=day("2026-11-17"))) == ["late"]
        later = {"order__delivered_last_at": day("2026-11-16")}
        assert self.marks(world.decide(self.RULES, **later)) == ["t"]
        assert world.decide(self.RULES).trace.facts["window.open"] == "yes"

    def test_a_window_nobody_can_tell_about_is_no_false(self, world: World) -> None:
        decision = world.decide(self.RULES, order__delivered_last_at=None)
        assert self.marks(decision) == []
        assert "order.delivered_last_at is missing" in decision.trace.missing["window.open"]

    def test_nothing_is_claimed_by_a_question(self, world: World) -> None:
        decision = world.decide(self.RULES, ticket__reason="product_question")
        assert decision.entitlement is None
        assert "nothing is claimed" in decision.trace.missing["window.open"]
        assert not decision.asks

    def test_a_right_no_row_speaks_of_is_neither_given_nor_lost(self, world: World) -> None:
        decision = world.decide(self.RULES, ticket__reason="not_received")
        assert self.marks(decision) == []
        assert decision.entitlement.window is None
        assert decision.trace.missing["window.open"] == "no row about windows speaks of a right of not received"

    @pytest.mark.parametrize("section", ["tiers: [{tier: a, when: window.open}]\n"])
    def test_only_rules_can_ask_for_it(self, world: World, section: str) -> None:
        (problem,) = world.problems(section)
        assert "worked out" in problem.message


@given(
    delivered=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 - the zone is drawn below
    days=st.integers(1, 90),
    count_start_day=st.booleans(),
    roll_over=st.booleans(),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland", "UTC"]),
    offset=st.integers(-3, 3),
)
def test_the_end_is_the_midnight_a_brute_force_count_finds(
    delivered: datetime, days: int, count_start_day: bool, roll_over: bool, zone: str, offset: int
) -> None:
    """Walk day by day, as one would with a finger on a wall calendar."""
    tz = ZoneInfo(zone)
    start = delivered.replace(tzinfo=tz)
    working = Calendar.build(CalendarSpec(id="d", timezone=zone, hours="Mo-Fr 00:00-24:00"))
    today, left = start.date(), days - count_start_day
    while left:
        today, left = today + timedelta(days=1), left - 1
    while roll_over and today.weekday() > 4:
        today += timedelta(days=1)
    ends = datetime.combine(today + timedelta(days=1), datetime.min.time(), tz)
    row = WindowRow.model_validate(
        {
            "id": "w",
            "right": "withdrawal",
            "days": days,
            "start": "delivered_last",
            "count_start_day": count_start_day,
            "roll_over": roll_over,
            "calendar": "d",
        }
    )
    filed = ends + timedelta(seconds=offset)
    end = end_of(row, working, make_facts({"order.delivered_last_at": start, "claim.filed_at": filed}), AT)
    assert end.ends_at == ends
    assert end.open is (offset < 0)

from __future__ import annotations

from datetime import timedelta

import pytest
from selectolax.lexbor import LexborHTMLParser

from aftersail.core.clocks import Metric, Source, SourceKind, from_deadline
from aftersail.core.desk.solutions import solutions_for
from aftersail.core.store import tables
from tests.web.filling import HOSTILE

PAGES = ["/", "/?state=all", "/refunds", "/channels", "/figures", "/figures?days=90"]


def parse(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return LexborHTMLParser(answer.text)


def texts(page, selector):
    return [" ".join(node.text(separator=" ").split()) for node in page.css(selector)]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_on_an_empty_desk(client, path):
    assert parse(client, path).css_first("main h1")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_harmless_and_complete(client, full_ticket, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=https" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    page = LexborHTMLParser(answer.text)
    assert page.css_first("html").attributes["lang"] == "en"
    for landmark in ("header nav[aria-label]", "main#main", "footer", "a.skip"):
        assert page.css_first(landmark)
    for outside in page.css("script[src], link[href], img[src]"):
        address = outside.attributes.get("src") or outside.attributes.get("href")
        assert address.startswith("/static/"), address
    for field in page.css("select"):
        assert field.parent.tag == "label"
    assert not page.css("[style], [onclick], script:not([src]), style")


def test_the_inbox_lists_open_tickets_the_most_urgent_first(client, full_ticket):
    page = parse(client, "/")
    subjects = texts(page, "td.subject a")
    assert subjects == ["Wo bleibt mein Paket?", "My lamp arrived broken", "注文した商品が届きません", HOSTILE]
    rows = texts(page, "tbody tr")
    assert "2 h 5 min late" in rows[0]
    assert "in 1 h 20 min" in rows[1]
    assert "marketplace: amazon" in rows[1]
    assert "platform deadline" in rows[1]
    assert "no clock runs" in rows[2]
    assert "late" in page.css("time.due")[0].attributes["class"]
    assert page.css("time.due")[1].attributes["title"] == "2026-01-05 10:20:00 UTC"


def test_the_inbox_filters_by_state_and_channel(client, full_ticket):
    assert texts(parse(client, "/?state=closed"), "td.subject a") == ["Thanks, all good"]
    assert len(parse(client, "/?state=all").css("tbody tr")) == 5
    assert texts(parse(client, "/?channel=amazon-de"), "td.subject a") == ["Wo bleibt mein Paket?"]
    assert parse(client, "/?state=waiting").css_first(".empty")
    assert len(parse(client, "/?state=nonsense").css("tbody tr")) == 4


def test_the_inbox_refreshes_itself_with_what_is_chosen(client, full_ticket):
    section = parse(client, "/?state=all&channel=shop").css_first("#inbox")
    assert section.attributes["hx-get"] == "/?state=all&channel=shop"
    assert section.attributes["hx-trigger"] == "every 15s"
    assert section.attributes["hx-select"] == "#inbox"


def test_a_long_inbox_has_pages(client, filling):
    filling.channel()
    for number in range(53):
        filling.ticket(subject=f"Ticket {number}")
    first, second = parse(client, "/"), parse(client, "/?page=2")
    assert len(first.css("tbody tr")) == 50
    assert len(second.css("tbody tr")) == 3
    assert first.css_first("a[rel=next]").attributes["href"] == "/?state=open&page=2"
    assert second.css_first("a[rel=prev]").attributes["href"] == "/?state=open&page=1"
    assert len(parse(client, "/?page=-7").css("tbody tr")) == 50


def test_a_ticket_shows_everything(client, full_ticket):
    page = parse(client, f"/tickets/{full_ticket}")
    body = page.css_first("main").text()
    for known in (
        "Ada Example",
        "It came in two pieces.",
        "We are sorry. We look at it today.",
        "#1001",
        "Desk lamp, brass",
        "JD0146000012345",
        "return request",
        "approve, decline",
        "marketplace: amazon",
        "deadline set by the platform",
        "first response",
        "by policy starter, version 1",
        "What counted",
        "the amount is above what automation may pay",
        "19.99 EUR",
        "ticket opened",
        "lamp<b>.jpg",
        "240.3 kB",
    ):
        assert known in body, known
    assert [node.attributes["href"] for node in page.css(".task a")] == ["https://shop.example/orders/1001"]


def test_hostile_text_is_shown_and_never_run(client, full_ticket):
    answer = client.get(f"/tickets/{full_ticket}")
    assert "<script>alert" not in answer.text
    assert "javascript:" not in answer.text
    page = LexborHTMLParser(answer.text)
    assert f"It came in two pieces. {HOSTILE}" in [node.text() for node in page.css(".message .text")]
    assert not page.css("main script, main img")


def test_a_trace_of_another_version_is_shown_as_it_was_stored(client, filling):
    filling.channel()
    ticket = filling.ticket()
    decision = {
        "pack_id": "starter",
        "pack_version": 9,
        "summary": "paid",
        "facts": {},
        "body": {"verdict": "<b>yes</b>"},
    }
    filling.add(tables.decision, ticket=ticket, at=filling.now, **decision)
    trace = parse(client, f"/tickets/{ticket}").css_first("pre.trace").text()
    assert "another version" in trace
    assert '"verdict": "<b>yes</b>"' in trace


@pytest.mark.parametrize("path", ["/tickets/999", f"/tickets/{2**70}", "/nowhere", "/tickets/abc"])
def test_what_is_not_there_is_told_on_a_page(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    page = LexborHTMLParser(answer.text)
    assert "There is no" in page.css_first("h1").text()
    assert answer.headers["x-frame-options"] == "DENY"


def test_channels_show_their_health(client, full_ticket):
    rows = texts(parse(client, "/channels"), "tbody tr")
    assert "failing" in rows[0]
    assert "aftersail channel renew ebay-uk" in rows[1]
    assert "well" in rows[2]


def test_the_ledger_shows_what_was_booked_and_what_nobody_knows(client, full_ticket):
    page = parse(client, "/refunds")
    rows = texts(page, "tbody tr")
    assert len(rows) == 3
    assert any("19.99 EUR booked 19.90 EUR settled" in row for row in rows)
    assert any("2400 JPY unknown" in row and "did not answer in time" in row for row in rows)
    assert len(parse(client, "/refunds?state=planned").css("tbody tr")) == 1


def test_figures_count_the_window(client, full_ticket):
    tiles = texts(parse(client, "/figures"), ".tile")
    assert "5 tickets filed" in tiles
    assert "2 messages from buyers" in tiles
    assert "19.90 EUR in 1 refund settled" in tiles
    assert "1 refund given to a person" in tiles


@pytest.mark.parametrize(
    "path", ["vendor/pico/pico.min.css", "vendor/htmx/htmx.min.js", "desk.css", "desk.js", "icon.svg"]
)
def test_static_files_are_served_from_here(client, path):
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get(f"/static/{path}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["vendor/pico/LICENSE.md", "vendor/htmx/LICENSE"])
def test_vendored_files_carry_their_licence(client, path):
    assert "permission" in client.get(f"/static/{path}").text.lower()


def test_f25_a_ticket_shows_its_return_and_label(client, filling, full_ticket):
    label = {"external_id": "L1", "parcel": {"tracking_number": "TL1"}, "url": "https://labels.example/L1"}
    settled = {"kind": "label", "state": "settled", "amount": None, "currency": None}
    filling.remedy(full_ticket, "label", **settled, result=label | {"cost": {"amount": "4.50", "currency": "EUR"}})
    row = {"key": "k", "number": "RMA-1-1", "ticket": full_ticket, "channel": "shop", "order_id": "o-1001"}
    row |= {"lines": ["l1"], "label": "label", "opened_at": filling.now, "opened_by": "ada"}
    filling.add(tables.rma, **row)
    page = parse(client, f"/tickets/{full_ticket}")
    (shown,) = texts(page, "article.return")
    assert "RMA-1-1" in shown
    assert "label settled" in shown
    assert "Parcel TL1 , 4.50 EUR" in shown
    assert page.css_first("article.return a").attributes["href"] == "https://labels.example/L1"
    assert client.get(f"/api/tickets/{full_ticket}").json()["returns"][0]["label_cost"] == "4.50 EUR"


def test_a_ticket_shows_what_was_seen_of_its_return(client, filling, full_ticket):
    row = {"channel": "shop", "order_id": "o-1001", "ticket": full_ticket, "opened_at": filling.now, "opened_by": "ada"}
    for name in ("RMA-1-1", "RMA-1-2", "RMA-1-3"):
        filling.add(tables.rma, **row, key=name, number=name, lines=["l1"])
    event = {"at": filling.now, "channel": "shop", "ticket": full_ticket, "actor": "ada"}
    for kind, rma, at in (
        ("return_proof", "RMA-1-1", "2026-01-02T10:00:00+00:00"),
        ("return_proof", "RMA-1-2", "2026-01-02T11:00:00+00:00"),
        ("goods_back", "RMA-1-2", "2026-01-03T12:00:00+00:00"),
    ):
        filling.add(tables.event, **event, kind=kind, data={"rma": rma, "at": at})
    shown = texts(parse(client, f"/tickets/{full_ticket}"), "article.return")
    assert [text.partition("Lines l1 ")[2] for text in shown] == [
        "On its way, proved 2026-01-02 10:00:00 UTC",
        "Back here 2026-01-03 12:00:00 UTC",
        "Neither goods nor proof yet",
    ]


def appeal(filling, ticket, **values):
    source = Source(kind=SourceKind.OWN, name="appeal")
    clock = from_deadline(Metric.APPEAL_ANSWERED, filling.now, filling.now + timedelta(hours=24), source)
    row = {"ticket": ticket, "kind": "appeal", "state": "open", "lodged_by": "mail", "why": HOSTILE, "reviewer": "sue"}
    row |= {"filed_at": filling.now, "opened_by": "ann", "clock": filling.clock(ticket, clock)}
    return filling.add(tables.appeal, **(row | values))


def test_f31_to_f33_a_ticket_shows_its_appeals_and_mediation(client, filling, full_ticket):
    address = f"/tickets/{full_ticket}"
    assert parse(client, address).css_first("#appeals") is None
    decided = {"state": "denied", "decided_at": filling.now, "decided_by": "sam", "note": "the photo shows nothing"}
    appeal(filling, full_ticket, **decided)
    appeal(filling, full_ticket, kind="mediation", mediator="Chamber of Trade", reviewer=None)
    until = filling.now + timedelta(days=3)
    granted = decided | {"state": "granted", "note": "we were wrong", "extended_until": until}
    appeal(filling, full_ticket, kind="objection", **granted)
    appeal(filling, full_ticket, state="review", taken_at=filling.now)
    answer = client.get(address)
    assert HOSTILE not in answer.text
    first, second, third, last = texts(LexborHTMLParser(answer.text), "article.appeal")
    assert "denied by sam" in first
    assert "the photo shows nothing" in first
    assert "Mediated by Chamber of Trade , answer due in 1 d" in second
    assert f"Service extended until {until:%Y-%m-%d %H:%M:%S} UTC" in third
    assert "To be decided by sue , under review since" in last
    told = client.get(f"/api{address}").json()["appeals"]
    assert [each["state"] for each in told] == ["denied", "open", "granted", "review"]


OURS = """\
solutions:
  - id: ours
    title: Send a new lamp
    reasons: damaged
    steps: [Look at the photo]
    remedies: [replacement, partial_refund]
    templates: [sorry]
"""


@pytest.mark.parametrize(("written", "before"), [(None, []), (OURS, ["Send a new lamp"]), ("solutions: 5", [])])
def test_f30_a_ticket_shows_what_usually_helps_the_sellers_own_first(
    client, full_ticket, app, tmp_path, written, before
):
    if written:
        file = tmp_path / "solutions.yaml"
        file.write_text(written, encoding="utf-8")
        desk = app.settings.desk.model_copy(update={"solutions": file})
        app.settings = app.settings.model_copy(update={"desk": desk})
    page = parse(client, f"/tickets/{full_ticket}")
    shipped = [solution.title for solution in solutions_for("damaged")]
    assert texts(page, "details.solution summary strong") == [*before, *shipped]
    own = "Send a new lamp may be offered: replacement, partial refund Look at the photo Templates: sorry"
    assert texts(page, "details.solution")[0].startswith(own if before else shipped[0])

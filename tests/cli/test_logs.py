"""What the daemon writes down while it works: which channel and ticket, and nothing about a person."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from aftersail.core.runtime.logs import configure_logs
from aftersail.core.runtime.settings import LogSettings
from aftersail.core.store import tables
from tests.cli.letters import letter
from tests.faults.shop import TOKEN


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_no_person_and_no_secret_is_in_any_line(open_desk, shop):
    text = open_desk.config.read_text()
    open_desk.config.write_text(f"{text}log: {{level: debug, json_lines: true}}\n")
    shop.buy_and_complain()
    shop.mail.deliver(letter(9999, text="My name is Zacharias Quill, Elm Street 7, and I want my money back."))
    shop.run_until_idle()
    shop.shop.fail_next("*", 500, times=50)
    open_desk("sync", code=1)
    shop.shop.heal()
    shop.buy_and_complain()
    shop.run_until_idle()
    assert len(shop.shop.ledger) == 2
    assert len(shop.mail.sent) >= 2
    log = shop.log()
    found = lines(log)
    ticket = {row.id for row in shop.rows(sa.select(tables.ticket.c.id))}
    moved = [each for each in found if each["event"] == "remedy_moved"]
    assert {"settled"} <= {each["became"] for each in moved}
    assert all(each["channel"] in {"mail", "shop"} and each["ticket"] in ticket for each in moved)
    assert {each["ticket"] for each in found if each["event"] == "judged"} == ticket
    assert {each["channel"] for each in found if each["event"] == "http_answer"} == {"shop"}
    stored = shop.rows(sa.select(tables.message.c.text, tables.message.c.subject))
    people = {row.buyer_name for row in shop.rows(sa.select(tables.ticket.c.buyer_name))} - {None, ""}
    assert people
    forbidden = [TOKEN, shop.mail.password, "@example.com", "Zacharias", "Quill", "Elm Street", "scratch", *people]
    forbidden += [line for row in stored for line in row.text.splitlines() if len(line) > 12]
    forbidden += [f"#{number}" for number in range(1001, shop.number + 1)]
    assert len(found) > 10
    assert [(word, line) for word in forbidden for line in log.splitlines() if word in line] == []


def test_what_platforms_and_databases_repeat_is_taken_out(capsys):
    import structlog

    configure_logs(LogSettings(json_lines=True))
    log = structlog.get_logger()
    log.warning("job_failed", error="550 <ada.example+x@buyer.example>: no such user", ticket=7)
    log.warning("job_failed", error='null value in column "x"\nDETAIL:  Failing row contains (Ada, Elm Street 7).')
    buyer = "Ada Example"
    engine = sa.create_engine("sqlite://", hide_parameters=False)
    try:
        with engine.connect() as conn:
            conn.execute(sa.text("select :who from nowhere"), {"who": buyer})
    except sa.exc.OperationalError:
        log.exception("request_failed")
    engine.dispose()
    said = capsys.readouterr().err
    assert [word for word in ("ada.example", "buyer.example", "Elm Street", buyer) if word in said] == []
    first = json.loads(said.splitlines()[0])
    assert (first["error"], first["ticket"]) == ("550 <***@***>: no such user", 7)


def test_the_databases_own_errors_quote_no_row(open_desk):
    from aftersail.core.runtime.settings import load_settings
    from aftersail.core.store.engine import open_engine

    engine = open_engine(load_settings(open_desk.config).database)
    with pytest.raises(sa.exc.OperationalError) as raised, engine.connect() as conn:
        conn.execute(sa.text("select :who from nowhere"), {"who": "Ada Example"})
    engine.dispose()
    assert "Ada Example" not in str(raised.value)

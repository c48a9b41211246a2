"""`aftersail return`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aftersail.core.store import tables
from aftersail.core.store.engine import open_engine
from tests.web.filling import Filling


@pytest.fixture
def filling(desk, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'aftersail.db'}")
    yield Filling(engine, datetime.now(UTC))
    engine.dispose()


@pytest.fixture
def ticket(filling):
    filling.channel("shop")
    return filling.ticket(orders_id=filling.order())


def test_f25_a_return_is_opened_once_and_shown(desk, ticket):
    said = desk("return", "open", str(ticket), "--label").stdout
    assert said.startswith(f"RMA-{ticket}-1: l1\n")
    assert "no API can buy its label: a task asks for it" in said
    assert desk("return", "open", str(ticket), "--line", "LAMP-7").stdout == f"RMA-{ticket}-1 was opened before: l1\n"
    told = desk.json("return", "open", str(ticket))
    assert (told["number"], told["new"], told["label"]) == (f"RMA-{ticket}-1", False, None)
    view = desk.json("ticket", "show", str(ticket))
    assert [rma["number"] for rma in view["returns"]] == [f"RMA-{ticket}-1"]
    assert [task["kind"] for task in view["tasks"]] == ["label_by_hand"]
    assert f"RMA-{ticket}-1: l1" in desk("ticket", "show", str(ticket)).stdout


def test_f25_a_label_is_shown_and_saved(desk, filling, ticket, tmp_path):
    desk("return", "open", str(ticket))
    number = f"RMA-{ticket}-1"
    assert "no label was asked for" in desk.fails("return", "label", number)
    file = {"filename": "label.pdf", "content_type": "application/pdf", "size": 4, "content": "JVBERg=="}
    label = {"external_id": "L1", "parcel": {"tracking_number": "TL1"}, "file": file}
    bought = {"kind": "label", "state": "settled", "amount": None, "currency": None}
    filling.remedy(ticket, "label", **bought, result=label)
    with filling.engine.begin() as conn:
        conn.execute(tables.rma.update().values(label="label"))
    path = tmp_path / "label.pdf"
    assert "parcel TL1, price unknown" in desk("return", "label", number, "--save", str(path)).stdout
    assert path.read_bytes() == b"%PDF"
    told = desk.json("return", "label", number)
    assert (told["parcel"]["tracking_number"], told["file"]["filename"]) == ("TL1", "label.pdf")
    assert "content" not in told["file"]
    filling.remedy(ticket, "link", **bought, result={**label, "file": None, "url": "https://labels.example/1"})
    with filling.engine.begin() as conn:
        conn.execute(tables.rma.update().values(label="link"))
    assert "it is at https://labels.example/1" in desk.fails("return", "label", number, "--save", str(path))


def test_f25_what_cannot_be_returned_says_why(desk, ticket):
    assert "no line 'l9'" in desk.fails("return", "open", str(ticket), "--line", "l9")
    assert "there is no ticket 77" in desk.fails("return", "open", "77")
    assert "there is no return RMA-9-9" in desk.fails("return", "label", "RMA-9-9")


def test_a_task_is_done(desk, filling, ticket):
    number = str(ticket)
    desk("return", "open", number, "--label")
    (task,) = desk.json("ticket", "show", number)["tasks"]
    assert f"{task['id']} label_by_hand" in desk("ticket", "show", number).stdout
    assert desk("ticket", "done", number, str(task["id"])).stdout == f"ticket {ticket}: label_by_hand is done\n"
    assert "has no open task" in desk.fails("ticket", "done", number, str(task["id"]))

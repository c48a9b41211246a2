"""`aftersail demo`: runs as a stranger would see it, and is honest when the ledgers differ."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aftersail.core.cli.demo import show


@pytest.mark.slow
@pytest.mark.parametrize("tampered", [False, True])
def test_the_demo_agrees_with_the_ledgers_or_ends_with_code_one(aftersail, tmp_path, monkeypatch, tampered):
    honest = show.print_summary

    def tamper(console, engine, stage, took, peak):
        if tampered:  # the shop has booked one more than the desk knows of
            stage.shop.refund_by_hand(next(iter(stage.shop.orders.values())), "1.00")
        return honest(console, engine, stage, took, peak)

    monkeypatch.setattr(show, "print_summary", tamper)
    result = aftersail("demo", "--folder", str(tmp_path / "demo"), "--seconds", "110", code=int(tampered))
    assert ("DIFFERS" in result.stdout) is tampered
    assert (str(Decimal("1.00")) in result.stdout.partition("only in the ledger")[2]) is tampered
    assert "answers sent" in result.stdout
    assert "refunds settled" in result.stdout


def test_a_folder_that_holds_something_else_is_left_alone(aftersail, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("do not lose this")
    said = aftersail.fails("demo", "--folder", str(tmp_path / "mine"))
    assert "holds something that is no earlier demo; choose another --folder" in said
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_simulator_that_is_not_installed_names_what_to_install(aftersail, tmp_path, monkeypatch):
    from aftersail.core.cli.demo import stage

    monkeypatch.setattr(stage, "entry_points", lambda **_: ())
    said = aftersail.fails("demo", "--folder", str(tmp_path / "demo"))
    assert "pip install 'aftersail-email[simulator]'" in said
    assert not (tmp_path / "demo").exists()

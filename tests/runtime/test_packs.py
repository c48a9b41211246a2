"""A process that runs reads what is put in force meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftersail.core import packs as shipped
from aftersail.core.desk.activation import activate, propose_file
from aftersail.core.runtime.app import App
from aftersail.core.runtime.daemon import Daemon
from aftersail.core.runtime.settings import Settings
from aftersail.core.store.unit import unit_of_work

STARTER = (Path(shipped.__file__).parent / "starter.yaml").read_text(encoding="utf-8")


@pytest.fixture
def app(desk, tmp_path):
    folder = tmp_path / "packs"
    folder.mkdir()
    with App(Settings(database=desk.url, packs=folder), tmp_path, plugins=False, now=desk.clock.now) as opened:
        yield opened


def put_in_force(app, tmp_path, version, **changes):
    """As another process does it."""
    path = tmp_path / "draft.yaml"
    text = STARTER.replace("version: 1", f"version: {version}")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    with App(app.settings, tmp_path, plugins=False, now=app.now) as other:
        proposal = propose_file(other.packs, path)
        with unit_of_work(other.engine, other.now()) as unit:
            return activate(unit, other.settings.packs, proposal, "ann")


def test_f26_the_daemon_judges_by_a_version_that_was_put_in_force_while_it_runs(app, tmp_path):
    services, daemon = app.services, Daemon(app)
    daemon._tick(app.now())
    assert services.packs.versions("starter") == (1,)
    put_in_force(app, tmp_path, 2)
    assert services.packs.versions("starter") == (1,)
    daemon._tick(app.now())
    assert services.packs.versions("starter") == (1, 2)
    assert services.packs.in_force("starter", app.now()).version == 2


def test_packs_are_read_again_only_after_an_activation(app, tmp_path, monkeypatch):
    app.refresh_packs()
    put_in_force(app, tmp_path, 2)
    app.refresh_packs()
    monkeypatch.setattr(app, "_read_packs", lambda: pytest.fail("nothing was put in force since"))
    app.refresh_packs()


def test_a_broken_file_leaves_the_packs_as_they_were_and_is_told(app, tmp_path, logged):
    assert app.packs.versions("starter") == (1,)
    put_in_force(app, tmp_path, 2)
    (tmp_path / "packs" / "broken.yaml").write_text("id: [", encoding="utf-8")
    app.refresh_packs()
    app.refresh_packs()
    (line,) = [line for line in logged if line["event"] == "packs_not_read"]
    assert "broken.yaml:1:" in line["detail"]
    assert app.packs.versions("starter") == (1,)


def test_f26_a_machine_without_the_file_is_told(app, tmp_path, logged):
    assert app.packs.versions("starter") == (1,)
    put_in_force(app, tmp_path, 2).unlink()
    app.refresh_packs()
    (line,) = [line for line in logged if line["event"] == "pack_missing"]
    assert line["pack"] == "starter@2"
    assert "folder of packs on this machine" in line["fix"]

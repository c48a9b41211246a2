"""Putting versions of a pack in force and going back, on the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aftersail.core import packs as shipped
from aftersail.core.desk.activation import (
    ActivationError,
    Proposal,
    activate,
    activations,
    from_now,
    newest_activation,
    propose_file,
    propose_rollback,
    propose_version,
)
from aftersail.core.policy import PackError, PackLibrary
from aftersail.core.policy.examples import examples_beside
from aftersail.core.store import tables
from tests.builders import Desk, letter, migrate, page
from tests.databases import Databases

SHIPPED = Path(shipped.__file__).parent
STARTER = (SHIPPED / "starter.yaml").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 22, 12, 0, 0, 500, tzinfo=UTC)


class Seller:
    """A desk whose packs are the shipped ones and those in a folder of its own."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.drafts = folder.parent / "drafts"
        for each in (folder, self.drafts):
            each.mkdir()

    @property
    def packs(self) -> PackLibrary:
        return PackLibrary([SHIPPED, self.folder])

    def draft(self, *changes: tuple[str, str], name: str = "draft.yaml") -> Path:
        text = STARTER
        for old, new in (("version: 1", "version: 2"), *changes):
            assert old in text
            text = text.replace(old, new, 1)
        path = self.drafts / name
        path.write_text(text, encoding="utf-8")
        return path

    def put(self, proposal: Proposal) -> Path | None:
        return self.desk.do(lambda unit: activate(unit, self.folder, proposal, "ann"))

    def judge(self) -> None:
        """Have a request decided that was filed an hour ago."""
        script = self.desk.add("shop")
        filed = letter("m1").model_copy(update={"sent_at": self.desk.now - timedelta(hours=1)})
        script.messages.pages = [page(filed)]
        self.desk.sync("shop")


@pytest.fixture
def seller(databases: Databases, tmp_path: Path) -> Iterator[Seller]:
    with Desk(databases.fresh("store", migrate), NOW) as desk:
        yield Seller(desk, tmp_path / "packs")


LATER = ("effective_from: 2023-11-01", "effective_from: 2026-12-01")
MORE = ("percent: 50", "percent: 60")


def test_f26_activation_copies_the_file_and_writes_down_who_did_it(seller: Seller) -> None:
    proposal = propose_file(seller.packs, seller.draft(LATER, MORE))
    assert (proposal.name, proposal.stored) == ("starter@2", False)
    assert "rules minor-defect-small, then.refund.percent: 50 becomes 60" in str(proposal.differs)
    path = seller.put(proposal)
    assert path == seller.folder / "starter-2.yaml"
    assert path.read_bytes() == proposal.content
    packs = seller.packs
    assert packs.in_force("starter", NOW).version == 1
    assert packs.in_force("starter", datetime(2026, 12, 1, tzinfo=UTC)).version == 2
    (row,) = seller.desk.rows(tables.pack_activation)
    assert (row.pack_id, row.version, row.hash) == ("starter", 2, proposal.hash)
    assert (row.activated_at, row.activated_by) == (NOW, "ann")
    assert row.effective_from == datetime(2026, 12, 1, tzinfo=UTC)
    assert "50 becomes 60" in row.summary
    with seller.desk.engine.connect() as conn:
        assert activations(conn).keys() == {("starter", 2)}
        assert newest_activation(conn) == row.id


def test_the_examples_of_a_file_go_with_it(seller: Seller) -> None:
    path = seller.draft(LATER)
    examples_beside(path).write_text("examples:\n  - {name: One, given: {}, expect: {}}\n", encoding="utf-8")
    written = seller.put(propose_file(seller.packs, path))
    assert written is not None
    assert examples_beside(written).read_bytes() == examples_beside(path).read_bytes()
    assert seller.packs.versions("starter") == (1, 2)


def test_f26_the_same_version_with_other_content_is_refused(seller: Seller) -> None:
    with pytest.raises(ActivationError, match=r"starter version 1 says something else .* version: 2"):
        propose_file(seller.packs, seller.draft(("version: 2", "version: 1"), MORE))
    seller.put(propose_file(seller.packs, seller.draft(LATER)))
    with pytest.raises(ActivationError, match=r"starter version 2 says something else .* version: 3"):
        propose_file(seller.packs, seller.draft(LATER, MORE))
    with pytest.raises(ActivationError, match="starter@2 is active already, since 2026-11-22 12:00 UTC"):
        seller.put(propose_file(seller.packs, seller.draft(LATER)))
    assert len(seller.desk.rows(tables.pack_activation)) == 1


def test_f26_the_store_remembers_a_version_whose_file_is_gone(seller: Seller) -> None:
    path = seller.put(propose_file(seller.packs, seller.draft(LATER)))
    assert path is not None
    path.unlink()
    with pytest.raises(ActivationError, match="was put in force at 2026-11-22 12:00 UTC with other content"):
        seller.put(propose_file(seller.packs, seller.draft(LATER, MORE)))
    assert not path.exists()
    assert seller.put(propose_file(seller.packs, seller.draft(LATER))) == path
    assert path.exists()
    assert len(seller.desk.rows(tables.pack_activation)) == 1


def test_a_version_that_counts_down_is_refused(seller: Seller) -> None:
    seller.put(propose_file(seller.packs, seller.draft(("version: 2", "version: 4"), LATER)))
    with pytest.raises(ActivationError, match="starter has version 4 already; count up: version: 5"):
        propose_file(seller.packs, seller.draft(("version: 2", "version: 3"), LATER, MORE))


def test_f26_a_version_may_begin_in_the_past_only_where_nothing_was_decided_since(seller: Seller) -> None:
    seller.judge()
    past = ("effective_from: 2023-11-01", "effective_from: 2026-11-22T10:59:59Z")
    with pytest.raises(ActivationError, match=r"ticket 1, filed since, is decided already; begin later: --from now"):
        seller.put(propose_file(seller.packs, seller.draft(past, MORE)))
    assert seller.desk.rows(tables.pack_activation) == []
    assert list(seller.folder.iterdir()) == []
    just = ("effective_from: 2023-11-01", "effective_from: 2026-11-22T11:00:01Z")
    assert seller.put(propose_file(seller.packs, seller.draft(just, MORE)))


def test_f26_a_file_may_begin_now_instead(seller: Seller) -> None:
    seller.judge()
    path = seller.draft(MORE)
    proposal = propose_file(seller.packs, path, from_now(NOW))
    written = seller.put(proposal)
    assert written is not None
    assert b"effective_from: 2026-11-22T12:00:11Z\n" in written.read_bytes()
    before, after = path.read_text().splitlines(), written.read_text().splitlines()
    assert [line for line in before if line not in after] == ["effective_from: 2023-11-01"]
    packs = seller.packs
    assert packs.in_force("starter", from_now(NOW)).version == 2
    assert packs.in_force("starter", from_now(NOW) - timedelta(microseconds=1)).version == 1


def test_f26_going_back_is_a_new_version_and_rewrites_nothing(seller: Seller) -> None:
    seller.put(propose_file(seller.packs, seller.draft(MORE), from_now(NOW)))
    seller.desk.now = later = NOW + timedelta(days=1)
    proposal = propose_rollback(seller.packs, "starter", later)
    assert proposal.name == "starter@3"
    assert "percent: 60 becomes 50" in str(proposal.differs)
    seller.put(proposal)
    packs = seller.packs
    for when, version in ((NOW, 1), (later, 2), (from_now(later), 3)):
        assert packs.in_force("starter", when).version == version
    first, last = (packs.draft("starter", version).content for version in (1, 3))
    same = {"version": 1, "effective_from": first.effective_from}
    assert last.model_copy(update=same) == first
    seller.desk.now = later + timedelta(days=1)
    assert "percent: 50 becomes 60" in str(propose_rollback(seller.packs, "starter", seller.desk.now).differs)


def test_f26_a_version_that_has_not_begun_never_begins_when_it_is_taken_back(seller: Seller) -> None:
    seller.put(propose_file(seller.packs, seller.draft(LATER, MORE)))
    seller.put(propose_rollback(seller.packs, "starter", NOW))
    packs = seller.packs
    begin = datetime(2026, 12, 1, tzinfo=UTC)
    assert packs.in_force("starter", begin).version == 3
    assert packs.in_force("starter", begin - timedelta(microseconds=1)).version == 1


def test_the_first_version_has_nothing_to_go_back_to(seller: Seller) -> None:
    with pytest.raises(ActivationError, match="starter@1 is the first version of its pack"):
        propose_rollback(seller.packs, "starter", NOW)


def test_a_version_of_the_folder_is_written_down_and_an_older_one_begins_anew(seller: Seller) -> None:
    (seller.folder / "mine.yaml").write_bytes(seller.draft(LATER, MORE).read_bytes())
    ahead = propose_version(seller.packs, "starter", 2, NOW)
    assert (ahead.name, seller.put(ahead)) == ("starter@2", None)
    december = datetime(2026, 12, 2, tzinfo=UTC)
    again = propose_version(seller.packs, "starter", 1, december)
    assert (again.name, again.pack.effective_from) == ("starter@3", from_now(december))


def test_without_a_folder_there_is_nowhere_to_put_it(seller: Seller) -> None:
    proposal = propose_file(seller.packs, seller.draft(LATER))
    with pytest.raises(ActivationError, match=r"name it in aftersail\.yaml: `packs: packs`"):
        seller.desk.do(lambda unit: activate(unit, None, proposal, "ann"))
    assert seller.desk.rows(tables.pack_activation) == []


def test_a_file_of_that_name_that_says_something_else_is_left_alone(seller: Seller) -> None:
    proposal = propose_file(seller.packs, seller.draft(LATER))
    other = seller.folder / "starter-2.yaml"
    other.write_text("nothing", encoding="utf-8")
    with pytest.raises(ActivationError, match="is there already and says something else"):
        seller.put(proposal)
    assert other.read_text() == "nothing"
    assert seller.desk.rows(tables.pack_activation) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("effective_from: 2023-11-01", 'effective_from: "2023-11-01T00:00:00+08:00"  # a remark, with a comma'),
        ("effective_from: 2023-11-01", "effective_from: '2023-11-01'"),
        ("effective_from: 2023-11-01", "effective_from: 2023-11-01 00:00:00+00:00"),
        ("version: 2\n", "version:   2   # two\n"),
    ],
)
def test_only_the_two_values_change_however_they_are_written(seller: Seller, old: str, new: str) -> None:
    path = seller.draft((old, new))
    proposal = propose_file(seller.packs, path, from_now(NOW))
    assert proposal.pack.effective_from == from_now(NOW)
    changed = [
        (one, two)
        for one, two in zip(path.read_text().splitlines(), proposal.content.decode().splitlines(), strict=True)
        if one != two
    ]
    ((one, two),) = changed
    assert one.partition("  #")[2] == two.partition("  #")[2]
    assert two.startswith("effective_from: 2026-11-22T12:00:11Z")


def test_a_file_that_cannot_be_changed_in_place_is_refused(seller: Seller) -> None:
    path = seller.draft(("effective_from: 2023-11-01", "effective_from: >-\n  2023-11-01"))
    with pytest.raises(PackError, match="cannot be replaced in place"):
        propose_file(seller.packs, path, from_now(NOW))

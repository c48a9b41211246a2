"""Putting a version of a pack in force, and going back to what was before: what was filed earlier never moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from aftersail.core.host.files import replace_file
from aftersail.core.policy import Pack, PackLibrary, PackNotFoundError
from aftersail.core.policy.compiled import content_hash
from aftersail.core.policy.diff import PackDiff, diff
from aftersail.core.policy.edition import edition
from aftersail.core.policy.examples import examples_beside
from aftersail.core.policy.loader import Draft, read_draft, read_file
from aftersail.core.store import tables
from aftersail.core.store.unit import Unit

LEAD: Final = timedelta(seconds=10)
"""How far ahead "from now on" lies: every process that judges reads the new file before it is in force."""

_FILE_MODE: Final = 0o644


class ActivationError(Exception):
    """A version cannot be put in force; the text names the fix."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A version that may be put in force.

    Attributes:
        content: the file as it will be written.
        draft: what it says.
        pack: the same with its parents.
        before: what is in force until it begins; None for the first version.
        differs: what changes, in words; None for the first version.
        origin: the file it comes from, whose examples go with it.
        stored: whether the packs already hold it, so that it only needs to be written down.
    """

    content: bytes
    draft: Draft
    pack: Pack
    before: Pack | None
    differs: PackDiff | None
    origin: Path
    stored: bool = False

    @property
    def name(self) -> str:
        """Id and version, as `id@version`."""
        return f"{self.pack.id}@{self.pack.version}"

    @property
    def hash(self) -> str:
        """SHA-256 of what the file says."""
        return content_hash(self.draft.content)


def propose_file(packs: PackLibrary, path: Path, effective_from: datetime | None = None) -> Proposal:
    """Propose a file as it is, or beginning at another instant.

    Raises:
        PackError: what is wrong with it.
        ActivationError: the packs have its id and version already, with other content.
    """
    content = read_file(path)
    draft = read_draft(content, str(path))
    if effective_from is not None:
        content, draft = edition(draft, effective_from=effective_from)
    known = _versions(packs, draft.content.id)
    stored = draft.content.version in known
    if stored and content_hash(packs.draft(*draft.key).content) != content_hash(draft.content):
        raise ActivationError(_taken(draft, packs.draft(*draft.key).document.name, max(known)))
    if not stored and known and draft.content.version < max(known):
        raise ActivationError(
            f"{draft.content.id} has version {max(known)} already; count up: version: {max(known) + 1}"
        )
    return _proposal(packs, content, draft, path, stored=stored)


def propose_again(packs: PackLibrary, pack_id: str, version: int, effective_from: datetime) -> Proposal:
    """Propose what an earlier version says as a new one, counted up, beginning at an instant.

    Raises:
        PackNotFoundError: there is no such pack or version.
        PackError: its file cannot be changed in place.
    """
    old = packs.draft(pack_id, version)
    content, draft = edition(old, version=max(packs.versions(pack_id)) + 1, effective_from=effective_from)
    return _proposal(packs, content, draft, Path(old.document.name))


def propose_version(packs: PackLibrary, pack_id: str, version: int, now: datetime) -> Proposal:
    """Propose a version the packs have: one that judges now, or will, is only written down; an older one begins anew.

    Raises:
        PackNotFoundError: there is no such pack or version.
        PackError: its file cannot be changed in place.
    """
    draft = packs.draft(pack_id, version)
    ahead = draft.content.effective_from > now
    if ahead or packs.in_force(pack_id, now).version == version:
        path = Path(draft.document.name)
        return _proposal(packs, read_file(path), draft, path, stored=True)
    return propose_again(packs, pack_id, version, from_now(now))


def propose_rollback(packs: PackLibrary, pack_id: str, now: datetime) -> Proposal:
    """Propose what was in force before the newest version; one that has not begun yet then never takes effect.

    Raises:
        ActivationError: nothing was in force before.
        PackNotFoundError: there is no such pack.
        PackError: the file cannot be changed in place.
    """
    newest = packs.latest(pack_id)
    try:
        previous = packs.in_force(pack_id, newest.effective_from - timedelta(microseconds=1))
    except PackNotFoundError:
        message = f"{pack_id}@{newest.version} is the first version of its pack; there is nothing to go back to"
        raise ActivationError(message) from None
    return propose_again(packs, pack_id, previous.version, max(from_now(now), newest.effective_from))


def activate(unit: Unit, folder: Path | None, proposal: Proposal, actor: str) -> Path | None:
    """Write a version into the seller's folder and into the store's history.

    Args:
        unit: the transaction.
        folder: the seller's folder of packs; None where the settings name none.
        proposal: the version.
        actor: who puts it in force.

    Returns:
        The file that was written; None where the packs hold it already.

    Raises:
        ActivationError: it would change what is decided already, or the version is taken.
    """
    known = _known(unit, proposal)
    written = None if proposal.stored else _target(folder, proposal)
    if known is None:
        _check_past(unit, proposal)
        row = _row(unit, proposal, actor)
        unit.conn.execute(sa.insert(tables.pack_activation), row)
        begins, before = row["effective_from"].isoformat(), proposal.before
        unit.record(
            "pack_activated",
            "",
            actor=actor,
            pack=row["pack_id"],
            before=before.version if before else None,
            after=row["version"],
            effective_from=begins,
            hash=row["hash"],
        )
    elif written is None:
        raise ActivationError(f"{proposal.name} is active already, since {known.activated_at:%Y-%m-%d %H:%M} UTC")
    if written is not None:
        beside = examples_beside(proposal.origin)
        if beside.is_file() and beside != examples_beside(written):
            replace_file(examples_beside(written), beside.read_bytes(), _FILE_MODE)
        replace_file(written, proposal.content, _FILE_MODE)
    return written


def _row(unit: Unit, proposal: Proposal, actor: str) -> dict[str, Any]:
    return {
        "pack_id": proposal.pack.id,
        "version": proposal.pack.version,
        "hash": proposal.hash,
        "effective_from": proposal.pack.effective_from,
        "activated_at": unit.now,
        "activated_by": actor,
        "summary": str(proposal.differs) if proposal.differs else "first version",
    }


def activations(conn: sa.Connection) -> dict[tuple[str, int], Any]:
    """Read who put which version in force, and when, by id and version."""
    rows = conn.execute(sa.select(tables.pack_activation).order_by(tables.pack_activation.c.id))
    return {(row.pack_id, row.version): row for row in rows}


def newest_activation(conn: sa.Connection) -> int:
    """Tell the newest activation from all before it; 0 where there is none."""
    return int(conn.scalar(sa.select(sa.func.max(tables.pack_activation.c.id))) or 0)


def from_now(now: datetime) -> datetime:
    """The instant that "from now on" means: a whole second, a little ahead."""
    return (now + LEAD).replace(microsecond=0) + timedelta(seconds=1)


def _proposal(packs: PackLibrary, content: bytes, draft: Draft, origin: Path, *, stored: bool = False) -> Proposal:
    pack = packs.build(draft)
    try:
        before = packs.in_force(pack.id, pack.effective_from - timedelta(microseconds=1))
    except PackNotFoundError:
        before = None
    differs = diff(before, pack) if before else None
    return Proposal(
        content=content, draft=draft, pack=pack, before=before, differs=differs, origin=origin, stored=stored
    )


def _versions(packs: PackLibrary, pack_id: str) -> tuple[int, ...]:
    return packs.versions(pack_id) if pack_id in packs.ids() else ()


def _taken(draft: Draft, where: str, newest: int) -> str:
    name = f"{draft.content.id} version {draft.content.version}"
    return f"{name} says something else in {where}; count up: version: {newest + 1}"


def _known(unit: Unit, proposal: Proposal) -> Any | None:
    """Find the version among those that were put in force before."""
    table, pack = tables.pack_activation, proposal.pack
    same = sa.select(table).where(table.c.pack_id == pack.id, table.c.version == pack.version)
    known = unit.conn.execute(same).first()
    if known is not None and known.hash != proposal.hash:
        raise ActivationError(
            f"{proposal.name} was put in force at {known.activated_at:%Y-%m-%d %H:%M} UTC with other content; "
            f"count up: version: {pack.version + 1}"
        )
    return known


def _check_past(unit: Unit, proposal: Proposal) -> None:
    """What was decided since a version begins must not seem to have been decided by it."""
    pack = proposal.pack
    if proposal.stored or pack.effective_from > unit.now:
        return
    ticket = tables.ticket
    judged = sa.select(ticket.c.id).where(ticket.c.filed_at >= pack.effective_from, ticket.c.pack_version.is_not(None))
    found = unit.conn.scalar(judged.order_by(ticket.c.filed_at, ticket.c.id).limit(1))
    if found is not None:
        raise ActivationError(
            f"{proposal.name} begins at {pack.effective_from.isoformat()}, and ticket {found}, filed since, is decided "
            "already; begin later: --from now, or another effective_from"
        )


def _target(folder: Path | None, proposal: Proposal) -> Path:
    if folder is None:
        raise ActivationError(
            "there is no folder for your packs; make one and name it in aftersail.yaml: `packs: packs`"
        )
    path = folder / f"{proposal.pack.id}-{proposal.pack.version}.yaml"
    if path.exists() and path.read_bytes() != proposal.content:
        raise ActivationError(f"{path} is there already and says something else; move it away")
    return path

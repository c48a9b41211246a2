"""The file of a backup: a tar of known members, its manifest first, whole or not there at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

MANIFEST: Final = "manifest.json"
SETTINGS: Final = "aftersail.yaml"
SECRETS: Final = "aftersail.secrets"
PACKS: Final = "packs"
DATABASE: Final = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
_FORMAT: Final = 1
_LEVEL: Final = 3  # a third of the time of the default level for a tenth more bytes
_CHUNK: Final = 1 << 20
_LARGEST_MANIFEST: Final = 1 << 20


class BackupError(Exception):
    """A backup cannot be made or restored; the text says why and what to do."""


class Manifest(BaseModel):
    """What a backup holds.

    Attributes:
        format: of the file; 1.
        version: of aftersail that made it.
        revision: of the schema.
        database: `sqlite` or `postgresql`.
        made_at: the instant the database stood so (UTC).
        counts: rows by table.
        sha256: of every other member, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = _FORMAT
    version: str
    revision: str
    database: Literal["sqlite", "postgresql"]
    made_at: datetime
    counts: Mapping[str, int]
    sha256: Mapping[str, str]


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Give a folder beside the target, on the same disk, that is gone afterwards whatever happened."""
    made = Path(tempfile.mkdtemp(prefix=".aftersail-backup-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_archive(target: Path, manifest: Manifest, members: Mapping[str, Path], work: Path) -> None:
    """Pack members into a file that was not there before.

    Args:
        target: the file.
        manifest: what stands in it.
        members: their files, by name.
        work: a folder on the same disk, for what is not whole yet.

    Raises:
        BackupError: the target is there already; it is left as it is.
        OSError: the disk is full; nothing is left.
    """
    partial = work / "partial.tar.gz"
    partial.touch(mode=0o600, exist_ok=False)  # it holds what buyers wrote
    with partial.open("r+b") as raw:
        with tarfile.open(fileobj=raw, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=_LEVEL) as tar:
            content = manifest.model_dump_json(indent=2).encode()
            info = tarfile.TarInfo(MANIFEST)
            info.size, info.mtime, info.mode = len(content), int(manifest.made_at.timestamp()), 0o600
            tar.addfile(info, io.BytesIO(content))
            for name, path in members.items():
                tar.add(path, arcname=name, recursive=False, filter=_plain)
        raw.flush()
        os.fsync(raw.fileno())
    _put_in_place(partial, target)
    sync_folder(target.parent)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o600
    return info


def _put_in_place(partial: Path, target: Path) -> None:
    """Give the file its name in one step that never takes the place of another."""
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        raise BackupError(f"{target} is there already and is left as it is; name another file") from None
    except OSError:  # a disk without links, such as a stick
        if target.exists():
            raise BackupError(f"{target} is there already and is left as it is; name another file") from None
        partial.rename(target)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    if os.name == "nt":  # Windows opens no folder, and writes names through
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_archive(source: Path, work: Path) -> tuple[Manifest, dict[str, Path]]:
    """Unpack a backup into a folder and check every member against its hash; nothing else is written.

    Raises:
        BackupError: the file is not there, is none of ours, was made by a newer version, or is damaged.
    """
    try:
        with source.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|gz") as tar:
            return _unpack(tar, source, work)
    except FileNotFoundError:
        raise BackupError(f"{source} is not there") from None
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BackupError(f"{source} is damaged or no backup of aftersail: {error}; take another one") from None


def _unpack(tar: tarfile.TarFile, source: Path, work: Path) -> tuple[Manifest, dict[str, Path]]:
    manifest: Manifest | None = None
    found: dict[str, Path] = {}
    for info in tar:
        content = tar.extractfile(info) if info.isfile() else None
        if content is None or not _is_known(info.name):
            raise BackupError(f"{source} holds {info.name!r}, which belongs into no backup; nothing was restored")
        if manifest is None:
            manifest = _manifest(source, info, content)
            continue
        path = work / str(len(found))
        if info.name in found or _copy(content, path) != manifest.sha256.get(info.name):
            raise BackupError(f"{source} is damaged: {info.name} is not what was backed up; take another one")
        found[info.name] = path
    missing = set(manifest.sha256 if manifest else {MANIFEST: ""}) - set(found)
    if manifest is None or missing:
        raise BackupError(f"{source} is damaged: {', '.join(sorted(missing))} is missing; take another one")
    return manifest, found


def _is_known(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if parts[:1] == (PACKS,):
        return len(parts) > 1 and not {"..", "."} & set(parts) and "\\" not in name and ":" not in name
    return name in {MANIFEST, SETTINGS, SECRETS, *DATABASE.values()}


def _manifest(source: Path, info: tarfile.TarInfo, content: IO[bytes]) -> Manifest:
    if info.name != MANIFEST or info.size > _LARGEST_MANIFEST:
        raise BackupError(f"{source} is no backup of aftersail: it does not begin with {MANIFEST}")
    try:
        return Manifest.model_validate_json(content.read())
    except ValidationError as error:
        if any(details["loc"] == ("format",) for details in error.errors()):
            raise BackupError(f"{source} was made by a newer version; upgrade aftersail first") from None
        raise BackupError(f"{source} is damaged: its manifest cannot be read; take another one") from None


def _copy(content: IO[bytes], path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()

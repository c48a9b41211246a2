"""Secrets of channels: from the environment, or from an encrypted file whose key lies apart from it.

Never in `aftersail.yaml`, never in the database, never in a log. The file is encrypted with age (X25519); whoever has
the key file, mode 0600, can read it with the `age` tool too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyrage
from pydantic import SecretStr

from aftersail.core.host.files import file_lock, replace_file

_FILE: Final = "aftersail.secrets"
_KEY: Final = "aftersail.key"
_AFTER: Final = " after "


class SecretError(Exception):
    """Secrets cannot be read or written; the text names the file and the fix, never a value."""


def environment_name(channel: str, field: str) -> str:
    """Name the environment variable that holds a channel's secret; with `_FILE` behind it, a file that holds it."""
    return "AFTERSAIL_CHANNEL_" + re.sub(r"[^A-Z0-9]", "_", f"{channel}_{field}".upper())


def _after(field: str, given: str) -> str:
    """Name the entry that has taken the place of what a person gave; without that, how all such names begin."""
    return f"{field}{_AFTER}{_digest(given) if given else ''}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class SecretStore:
    """Reads and writes the secrets beside one settings file.

    Args:
        folder: where the settings file is.
        key_file: the private key; None for `AFTERSAIL_KEY_FILE`, else `aftersail.key` in the same folder.
    """

    def __init__(self, folder: Path, key_file: Path | None = None) -> None:
        self._file = folder / _FILE
        named = os.environ.get("AFTERSAIL_KEY_FILE")
        self._key_file = key_file or (Path(named) if named else folder / _KEY)

    def get(self, channel: str, field: str) -> SecretStr | None:
        """Find a secret: the environment wins over the file.

        Raises:
            SecretError: the file cannot be decrypted, or a `_FILE` variable names a file that is not there.
        """
        named = self._from_environment(channel, field)
        try:
            kept = self._read().get(channel, {})
        except SecretError:
            if named is None:
                raise
            kept = {}
        given = kept.get(field) if named is None else named
        return None if given is None else SecretStr(kept.get(_after(field, given), given))

    def _from_environment(self, channel: str, field: str) -> str | None:
        name = environment_name(channel, field)
        if name in os.environ:
            return os.environ[name]
        if f"{name}_FILE" in os.environ:
            path = Path(os.environ[f"{name}_FILE"])
            try:
                return path.read_text(encoding="utf-8").rstrip("\n")
            except OSError as error:
                raise SecretError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise SecretError(f"{name}_FILE names {path}, which holds no UTF-8 text") from None
        return None

    def put(self, channel: str, values: Mapping[str, SecretStr]) -> None:
        """Keep a channel's secrets, in place of those it had. The file is replaced as a whole or not at all."""
        with self._alone():
            known = self._read()
            known[channel] = {field: value.get_secret_value() for field, value in values.items()}
            self._write(known)

    def rotate(self, channel: str, field: str, value: SecretStr) -> None:
        """Keep what the platform put in a secret's place; it holds until a person gives another one."""
        with self._alone():
            known = self._read()
            mine = known.setdefault(channel, {})
            given = self._from_environment(channel, field) or mine.get(field)
            for stale in [name for name in mine if name.startswith(_after(field, ""))]:
                del mine[stale]
            mine[_after(field, given) if given else field] = value.get_secret_value()
            self._write(known)

    def fingerprint(self, channel: str) -> str:
        """Tell what a person gave a channel from what was given before, without telling it."""
        kept = self._read().get(channel, {})
        given = {field: value for field, value in kept.items() if _AFTER not in field}
        return _digest(json.dumps(given, sort_keys=True))

    def stamp(self) -> object:
        """Change whenever the file does; cheap to ask for."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    @contextmanager
    def locked(self, channel: str, field: str) -> Iterator[None]:
        """Let one process at a time renew a secret."""
        with file_lock(self._file.with_name(f"{_FILE}.{environment_name(channel, field).lower()}.lock")):
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with file_lock(self._file.with_name(f"{_FILE}.lock")):
            yield

    def forget(self, channel: str) -> None:
        """Drop a channel's secrets."""
        with self._alone():
            known = self._read()
            if known.pop(channel, None) is not None:
                self._write(known)

    def _read(self) -> dict[str, dict[str, str]]:
        if not self._file.exists():
            return {}
        try:
            plain = pyrage.decrypt(self._file.read_bytes(), [self._identity()])
        except (pyrage.DecryptError, OSError) as error:
            raise SecretError(f"{self._file} cannot be decrypted with {self._key_file}: {error}") from None
        known: dict[str, dict[str, str]] = json.loads(plain)
        return known

    def _write(self, known: Mapping[str, Mapping[str, str]]) -> None:
        recipient = self._identity(create=True).to_public()
        replace_file(self._file, pyrage.encrypt(json.dumps(known).encode(), [recipient]))

    def _identity(self, *, create: bool = False) -> pyrage.x25519.Identity:
        if create and not self._key_file.exists() and not self._file.exists():
            replace_file(self._key_file, str(pyrage.x25519.Identity.generate()).encode())
        try:
            lines = self._key_file.read_text(encoding="utf-8").splitlines()
            return pyrage.x25519.Identity.from_str(next(line for line in lines if line and not line.startswith("#")))
        except FileNotFoundError:
            fix = (
                "put the key back, or set AFTERSAIL_KEY_FILE; if it is lost, delete the encrypted file"
                " and run aftersail channel renew for each channel"
            )
            raise SecretError(f"{self._file} is encrypted, and its key {self._key_file} is not there: {fix}") from None
        except OSError as error:
            raise SecretError(f"{self._key_file} cannot be read: {error.strerror}") from None
        except (StopIteration, UnicodeDecodeError, pyrage.IdentityError):
            raise SecretError(f"{self._key_file} holds no age key") from None

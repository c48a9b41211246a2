"""Secrets of channels: from the environment, or from an encrypted file whose key lies apart from it.

Never in `aftersail.yaml`, never in the database, never in a log. The file is encrypted with age (X25519); whoever has
the key file, mode 0600, can read it with the `age` tool too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyrage
from pydantic import SecretStr

from aftersail.core.host.files import replace_file

_FILE: Final = "aftersail.secrets"
_KEY: Final = "aftersail.key"


class SecretError(Exception):
    """Secrets cannot be read or written; the text names the file and the fix, never a value."""


def environment_name(channel: str, field: str) -> str:
    """Name the environment variable that holds a channel's secret; with `_FILE` behind it, a file that holds it."""
    return "AFTERSAIL_CHANNEL_" + re.sub(r"[^A-Z0-9]", "_", f"{channel}_{field}".upper())


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
        name = environment_name(channel, field)
        if name in os.environ:
            return SecretStr(os.environ[name])
        if f"{name}_FILE" in os.environ:
            path = Path(os.environ[f"{name}_FILE"])
            try:
                return SecretStr(path.read_text(encoding="utf-8").rstrip("\n"))
            except OSError as error:
                raise SecretError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise SecretError(f"{name}_FILE names {path}, which holds no UTF-8 text") from None
        value = self._read().get(channel, {}).get(field)
        return None if value is None else SecretStr(value)

    def put(self, channel: str, values: Mapping[str, SecretStr]) -> None:
        """Keep a channel's secrets, in place of those it had. The file is replaced as a whole or not at all."""
        known = self._read()
        known[channel] = {field: value.get_secret_value() for field, value in values.items()}
        self._write(known)

    def forget(self, channel: str) -> None:
        """Drop a channel's secrets."""
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

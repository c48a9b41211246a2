"""Files that people edit too: replaced as a whole or not at all, their comments and order kept."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from aftersail.core.host.locking import lock


class FileFormatError(Exception):
    """A file cannot be read as what it should be; the text names file, line and column."""


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file so that a crash leaves the old or the new one, and nobody else can read it meanwhile.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Wait for a lock file that one process, and one thread of it, holds at a time; it ends with its holder.

    The file stays: removing it could take it from under a process that is about to lock it.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        lock(file, wait=True)
        yield
    finally:
        os.close(file)


def load_yaml(path: Path) -> Any:
    """Read a YAML file with its comments; an empty mapping where there is none.

    Raises:
        FileFormatError: it is no YAML.
    """
    try:
        document = _yaml().load(path.read_text(encoding="utf-8")) if path.exists() else None
    except (YAMLError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path} is no YAML: {error}") from None
    return {} if document is None else document


def edit_yaml(path: Path, change: Callable[[Any], None]) -> None:
    """Change a YAML file as a person would: comments, order and quotes stay.

    Raises:
        FileFormatError: it is no YAML.
    """
    document = load_yaml(path)
    change(document)
    text = io.StringIO()
    _yaml().dump(document, text)
    replace_file(path, text.getvalue().encode(), mode=0o644)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    return yaml

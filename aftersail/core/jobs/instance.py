"""One daemon per SQLite database, guarded by a lock file beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from aftersail.core.host.locking import lock
from aftersail.core.store.engine import is_sqlite

if TYPE_CHECKING:
    from typing import Self

    import sqlalchemy as sa


class AlreadyRunningError(RuntimeError):
    """Another daemon runs on this database.

    Attributes:
        pid: its process id; None where it has not written it yet.
    """

    def __init__(self, database: Path, pid: int | None) -> None:
        stop = f"taskkill /PID {pid}" if sys.platform == "win32" else f"kill {pid}"
        advice = f"stop it with: {stop}" if pid else "try again in a moment"
        super().__init__(
            f"another aftersail daemon (pid {pid or 'unknown'}) runs on {database}; {advice}. "
            "For several workers use PostgreSQL."
        )
        self.pid = pid


class SingleInstance:
    """Held while a daemon runs; the operating system lets go of it however the process ends, kill -9 included.

    On PostgreSQL it holds nothing: there several workers are welcome.

    Args:
        engine: the daemon's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._database = Path(str(engine.url.database)).resolve() if is_sqlite(engine) else None
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunningError: another process, or another holder in this one, has it.
        """
        if self._database is None:
            return
        path = self._database.with_name(f"{self._database.name}.lock")
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            lock(file, wait=False)
        except OSError:
            pid = os.read(file, 32).decode("ascii", "replace").strip()
            os.close(file)
            raise AlreadyRunningError(self._database, int(pid) if pid.isdigit() else None) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode("ascii"))
        self._file = file

    def release(self) -> None:
        """Let go. The file stays: removing it could take it from under a process that is about to lock it."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

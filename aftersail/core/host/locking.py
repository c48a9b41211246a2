"""Locks on open files, which the operating system lets go of however their process ends, kill -9 included."""

from __future__ import annotations

import os
import sys
from typing import Final

# Windows locks bytes against reading too: a byte far behind the text keeps what the holder wrote there readable.
_LOCKED_BYTE: Final = 1 << 30

if sys.platform == "win32":
    import msvcrt

    def lock(file: int, *, wait: bool) -> None:
        """Lock an open file; without `wait` fail at once where another holds it.

        Raises:
            OSError: another holds it.
        """
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        try:
            while True:
                try:
                    msvcrt.locking(file, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                except OSError:
                    if wait:  # it gives up after ten seconds
                        continue
                    raise
                return
        finally:
            os.lseek(file, 0, os.SEEK_SET)
else:
    import fcntl

    def lock(file: int, *, wait: bool) -> None:
        """Lock an open file; without `wait` fail at once where another holds it.

        Raises:
            OSError: another holds it.
        """
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

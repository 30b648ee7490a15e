"""The lock that lets one driver at a time write a study. Held by the operating system, so that it dies with its owner.

Knows nothing of what is locked.
"""

from __future__ import annotations

import os
import socket
import weakref
from pathlib import Path

from netwright.errors import StoreError


class DriverLock:
    """An exclusive lock on a file beside the store; taken on construction.

    The file stays behind when the lock is given up (removing it would let two drivers hold two files of one name), and
    holds who took it last. Forked children do not inherit the lock.

    Args:
        path: the lock file; made when absent.
        what: what it protects, for the message.

    Raises:
        StoreError: another process holds it (names it), or the file cannot be made.
    """

    def __init__(self, path: Path, what: Path) -> None:
        import fcntl

        self._owner = 0  # until it is ours
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"cannot lock {what}: {error.strerror}: {path}; choose a folder you may write") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._fd, 300, 0).decode("utf-8", "replace").strip() or "another process"
            self.release()
            raise StoreError(
                f"{what} is in use by {owner}; wait until it ends or stop it, or open the study read-only"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self._owner = os.getpid()
        mine = weakref.WeakMethod(self.release)
        os.register_at_fork(after_in_child=lambda: (release := mine()) and release())

    def release(self) -> None:
        """Give the lock up. Safe to call twice.

        The owner unlocks by name: a child that was just forked may not have closed its copy yet.
        """
        import fcntl

        if self._fd >= 0:
            if self._owner == os.getpid():
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = -1

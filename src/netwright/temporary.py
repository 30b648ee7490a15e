"""Temporary folders that do not outlive whoever was killed: the next one to make such a folder removes them.

A folder in use is locked, and the kernel gives up a lock when the last process that holds it dies. Process ids would
not do: containers that share a folder for temporary files do not see each other's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "netwright-work-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the time of the block, readable by its owner alone."""
    folder, lock = make_temporary()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def make_temporary() -> tuple[Path, int]:
    """Make a folder, after removing those of dead owners; as for `tempfile`, ``TMPDIR`` says where.

    Returns:
        The folder, and an open file that is the lock: the folder is in use until no process has it open any more.
    """
    _sweep(Path(tempfile.gettempdir()))
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock


def keep_temporary(folder: Path, lock: int) -> None:
    """Make a folder of `make_temporary` again where somebody took it away, and lock what was made.

    Args:
        folder: the folder.
        lock: its open file, which is that of the new folder afterwards.
    """
    while not _is_open(folder, lock):
        folder.mkdir(mode=0o700, exist_ok=True)
        again = _lock(folder)
        if again is not None:
            os.dup2(again, lock, inheritable=False)
            os.close(again)


def _lock(folder: Path) -> int | None:
    """Lock a folder; None where it was removed by another, that took it for abandoned."""
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # a file system without locks: nobody will sweep there
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_open(folder, lock):
            return lock
        os.close(lock)
    return None


def _is_open(folder: Path, lock: int) -> bool:
    """Whether the open file is that of the folder which is there now."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(lock))
    except FileNotFoundError:
        return False


def _sweep(place: Path) -> None:
    with contextlib.suppress(OSError):
        for folder in list(place.glob(f"{PREFIX}*")):
            _remove_abandoned(folder)


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder that is ours and that nobody has locked."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        pass
    finally:
        os.close(lock)

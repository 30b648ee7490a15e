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
        with contextlib.suppress(FileNotFoundError):  # removed by another, that took it for abandoned
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with contextlib.suppress(OSError):  # a file system without locks: nobody will sweep there
                fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


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

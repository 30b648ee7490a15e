"""Everything that is particular to SQLite: opening a file, its settings, its checks. The only place with such SQL.

Durability: every commit outlives every death of a process. A commit that is synced (``synchronous=FULL``) outlives the
loss of power too, together with all before it; one that is not (``NORMAL``) is then lost, and the trial is run again.

The write-ahead log is emptied into the database by ourselves and then truncated, never left full behind: a log of which
the last bytes are lost then always ends at an earlier commit, and never contradicts the database.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.pool import NullPool

APPLICATION_ID = 0x4E575249  # "NWRI", in the header of the file
_WAIT_S = 20.0


def engine(path: Path, *, read_only: bool) -> sqlalchemy.Engine:
    """Return an engine on an existing file. Connections begin transactions where SQLAlchemy does, not on their own."""
    mode = _read_only_mode(path) if read_only else "mode=rw"
    address = f"{path.absolute().as_uri()}?{mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA cell_size_check=ON")
        if not read_only:
            connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection

    made = sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=NullPool)
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
    sqlalchemy.event.listen(made, "begin", lambda connection: connection.exec_driver_sql(begin))
    return made


def _read_only_mode(path: Path) -> str:
    """How to open a file nobody may write: one without a log, in a folder where none can be made, cannot change."""
    wal = path.with_name(path.name + "-wal")
    frozen = not os.access(path.parent, os.W_OK) and not wal.exists()
    return "mode=ro&immutable=1" if frozen else "mode=ro"


def prepare(connection: sqlalchemy.Connection) -> None:
    """Turn an empty file into one of ours; before any transaction."""
    raw = _raw(connection)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute(f"PRAGMA application_id={APPLICATION_ID}")


def is_empty(connection: sqlalchemy.Connection) -> bool:
    """Whether the file holds no table at all."""
    return bool(_raw(connection).execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)


def is_ours(connection: sqlalchemy.Connection) -> bool:
    """Whether the file says that netwright wrote it."""
    return bool(_raw(connection).execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)


def damage(connection: sqlalchemy.Connection) -> str | None:
    """What SQLite's own full check finds wrong with the file; None where it is sound."""
    found = _raw(connection).execute("PRAGMA integrity_check(1)").fetchone()[0]
    return None if found == "ok" else str(found)


def sync(connection: sqlalchemy.Connection, *, full: bool) -> None:
    """Choose whether the commits that follow wait for the disk."""
    _raw(connection).execute(f"PRAGMA synchronous={'FULL' if full else 'NORMAL'}")


def checkpoint(connection: sqlalchemy.Connection) -> bool:
    """Empty and truncate the log if no reader needs it; never waits. Whether it was emptied."""
    raw = _raw(connection)
    raw.execute("PRAGMA busy_timeout=0")
    try:
        with closing(raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")) as cursor:
            return bool(cursor.fetchone()[0] == 0)
    finally:
        raw.execute(f"PRAGMA busy_timeout={int(_WAIT_S * 1000)}")


def _raw(connection: sqlalchemy.Connection) -> Any:
    return connection.connection.driver_connection


def lost_frames(path: Path) -> int:
    """Count pages at the end of the write-ahead log that were begun and do not belong to a commit.

    Nonzero after a process died within a commit, or after the log was damaged: what was not committed is dropped by
    SQLite when the file is opened. Looks at the file only, and must be called before a connection is made.

    References:
        https://www.sqlite.org/fileformat2.html#walformat
    """
    wal = path.with_name(path.name + "-wal")
    try:
        data = wal.read_bytes()
    except OSError:
        return 0
    page = int.from_bytes(data[8:12], "big")
    if len(data) < 32 or page < 512:
        return 0
    heads = [data[at : at + 24] for at in range(32, len(data) - 23, page + 24)]
    ours = [head[8:16] == data[16:24] for head in heads]
    commits = [index for index, head in enumerate(heads) if ours[index] and head[4:8] != bytes(4)]
    return sum(ours) - (commits[-1] + 1 if commits else 0)

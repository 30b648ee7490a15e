"""The history of a study: append-only, one durable commit a finished trial, checked when it is read.

Knows nothing of strategies, evaluators, processes or torch. SQLAlchemy is loaded when a store is created or opened.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from netwright.errors import StoreError
from netwright.storage.lock import DriverLock
from netwright.storage.records import (
    Event,
    Started,
    StudyRecord,
    decode_metrics,
    decode_proposal,
    encode_metrics,
    encode_proposal,
    history_line,
)
from netwright.types import Json, Proposal, Trial, TrialState

if TYPE_CHECKING:
    import sqlalchemy

_log = logging.getLogger(__name__)
_CHECKPOINT_COMMITS = 200
_SYNC_EVERY_S = 0.1
_DAMAGED = "restore it from a copy, or start a new search in another folder"
_CURES = {
    "full": "free space on that disk, then resume",
    "readonly": "make the file and its folder writable, or open it read-only",
    "locked": "another program holds the file; close it",
    "unable to open": "check that the folder exists and may be written",
    "disk i/o": "check the disk, then resume",
}


class Store:
    """One study and its history in a file. Made by `Store.create` or `Store.open`; a context manager.

    One driver writes; others are told who it is. Any number of processes may read at the same time. After any death of
    the driver the file opens as it was after the last commit.

    Example:
        >>> import tempfile
        >>> from netwright.types import Architecture, Proposal
        >>> path = Path(tempfile.mkdtemp()) / "study.db"
        >>> with Store.create(path, StudyRecord("demo", 0, "{}", "0")) as store:
        ...     store.commit(Trial(0, Proposal(Architecture({"w": 1})), 7, TrialState.FINISHED, {"accuracy": 0.5}))
        >>> with Store.open(path, read_only=True) as store:
        ...     [trial.metrics["accuracy"] for trial in store.trials()]
        [0.5]
    """

    def __init__(self, path: Path, lock: DriverLock | None) -> None:
        from netwright.storage import dialect, schema

        self.path = path
        self._lock = lock
        self._schema = schema
        self._dialect = dialect
        self._commits = 0
        self._synced_s = 0.0  # when a commit last waited for the disk
        self._last_seq: dict[str, int] = {}
        self._proposals: dict[str, Proposal] = {}  # as read; a trial and its starts share one
        with self._failures():
            self._engine = dialect.engine(path, read_only=lock is None)
            self._connection: sqlalchemy.Connection = self._engine.connect()

    @classmethod
    def create(cls, path: Path | str, study: StudyRecord) -> Store:
        """Make a new store, and its folder where absent, readable by its owner alone.

        It appears whole or not at all: until then there are files whose names begin with ``.NAME.new``, which the next
        attempt removes.

        Args:
            path: of the file, such as ``runs/x/study.db``.
            study: what the study is.

        Raises:
            StoreError: the file exists, is being made by another process, or cannot be written.
        """
        path = Path(path)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {path.parent}: {error.strerror}; choose another") from error
        lock = DriverLock(_lock_path(path), path)
        try:
            cls._make(path, lock, study)
            return cls(path, lock)
        except StoreError:
            lock.release()
            raise

    @classmethod
    def _make(cls, path: Path, lock: DriverLock, study: StudyRecord) -> None:
        """Make the file beside its place, and put it there once it is whole."""
        if path.exists():
            there = cls(path, lock)
            there._require_empty()
        new = path.with_name(f".{path.name}.new")
        try:
            for old in path.parent.iterdir():
                if old.name.startswith(new.name) or old.name in (f"{path.name}-wal", f"{path.name}-shm"):
                    old.unlink()
            _touch(new)
            made = cls(new, lock)
            made._initialise(study)
            made._disconnect()
            new.replace(path)
        except OSError as error:
            raise StoreError(f"cannot make {path}: {error.strerror}; choose a folder you may write") from error

    @classmethod
    def open(cls, path: Path | str, *, read_only: bool = False) -> Store:
        """Open an existing store and check it.

        Args:
            path: of the file.
            read_only: do not become the driver; works while another process writes.

        Raises:
            StoreError: there is no such file, it is no store, it is damaged, or another driver holds it.
        """
        path = Path(path)
        if not path.is_file():
            raise StoreError(f"there is no study at {path}; give the folder of a run, or start one with search")
        lock = None if read_only else DriverLock(_lock_path(path), path)
        try:
            store = cls(path, lock)
            store._check(store._dialect.lost_frames(path) if lock else 0)
        except StoreError:
            if lock:
                lock.release()
            raise
        return store

    @property
    def study(self) -> StudyRecord:
        """What the study is."""
        rows = self._rows(self._schema.STUDY)
        if len(rows) != 1:
            raise StoreError(f"{self.path} holds no study; it was killed while it was made: remove it and start again")
        return StudyRecord.from_dict(json.loads(rows[0].body))

    def record_started(self, started: Started) -> None:
        """Write that a trial is started; returns when the death of this process cannot undo it."""
        row = {
            "trial_id": started.trial_id,
            "attempt": started.attempt,
            "proposal": encode_proposal(started.proposal),
            "seed": str(started.seed),
            "told": started.told,
        }
        self._append(self._schema.ATTEMPTS, row, full=False)

    def record_again(self, started: Started) -> Started:
        """Write that an interrupted trial is started once more. Returns the new attempt."""
        again = replace(started, attempt=started.attempt + 1)
        self.record_started(again)
        return again

    def commit(self, trial: Trial) -> None:
        """Write an ended trial; returns when no death of a process can undo it.

        It is on the disk as well, safe from a loss of power, unless another commit was synced less than 0.1 s before;
        then it is with the next one.

        Raises:
            StoreError: a trial of this id is there already, or it cannot be written; nothing is changed then.
        """
        row = {
            "trial_id": trial.id,
            "state": trial.state.value,
            "proposal": encode_proposal(trial.proposal),
            "seed": str(trial.seed),
            "metrics": json.dumps(encode_metrics(trial.metrics), separators=(",", ":")),
            "error": _writable(trial.error),
            "duration_s": float(trial.duration_s),
            "attempts": trial.attempts,
        }
        self._append(self._schema.TRIALS, row)

    def append_event(self, kind: str, body: Json) -> None:
        """Write something that is no trial, such as a decision of the final phase."""
        self._append(self._schema.EVENTS, {"kind": kind, "body": json.dumps(body)})

    def trials(self) -> list[Trial]:
        """All ended trials in the order of their ids."""
        return sorted(self.commits(), key=lambda trial: trial.id)

    def commits(self) -> Iterator[Trial]:
        """All ended trials in the order they were committed."""
        for row in self._rows(self._schema.TRIALS):
            yield Trial(
                row.trial_id,
                self._proposal(row.proposal),
                int(row.seed),
                TrialState(row.state),
                decode_metrics(json.loads(row.metrics)),
                row.error,
                row.duration_s,
                row.attempts,
            )

    def started(self) -> list[Started]:
        """The last start of every trial, ended or not, in the order of ids."""
        last = {row.trial_id: row for row in self._rows(self._schema.ATTEMPTS)}
        return [
            Started(row.trial_id, self._proposal(row.proposal), int(row.seed), row.told, row.attempt)
            for _, row in sorted(last.items())
        ]

    def num_attempts(self) -> int:
        """How many times a trial was started, interrupted attempts included."""
        return self._last(self._schema.ATTEMPTS)

    def events(self, kind: str | None = None) -> list[Event]:
        """All events in the order written; those of one kind where it is given."""
        rows = self._rows(self._schema.EVENTS)
        return [Event(row.kind, json.loads(row.body)) for row in rows if kind is None or row.kind == kind]

    def history(self) -> Iterator[str]:
        """The canonical history: one JSON line an ended trial, see `records.history_line`.

        In the order of ids, which is the order of asking: trials of several workers are committed as they end, and
        that order is no property of the search.
        """
        return map(history_line, self.trials())

    def close(self) -> None:
        """Give up file and lock. Safe to call twice."""
        if not self._connection.closed:
            if self._lock:
                self._checkpoint()
            self._disconnect()
        if self._lock:
            self._lock.release()

    def _disconnect(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _proposal(self, text: str) -> Proposal:
        found = self._proposals.get(text)
        if found is None:
            found = self._proposals[text] = decode_proposal(text)
        return found

    def _require_empty(self) -> None:
        with self._failures():
            empty = self._dialect.is_empty(self._connection)
        self._disconnect()
        if not empty:
            raise StoreError(f"{self.path} exists already; resume it, or choose another folder")

    def _initialise(self, study: StudyRecord) -> None:
        with self._failures():
            self._dialect.prepare(self._connection)
            body = json.dumps(study.to_dict(), sort_keys=True)
            row = {"seq": 1, "body": body, "checksum": self._schema.checksum("study", (1, body))}
            with self._connection.begin():
                self._schema.METADATA.create_all(self._connection)
                self._connection.execute(self._schema.STUDY.insert(), row)

    def _check(self, lost_frames: int) -> None:
        with self._failures():
            if self._dialect.is_empty(self._connection):
                self._refuse("holds nothing, its making was interrupted", "start the search again")
            if not self._dialect.is_ours(self._connection):
                self._refuse("is not a netwright study", "give the study.db of a run")
            damage = self._dialect.damage(self._connection)
        if damage:
            self._refuse(f"is damaged ({damage})", _DAMAGED)
        _ = self.study
        if lost_frames:
            _log.warning("%s: a write was cut off; the study goes on from the last whole commit", self.path)

    def _refuse(self, problem: str, cure: str) -> None:
        self._connection.close()
        raise StoreError(f"{self.path} {problem}; {cure}")

    def _rows(self, table: sqlalchemy.Table) -> Sequence[Any]:
        """All rows of a table in the order written, each checked."""
        with self._failures(), self._connection.begin():
            rows = self._connection.execute(table.select().order_by(table.c.seq)).all()
        for number, row in enumerate(rows, 1):
            if row.seq != number or row.checksum != self._schema.checksum(table.name, row[:-1]):
                self._refuse(f"is damaged (row {number} of {table.name} does not match its checksum)", _DAMAGED)
        return rows

    def _last(self, table: sqlalchemy.Table) -> int:
        """Number of rows of a table."""
        from sqlalchemy import func, select

        with self._failures(), self._connection.begin():
            return self._connection.scalar(select(func.max(table.c.seq))) or 0

    def _append(self, table: sqlalchemy.Table, values: Mapping[str, Any], *, full: bool = True) -> None:
        """Add a row; ``values`` in the order of the columns."""
        if not self._lock:
            raise StoreError(f"{self.path} was opened read-only; open it with read_only=False to write")
        seq = 1 + (self._last_seq[table.name] if table.name in self._last_seq else self._last(table))
        row = {"seq": seq, **values}
        row["checksum"] = self._schema.checksum(table.name, tuple(row.values()))
        full = full and time.monotonic() - self._synced_s >= _SYNC_EVERY_S
        with self._failures():
            self._dialect.sync(self._connection, full=full)
            with self._connection.begin():
                self._connection.execute(table.insert(), row)
        self._last_seq[table.name] = seq
        self._synced_s = time.monotonic() if full else self._synced_s
        self._commits += 1
        if self._commits % _CHECKPOINT_COMMITS == 0:
            self._checkpoint()

    def _checkpoint(self) -> None:
        with self._failures():
            self._dialect.checkpoint(self._connection)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn the database's errors into ours, with the file's name and a cure."""
        from sqlite3 import Error

        from sqlalchemy.exc import IntegrityError, SQLAlchemyError

        try:
            yield
        except IntegrityError as error:
            raise StoreError(f"{self.path} holds this trial or attempt already ({error.orig})") from error
        except (SQLAlchemyError, Error, UnicodeError) as error:
            text = str(getattr(error, "orig", None) or error)
            cure = next((cure for sign, cure in _CURES.items() if sign in text.lower()), _DAMAGED)
            problem = "is damaged or is not a netwright study" if cure is _DAMAGED else "cannot be read or written"
            raise StoreError(f"{self.path} {problem} ({text}); {cure}") from error


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _touch(path: Path) -> None:
    """Make an empty file that only its owner may read; the database's own files take over its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"cannot make {path}: {error.strerror}; choose a folder you may write") from error


def _writable(text: str) -> str:
    """Replace what no database takes: lone surrogates and NUL."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")

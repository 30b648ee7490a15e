"""The tables of a store: plain SQL, so that SQLite and PostgreSQL run the same statements.

Rows are only ever inserted. Each carries a checksum of its other columns; ``seq`` counts from 1 without gaps within a
table. Knows nothing of connections and files.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table, Text, UniqueConstraint

from netwright.types import canonical_json, digest

METADATA = MetaData()


def _table(name: str, *columns: Column[object] | UniqueConstraint) -> Table:
    seq = Column("seq", Integer, primary_key=True, autoincrement=False)
    return Table(name, METADATA, seq, *columns, Column("checksum", String(32), nullable=False))


STUDY = _table("study", Column("body", Text, nullable=False))
"""One row: the JSON text of the `StudyRecord`."""

ATTEMPTS = _table(
    "attempts",
    Column("trial_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("proposal", Text, nullable=False),
    Column("seed", String(40), nullable=False),
    Column("told", BigInteger, nullable=False),
    UniqueConstraint("trial_id", "attempt"),
)
"""A row for every start of a trial."""

TRIALS = _table(
    "trials",
    Column("trial_id", BigInteger, nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("proposal", Text, nullable=False),
    Column("seed", String(40), nullable=False),
    Column("metrics", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("duration_s", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
)
"""A row for every ended trial, in the order of commits."""

EVENTS = _table("events", Column("kind", String(64), nullable=False), Column("body", Text, nullable=False))
"""A row for everything else worth keeping."""

TABLES = (STUDY, ATTEMPTS, TRIALS, EVENTS)


def checksum(table: str, values: Sequence[object]) -> str:
    """Checksum of a row: 32 hex digits over its table's name and its values in the order of the columns.

    Never fails: one flipped bit makes bytes of a text, which we never write, and which have a checksum of their own.
    """
    return digest(canonical_json([table, *(repr(v) if isinstance(v, bytes) else v for v in values)]), 32)

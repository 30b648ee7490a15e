"""The history of a study, append-only, in SQLite. Loads no database before a store is created or opened."""

from netwright.storage.records import Event, Started, StudyRecord
from netwright.storage.store import Store

__all__ = ["Event", "Started", "Store", "StudyRecord"]

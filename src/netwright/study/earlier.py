"""Earlier studies read from the folders of their runs, for a search that begins with what they found."""

from __future__ import annotations

from pathlib import Path

from netwright.storage import Store
from netwright.strategies.earlier_studies import EarlierStudy


def read_earlier(run: Path | str) -> EarlierStudy:
    """Read the history of a run, finished or not; nothing is written.

    Args:
        run: its folder.

    Raises:
        StoreError: there is no study, or it cannot be read.
    """
    folder = Path(run)
    with Store.open(folder / "study.db", read_only=True) as store:
        return EarlierStudy(store.study.name or folder.name, tuple(store.trials()))

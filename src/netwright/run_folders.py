"""Whether a run's folder can be made. Knows no specification and no store."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from netwright.errors import SpecError, one_line


def require_free(out: str | os.PathLike[str]) -> None:
    """Check that a run's folder can be made, and leave nothing behind.

    Raises:
        SpecError: it is a file, holds something, or cannot be written.
    """
    try:
        path = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a dangling link
        if (path / "study.db").exists():
            raise SpecError(
                f"out: {one_line(out)} holds a study; go on with it (netwright resume) or name another folder"
            )
        if os.path.lexists(path) and not _is_empty(path):
            what = "is not empty" if path.is_dir() else "is not a folder"
            raise SpecError(f"out: {one_line(out)} {what}; name a new or empty folder")
        base = next(folder for folder in (path, *path.parents) if folder.exists())
        with tempfile.TemporaryDirectory(prefix=".netwright-", dir=base) as trial:
            (Path(trial) / path.relative_to(base)).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SpecError(
            f"out: the folder {one_line(out)} cannot be made: {reason}; name one that can be written"
        ) from error


def _is_empty(path: Path) -> bool:
    """Whether a path is a folder with nothing in it, but for what a search leaves that was killed as it began."""
    leftovers = ("study.db.lock", ".study.db.new")
    return path.is_dir() and all(entry.name.startswith(leftovers) for entry in path.iterdir())

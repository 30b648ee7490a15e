"""Files that are replaced whole or not at all. Knows nothing of what is in them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write a file on the side, and put it in the place of an older one once it is on the disk.

    Args:
        path: of the file; its folder exists.
        data: what it is to hold.

    Raises:
        OSError: it cannot be written; an older one is as it was, and nothing lies beside it.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise

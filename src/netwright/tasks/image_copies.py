"""Augmented copies of one picture, which belong to one part: a network knows a picture that it has seen mirrored.

Roboflow names them ``NAME.rf.HASH.jpg``; nothing is told from pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.tasks.formats.folder import FolderPart
from netwright.tasks.formats.parts import Indices, Part

_HASH = re.compile(r"\.rf\.[0-9A-Za-z]{20,}$")


def pictures_of(files: Sequence[Path]) -> Indices:
    """The number (N,) of the picture that each image file shows, from 0 in the order in which they first occur.

    Example:
        >>> copies = [f"{name}.rf.{hash * 32}.jpg" for name in "ab" for hash in "01"]
        >>> pictures_of([Path(name) for name in (*copies, "c.jpg")]).tolist()
        [0, 0, 1, 1, 2]
    """
    numbers: dict[Path, int] = {}
    names = [file.parent / _HASH.sub("", file.stem) if _HASH.search(file.stem) else file for file in files]
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def split_pictures(
    part: Part, targets: NDArray[Any], divide: Callable[[NDArray[Any]], tuple[Indices, Indices]]
) -> tuple[Part, Part]:
    """Split a part so that copies of one picture stay together.

    Args:
        part: of N images; only those in files can be known for copies.
        targets: (N, ...) of it.
        divide: of the targets of one copy a picture: the rows that are kept, and those that are taken.

    Returns:
        What is kept and what is taken.

    Raises:
        DataError: there are so few pictures that one of these would be empty.
    """
    picture = pictures_of(part.files) if isinstance(part, FolderPart) else np.arange(len(targets))
    _, first = np.unique(picture, return_index=True)
    kept, taken = divide(targets[first])
    if not len(kept) or not len(taken):
        raise DataError(
            f"{part.where}: {len(first)} picture(s) are too few to be divided (copies of one count once); give more, "
            "or a validation and a test part"
        )
    is_taken = np.isin(picture, taken)
    return part.take(np.flatnonzero(~is_taken)), part.take(np.flatnonzero(is_taken))

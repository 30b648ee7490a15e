"""scikit-learn's handwritten digits: 1,797 grey images of 8 x 8, ten classes; installed with the extra ``vision``.

The file that scikit-learn ships is read without importing scikit-learn, which takes seconds and starts thread pools
that do not survive a fork. The source counts 0 to 16 ink cells a pixel; that is stored as 0 to 255 (rounded), as an
image file would have it.

References:
    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (the
    test part of it is what scikit-learn ships).
"""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from netwright.errors import DataError, MissingDependencyError
from netwright.tasks.formats.parts import ArrayPart, RawData

_FILE = Path("datasets", "data", "digits.csv.gz")
_SIDE = 8


def read() -> RawData:
    """Read the digits.

    Returns:
        All of them as the training part; validation and test are split off later.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
        DataError: the installed scikit-learn has no such file.
    """
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError("scikit-learn", "vision", "the embedded set 'digits'")
    path = Path(spec.submodule_search_locations[0]) / _FILE
    try:
        with gzip.open(path, "rt") as stream:
            rows = np.loadtxt(stream, delimiter=",", dtype=np.int64)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"cannot read the digits of scikit-learn at {str(path)!r}: {error}; install it again"
        ) from error
    images = np.rint(rows[:, :-1].reshape(-1, _SIDE, _SIDE) * (255 / 16)).astype(np.uint8)
    return RawData("digits", ArrayPart("digits", images, rows[:, -1]))

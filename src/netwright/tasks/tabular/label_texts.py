"""Labels that were read as texts: which of them are one label, and which are numbers. Knows no files.

Labels that differ are never merged, but for numbers that are written in two ways: ``1`` and ``1.0`` are one class,
``7`` and ``007`` are two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.tabular.reading import is_number

_WHOLE = re.compile("0|-?[1-9][0-9]{0,17}")


def one_way(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels as they are; where all are numbers, those with a point or an exponent as numbers are usually written.

    Example:
        >>> one_way(["1.0", "2", "2.50", "007"]), one_way(["1.0", "a"])
        (('1', '2', '2.5', '007'), ('1.0', 'a'))
    """
    different = set(labels)
    if not all(map(is_number, different)):
        return tuple(labels)
    known = {label: usual(label) for label in different}
    return tuple(known[label] for label in labels)


def usual(label: str) -> str:
    """A number with a point or an exponent as numbers are usually written; whatever else as it is."""
    if not is_number(label) or ("." not in label and "e" not in label.lower()):
        return label
    value = float(label)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def label_array(labels: Sequence[str]) -> NDArray[Any]:
    """Labels (N,) as whole numbers where all are written as such, else as texts.

    Example:
        >>> label_array(["10", "7", "1.0"]).tolist(), label_array(["007", "7"]).tolist()
        ([10, 7, 1], ['007', '7'])
    """
    found = one_way(labels)
    if found and all(map(_WHOLE.fullmatch, set(found))):
        return np.array([int(label) for label in found], dtype=np.int64)
    return np.array(found, dtype=np.str_)

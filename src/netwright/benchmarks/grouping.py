"""Which rows of a file are the same architecture, and the means over them. Knows no file and no benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netwright.space.coded_rows import CodedRows, distinct_rows
from netwright.types import Value


@dataclass(frozen=True, eq=False)
class Grouping:
    """The different architectures of a file, sorted by their decisions: the order in the file has no say.

    Args:
        rows: the architectures.
        group: which of them each row of the file is, shape (rows of the file,).
    """

    rows: CodedRows
    group: np.ndarray

    @classmethod
    def of(cls, values: Mapping[str, Sequence[Value]], codes: np.ndarray) -> Grouping:
        """Group the rows of a file.

        Args:
            values: what each decision may be, by its name.
            codes: shape (rows of the file, decisions): 0 where there is no decision, else 1 + the place of its value.
        """
        most = max((len(column) for column in values.values()), default=0)
        distinct, group = distinct_rows(codes.astype(np.min_scalar_type(most)))
        return cls(CodedRows(values, distinct), group)

    def mean(self, numbers: np.ndarray) -> np.ndarray:
        """Mean over the rows of each architecture that are no NaN; NaN where all are.

        Args:
            numbers: shape (rows of the file,).

        Returns:
            Shape (architectures,).

        Example:
            >>> grouping = Grouping.of({"width": (8, 16)}, np.array([[2], [1], [2]]))
            >>> grouping.mean(np.array([0.5, 0.25, 1.0])).tolist()
            [0.25, 0.75]
        """
        known = ~np.isnan(numbers)
        counts = np.bincount(self.group, weights=known, minlength=len(self.rows))
        sums = np.bincount(self.group, weights=np.where(known, numbers, 0.0), minlength=len(self.rows))
        means: np.ndarray = np.divide(sums, counts, out=np.full(len(self.rows), np.nan), where=counts > 0)
        return means


def first_repeat(keys: np.ndarray) -> tuple[int, int] | None:
    """The first place at which a number stands that stood before, with the place before; None where all differ.

    Args:
        keys: whole numbers, shape (n,).

    Example:
        >>> first_repeat(np.array([3, 1, 4, 1, 5, 3]))
        (1, 3)
    """
    order = np.argsort(keys, kind="stable")
    repeats = order[1:][keys[order][1:] == keys[order][:-1]]
    if not len(repeats):
        return None
    second = int(repeats.min())
    return int(np.argmax(keys == keys[second])), second

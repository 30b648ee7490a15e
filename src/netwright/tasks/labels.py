"""From the labels people have to class numbers 0 to C-1.

Accepted: whole numbers of any range (also stored as floats), strings, booleans, as (N,) or (N, 1); or one-hot rows
(N, C) of zeros and exactly one 1. The classes are those of the training labels, numbers in numeric and strings in
code-point order; any other label elsewhere is an error. Soft and multiple labels are refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, shorten
from netwright.tasks.formats.parts import Array

_SHOWN = 5
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates, but for those that stand for a byte that is no UTF-8."""


@dataclass(frozen=True)
class Classes:
    """The classes of a task.

    Args:
        values: the label of each class as a number or a string, ascending.
    """

    values: tuple[int, ...] | tuple[str, ...]

    @classmethod
    def learn(cls, labels: Array, where: str) -> Classes:
        """Take the classes from training labels.

        Args:
            labels: training labels in any accepted form.
            where: name of the part, for messages.

        Raises:
            DataError: labels of another form, or fewer than two classes.

        Example:
            >>> Classes.learn(np.array(["dog", "cat", "dog"]), "y").names
            ('cat', 'dog')
        """
        values = np.unique(_flat(labels, where)).tolist()
        if len(values) < 2:
            one = f"only the class {shorten(values[0])}" if values else "no examples"
            raise DataError(f"{where}: {one}; a classification needs at least two classes")
        return cls(tuple(values))

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each class: what its label prints as.

        What no text can hold is replaced, or escaped where the names of several classes would be the same.
        """
        names = [_text(str(value)) for value in self.values]
        counts = Counter(names)
        escaped = (str(value).encode("utf-8", "backslashreplace").decode() for value in self.values)
        return tuple(name if counts[name] == 1 else other for name, other in zip(names, escaped, strict=True))

    def encode(self, labels: Array, where: str, place: Callable[[int], str] | None = None) -> NDArray[np.int64]:
        """Turn labels into class numbers.

        Args:
            labels: labels in any accepted form.
            where: name of the part, for messages.
            place: where the example of a row stands, for messages, such as ``row 3`` or a file and line.

        Returns:
            (N,) numbers from 0 to C-1.

        Raises:
            DataError: labels that are not among the training part's; they are named, and the place of the first.
        """
        flat, known = _flat(labels, where), np.array(self.values)
        if (flat.dtype.kind == "U") != (known.dtype.kind == "U"):
            raise DataError(
                f"{where}: labels are {_kind(flat)}, those of the training part are {_kind(known)}; use one kind"
            )
        number = np.searchsorted(known, flat).clip(max=len(known) - 1)
        rows = np.flatnonzero(known[number] != flat)
        if len(rows):
            strange = np.unique(flat[rows]).tolist()
            first = f"; the first is {place(int(rows[0]))}" if place is not None else ""
            raise DataError(
                f"{where}: {len(strange)} label(s) that the training part does not have: {_list(strange)}; "
                f"it has {_list(self.values)}{first}"
            )
        return number.astype(np.int64)


def _flat(labels: Array, where: str) -> Array:
    """Bring labels to (N,) int64 or strings."""
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "surrogateescape")  # different bytes stay different classes
    if labels.dtype.kind not in "Ubiuf":
        raise DataError(f"{where}: labels are of type {labels.dtype}; give whole numbers or strings")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind == "f":
        labels = _whole(labels, where)
    if labels.ndim == 2:
        labels = _from_one_hot(labels, where)
    if labels.ndim != 1:
        raise DataError(f"{where}: labels have shape {labels.shape}; give (N,), (N, 1) or one-hot (N, C)")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise DataError(f"{where}: label {labels.max()} is beyond 64-bit signed numbers; number the classes from 0")
    return labels.astype(np.int64)


def _whole(labels: Array, where: str) -> Array:
    """Turn floats that are whole numbers into integers."""
    missing = np.argwhere(~np.isfinite(labels))
    if len(missing):
        raise DataError(
            f"{where}: {len(missing)} label(s) are NaN or infinite, the first in row {missing[0][0]}; remove these rows"
        )
    broken = np.argwhere((labels != np.rint(labels)) | (np.abs(labels) > 2**53))
    if len(broken):
        raise DataError(
            f"{where}: label {labels[tuple(broken[0])]} in row {broken[0][0]} is no whole number; "
            "give class numbers or names (soft labels and regression are not supported)"
        )
    return labels.astype(np.int64)


def _from_one_hot(labels: Array, where: str) -> Array:
    """Turn rows with exactly one 1 into the number of its column."""
    if labels.dtype.kind == "U":
        raise DataError(f"{where}: labels have shape {labels.shape}; give one string a row")
    hot = labels.astype(np.int64)
    wrong_rows = np.flatnonzero(((hot != 0) & (hot != 1)).any(axis=1) | (hot.sum(axis=1) != 1))
    if len(wrong_rows):
        raise DataError(
            f"{where}: labels of shape {labels.shape} are not one-hot: {len(wrong_rows)} row(s) without exactly one 1, "
            f"the first is row {wrong_rows[0]}; give one class a row"
        )
    return np.asarray(hot.argmax(axis=1))


def _text(value: str) -> str:
    """A string that can be written anywhere: bytes that are no UTF-8, and halves of characters, are replaced."""
    whole = _HALVES.sub("\N{REPLACEMENT CHARACTER}", value)
    return whole.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _kind(labels: Array) -> str:
    return "strings" if labels.dtype.kind == "U" else "numbers"


def _list(values: tuple[int, ...] | tuple[str, ...] | list[object]) -> str:
    shown = ", ".join(shorten(value, 40) for value in values[:_SHOWN])
    return shown + (", ..." if len(values) > _SHOWN else "")

"""A million architectures as a matrix of small numbers: which architecture a row is, and which row an architecture is.

A list of architectures costs half a kilobyte each; a row of codes costs a byte a decision. Architectures are made when
somebody asks for one. Knows neither a search space nor what the architectures scored.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from netwright.errors import SpaceError
from netwright.space.values import typed
from netwright.types import Architecture, Value, canonical_json, digest, to_json_value

_KEYS = 1 << 64
"""Keys are whole numbers below this; where the product of the domains is larger they are hashes."""


def value_order(value: Value) -> tuple[bool, float, str]:
    """Sorts values of any kind: numbers by size, then all others by their JSON text."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return not is_number, float(value) if is_number else 0.0, canonical_json(to_json_value(value))  # type: ignore[arg-type]


def distinct_rows(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort rows and merge equal ones.

    Args:
        codes: whole numbers, shape (rows, decisions).

    Returns:
        The different rows in lexicographic order, and for each given row which of them it is, shape (rows,).

    Example:
        >>> distinct, group = distinct_rows(np.array([[2, 1], [1, 3], [2, 1]]))
        >>> distinct.tolist(), group.tolist()
        ([[1, 3], [2, 1]], [1, 0, 1])
    """
    order = np.lexsort(codes.T[::-1]) if codes.shape[1] else np.arange(len(codes))
    ordered = codes[order]
    is_new = np.ones(len(codes), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    group = np.empty(len(codes), dtype=np.intp)
    group[order] = np.cumsum(is_new) - 1
    return ordered[is_new], group


class CodedRows:
    """Different architectures in lexicographic order of their codes.

    Args:
        values: what each decision may be, by its name; all different.
        codes: whole numbers, shape (rows, decisions), as `distinct_rows` returns them: 0 where a row does not have the
            decision, else 1 + the place of its value in ``values``.

    Raises:
        SpaceError: the rows are not in order, or two are equal.

    Example:
        >>> rows = CodedRows({"op": ("conv", "skip"), "width": (8, 16)}, np.array([[1, 1], [1, 2], [2, 0]]))
        >>> rows.architecture(2), rows.find(Architecture({"op": "conv", "width": 16}))
        (Architecture({"op":"skip"}), 1)
    """

    def __init__(self, values: Mapping[str, Sequence[Value]], codes: np.ndarray) -> None:
        self.values: Mapping[str, tuple[Value, ...]] = {name: tuple(column) for name, column in values.items()}
        most = max((len(column) for column in self.values.values()), default=0)
        self.codes = np.asfortranarray(codes, dtype=np.min_scalar_type(most))
        self.codes.setflags(write=False)
        if not _increasing(self.codes):
            raise SpaceError("rows must be different and in order; pass the first result of distinct_rows(codes)")

    @classmethod
    def of(cls, architectures: Iterable[Architecture], names: Sequence[str]) -> CodedRows:
        """Code architectures, equal ones once.

        Args:
            architectures: in any order.
            names: of the decisions, in the order that decides how rows are sorted.

        Raises:
            SpaceError: an architecture has a decision of another name.
        """
        listed = list(architectures)
        for arch in listed:
            if not set(arch) <= set(names):
                raise SpaceError(f"a row has a decision {min(set(arch) - set(names))!r}; known: {', '.join(names)}")
        values = {name: _sorted_values(arch[name] for arch in listed if name in arch) for name in names}
        codes = np.zeros((len(listed), len(names)), dtype=np.int64)
        for column, name in enumerate(names):
            code = {typed(value): place for place, value in enumerate(values[name], start=1)}
            codes[:, column] = [code[typed(arch[name])] if name in arch else 0 for arch in listed]
        return cls(values, distinct_rows(codes)[0])

    def __len__(self) -> int:
        return len(self.codes)

    def architecture(self, row: int) -> Architecture:
        """Make the architecture of a row."""
        codes = self.codes[row].tolist()
        columns = zip(self.values.items(), codes, strict=True)
        return Architecture({name: column[code - 1] for (name, column), code in columns if code})

    def find(self, arch: Architecture) -> int | None:
        """Number of the row that is an architecture; None where there is none."""
        key, codes = 0, [0] * self.codes.shape[1]
        for name, value in arch.items():
            column = self._columns.get(name)
            if column is None:
                return None
            place, known, multiplier = column
            code = known.get(typed(value) if value.__class__ is tuple else (value.__class__, value))
            if code is None:
                return None
            codes[place] = code
            key += code * multiplier
        wanted = np.uint64(key % _KEYS)
        at = int(np.searchsorted(self._sorted_keys, wanted))
        while at < len(self) and self._sorted_keys[at] == wanted:  # hashes of different rows may be equal
            row = int(self._key_order[at])
            if self.codes[row].tolist() == codes:
                return row
            at += 1
        return None

    @cached_property
    def digest(self) -> str:
        """16 hex digits of what the rows are."""
        values = {name: [to_json_value(v) for v in column] for name, column in self.values.items()}
        content = hashlib.blake2b(np.ascontiguousarray(self.codes, dtype="<u4").tobytes(), digest_size=16)
        return digest(canonical_json([values, list(self.codes.shape), content.hexdigest()]))

    @cached_property
    def keys(self) -> np.ndarray:
        """A number for every row, uint64 of shape (rows,): different ones as far as 64 bits allow."""
        keys = np.zeros(len(self), dtype=np.uint64)
        for column, multiplier in enumerate(self._multipliers):
            keys += self.codes[:, column].astype(np.uint64) * np.uint64(multiplier)
        return keys

    @cached_property
    def marks(self) -> np.ndarray:
        """Hashes of the rows, uint64 of shape (rows,), for choosing among equals without looking at their order."""
        return _mixed(self.keys)

    @cached_property
    def _multipliers(self) -> list[int]:
        sizes = [len(column) + 1 for column in self.values.values()]
        if math.prod(sizes) < _KEYS:
            return [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]
        rng = np.random.default_rng(0)  # any odd numbers do; the same ones in every process
        return [int(m) | 1 for m in rng.integers(0, 1 << 63, size=len(sizes), dtype=np.uint64)]

    @cached_property
    def _columns(self) -> dict[str, tuple[int, dict[object, int], int]]:
        """Of every decision: its column, the codes of its values, the multiplier of its codes."""
        columns = enumerate(zip(self.values.items(), self._multipliers, strict=True))
        return {
            name: (place, {typed(value): code for code, value in enumerate(column, start=1)}, multiplier)
            for place, ((name, column), multiplier) in columns
        }

    @cached_property
    def _key_order(self) -> np.ndarray:
        return np.argsort(self.keys, kind="stable")

    @cached_property
    def _sorted_keys(self) -> np.ndarray:
        sorted_keys: np.ndarray = self.keys[self._key_order]
        return sorted_keys


def _sorted_values(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(sorted({typed(value): value for value in values}.values(), key=value_order))


def _increasing(codes: np.ndarray) -> bool:
    """Whether each row is lexicographically larger than the one before."""
    undecided = np.ones(max(0, len(codes) - 1), dtype=bool)
    for column in codes.T:
        if (undecided & (column[1:] < column[:-1])).any():
            return False
        undecided &= column[1:] == column[:-1]
    return not undecided.any()


def _mixed(keys: np.ndarray) -> np.ndarray:
    """Hashes of whole numbers (the finaliser of splitmix64: Steele, Lea and Flood, 2014)."""
    mixed = keys + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))

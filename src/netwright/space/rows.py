"""A space of listed architectures: what a table holds, where it does not hold all that its declaration allows.

Every move ends on a row, so that a search never asks for what nobody evaluated. Architectures are made on demand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from netwright.errors import SpaceError, wrong
from netwright.space.coded_rows import CodedRows
from netwright.space.description import Description
from netwright.space.draws import below
from netwright.space.near_rows import NearRows
from netwright.space.search_space import SearchSpace
from netwright.space.values import is_static, values_of
from netwright.space.walk import RowSteps, RowsWalk, Walk
from netwright.types import Architecture, Value


class RowsSpace(SearchSpace):
    """Some of the architectures of another space, listed.

    It counts, samples and enumerates its rows. What is a neighbour is a matter of distance, as most rows have no
    other that differs in one decision: see `neighbours`. Ids, graphs, encodings and networks are those of the
    declaration. A million rows are held as a matrix of numbers.

    Args:
        space: the declaration.
        rows: which architectures there are, all of ``space``.
        checked: whether it is known that the rows are in ``space``.

    Attributes:
        rows: as given.

    Raises:
        SpaceError: there is no row, or a row is not in ``space``.

    Example:
        >>> from netwright.space import Op, choice
        >>> space = SearchSpace(Op("conv", (("width", choice("width", [8, 16, 24])), ("kernel", choice("k", [3, 5])))))
        >>> rows = [space.architecture({"width": w, "k": k}) for w, k in ((8, 3), (24, 3), (24, 5))]
        >>> listed = RowsSpace(space, CodedRows.of(rows, list(space.choices)))
        >>> listed.count(), listed.contains(space.architecture({"width": 16, "k": 3}))
        (3, False)
    """

    def __init__(self, space: SearchSpace, rows: CodedRows, *, checked: bool = False) -> None:
        super().__init__(space.root, constraints=space.constraints, training=space.training)
        if not len(rows):
            raise SpaceError("a space of rows needs at least one row; there is none")
        problem = None if checked else first_outside(space, rows)
        if problem is not None:
            raise SpaceError(f"row {problem[0]} is not in the space: {problem[1]}")
        self.rows = rows

    def __repr__(self) -> str:
        return f"RowsSpace({len(self.rows)} rows, {len(self.choices)} choices)"

    # --- the set ---

    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw a row, each with the same probability."""
        return self.rows.architecture(below(rng, len(self.rows)))

    def enumerate(self) -> Iterator[Architecture]:
        """All rows, sorted by their decisions."""
        return map(self.rows.architecture, range(len(self.rows)))

    def rank(self, arch: Architecture) -> int:
        """Number of a row in the order of `enumerate`.

        Raises:
            SpaceError: ``arch`` is not among the rows.
        """
        row = self.rows.find(arch)
        if row is None:
            raise SpaceError(self.explain(arch))
        return row

    def unrank(self, index: int) -> Architecture:
        """Row number ``index``, from 0, in the order of `enumerate`.

        Raises:
            SpaceError: there is no such row.
        """
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(self.rows):
            raise SpaceError(wrong("index", index, f"a whole number from 0 to below the count ({len(self.rows)})"))
        return self.rows.architecture(index)

    def explain(self, arch: Architecture) -> str | None:
        """Why an architecture is not among the rows; None if it is."""
        return None if self.rows.find(arch) is not None else super().explain(arch)

    def architecture(self, decisions: Mapping[str, Value], *, drop_inactive: bool = False) -> Architecture:
        """Make one of the rows of decisions, written as the space writes it.

        Args:
            decisions: a value for every active choice.
            drop_inactive: leave out decisions on choices that the others make inactive, instead of refusing them.

        Raises:
            SpaceError: the decisions are not allowed, or no row has them.
        """
        arch = super().architecture(decisions, drop_inactive=drop_inactive)
        if self.rows.find(arch) is None:
            what = f"{arch!r} is not among the {len(self.rows)} listed architectures"
            raise SpaceError(f"{what}; the nearest is {self._closest(arch)!r}")
        return arch

    def _closest(self, arch: Architecture) -> Architecture:
        codes = np.zeros(len(self.rows.values), dtype=np.int64)
        for column, (name, values) in enumerate(self.rows.values.items()):
            if arch.get(name) in values:
                codes[column] = 1 + values.index(arch[name])
        return self.rows.architecture(int(np.argmin(self._near.distances(codes))))

    # --- moves ---

    @cached_property
    def _row_steps(self) -> RowSteps:
        return RowSteps(self._program, self.rows)

    def walk(self) -> Walk:
        """Begin a row that is decided choice by choice, each among what the rows with the decisions so far have."""
        return RowsWalk(self._row_steps)

    @cached_property
    def _near(self) -> NearRows:
        return NearRows(self.rows, self.choices)

    def neighbours(self, arch: Architecture) -> Iterator[Architecture]:
        """The rows near a row, lazily, each once, in their order; there are always some where there are two rows.

        Of two neighbours one is among the 16 nearest of the other, by the number of decisions in which they differ,
        numbers by how far they are apart (see `netwright.space.near_rows`). The relation is symmetric.

        Raises:
            SpaceError: ``arch`` is not among the rows.
        """
        return map(self.rows.architecture, self._near.of(self.rank(arch)).tolist())

    def mutate(self, arch: Architecture, rng: np.random.Generator, k: int = 1) -> Architecture:
        """Take ``k`` steps from neighbour to neighbour, each drawn evenly, without coming back to the parent.

        Args:
            arch: the parent.
            rng: source of randomness.
            k: how many steps, >= 1; fewer where they would only lead back.

        Raises:
            SpaceError: ``arch`` is not among the rows, or there is no other row.
        """
        parent = self.rank(arch)
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise SpaceError(wrong("k", k, "a whole number >= 1"))
        if len(self.rows) == 1:
            raise SpaceError("there is one row only, so it has no mutation; list more architectures")
        at = parent
        for _ in range(k):
            near = self._near.of(at)
            near = near[near != parent]
            if len(near):
                at = int(near[below(rng, len(near))])
        return self.rows.architecture(at)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Take the row nearest to a mix of two rows, neither of them where there is another.

        Every decision of the mix comes from either parent with even chances. Among rows equally near one is drawn.

        Args:
            a: a parent.
            b: the other.
            rng: source of randomness.

        Raises:
            SpaceError: ``a`` or ``b`` is not among the rows.
        """
        parents = [self.rank(a), self.rank(b)]
        from_a = rng.integers(0, 2, size=len(self.rows.values), dtype=np.int64)
        distances = self._near.distances(np.where(from_a, *self.rows.codes[parents]))
        if len(self.rows) > len(set(parents)):
            distances[parents] = np.iinfo(np.int64).max
        nearest = np.flatnonzero(distances == distances.min())
        return self.rows.architecture(int(nearest[below(rng, len(nearest))]))

    # --- the declaration ---

    @cached_property
    def _description(self) -> Description:
        """The declaration, with the rows as one more constraint."""
        whole = super()._description
        constraints = whole["constraints"]
        assert isinstance(constraints, list)
        return {**whole, "constraints": [*constraints, {"rows": len(self.rows), "digest": self.rows.digest}]}


def first_outside(space: SearchSpace, rows: CodedRows) -> tuple[int, str] | None:
    """The first row that is not in a space, and why; None where all are.

    Where every combination of values is in the space, one row for each value is looked at; else all are.
    """
    if _is_product(space, rows):
        columns = zip(rows.codes.T, rows.values.values(), strict=True)
        firsts = {int(np.argmax(codes == code)) for codes, values in columns for code in range(1, len(values) + 1)}
        looked_at: Iterator[int] = iter(sorted(firsts))
    else:
        looked_at = iter(range(len(rows)))
    for row in looked_at:
        reason = space.explain(rows.architecture(row))
        if reason is not None:
            return row, reason
    return None


def _is_product(space: SearchSpace, rows: CodedRows) -> bool:
    """Whether all choices are made in every architecture, independently of each other."""
    if space.constraints or set(space.choices) != set(rows.values) or not rows.codes.all():
        return False
    if not all(is_static(choice.domain) for choice in space.choices.values()):
        return False
    sizes = [values_of(choice, {}).size for choice in space.choices.values()]
    return min(sizes, default=0) > 1 and math.prod(sizes) == space.count()

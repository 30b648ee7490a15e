"""The search space: everything one can ask of a set of architectures.

It joins the parts of this package and holds no algorithm of its own. It does not know what operations compute: networks
are built by the backend of the declaration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import SpaceError, unknown, wrong
from netwright.space import moves
from netwright.space.canonical import canonical_id
from netwright.space.checks import check_declaration
from netwright.space.constraints import holds
from netwright.space.description import Description, describe, fingerprint
from netwright.space.diagram import Diagram, largest_diagram
from netwright.space.difference import Difference, difference
from netwright.space.draws import below
from netwright.space.encoding import Encoder
from netwright.space.expressions import Choice, Expr, Real
from netwright.space.graph import OperationGraph, operation_graph
from netwright.space.nodes import Arg, Node, find_backend, freeze_args
from netwright.space.program import Program, evaluate_argument, reads
from netwright.space.resolve import resolve
from netwright.space.values import canonical, typed
from netwright.space.walk import DiagramSteps, DiagramWalk, Walk
from netwright.types import Architecture, Value

if TYPE_CHECKING:
    from netwright.space.nodes import Backend
    from netwright.space.terms import Term

REJECTION_LIMIT = 100_000
"""Draws after which constraints that hold by rejection are said to exclude everything."""

EXPLAINED = 4_096
"""Architectures remembered as checked, since every method checks those it is given."""


class SearchSpace:
    """A set of architectures, declared as a tree of operations with choices in it.

    Args:
        root: the network's declaration; None where only training choices exist.
        constraints: conditions that every architecture fulfils. A choice that an architecture does not have has no
            value there, and a constraint is broken only if it is false (see `netwright.space.constraints`).
        training: arguments of the training recipe, which may be choices too.
        state_limit: how large the diagram that counts and samples may become. Constraints that would make it larger
            are left out of it and hold by rejection: sampling stays exactly uniform, counting is refused.

    Attributes:
        admits: whether a search may propose an architecture of the space, see `limited`.

    Raises:
        SpaceError: the declaration contradicts itself, or no architecture fulfils the constraints.

    Example:
        >>> from netwright.space import Op, OneOf, choice
        >>> width = choice("width", [16, 32])
        >>> op = choice("op", ["conv", "skip"])
        >>> conv = Op("conv", (("width", width), ("kernel", choice("kernel", [3, 5, 7]))))
        >>> space = SearchSpace(OneOf(op, (("conv", conv), ("skip", Op("identity")))))
        >>> space.count(), sorted(space.architecture({"op": "skip"}))
        (7, ['op'])
    """

    def __init__(
        self,
        root: Node | None = None,
        *,
        constraints: Sequence[Expr] = (),
        training: Mapping[str, Arg] | None = None,
        state_limit: int = 200_000,
    ) -> None:
        self.root = root
        self.constraints = tuple(constraints)
        self.training: Mapping[str, Arg] = MappingProxyType(dict(freeze_args(training or {})))
        self._program = Program(root, self.training)
        self.choices: Mapping[str, Choice] = MappingProxyType(self._program.choices)
        self._state_limit = state_limit
        self._explained = lru_cache(maxsize=EXPLAINED)(self._explain)
        check_declaration(self._program, self.constraints)
        self._reals = frozenset(n for n, c in self.choices.items() if isinstance(c.domain, Real))
        self.admits: Callable[[Architecture], bool] = _everything

    def __repr__(self) -> str:
        return f"SearchSpace({len(self.choices)} choices, {len(self.constraints)} constraints)"

    # --- the set ---

    @cached_property
    def _folded(self) -> tuple[Diagram, tuple[Expr, ...]]:
        """The diagram, and the constraints that are left out of it and hold by rejection."""
        real = [c for c in self.constraints if any(x.name in self._reals for x in reads(c))]
        exact = sorted((c for c in self.constraints if c not in real), key=lambda c: len(reads(c)))
        diagram, folded = largest_diagram(self._program, exact, self._state_limit)
        return diagram, tuple(c for c in self.constraints if c not in folded)

    def count(self) -> int | float:
        """How many architectures there are; ``math.inf`` where a real choice makes them innumerable.

        Raises:
            SpaceError: a constraint entangles too many choices to be counted.
        """
        diagram, rejected = self._folded
        if self._has_reals:
            return math.inf
        if rejected:
            raise SpaceError(
                f"count is not known: the constraint {rejected[0]!r} entangles too many choices; sampling works; raise "
                f"state_limit (now {self._state_limit}), or write the constraint over fewer choices"
            )
        return diagram.count(diagram.root)

    def constrained(self, constraints: Sequence[Expr]) -> SearchSpace:
        """The part of the space in which further constraints hold.

        Args:
            constraints: conditions over choices of the space, beside its own.

        Raises:
            SpaceError: one reads a choice that the space does not have.

        Example:
            >>> from netwright.space import choice
            >>> width = choice("width", [8, 16, 32])
            >>> SearchSpace(training={"rate": 1 / width}).constrained([width <= 16]).count()
            2
        """
        all_of_them = (*self.constraints, *constraints)
        return SearchSpace(self.root, constraints=all_of_them, training=self.training, state_limit=self._state_limit)

    def limited(self, admits: Callable[[Architecture], bool]) -> SearchSpace:
        """The same space for a search in which some architectures are not worth a proposal.

        For limits that are known without an evaluation, such as a size. All architectures stay in the space: they are
        counted, sampled and told as before, only our strategies pass over those that are not admitted.

        Args:
            admits: whether an architecture may be proposed; the same answer each time.

        Example:
            >>> from netwright.space import choice
            >>> space = SearchSpace(training={"lr": choice("lr", [0.1, 0.2])})
            >>> small = space.limited(lambda architecture: architecture["lr"] < 0.2)
            >>> small.count(), small.admits(small.architecture({"lr": 0.2}))
            (2, False)
        """
        limited = copy(self)
        limited.admits = admits
        return limited

    @cached_property
    def _has_reals(self) -> bool:
        if not self._reals:
            return False
        diagram, _ = self._folded
        return diagram.reaches(self._reals)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw an architecture, each with the same probability.

        Real choices do not count; given the rest, each is drawn evenly from its range (from its logarithm with
        ``log``), independently.

        Args:
            rng: source of randomness.

        Raises:
            SpaceError: the constraints that hold by rejection excluded every one of 100,000 draws.
        """
        diagram, rejected = self._folded
        total = diagram.count(diagram.root)
        for _ in range(REJECTION_LIMIT):
            decisions = moves.fill_reals(self._program, diagram.unrank(below(rng, total)), self._reals, rng)
            if all(holds(constraint, decisions) for constraint in rejected):
                return Architecture(decisions)
        raise SpaceError(
            f"no architecture found in {REJECTION_LIMIT} draws that fulfils {'; '.join(map(repr, rejected))}; "
            "relax the constraint or express it by the structure"
        )

    def enumerate(self) -> Iterator[Architecture]:
        """All architectures, each once, in the order of the declaration.

        Raises:
            SpaceError: a real choice makes them innumerable.
        """
        diagram, rejected = self._folded
        if self._has_reals:
            names = ", ".join(sorted(self._reals))
            raise SpaceError(f"a space with real choices ({names}) cannot be enumerated; use choice() or integer()")
        found = diagram.enumerate()
        return (Architecture(d) for d in found if all(holds(c, d) for c in rejected))

    def rank(self, arch: Architecture) -> int:
        """Number of an architecture in the order of `enumerate`, without enumerating; the opposite of `unrank`.

        Real choices and constraints that hold by rejection are not considered.

        Raises:
            SpaceError: ``arch`` is not in the space.
        """
        self._require(arch)
        return self._folded[0].rank(arch)

    def unrank(self, index: int) -> Architecture:
        """Architecture number ``index``, from 0, in the order of `enumerate`; for taking evenly spread ones.

        Raises:
            SpaceError: there is no such number, or architectures are not numbered (see `count`).
        """
        count = self.count()
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count or math.isinf(count):
            raise SpaceError(wrong("index", index, f"a whole number from 0 to below the count ({count})"))
        return Architecture(self._folded[0].unrank(index))

    @property
    def num_states(self) -> int:
        """States of the diagram that counts and samples: what memory and first use cost."""
        return self._folded[0].num_states

    def contains(self, arch: Architecture) -> bool:
        """Whether an architecture is one of this space, written as the space writes it; `explain` says why not."""
        return self.explain(arch) is None

    def explain(self, arch: Architecture) -> str | None:
        """What is wrong with an architecture: which decision, and what would be allowed. None if it is in the space."""
        return self._explained(arch)

    def _explain(self, arch: Architecture) -> str | None:
        try:
            proper = self.architecture(arch)
        except SpaceError as error:
            return str(error)
        for name, value in proper.items():
            if typed(value) != typed(arch[name]):
                return f"decision {name!r} must be written {value!r}, got {arch[name]!r}; use space.architecture(...)"
        return None

    def architecture(self, decisions: Mapping[str, Value], *, drop_inactive: bool = False) -> Architecture:
        """Make a valid architecture of decisions, written as the space writes it.

        Args:
            decisions: a value for every active choice. Lists and 16.0 for 16 are accepted.
            drop_inactive: leave out decisions on choices that the others make inactive, instead of refusing them.

        Raises:
            SpaceError: a decision is misspelt, missing, inactive or outside its domain, or a constraint is broken.
        """
        given = dict(decisions)
        for name in given:
            if name not in self.choices:
                raise SpaceError(unknown("decision", name, self.choices))
        active: dict[str, Value] = {}
        for choice in self._program.active(active):
            active[choice.name] = self._checked(choice, given, active)
        inactive = [name for name in given if name not in active]
        if inactive and not drop_inactive:
            raise SpaceError(
                f"decision {inactive[0]!r} = {given[inactive[0]]!r} is not active: the other decisions leave out "
                "the part of the network it stands in; remove it, or pass drop_inactive=True"
            )
        for constraint in self.constraints:
            if not holds(constraint, active):
                read = {c.name: active.get(c.name, "inactive") for c in reads(constraint)}
                raise SpaceError(f"the constraint {constraint!r} is broken by {read}; change one of them")
        return Architecture(active)

    def _checked(self, choice: Choice, decisions: Mapping[str, Value], active: Mapping[str, Value]) -> Value:
        values = self._program.values(choice, active)
        name = choice.name
        if name not in decisions:
            raise SpaceError(f"decision {name!r} is missing; give {values.allowed(None)}")
        try:
            return canonical(values, decisions[name])
        except LookupError:
            raise SpaceError(
                wrong(f"decision {name!r}", decisions[name], values.allowed(decisions[name]), "take an allowed value")
            ) from None

    def _require(self, *archs: Architecture) -> None:
        for arch in archs:
            problem = self.explain(arch)
            if problem is not None:
                raise SpaceError(problem)

    # --- moves ---

    @cached_property
    def _steps(self) -> DiagramSteps:
        return DiagramSteps(*self._folded)

    def walk(self) -> Walk:
        """Begin an architecture that is decided choice by choice, each among what still leads to one.

        See `netwright.space.walk`. Every architecture is reached by exactly one walk.
        """
        return DiagramWalk(self._steps)

    @cached_property
    def _moves(self) -> moves.Moves:
        diagram, rejected = self._folded
        return moves.Moves(self._program, diagram, rejected)

    def neighbours(self, arch: Architecture) -> Iterator[Architecture]:
        """Architectures that differ from one in exactly one decision which both have, lazily, each once.

        Every other decision that both have is equal; decisions that only the neighbour has may take any value. The
        relation is symmetric. It is listed completely but for real choices, which stand at 10, 30, 50, 70 and 90 % of
        their range where they are the one that changes, and in the middle where they are new.

        Raises:
            SpaceError: ``arch`` is not in the space.
        """
        self._require(arch)
        return self._moves.neighbours(arch)

    def mutate(self, arch: Architecture, rng: np.random.Generator, k: int = 1) -> Architecture:
        """Change exactly ``k`` decisions.

        The decisions to change are drawn evenly, then their new values evenly among those that lead to a valid
        architecture. Other decisions that parent and child share stay; decisions that only the child has are drawn
        evenly from all valid completions. Never returns the parent.

        Args:
            arch: the parent.
            rng: source of randomness.
            k: how many decisions active in both parent and child differ; >= 1.

        Raises:
            SpaceError: ``arch`` is not in the space, or no such child exists.
        """
        self._require(arch)
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise SpaceError(wrong("k", k, "a whole number >= 1"))
        return self._moves.mutate(arch, rng, k)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Mix two architectures: every decision that a parent has comes from a parent.

        Where both have it, either with even chances, as far as a valid architecture can still be reached; what neither
        has is drawn evenly from the valid completions. Where constraints hold by rejection and 1,000 draws break them,
        the child is ``a``.

        Args:
            a: a parent.
            b: the other.
            rng: source of randomness.

        Raises:
            SpaceError: ``a`` or ``b`` is not in the space.
        """
        self._require(a, b)
        return self._moves.crossover(a, b, rng)

    # --- what an architecture is ---

    def resolve(self, arch: Architecture, *, sited: bool = False) -> Term:
        """The network without choices.

        Args:
            arch: an architecture of the space.
            sited: let operations know where they stand in the declaration, see `OpTerm.site`.

        Raises:
            SpaceError: ``arch`` is not in the space, or the space has training choices only.
        """
        self._require(arch)
        return resolve(self._network(), arch, sited=sited)

    def _network(self) -> Node:
        if self.root is None:
            raise SpaceError("the space has no network, only training choices; give it a root")
        return self.root

    def training_values(self, arch: Architecture) -> dict[str, Value]:
        """Arguments of the training recipe that an architecture decides, or that are constant.

        Raises:
            SpaceError: ``arch`` is not in the space.
        """
        self._require(arch)
        return {name: evaluate_argument(arg, arch) for name, arg in self.training.items()}

    def canonical_id(self, arch: Architecture) -> str:
        """16 hex digits, shared by architectures that are the same network trained in the same way.

        Nodes of cells may be numbered differently, identities stand anywhere and dead parts exist. See
        `netwright.space.canonical`.

        Raises:
            SpaceError: ``arch`` is not in the space.
        """
        training = self.training_values(arch)
        return canonical_id(None if self.root is None else resolve(self.root, arch), training)

    def graph(self, arch: Architecture) -> OperationGraph:
        """The operations as a graph with labels, for kernels and predictors.

        Raises:
            SpaceError: ``arch`` is not in the space, or the space has training choices only.
        """
        return operation_graph(self.resolve(arch))

    def encode(self, arch: Architecture, kind: str = "one-hot") -> np.ndarray:
        """Write an architecture as a vector of fixed length.

        Args:
            arch: of this space.
            kind: ``one-hot``, ``ordinal``, ``adjacency``, ``operation``, ``path`` or ``statistics``; see
                `netwright.space.encoding`.

        Returns:
            float64 array of shape (dimension,).

        Raises:
            SpaceError: ``arch`` is not in the space, or the kind is unknown.
        """
        self._require(arch)
        return self._encoder.encode(arch, kind)

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self._program, self._folded[0], self.sample)

    def difference(self, a: Architecture, b: Architecture) -> Difference:
        """What two architectures of this space differ in.

        Raises:
            SpaceError: ``a`` or ``b`` is not in the space.
        """
        self._require(a, b)
        return difference(a, b)

    # --- the declaration ---

    @cached_property
    def _description(self) -> Description:
        return describe(self._program, self.constraints)

    def describe(self) -> Description:
        """The declaration as a JSON object; equal for equal declarations, in every process."""
        return self._description

    def fingerprint(self) -> str:
        """16 hex digits that change with anything in the declaration."""
        return fingerprint(self._description)

    # --- networks ---

    def build(
        self, arch: Architecture, *, input_shape: tuple[int, ...], seed: int = 0, input_dtype: str = "float32"
    ) -> object:
        """Make the plain model of an architecture; see the backend (`netwright.nn.build`).

        Args:
            arch: of this space.
            input_shape: shape of one input, without the batch.
            seed: of the initial weights.
            input_dtype: dtype of the input.

        Raises:
            SpaceError: ``arch`` is not in the space, or no operation says what it computes.
            BuildError: the network cannot be: names the operation, its path and the shapes.
        """
        term = self.resolve(arch)
        return self._backend().build(term, input_shape=input_shape, seed=seed, input_dtype=input_dtype)

    def source(self, arch: Architecture, *, input_shape: tuple[int, ...], input_dtype: str = "float32") -> str:
        """Write the model of an architecture as readable source; see the backend (`netwright.nn.source`).

        Raises:
            SpaceError: ``arch`` is not in the space, or no operation says what it computes.
            BuildError: the network cannot be: names the operation, its path and the shapes.
        """
        return self._backend().source(self.resolve(arch), input_shape=input_shape, input_dtype=input_dtype)

    def supernet(self, *, input_shape: tuple[int, ...], seed: int = 0, input_dtype: str = "float32") -> object:
        """All networks on shared weights (`netwright.supernet.Supernet`); `SpaceError` names what cannot be shared."""
        return self._backend().supernet(self, input_shape=input_shape, seed=seed, input_dtype=input_dtype)

    def _backend(self) -> Backend:
        backend = find_backend(self._network())
        if backend is None:
            raise SpaceError("no operation of the space says what it computes; declare it with netwright.nn")
        return backend


def _everything(_: Architecture) -> bool:
    return True

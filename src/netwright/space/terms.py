"""A network without choices: what a declaration becomes once an architecture has decided everything.

Terms are what a backend builds from, what profiles are counted on, and what canonical ids are taken from. They are
immutable, hashable and comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from numpy.typing import NDArray

from netwright.types import Value


@dataclass(frozen=True)
class OpTerm:
    """An operation with decided arguments. ``seq`` runs its children in order; ``identity`` does nothing.

    Args:
        kind: of the operation.
        args: its arguments.
        children: operations inside it.
        target: a class of one's own.
        site: where it stands in the declaration, which is the same for all architectures; empty where it was not asked
            for. It is not part of what the operation is: terms that differ in it alone are equal.
        constants: data that networks hold and do not learn, such as a graph, by the end of the names of the buffers
            that it is put into where a network is built. As the site, it is not part of what the operation is.
    """

    kind: str
    args: tuple[tuple[str, Value], ...] = ()
    children: tuple[Term, ...] = ()
    target: type | None = None
    site: str = field(default="", compare=False, repr=False)
    constants: Mapping[str, NDArray[Any]] | None = field(default=None, compare=False, repr=False)

    def arg(self, name: str, default: Value = None) -> Value:
        """Value of an argument, or ``default``."""
        return dict(self.args).get(name, default)


@dataclass(frozen=True)
class NodeTerm:
    """A node of a decided cell: (source, operation) of each edge, how they combine, and what is applied then."""

    edges: tuple[tuple[int, Term], ...]
    combine: str = "sum"
    op: Term | None = None


@dataclass(frozen=True)
class CellTerm:
    """A decided cell: only nodes and edges that are present, renumbered without gaps.

    Args:
        num_inputs: values coming in; they are nodes 0 to ``num_inputs - 1``.
        nodes: inner nodes in order.
        outputs: numbers of the nodes that make the output.
        combine: how the outputs are combined, when there are several: ``concat``, ``sum`` or ``mean``.
    """

    num_inputs: int
    nodes: tuple[NodeTerm, ...]
    outputs: tuple[int, ...]
    combine: str = "concat"


Term = Union[OpTerm, CellTerm]

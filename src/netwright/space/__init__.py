"""Search spaces: what may be built. No torch here.

A space is declared from choices and expressions of them (`declarations`), and operations and structures (`nodes`);
`SearchSpace` answers everything about the set of architectures that it spans.
"""

from netwright.space.declarations import (
    choice,
    contains,
    equal,
    flag,
    implies,
    integer,
    maximum,
    minimum,
    real,
    size,
    subset,
    total,
    where,
)
from netwright.space.description import Description, difference_of_spaces
from netwright.space.difference import Difference
from netwright.space.expressions import Choice, Expr
from netwright.space.graph import OperationGraph
from netwright.space.nodes import Backend, Cell, CellNode, Edge, Node, OneOf, Op, Repeat
from netwright.space.search_space import SearchSpace
from netwright.space.terms import CellTerm, NodeTerm, OpTerm, Term

__all__ = [
    "Backend",
    "Cell",
    "CellNode",
    "CellTerm",
    "Choice",
    "Description",
    "Difference",
    "Edge",
    "Expr",
    "Node",
    "NodeTerm",
    "OneOf",
    "Op",
    "OpTerm",
    "OperationGraph",
    "Repeat",
    "SearchSpace",
    "Term",
    "choice",
    "contains",
    "difference_of_spaces",
    "equal",
    "flag",
    "implies",
    "integer",
    "maximum",
    "minimum",
    "real",
    "size",
    "subset",
    "total",
    "where",
]

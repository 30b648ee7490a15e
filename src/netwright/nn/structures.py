"""Declarations of structures: sequences, branches, choices among operations, repetition, cells and grammars.

They hold operations; what is decided in them is the search space's to know. No torch is imported. What is no operation,
or an argument that cannot be, is refused where it is written, with `SpaceError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from netwright.errors import SpaceError, wrong
from netwright.nn.arguments import Word, make_op, node, nodes, size, word
from netwright.nn.backend import TORCH
from netwright.nn.emitters.basics import ACTIVATIONS
from netwright.nn.emitters.blocks import COMBINE
from netwright.nn.layers import identity
from netwright.nn.site import STAGE_WIDTH
from netwright.space.declarations import flag
from netwright.space.expressions import Categorical, Choice, Expr, Integer
from netwright.space.nodes import Cell, CellNode, Edge, Node, OneOf, Op, Repeat, selector_from
from netwright.types import Value

Condition = Expr | bool | None
MOST_ITEMS = 1000


def seq(*parts: Node) -> Op:
    """Declare operations that run one after the other.

    Raises:
        SpaceError: a part is no operation; names it by its place.

    Example:
        >>> from netwright.nn import conv, relu
        >>> len(seq(conv(16), relu()).children)
        2
    """
    return make_op("seq", {}, *nodes("parts", parts))


def residual(body: Node, shortcut: Node | Word = "auto", *, activation: Word = "identity") -> Op:
    """Declare ``shortcut(x) + body(x)``.

    Args:
        body: the operations around which the shortcut leads.
        shortcut: ``auto`` projects by a 1 x 1 convolution with batch norm (on sequences and vectors a linear layer)
            where the shapes differ; ``identity`` rejects architectures whose shapes differ; ``projection`` always
            projects; or an operation of one's own.
        activation: applied to the sum.

    Raises:
        SpaceError: an argument cannot be.

    References:
        He et al. (2016), Deep Residual Learning for Image Recognition (shortcut option B).
    """
    args: dict[str, object] = {"activation": word("activation", activation, ACTIVATIONS)}
    if isinstance(shortcut, (str, Expr)):
        modes = ("auto", "identity", "projection")
        return make_op("residual", {"shortcut": word("shortcut", shortcut, modes), **args}, node("body", body))
    return make_op("residual", {"shortcut": "given", **args}, node("body", body), node("shortcut", shortcut))


def parallel(*branches: Node, combine: Word = "sum") -> Op:
    """Declare branches that run on the same input and are combined: ``sum``, ``concat``, ``multiply`` or ``mean``.

    Raises:
        SpaceError: there is no branch, one is no operation, or ``combine`` is another word.
    """
    return make_op("parallel", {"combine": word("combine", combine, COMBINE)}, *nodes("branches", branches, 1))


def concat(*branches: Node) -> Op:
    """Declare branches that run on the same input, side by side along the channels."""
    return parallel(*branches, combine="concat")


def add(*branches: Node) -> Op:
    """Declare branches that run on the same input and are summed."""
    return parallel(*branches, combine="sum")


def over_positions(body: Node) -> Op:
    """Declare running the body on the positions of an image as a sequence (H * W, C), such as attention."""
    return make_op("over_positions", {}, node("body", body))


def reversible_norm(body: Node) -> Op:
    """Declare running the body on a window (C, L) of mean 0 and deviation 1, and giving both back to its (C', H).

    Of each channel the mean and the standard deviation over the window are taken out, and put back into what the body
    gives for the first channels; so a forecast follows the level of its window.

    References:
        Kim et al. (2022), Reversible Instance Normalization for Accurate Time-Series Forecasting against Distribution
        Shift; without its learned scales.
    """
    return make_op("reversible_norm", {}, node("body", body))


def series_norm() -> Op:
    """Declare bringing each channel of a series (C, L) to mean 0 and standard deviation 1, each series by itself."""
    return make_op("series_norm", {})


def one_of(name_or_choice: str | Expr, branches: Mapping[Value, Node]) -> OneOf:
    """Declare a choice among operations; decisions inside exist only where their branch is taken.

    Args:
        name_or_choice: name of a new choice, or one that is shared.
        branches: value of the choice and the operation.

    Raises:
        SpaceError: there is no branch, or one is no operation.

    Example:
        >>> from netwright.nn import conv, identity, one_of
        >>> len(one_of("op", {"conv": conv(16), "skip": identity()}).branches)
        2
    """
    if not isinstance(branches, Mapping) or not branches:
        raise SpaceError(wrong("branches", branches, "a table {value: operation} of at least one"))
    checked = tuple((key, node(f"branches[{key!r}]", value)) for key, value in branches.items())
    return OneOf(selector_from(name_or_choice, tuple(branches)), checked)


def optional(name_or_choice: str | Expr, body: Node) -> OneOf:
    """Declare an operation that may be left out.

    Args:
        name_or_choice: name of a new flag, or a condition.
        body: the operation, there where the flag is True.

    Raises:
        SpaceError: ``body`` is no operation.

    Example:
        >>> from netwright.nn import dropout, optional
        >>> [value for value, _ in optional("drop", dropout(0.1)).branches]
        [False, True]
    """
    selector = flag(name_or_choice) if isinstance(name_or_choice, str) else name_or_choice
    return OneOf(selector, ((False, identity()), (True, node("body", body))))


def repeat(
    name_or_depth: str | Expr | int, make: Callable[[int], Node], low: int | None = None, high: int | None = None
) -> Repeat:
    """Declare a number of operations one after the other.

    Args:
        name_or_depth: name of a new choice between ``low`` and ``high``, an expression (which must not exceed
            ``high``), or a fixed number.
        make: makes the operation of a place, counted from 0. Names in it that hold the number are choices of their
            own; others are shared.
        low: smallest depth, >= 0; only with a name.
        high: largest depth; not needed for a fixed number or a choice whose largest value is known.

    Raises:
        SpaceError: the bounds are missing or cannot be, or ``make`` gives no operation.

    Example:
        >>> from netwright.nn import conv
        >>> len(repeat("depth", lambda i: conv(16), 1, 4).items)
        4
    """
    if isinstance(name_or_depth, str):
        if low is None or high is None or low < 0:
            raise SpaceError(wrong("low, high", (low, high), "whole numbers, 0 <= low <= high", "give both"))
        depth: Expr | int = Choice(name_or_depth, Integer(low, high))
    else:
        depth, high = name_or_depth, _largest(name_or_depth) if high is None else high
    if not isinstance(high, int) or isinstance(high, bool) or not 0 <= high <= MOST_ITEMS:
        raise SpaceError(wrong("high", high, f"a whole number, 0 to {MOST_ITEMS}", "give high= for an expression"))
    return Repeat(depth, tuple(node(f"make({i})", make(i)) for i in range(high)))


def _largest(depth: Expr | int) -> int | None:
    """The largest value of a fixed number or a choice; None if it is not known here."""
    if not isinstance(depth, Expr):
        return depth
    if not isinstance(depth, Choice):
        return None
    domain = depth.domain
    if isinstance(domain, Integer) and isinstance(domain.high, int):
        return domain.high
    if isinstance(domain, Categorical) and all(isinstance(v, int) for v in domain.values):
        return max(v for v in domain.values if isinstance(v, int))
    return None


def recursive(name: str, make: Callable[[Callable[[], Node], str], Node], base: Node, max_depth: int) -> Node:
    """Declare a grammar rule that may use itself.

    Args:
        name: of the rule; choices in ``make`` take names that begin with the ``path`` they are given.
        make: makes the right-hand side from ``recurse``, which gives the rule one level down, and ``path``.
        base: what stands where the rule has been used ``max_depth`` times.
        max_depth: 1 to 64.

    Raises:
        SpaceError: ``max_depth`` cannot be, or ``base`` or what ``make`` gives is no operation.

    Example:
        >>> from netwright.nn import add, conv, one_of, recursive
        >>> rule = lambda recurse, path: one_of(f"{path}.op", {"conv": conv(8), "branch": add(recurse(), recurse())})
        >>> grammar = recursive("tree", rule, conv(8), max_depth=3)
    """
    if isinstance(max_depth, bool) or not isinstance(max_depth, int) or not 1 <= max_depth <= 64:
        raise SpaceError(wrong("max_depth", max_depth, "a whole number, 1 to 64"))
    checked = node("base", base)

    def level(depth: int, path: str) -> Node:
        if depth == max_depth:
            return checked
        uses: list[int] = []

        def recurse() -> Node:
            uses.append(len(uses))
            return level(depth + 1, f"{path}.{uses[-1]}")

        return node("make(recurse, path)", make(recurse, path))

    return level(0, name)


# --- cells -------------------------------------------------------------------------------------------------------


def edge(source: int, body: Node | None = None, *, present: Condition = None) -> Edge:
    """Declare a connection inside a cell from node ``source``; without an operation it passes on what it gets.

    Args:
        source: number of a node before; the cell's inputs are the first.
        body: what is applied on the way.
        present: condition under which it is there; always if not given.
    """
    return Edge(source, identity() if body is None else node("body", body), present)


def cell_node(*edges: Edge, combine: str = "sum", then: Node | None = None, present: Condition = None) -> CellNode:
    """Declare a node of a cell: combines what its edges bring, and applies ``then``.

    Args:
        edges: made by `edge`.
        combine: ``sum``, ``concat``, ``multiply`` or ``mean``.
        then: applied to the combined value.
        present: condition under which it is there; always if not given.

    Raises:
        SpaceError: an edge is none, ``then`` is no operation, or ``combine`` is another word.
    """
    if combine not in COMBINE:
        raise SpaceError(wrong("combine", combine, f"one of {', '.join(COMBINE)}"))
    for index, each in enumerate(edges):
        if not isinstance(each, Edge):
            raise SpaceError(wrong(f"edges[{index}]", each, "an edge, made by nn.edge(source, operation)"))
    return CellNode(tuple(edges), combine, None if then is None else node("then", then), present)


def cell(*cell_nodes: CellNode, num_inputs: int = 1, output: str = "last") -> Cell:
    """Declare a cell in its general form: nodes in order, each with edges from earlier ones.

    Args:
        cell_nodes: made by `cell_node`; the first has the number ``num_inputs``.
        num_inputs: how many values come in.
        output: ``last``, ``concat``, ``sum``, ``mean`` (of all inner nodes) or ``loose`` (concat of those
            nobody reads).

    Raises:
        SpaceError: a node is none, an edge comes from no earlier node, or ``output`` is another word.

    Example:
        >>> from netwright.nn import cell, cell_node, conv, edge
        >>> shortcut = cell(cell_node(edge(0, conv(8))), cell_node(edge(0), edge(1)))
    """
    for index, each in enumerate(cell_nodes):
        if not isinstance(each, CellNode):
            raise SpaceError(wrong(f"cell_nodes[{index}]", each, "a node, made by nn.cell_node(...)"))
    if output not in ("last", "concat", "sum", "mean", "loose"):
        raise SpaceError(wrong("output", output, "last, concat, sum, mean or loose"))
    return Cell(num_inputs, cell_nodes, output, TORCH)


def dense_cell(num_nodes: int, make: Callable[[int, int], Node], *, combine: str = "sum", output: str = "last") -> Cell:
    """Declare a cell in which every node has an edge from each before it, with the operation ``make(source, node)``.

    NAS-Bench-201's cell is ``dense_cell(4, ...)``, the input being node 0.

    Args:
        num_nodes: with the input.
        make: makes the operation from a node to a later one.
        combine: as of `cell_node`.
        output: as of `cell`.

    Example:
        >>> from netwright.nn import conv
        >>> [len(node.edges) for node in dense_cell(4, lambda source, target: conv(8)).nodes]
        [1, 2, 3]
    """
    built = [
        cell_node(*(edge(source, make(source, number)) for source in range(number)), combine=combine)
        for number in range(1, num_nodes)
    ]
    return cell(*built, output=output)


def stage_width(divisor: Expr | int = 1) -> tuple[str, Expr | int]:
    """The size that stands for the width of the stage around an operation, divided and rounded down."""
    return STAGE_WIDTH, size("divisor", divisor)  # type: ignore[return-value]  # size() gives back what it got


def stages(body: Node, widths: Sequence[int], *, repeats: int = 1, between: Node | None = None) -> Op:
    """Declare an operation that is run again and again, in stages of growing width; its decisions are taken once.

    Args:
        body: usually a cell; sizes in it may be `stage_width`.
        widths: channels of each stage.
        repeats: how often the body stands in each stage.
        between: leads from one stage to the next; `stage_width` in it is the next one's.

    Example:
        >>> from netwright.nn import conv_norm_act, max_pool, stage_width, stages
        >>> plain = stages(conv_norm_act(stage_width()), [16, 32, 64], repeats=2, between=max_pool(2))
    """
    args = {"widths": size("widths", tuple(widths)), "repeats": size("repeats", repeats)}
    children = [node("body", body)] + ([] if between is None else [node("between", between)])
    return make_op("stages", args, *children)


def cell_chain(cells: Sequence[Node], plan: Sequence[tuple[int, int]]) -> Op:
    """Declare cells of two inputs, each run on what the two before it gave; their decisions are taken once.

    Args:
        cells: made by `joint`.
        plan: for each place in the chain, which of ``cells`` stands there and its width.

    Raises:
        SpaceError: there is no cell, or the plan names one that is not there.

    References:
        Zoph et al. (2018), Learning Transferable Architectures for Scalable Image Recognition, section 3.
    """
    checked = nodes("cells", cells, 1)
    for index, (which, _) in enumerate(plan):
        if not 0 <= which < len(checked):
            raise SpaceError(wrong(f"plan[{index}]", which, f"a number of a cell, 0 to {len(checked) - 1}"))
    which_args = {"which": size("plan", tuple(which for which, _ in plan), minimum=0)}
    return make_op("cell_chain", {**which_args, "widths": size("plan", tuple(width for _, width in plan))}, *checked)


def joint(body: Cell) -> Op:
    """Declare a cell of two inputs for a `cell_chain`; both come to its width, and to the newer one's extent, first.

    Raises:
        SpaceError: ``body`` is no cell of two inputs.

    References:
        Liu et al. (2019), DARTS, section 3.1.1 (preprocessing as in the authors' code).
    """
    if not isinstance(body, Cell) or body.num_inputs != 2:
        raise SpaceError(wrong("body", body, "a cell of two inputs"))
    return make_op("joint", {}, body)

"""Random small spaces, and what is in them found out naively: all assignments of all choices, filtered one by one.

Nothing here uses the code under test but the declarations themselves; the evaluation of expressions is written anew.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netwright.space import (
    Cell,
    CellNode,
    Choice,
    Edge,
    Expr,
    Node,
    OneOf,
    Op,
    Repeat,
    choice,
    contains,
    equal,
    flag,
    implies,
    integer,
    maximum,
    minimum,
    size,
    subset,
    total,
    where,
)
from netwright.space.expressions import Apply, Categorical, Dependent, Integer, Subset
from netwright.types import Architecture, Value

NONE = object()  # the value of an inactive choice


@dataclass
class RandomSpace:
    """A declaration."""

    root: Node
    constraints: list[Expr]
    training: dict[str, Expr]
    pool: list[Choice] = field(default_factory=list)


class _Maker:
    """Draws a declaration; all choices come from a pool, so that they are shared often."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.pool: list[Choice] = []
        for number in range(self.rng.randint(2, 6)):
            self.pool.append(self.new_choice(f"c{number}"))

    def numbers(self) -> list[Choice]:
        return [c for c in self.pool if not isinstance(c.domain, Subset) and _is_numeric(c)]

    def new_choice(self, name: str) -> Choice:
        rng, numbers = self.rng, self.numbers()
        kind = rng.choice(["ints", "ints", "flag", "names", "range", "subset", "table", "bound"])
        if kind == "flag":
            return flag(name)
        if kind == "names":
            return choice(name, ["a", "b", "c"][: rng.randint(1, 3)])
        if kind == "subset":
            return subset(name, [1, 2, 3][: rng.randint(2, 3)], rng.randint(0, 1), 2)
        if kind == "table" and self.pool:
            on = rng.choice(self.pool)
            rows = {v: rng.sample([0, 1, 2, 3], rng.randint(1, 2)) for v in universe(on)}
            return choice(name, rows, on=on)
        if kind == "bound" and numbers:
            return integer(name, 0, rng.choice(numbers) - rng.randint(0, 1))
        if kind == "range":
            low = rng.randint(0, 1)
            return integer(name, low, low + rng.randint(0, 2), rng.randint(1, 2))
        return choice(name, rng.sample([0, 1, 2, 3, 5], rng.randint(1, 3)))

    def number(self) -> Expr:
        rng, numbers = self.rng, self.numbers()
        if not numbers:
            return size(subset_) if (subset_ := self.a_subset()) is not None else self.pool[0]
        a, b = rng.choice(numbers), rng.choice(numbers)
        some = rng.sample(numbers, rng.randint(1, len(numbers)))
        forms = [
            lambda: a,
            lambda: a + b,
            lambda: a - b * 2,
            lambda: total([*some, 1]),
            lambda: total(some),
            lambda: 2 * total(some) - a,
            lambda: a * b,
            lambda: minimum(*some, 2),
            lambda: maximum(*some),
            lambda: a % 2,
            lambda: where(a > b, a, 3 - b),
            lambda: a // 2 + 0.5,
        ]
        return rng.choice(forms)()

    def a_subset(self) -> Choice | None:
        return next((c for c in self.pool if isinstance(c.domain, Subset)), None)

    def condition(self, depth: int = 2) -> Expr:
        rng = self.rng
        kind = rng.choice(["compare", "compare", "equal", "and", "or", "not", "implies", "in", "if"])
        if depth and kind in ("and", "or", "implies", "not", "if"):
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            if kind == "if":
                return where(a, b, self.condition(depth - 1))
            return {"and": a & b, "or": a | b, "implies": implies(a, b), "not": ~a}[kind]
        subset_ = self.a_subset()
        if kind == "in" and subset_ is not None:
            return contains(subset_, rng.randint(1, 3))
        if kind == "equal":
            return equal(rng.choice(self.pool), rng.choice(universe(rng.choice(self.pool))))
        if not self.numbers():
            return equal(self.pool[0], universe(self.pool[0])[0])
        left, right = self.number(), rng.choice([self.number(), rng.randint(0, 4)])
        return rng.choice([left <= right, left < right, left >= right, left > right, equal(left, right)])

    def argument(self) -> object:
        rng = self.rng
        a = rng.choice(self.pool)
        return rng.choice([a, (a, 1), 7, (rng.choice(self.pool), (a,))])

    def op(self, children: tuple[Node, ...] = ()) -> Node:
        args = tuple((f"a{i}", self.argument()) for i in range(self.rng.randint(0, 1)))
        return Op(self.rng.choice(["conv", "identity", "block"]), args, children)  # type: ignore[arg-type]

    def node(self, depth: int) -> Node:
        rng = self.rng
        kind = rng.choice(["op", "seq", "one_of", "one_of", "optional", "repeat", "cell"]) if depth else "op"
        if kind == "seq":
            return Op("seq", (), tuple(self.node(depth - 1) for _ in range(rng.randint(1, 3))))
        if kind == "one_of":
            selector = rng.choice(self.pool)
            return OneOf(selector, tuple((v, self.node(depth - 1)) for v in universe(selector)))
        if kind == "optional":
            selector = self.condition(0)
            return OneOf(selector, ((False, Op("identity")), (True, self.node(depth - 1))))
        if kind == "repeat":
            fits = [c for c in self.numbers() if all(type(v) is int and 0 <= v <= 3 for v in universe(c))]
            if fits:
                return Repeat(rng.choice(fits), tuple(self.node(depth - 1) for _ in range(3)))
        if kind == "cell":
            return self.cell(depth - 1)
        return self.op()

    def cell(self, depth: int) -> Node:
        rng = self.rng

        def present() -> Expr | bool | None:
            return rng.choice([None, None, rng.choice(self.pool), self.condition(0)])

        nodes = []
        for number in range(1, rng.randint(2, 3) + 1):
            edges = tuple(Edge(source, self.node(depth), present()) for source in range(number))
            nodes.append(CellNode(edges, "sum", rng.choice([None, self.node(depth)]), present()))
        return Cell(1, tuple(nodes), rng.choice(["last", "concat", "sum", "loose"]))


def random_space(seed: int) -> RandomSpace:
    """A declaration that depends on the seed alone."""
    maker = _Maker(seed)
    root = maker.node(3)
    training = {"lr": maker.rng.choice(maker.pool)} if maker.rng.random() < 0.3 else {}
    used = set(names_of(root)) | {n for e in training.values() for n in e.names}
    maker.pool = [c for c in maker.pool if c.name in used]
    constraints = [maker.condition() for _ in range(maker.rng.randint(0, 2))] if maker.pool else []
    return RandomSpace(root, constraints, training, maker.pool)


def names_of(node: Node) -> Iterator[str]:
    """Names of all choices anywhere in a declaration, with those their domains read."""
    if isinstance(node, Op):
        for expression in _expressions(tuple(arg for _, arg in node.args)):
            yield from expression.names
        inner: Sequence[Node] = node.children
    elif isinstance(node, OneOf):
        yield from node.selector.names
        inner = [branch for _, branch in node.branches]
    elif isinstance(node, Repeat):
        yield from node.depth.names if isinstance(node.depth, Expr) else ()
        inner = node.items
    else:
        inner = [edge.op for n in node.nodes for edge in n.edges] + [n.op for n in node.nodes if n.op is not None]
        for part in [*node.nodes, *(edge for n in node.nodes for edge in n.edges)]:
            yield from part.present.names if isinstance(part.present, Expr) else ()
    for child in inner:
        yield from names_of(child)


def _expressions(arg: object) -> Iterator[Expr]:
    if isinstance(arg, Expr):
        yield arg
    elif isinstance(arg, tuple):
        for part in arg:
            yield from _expressions(part)


def _is_numeric(c: Choice) -> bool:
    return all(isinstance(v, (int, float)) for v in universe(c))


def universe(c: Choice) -> list[Value]:
    """All values a choice can have under any decisions."""
    domain = c.domain
    if isinstance(domain, Categorical):
        return list(domain.values)
    if isinstance(domain, Dependent):
        return list(dict.fromkeys(v for _, row in domain.table for v in row))
    if isinstance(domain, Subset):
        top = len(domain.values) if domain.max_size is None else domain.max_size
        sizes = range(domain.min_size, top + 1)
        return [v for k in sizes for v in itertools.combinations(domain.values, k)]
    assert isinstance(domain, Integer)
    high = domain.high
    top = 5 if isinstance(high, Expr) else high
    assert isinstance(domain.low, int)
    return list(range(domain.low, top + 1, domain.step))  # type: ignore[arg-type]


# --- naive semantics ---


def evaluate(e: object, full: Mapping[str, Value]) -> object:
    """Value of an expression; NONE where an inactive choice leaves it without one."""
    if isinstance(e, Choice):
        return full.get(e.name, NONE)
    if not isinstance(e, Apply):
        return e
    v = [evaluate(o, full) for o in e.operands]
    if e.operator in ("and", "or"):
        if any(x is not NONE and bool(x) == (e.operator == "or") for x in v):
            return e.operator == "or"
        return NONE if any(x is NONE for x in v) else e.operator == "and"
    if e.operator == "if":
        return NONE if v[0] is NONE else v[1] if v[0] else v[2]
    if e.operator in ("sum", "min", "max"):
        there = [x for x in v if x is not NONE]
        return {"sum": sum, "min": min, "max": max}[e.operator](there) if there else NONE
    if any(x is NONE for x in v):
        return NONE
    a, b = (v[0], v[-1])
    table = {
        "+": lambda: sum(v[1:], a),
        "-": lambda: a - b,
        "*": lambda: a * b,
        "//": lambda: a // b,
        "%": lambda: a % b,
        "<": lambda: a < b,
        "<=": lambda: a <= b,
        ">": lambda: a > b,
        ">=": lambda: a >= b,
        "==": lambda: a == b,
        "not": lambda: not a,
        "in": lambda: a in b,
        "len": lambda: len(a),
    }
    return table[e.operator]()


class _OutsideDomainError(Exception):
    pass


def _decide(e: object, full: Mapping[str, Value], active: dict[str, Value]) -> None:
    for expression in _expressions(e):
        stack: list[object] = [expression]
        while stack:
            part = stack.pop()
            if isinstance(part, Apply):
                stack.extend(part.operands)
            elif isinstance(part, Choice):
                active[part.name] = full[part.name]
                domain = part.domain
                if isinstance(domain, Integer):
                    stack += [domain.low, domain.high]
                    if not evaluate(domain.low, full) <= full[part.name] <= evaluate(domain.high, full):  # type: ignore[operator]
                        raise _OutsideDomainError
                if isinstance(domain, Dependent):
                    stack.append(domain.on)
                    if full[part.name] not in dict(domain.table)[evaluate(domain.on, full)]:  # type: ignore[index]
                        raise _OutsideDomainError


def _visit(node: Node, full: Mapping[str, Value], active: dict[str, Value]) -> None:
    if isinstance(node, Op):
        _decide(tuple(arg for _, arg in node.args), full, active)
        for child in node.children:
            _visit(child, full, active)
    elif isinstance(node, OneOf):
        _decide(node.selector, full, active)
        value = evaluate(node.selector, full)
        _visit(next(b for key, b in node.branches if (type(key), key) == (type(value), value)), full, active)
    elif isinstance(node, Repeat):
        _decide(node.depth, full, active)
        for item in node.items[: evaluate(node.depth, full)]:  # type: ignore[misc]
            _visit(item, full, active)
    else:
        _visit_cell(node, full, active)


def _visit_cell(cell: Cell, full: Mapping[str, Value], active: dict[str, Value]) -> None:
    there = [True] * cell.num_inputs
    for node in cell.nodes:
        _decide(node.present, full, active)
        there.append(node.present is None or bool(evaluate(node.present, full)))
        if not there[-1]:
            continue
        for edge in node.edges:
            if there[edge.source]:
                _decide(edge.present, full, active)
                if edge.present is None or evaluate(edge.present, full):
                    _visit(edge.op, full, active)
        if node.op is not None:
            _visit(node.op, full, active)


def brute_force(space: RandomSpace) -> set[Architecture]:
    """All architectures of a space."""
    found: set[Architecture] = set()
    for values in itertools.product(*(universe(c) for c in space.pool)):
        full = dict(zip([c.name for c in space.pool], values, strict=True))
        active: dict[str, Value] = {}
        try:
            _visit(space.root, full, active)
            for e in space.training.values():
                _decide(e, full, active)
        except _OutsideDomainError:
            continue
        if all(evaluate(c, active) is NONE or evaluate(c, active) for c in space.constraints):
            found.add(Architecture(active))
    return found

"""A declaration as JSON: to recognise a space after a restart, and to say what changed in it.

Nodes are numbered in the order in which they are first met from the leaves, so that neither depth nor sharing matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from netwright.space.expressions import Apply, Categorical, Choice, Dependent, Domain, Expr, Integer, Real
from netwright.space.nodes import Arg, CellNode, Node, OneOf, Op, Repeat, child_nodes
from netwright.space.program import Program
from netwright.types import Json, Value, canonical_json, digest, to_json_value

Description = dict[str, Json]


def describe(program: Program, constraints: Sequence[Expr]) -> Description:
    """The declaration as a JSON object.

    Returns:
        ``choices`` (name to domain), ``nodes`` (the network, children by number, the root last), ``constraints``,
        ``training``.
    """
    numbers: dict[int, int] = {}
    nodes: list[Json] = []
    for node in _leaves_first(program):
        numbers[id(node)] = len(nodes)
        nodes.append(_node(node, numbers))
    return {
        "choices": {name: _domain(program.choices[name].domain) for name in sorted(program.choices)},
        "nodes": nodes,
        "constraints": [expression(c) for c in constraints],
        "training": {name: expression(arg) for name, arg in program.training.items()},
    }


def fingerprint(description: Description) -> str:
    """16 hex digits of a description."""
    return digest(canonical_json(description))


def difference_of_spaces(a: Description, b: Description) -> str | None:
    """Say what changed from one description to another; None where they are equal.

    Example:
        >>> old: Description = {"choices": {"w": {"values": [1]}}, "nodes": [], "constraints": [], "training": {}}
        >>> print(difference_of_spaces(old, {**old, "choices": {"w": {"values": [1, 2]}}}))
        choice 'w' changed from {"values":[1]} to {"values":[1,2]}
    """
    if canonical_json(a) == canonical_json(b):
        return None
    parts: list[str] = []
    for key, what in (("choices", "choice"), ("training", "training argument")):
        old, new = (cast(Mapping[str, Json], d.get(key, {})) for d in (a, b))
        parts += [f"{what} {n!r} is gone" for n in sorted({*old} - {*new})]
        parts += [f"{what} {n!r} is new" for n in sorted({*new} - {*old})]
        for name in sorted({*old} & {*new}):
            before, after = canonical_json(old[name]), canonical_json(new[name])
            if before != after:
                parts.append(f"{what} {name!r} changed from {before} to {after}")
    if canonical_json(a.get("constraints")) != canonical_json(b.get("constraints")):
        parts.append(
            f"constraints changed from {canonical_json(a.get('constraints'))} to {canonical_json(b.get('constraints'))}"
        )
    if canonical_json(a.get("nodes")) != canonical_json(b.get("nodes")):
        parts.append(_changed_nodes(cast(list[Json], a.get("nodes", [])), cast(list[Json], b.get("nodes", []))))
    return "; ".join(parts)


def _changed_nodes(old: list[Json], new: list[Json]) -> str:
    for before, after in zip(old, new, strict=False):
        if canonical_json(before) != canonical_json(after):
            return f"the network changed: {canonical_json(before)} became {canonical_json(after)}"
    return f"the network changed: it had {len(old)} parts and has {len(new)}"


def expression(operand: Arg) -> Json:
    """An expression or a plain value as JSON."""
    if isinstance(operand, Choice):
        return {"choice": operand.name}
    if isinstance(operand, Apply):
        return {operand.operator: [expression(part) for part in operand.operands]}
    if isinstance(operand, tuple):
        return [expression(part) for part in operand]
    return to_json_value(cast(Value, operand))


def _domain(domain: Domain) -> Json:
    if isinstance(domain, Categorical):
        return {"values": _plain(domain.values)}
    if isinstance(domain, Integer):
        return {"low": expression(domain.low), "high": expression(domain.high), "step": domain.step, "log": domain.log}
    if isinstance(domain, Real):
        return {"real": [float(domain.low), float(domain.high)], "log": domain.log}
    if isinstance(domain, Dependent):
        rows: list[Json] = [[to_json_value(key), _plain(row)] for key, row in domain.table]
        return {"on": expression(domain.on), "table": rows}
    top = len(domain.values) if domain.max_size is None else domain.max_size
    return {"subset": _plain(domain.values), "sizes": [domain.min_size, top]}


def _plain(values: tuple[Value, ...]) -> Json:
    return [to_json_value(value) for value in values]


def _leaves_first(program: Program) -> list[Node]:
    """Every node once, after everything inside it."""
    if program.root is None:
        return []
    done: dict[int, Node] = {}
    stack: list[tuple[Node, bool]] = [(program.root, False)]
    while stack:
        node, opened = stack.pop()
        if opened:
            done.setdefault(id(node), node)
        elif id(node) not in done:
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(child_nodes(node)))
    return list(done.values())


def _node(node: Node, numbers: Mapping[int, int]) -> Json:
    if isinstance(node, Op):
        target = f"{node.target.__module__}.{node.target.__qualname__}" if node.target is not None else None
        return {
            "kind": node.kind,
            "args": {name: expression(arg) for name, arg in node.args},
            "children": [numbers[id(child)] for child in node.children],
            **({"target": target} if target else {}),
        }
    if isinstance(node, OneOf):
        branches: list[Json] = [[to_json_value(key), numbers[id(branch)]] for key, branch in node.branches]
        return {"one_of": expression(node.selector), "branches": branches}
    if isinstance(node, Repeat):
        return {"repeat": expression(node.depth), "items": [numbers[id(item)] for item in node.items]}
    inner: list[Json] = [_cell_node(cell_node, numbers) for cell_node in node.nodes]
    return {"cell": inner, "inputs": node.num_inputs, "output": node.output}


def _cell_node(node: CellNode, numbers: Mapping[int, int]) -> Json:
    edges: list[Json] = [[edge.source, numbers[id(edge.op)], expression(edge.present)] for edge in node.edges]
    op = None if node.op is None else numbers[id(node.op)]
    return {"edges": edges, "combine": node.combine, "op": op, "present": expression(node.present)}

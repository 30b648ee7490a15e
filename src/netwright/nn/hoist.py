"""Turns repeated structure in generated code into functions and classes with parameters.

Expressions that differ only in numbers share one definition; the numbers that differ become its parameters, named
after the arguments they are. So a network of many similar blocks reads as one block and a list of its sizes.
Knows nothing of layers or torch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netwright.nn.code import Call, Code, Composite, Items, Lit, Raw, Run, children, flat, quote, walk
from netwright.types import Value

LONGEST_INLINE = 84
MOST_PARAMETERS = 6
POSITIONAL = ("in_channels", "out_channels", "channels", "in_features", "out_features", "features")
_HOLE = Raw("\N{WHITE SQUARE}")
_PIECES = {"conv": "conv", "norm": "norm", "linear": "linear", "pool": "pool", "dropout": "dropout"}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a definition."""

    name: str
    type_name: str


@dataclass(frozen=True)
class Definition:
    """A function (of an expression) or a class (of a `Composite`) to be written before the network."""

    name: str
    parameters: tuple[Parameter, ...]
    code: Code


def hoist(codes: Sequence[Code], taken: frozenset[str]) -> tuple[list[Code], list[Definition]]:
    """Take repeated and composite expressions out of ``codes``.

    Args:
        codes: expressions, such as the parts of a network.
        taken: names that definitions must not have.

    Returns:
        The expressions with calls in place of what was taken out, and the definitions, each after those it uses.
    """
    current = list(codes)
    definitions: list[Definition] = []
    used = set(taken)
    while True:
        groups = _innermost_groups(current)
        if not groups:
            return current, definitions
        replacements: dict[str, Call] = {}
        for group in groups:
            definition, calls = _define(group, used)
            used.add(definition.name)
            definitions.append(definition)
            replacements.update(calls)
        current = [_replace(code, replacements) for code in current]


def named_apart(codes: Sequence[Code], taken: frozenset[str]) -> tuple[list[Code], list[Definition]]:
    """Make a class of each composite expression, equal ones of the same, and take nothing else out.

    More text than `hoist` gives, and sooner made: for networks whose text nobody reads.

    Args:
        codes: expressions, such as the parts of a network.
        taken: names that definitions must not have.
    """
    definitions: dict[str, Definition] = {}
    used = set(taken)

    def apart(code: Code) -> Code:
        inner = _rebuild(code, apart)
        if not isinstance(inner, Composite):
            return inner
        text = flat(inner)
        if text not in definitions:
            definitions[text] = Definition(_free_name(inner.name, used), (), inner)
            used.add(definitions[text].name)
        return Call(definitions[text].name)

    return [apart(code) for code in codes], list(definitions.values())


def _innermost_groups(codes: Sequence[Code]) -> list[list[Code]]:
    """Groups of expressions of one skeleton that are worth a definition and hold no other such expression."""
    found: dict[str, list[Code]] = defaultdict(list)
    for code in codes:
        for inner in walk(code):
            if _may_be_taken_out(inner):
                found[_skeleton(inner)].append(inner)
    kept: dict[str, list[list[Code]]] = {}
    for skeleton, group in found.items():
        parts = _split(group)
        if parts:
            kept[skeleton] = parts
    return [
        part
        for parts in kept.values()
        for part in parts
        if not any(_skeleton(i) in kept for c in children(part[0]) for i in walk(c) if _may_be_taken_out(i))
    ]


def _may_be_taken_out(code: Code) -> bool:
    return isinstance(code, Composite) or (
        isinstance(code, Call) and any(isinstance(a, Call) for _, a in code.args) and len(flat(code)) > LONGEST_INLINE
    )


def _split(group: list[Code]) -> list[list[Code]]:
    """The group as it is, or by equality where it would have too many parameters; empty if not worth a definition."""
    if not isinstance(group[0], Composite) and len(group) < 2:
        return []
    if len(_columns(group)) <= MOST_PARAMETERS:
        return [group]
    if not isinstance(group[0], Composite):
        return []
    same: dict[str, list[Code]] = defaultdict(list)
    for code in group:
        same[flat(code)].append(code)
    return list(same.values())


def _numbers(code: Code) -> Iterator[Lit]:
    return (c for c in walk(code) if isinstance(c, Lit) and _is_number(c.value))


def _is_number(value: Value) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_is_number(v) for v in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _skeleton(code: Code) -> str:
    return flat(_map_numbers(code, lambda lit: _HOLE))


def _columns(group: list[Code]) -> dict[tuple[str, ...], str]:
    """What differs in a group: the values a number takes over the group, and the slot it first stands in."""
    columns: dict[tuple[str, ...], str] = {}
    for literals in zip(*(list(_numbers(code)) for code in group), strict=True):
        values = tuple(quote(lit.value) for lit in literals)
        if len(set(values)) > 1:
            columns.setdefault(values, literals[0].slot)
    return columns


def _define(group: list[Code], used: set[str]) -> tuple[Definition, dict[str, Call]]:
    first = group[0]
    columns = _columns(group)
    names = _unique([slot or "size" for slot in columns.values()])
    by_column = dict(zip(columns, names, strict=True))
    rows = [list(_numbers(code)) for code in group]
    column_of = [tuple(quote(lit.value) for lit in literals) for literals in zip(*rows, strict=True)]
    positions = iter(range(len(rows[0])))

    def parameter_or_literal(literal: Lit) -> Code:
        column = column_of[next(positions)]
        return Raw(by_column[column]) if column in by_column else literal

    body = _map_numbers(first, parameter_or_literal)
    where = {name: column_of.index(column) for column, name in by_column.items()}
    name = _free_name(_wish(first), used)
    ordered = sorted(names, key=lambda n: not _positional(n))
    parameters = tuple(Parameter(n, _type_name([row[where[n]].value for row in rows])) for n in ordered)
    calls = {
        flat(code): Call(name, tuple(("" if _positional(n) else n, Lit(row[where[n]].value, n)) for n in ordered))
        for code, row in zip(group, rows, strict=True)
    }
    return Definition(name, parameters, body), calls


def _positional(name: str) -> bool:
    return name.rstrip("0123456789_") in POSITIONAL


def _unique(wishes: list[str]) -> list[str]:
    names: list[str] = []
    for wish in wishes:
        names.append(_free_name(wish, set(names)))
    return names


def _free_name(wish: str, used: set[str]) -> str:
    name, number = wish, 1
    while name in used:
        number += 1
        name = f"{wish}{number}"
    return name


def _type_name(values: list[Value]) -> str:
    if any(isinstance(v, tuple) for v in values):
        return (
            "tuple[float, ...]"
            if any(isinstance(x, float) for v in values for x in _as_tuple(v))
            else _int_tuple(values)
        )
    return "float" if any(isinstance(v, float) for v in values) else "int"


def _int_tuple(values: list[Value]) -> str:
    plain = any(not isinstance(v, tuple) for v in values)
    return "int | tuple[int, ...]" if plain else "tuple[int, ...]"


def _as_tuple(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def _wish(code: Code) -> str:
    """Name of a definition: that of the class, or the layers it is made of."""
    if isinstance(code, Composite):
        return code.name
    assert isinstance(code, Call)
    if code.func != "nn.Sequential":
        return f"{_piece(code.func)}_block"
    pieces = [_piece(arg.func) for _, arg in code.args if isinstance(arg, Call)]
    return "_".join(pieces) if 1 < len(pieces) <= 4 and "sequential" not in pieces else "block"


def _piece(func: str) -> str:
    plain = func.rpartition(".")[2].lower()
    return next((piece for part, piece in _PIECES.items() if part in plain), plain)


def _map_numbers(code: Code, change: Callable[[Lit], Code]) -> Code:
    """The expression with every number changed; numbers are visited in the order of `walk`."""
    if isinstance(code, Lit):
        return change(code) if _is_number(code.value) else code
    return _rebuild(code, lambda inner: _map_numbers(inner, change))


def _replace(code: Code, replacements: dict[str, Call]) -> Code:
    if isinstance(code, (Call, Composite)) and _may_be_taken_out(code):
        replacement = replacements.get(flat(code))
        if replacement is not None:
            return replacement
    return _rebuild(code, lambda inner: _replace(inner, replacements))


def _rebuild(code: Code, change: Callable[[Code], Code]) -> Code:
    if isinstance(code, Call):
        return Call(code.func, tuple((name, change(arg)) for name, arg in code.args), code.target)
    if isinstance(code, Items):
        return Items(tuple(change(item) for item in code.items))
    if isinstance(code, Run):
        return Run(change(code.item), code.count)
    if isinstance(code, Composite):
        parts = tuple((name, change(part)) for name, part in code.parts)
        body = tuple((name, change(expression)) for name, expression in code.body)
        return Composite(code.name, code.doc, code.inputs, parts, body, change(code.result))
    return code

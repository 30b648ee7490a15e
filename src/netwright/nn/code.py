"""Expressions of the generated source, and how they are printed.

An emitter describes a layer as a small tree of `Code`; this file prints such trees the way ``ruff format`` would.
Every value a person gave becomes text through `quote` or ``repr`` and nothing else. Knows nothing of layers or torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Union

from netwright.types import Value

WIDTH = 100
"""Columns of the generated source; comments and strings may be longer."""


@dataclass(frozen=True)
class Lit:
    """A value, and the name it would have as a parameter (``in_channels``)."""

    value: Value
    slot: str = ""


@dataclass(frozen=True)
class Raw:
    """Text made by this package, such as the name of a variable."""

    text: str


@dataclass(frozen=True)
class Call:
    """``func(args)``; the keyword of a positional argument is empty. ``target`` is the class, if it is one's own.

    ``place`` tells which weights of the search space a layer with weights has; see `netwright.nn.places`.
    """

    func: str
    args: tuple[tuple[str, Code], ...] = ()
    target: type | None = None
    place: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Items:
    """``[a, b]``."""

    items: tuple[Code, ...]


@dataclass(frozen=True)
class Run:
    """``*[item for _ in range(count)]``."""

    item: Code
    count: int


@dataclass(frozen=True)
class Composite:
    """A module whose forward is written out line by line; becomes a class.

    Args:
        name: wish for the name of the class.
        doc: its docstring, one line.
        inputs: names of the arguments of ``forward``.
        parts: attribute and module of each part.
        body: name and expression of each assignment in ``forward``.
        result: what ``forward`` returns.
    """

    name: str
    doc: str
    inputs: tuple[str, ...]
    parts: tuple[tuple[str, Code], ...]
    body: tuple[tuple[str, Code], ...]
    result: Code


Code = Union[Lit, Raw, Call, Items, Run, Composite]

IDENTITY = Call("nn.Identity")


def call(func: str, *args: Code, **named: Code | Value) -> Call:
    """Make a `Call`; plain keyword values become literals whose slot is the keyword."""
    named_codes = tuple((k, v if isinstance(v, CODE_TYPES) else Lit(v, k)) for k, v in named.items())
    return Call(func, (*(("", a) for a in args), *named_codes))


def placed(layer: Call, place: str) -> Call:
    """The same layer, with the weights of a place."""
    return replace(layer, place=place) if place else layer


CODE_TYPES = (Lit, Raw, Call, Items, Run, Composite)


def sequence(*parts: Code) -> Code:
    """``nn.Sequential`` of the parts without those that do nothing; the part itself where there is one."""
    kept = tuple(p for p in parts if p != IDENTITY)
    if not kept:
        return IDENTITY
    return kept[0] if len(kept) == 1 else Call("nn.Sequential", tuple(("", p) for p in kept))


def quote(value: Value) -> str:
    """Python text of a value, with the quotes ``ruff format`` prefers."""
    if isinstance(value, tuple):
        return "(" + ", ".join(quote(v) for v in value) + (",)" if len(value) == 1 else ")")
    text = repr(value)
    if isinstance(value, str) and text.startswith("'") and '"' not in text:
        return f'"{text[1:-1]}"'
    return text


def children(code: Code) -> Iterator[Code]:
    """The expressions directly inside one, in the order in which they are printed."""
    if isinstance(code, Call):
        yield from (arg for _, arg in code.args)
    elif isinstance(code, Items):
        yield from code.items
    elif isinstance(code, Run):
        yield code.item
    elif isinstance(code, Composite):
        yield from (part for _, part in code.parts)
        yield from (expression for _, expression in code.body)
        yield code.result


def walk(code: Code) -> Iterator[Code]:
    """An expression and all inside it, outer before inner."""
    yield code
    for child in children(code):
        yield from walk(child)


def flat(code: Code) -> str:
    """The expression on one line. Of a `Composite`, which has none, a text that tells it from all others."""
    if isinstance(code, Lit):
        return quote(code.value)
    if isinstance(code, Raw):
        return code.text
    if isinstance(code, Call):
        return f"{code.func}({', '.join(_keyword(name) + flat(arg) for name, arg in code.args)})"
    if isinstance(code, Items):
        return f"[{', '.join(flat(item) for item in code.items)}]"
    if isinstance(code, Run):
        return f"*[{flat(code.item)} for _ in range({code.count})]"
    parts = "; ".join(f"{name} = {flat(part)}" for name, part in code.parts)
    body = "; ".join(f"{name} = {flat(expression)}" for name, expression in code.body)
    return f"<{code.name} {code.inputs} {parts} | {body} | {flat(code.result)}>"


def render(code: Code, indent: int, before: int = 0, after: int = 0) -> str:
    """The expression on as many lines as it needs.

    Args:
        code: what to print.
        indent: columns by which its first line is indented.
        before: columns already used on that line by what stands before it.
        after: columns that follow it on its last line (a comma).
    """
    line = flat(code)
    if indent + before + len(line) + after <= WIDTH:
        return line
    if isinstance(code, Lit) and isinstance(code.value, tuple) and code.value:
        return _exploded("(", [("", Lit(v)) for v in code.value], ")", indent)
    if isinstance(code, Call) and code.args:
        return _exploded(f"{code.func}(", code.args, ")", indent)
    if isinstance(code, Items) and code.items:
        return _exploded("[", [("", item) for item in code.items], "]", indent)
    return line


def _exploded(start: str, args: tuple[tuple[str, Code], ...] | list[tuple[str, Code]], end: str, indent: int) -> str:
    inner = indent + 4
    lines = [
        f"{' ' * inner}{_keyword(name)}{render(arg, inner, len(_keyword(name)), 1)}," for name, arg in fold_runs(args)
    ]
    return "\n".join([start, *lines, " " * indent + end])


def fold_runs(args: tuple[tuple[str, Code], ...] | list[tuple[str, Code]]) -> list[tuple[str, Code]]:
    """Write three or more equal arguments in a row as one line, if it fits."""
    folded: list[tuple[str, Code]] = []
    start = 0
    while start < len(args):
        name, arg = args[start]
        end = start + 1
        while end < len(args) and not name and isinstance(arg, Call) and args[end] == args[start]:
            end += 1
        run = Run(arg, end - start)
        if run.count >= 3 and len(flat(run)) <= WIDTH - 12:
            folded.append(("", run))
        else:
            folded.extend(args[start:end])
        start = end
    return folded


def _keyword(name: str) -> str:
    return f"{name}=" if name else ""

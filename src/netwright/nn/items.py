"""A written network as a list of layers and joins, which two networks can be compared by.

Nested sequences become one list; residual blocks and branches become joins; a cell becomes a graph whose nodes are
joins followed by layers. Padding before a convolution belongs to it. Knows only the expressions of generated source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Union, cast

from netwright.nn.code import Call, Code, Composite, Lit, Raw, flat, walk
from netwright.types import Value

INPUT = "x"
"""Name of what flows into a join that is no node of a cell."""

_THIRD_IS_WIDTH = ("ColumnTokens", "MemberLinear", "NodeLinear")
SETTERS = ("nn.Linear", "nn.Embedding", "FactorizedReduce", "SelfAttention", "Recurrent", *_THIRD_IS_WIDTH)
TRANSPARENT = ("KeepPadding", "TokenEmbedding")
"""What only sees to padding and first values; the layer inside is what flows through."""

WHOLES = ("EncoderDecoder",)
"""Whose layers with weights are known by their places, and what flows between them is not followed."""

_COMBINED = {"Sum": "sum", "Mean": "mean", "Product": "product", "Concat": "concat", "Maximum": "maximum"}
_AROUND = ("OverPositions", "ChannelsLast", "Recurrent", "PaddedRecurrent", "ReversibleNorm", "AllNodes")
"""What runs a body that stands inside it."""


@dataclass(frozen=True)
class Layer:
    """A layer, with what it is written as.

    Args:
        func: such as ``nn.Conv2d``; the class of one's own for an operation of one's own.
        call: the expression.
        place: of its weights; empty where it has none.
        before: padding in front of it, (left, right) a dimension; only of convolutions.
        body: what it runs inside: of positions, of channels last.
    """

    func: str
    call: Call
    place: str = ""
    before: tuple[tuple[int, int], ...] = ()
    body: tuple[Item, ...] = ()

    @property
    def kind(self) -> str:
        """Class of the module."""
        return self.func.rpartition(".")[2]

    def arg(self, name: str | int, default: Value = None) -> Value:
        """An argument by its keyword, or by its number among those without one."""
        plain = [code for key, code in self.call.args if not key]
        found = plain[name] if isinstance(name, int) else dict(self.call.args).get(name)
        return found.value if isinstance(found, Lit) else default

    def number(self, name: str | int, default: int = 0) -> int:
        """A whole-number argument."""
        return int(cast(int, self.arg(name, default)))

    def numbers(self, name: str, default: int, dims: int) -> tuple[int, ...]:
        """A whole number for each dimension."""
        value = self.arg(name, default)
        return cast("tuple[int, ...]", value) if isinstance(value, tuple) else (int(cast(int, value)),) * dims

    @property
    def is_conv(self) -> bool:
        """Whether it is a convolution, not a transposed one."""
        return self.kind in ("Conv1d", "Conv2d", "Conv3d")

    @property
    def is_depthwise(self) -> bool:
        """Whether each of its channels comes from one channel."""
        return self.is_conv and self.number("groups", 1) == self.number(0) > 1

    @property
    def is_own(self) -> bool:
        """Whether it is an operation of one's own."""
        return self.call.target is not None


@dataclass(frozen=True)
class Branch:
    """A way into a join: from where, and through which layers."""

    source: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Join:
    """Branches that are combined: ``sum``, ``mean``, ``product``, ``maximum`` or ``concat``."""

    kind: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Node:
    """A node of a cell: what it joins, and the layers after it."""

    join: Join
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A cell: its inputs and its nodes by name, in order; the last one is what it gives."""

    inputs: tuple[str, ...]
    nodes: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Chain:
    """Cells that each see the two values before; of each what stands before its inputs, and the cell."""

    cells: tuple[tuple[tuple[Item, ...], tuple[Item, ...], tuple[Item, ...]], ...]


Item = Union[Layer, Join, Graph, Chain]


def items_of(code: Code) -> tuple[Item, ...]:
    """The layers and joins of an expression."""
    return tuple(_padded(list(_items(code))))


def _opened(code: Code) -> Code:
    while isinstance(code, Call) and code.func in TRANSPARENT:
        code = code.args[0][1]
    return code


def _items(code: Code) -> Iterator[Item]:
    code = _opened(code)
    if isinstance(code, Composite):
        yield _graph(code)
        return
    assert isinstance(code, Call)
    inner = [arg for key, arg in code.args if not key]
    named = dict(code.args)
    if code.func == "nn.Sequential":
        for part in inner:
            yield from _items(part)
    elif code.func == "Residual":
        shortcut = items_of(named["shortcut"]) if "shortcut" in named else ()
        yield _join("sum", (Branch(INPUT, shortcut), Branch(INPUT, items_of(inner[0]))))
    elif code.func in _COMBINED:
        yield _join(_COMBINED[code.func], tuple(Branch(INPUT, items_of(branch)) for branch in inner))
    elif code.func == "CellChain":
        yield Chain(tuple(_joint(cast(Call, cell)) for cell in inner))
    elif code.func in _AROUND:
        yield Layer(code.func.removeprefix("Padded"), code, body=items_of(inner[0]))
    elif code.func in WHOLES:
        placed = (part for part in walk(code) if isinstance(part, Call) and part.place)
        yield Layer(code.func, code, body=tuple(Layer(part.func, part, part.place) for part in placed))
    elif code.func != "nn.Identity":
        yield Layer(code.func, code, code.place)


def _join(kind: str, branches: tuple[Branch, ...]) -> Join:
    """A join, in which sums of sums are one sum, and so on."""
    flattened: list[Branch] = []
    for branch in branches:
        inner = branch.items[0] if len(branch.items) == 1 else None
        if isinstance(inner, Join) and inner.kind == kind != "mean":
            flattened += [replace(each, source=branch.source) for each in inner.branches]
        else:
            flattened.append(branch)
    return Join(kind, tuple(flattened))


def _joint(code: Call) -> tuple[tuple[Item, ...], tuple[Item, ...], tuple[Item, ...]]:
    before0, before1, cell = (items_of(arg) for _, arg in code.args)
    return before0, before1, cell


def _padded(found: list[Item]) -> Iterator[Item]:
    """The items, a padding being part of the convolution after it."""
    waiting: tuple[tuple[int, int], ...] = ()
    for item in found:
        if isinstance(item, Layer) and item.kind.startswith("ZeroPad"):
            flat_pads = cast("tuple[int, ...]", item.arg(0))
            waiting = tuple(reversed(list(zip(flat_pads[::2], flat_pads[1::2], strict=True))))
            continue
        yield replace(item, before=waiting) if waiting and isinstance(item, Layer) else item
        waiting = ()


# --- cells -------------------------------------------------------------------------------------------------------


@dataclass
class _Reading:
    """A cell as far as it was read: nodes under their names."""

    parts: dict[str, Code]
    nodes: dict[str, Node] = field(default_factory=dict)

    def assign(self, name: str, text: str) -> None:
        """Read ``name = text``; a name may be given a value several times, each built on the one before."""
        self.nodes[name] = self.value(ast.parse(text, mode="eval").body, name)

    def value(self, tree: ast.expr, name: str) -> Node:
        if isinstance(tree, ast.BinOp):
            return self._combined(tree, name)
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute) and _is_self(tree.func):
            before = self.value(tree.args[0], name)
            return replace(before, items=before.items + items_of(self.parts[tree.func.attr]))
        if isinstance(tree, ast.Call):
            return self._of_torch(tree, name)
        assert isinstance(tree, ast.Name)
        known = self.nodes.get(name)
        return known if tree.id == name and known is not None else Node(Join("sum", (Branch(tree.id),)))

    def _combined(self, tree: ast.BinOp, name: str) -> Node:
        left = self.value(tree.left, name)
        if isinstance(tree.op, ast.Div):
            return replace(left, join=replace(left.join, kind="mean"))
        kind = "product" if isinstance(tree.op, ast.Mult) else "sum"
        return Node(_join(kind, (*_branches(left), *_branches(self.value(tree.right, name)))))

    def _of_torch(self, tree: ast.Call, name: str) -> Node:
        assert isinstance(tree.func, ast.Attribute)
        if tree.func.attr == "zeros_like":
            return Node(Join("sum", ()))
        listed = cast(ast.List, tree.args[0]).elts
        return Node(_join("concat", tuple(b for each in listed for b in _branches(self.value(each, name)))))


def _is_self(func: ast.Attribute) -> bool:
    return isinstance(func.value, ast.Name) and func.value.id == "self"


def _branches(node: Node) -> tuple[Branch, ...]:
    """A value as branches of the join that it becomes part of."""
    branches = node.join.branches
    if len(branches) == 1:
        return (Branch(branches[0].source, branches[0].items + node.items),)
    return branches


def _graph(code: Composite) -> Graph:
    reading = _Reading(dict(code.parts))
    for name, expression in code.body:
        reading.assign(name, flat(expression))
    assert isinstance(code.result, Raw)
    last = code.result.text
    if last not in reading.nodes:
        reading.assign("out", last)
        last = "out"
    ordered = [(name, node) for name, node in reading.nodes.items() if name != last]
    return Graph(code.inputs, (*ordered, (last, reading.nodes[last])))


# --- questions ---------------------------------------------------------------------------------------------------


def layers_of(items: tuple[Item, ...]) -> Iterator[Layer]:
    """All layers, inner ones too, in the order in which they are made."""
    for item in items:
        if isinstance(item, Layer):
            yield item
            yield from layers_of(item.body)
        elif isinstance(item, Join):
            for branch in item.branches:
                yield from layers_of(branch.items)
        elif isinstance(item, Graph):
            for _, node in item.nodes:
                yield from layers_of((node.join, *node.items))
        else:
            for parts in item.cells:
                for part in parts:
                    yield from layers_of(part)


def places_in(items: tuple[Item, ...]) -> frozenset[str]:
    """Places of all weights in them."""
    return frozenset(layer.place for layer in layers_of(items) if layer.place)


def sets_channels(item: Item) -> bool:
    """Whether what comes out has channels of its own, which may be put in any order."""
    if isinstance(item, Layer):
        if item.func == "OverPositions":
            return any(map(sets_channels, item.body))
        return (item.kind.startswith("Conv") and not item.is_depthwise) or item.func in SETTERS or item.is_own
    if isinstance(item, Join):
        return all(any(map(sets_channels, branch.items)) for branch in item.branches)
    return True


def width_after(items: tuple[Item, ...], count: int) -> int | None:
    """Channels after some layers that ``count`` channels flow into; None where that is not known here."""
    for item in items:
        found = _width(item, count)
        if found is None:
            return None
        count = found
    return count


def _width(item: Item, count: int) -> int | None:
    if isinstance(item, Join):
        widths = [width_after(branch.items, count) for branch in item.branches]
        if any(width is None for width in widths):
            return None
        return sum(w or 0 for w in widths) if item.kind == "concat" else widths[0]
    if not isinstance(item, Layer) or item.is_own or item.kind in ("Flatten", "Unflatten", "Permute", "ColumnVector"):
        return None
    if item.func == "OverPositions":
        return width_after(item.body, count)
    if item.func == "Recurrent":
        layer = cast(Layer, item.body[0])
        return layer.number(1) * (2 if layer.arg("bidirectional") else 1)
    if item.func == "nn.PixelShuffle":
        return count // item.number("upscale_factor", item.number(0)) ** 2
    if item.func == "TakeChannels":
        return item.number(0)
    if item.func in _THIRD_IS_WIDTH:
        return item.number(2)
    return item.number(1) if sets_channels(item) and item.func != "SelfAttention" else count

"""Which layers of a child are which of its parent: by their places, and where these differ by what they are.

Two lists of items are laid side by side as an edit distance does it. What is left of a list between two pairs stands
against what is left of the other: layers that were inserted, removed or replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from netwright.nn.items import Branch, Graph, Item, Join, Layer, places_in

T = TypeVar("T")

ELSEWHERE = 0.5
"""What it costs to pair layers of different places; leaving one out costs 1."""

OTHER_FORM = 0.7
"""The same for layers without weights that are not quite alike, such as two activations."""

PROJECTED = 1.5
"""The same for a skip and a branch that may become one."""

POOLS = ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax")
_WITHOUT_FUNCTION = ("nn.Dropout", "nn.Dropout1d", "nn.Dropout2d", "nn.Dropout3d", "DropPath")

ACTIVATIONS = frozenset(
    {
        *("nn.ReLU", "nn.ReLU6", "nn.GELU", "nn.SiLU", "nn.Mish", "nn.ELU", "nn.SELU", "nn.Hardswish"),
        *("nn.Hardsigmoid", "nn.LeakyReLU", "nn.Sigmoid", "nn.Tanh"),
    }
)


@dataclass(frozen=True)
class Step:
    """A part of two lists: a pair, or what stands between two pairs.

    Args:
        parent: items of the parent.
        child: items of the child.
        is_pair: one of each, which are the same thing.
    """

    parent: tuple[Item, ...]
    child: tuple[Item, ...]
    is_pair: bool


def does_nothing(item: Item) -> bool:
    """Whether it has no effect on a network that is not trained just now."""
    return isinstance(item, Layer) and item.func in _WITHOUT_FUNCTION


def steps(parent: Sequence[Item], child: Sequence[Item]) -> list[Step]:
    """Lay two lists side by side; items that do nothing are left out of both."""
    mine = [item for item in child if not does_nothing(item)]
    theirs = [item for item in parent if not does_nothing(item)]
    found: list[Step] = []
    at_parent = at_child = 0
    for i, j in (*paired(theirs, mine, likeness), (len(theirs), len(mine))):
        if i > at_parent or j > at_child:
            found.append(Step(tuple(theirs[at_parent:i]), tuple(mine[at_child:j]), is_pair=False))
        if i < len(theirs):
            found.append(Step((theirs[i],), (mine[j],), is_pair=True))
        at_parent, at_child = i + 1, j + 1
    return found


def paired(parent: Sequence[T], child: Sequence[T], cost_of: Callable[[T, T], float | None]) -> list[tuple[int, int]]:
    """The cheapest pairing of two lists that keeps their order; of equal ones that which pairs earliest.

    Args:
        parent: one list.
        child: the other.
        cost_of: of a pair, less than 2; None where they cannot be one. What is left without a partner costs 1.

    Example:
        >>> paired("abc", "axbc", lambda a, b: 0.0 if a == b else None)
        [(0, 0), (1, 2), (2, 3)]
    """
    rows, columns = len(parent), len(child)
    costs = [[cost_of(a, b) for b in child] for a in parent]
    rest = [[float(rows - i + columns - j) for j in range(columns + 1)] for i in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            cost = costs[i][j]
            apart = 1 + min(rest[i + 1][j], rest[i][j + 1])
            rest[i][j] = apart if cost is None else min(apart, cost + rest[i + 1][j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < rows and j < columns:
        cost = costs[i][j]
        if cost is not None and rest[i][j] == cost + rest[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif rest[i][j] == 1 + rest[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def likeness(parent: Item, child: Item) -> float | None:
    """What it costs to take two items for one; None where they cannot be."""
    if isinstance(parent, Layer) and isinstance(child, Layer):
        return _layers(parent, child)
    if type(parent) is not type(child):
        return None
    if isinstance(parent, Join) and isinstance(child, Join) and parent.kind != child.kind:
        return None
    mine, theirs = places_in((child,)), places_in((parent,))
    if isinstance(parent, Graph) or not mine or not theirs or mine & theirs:
        return 0.0
    return ELSEWHERE


def _layers(parent: Layer, child: Layer) -> float | None:
    if parent.func != child.func:
        both = parent.func in ACTIVATIONS and child.func in ACTIVATIONS
        return OTHER_FORM if both or _pool(parent) == _pool(child) != "" else None
    if parent.is_own and parent.call.target is not child.call.target:
        return None
    if parent.is_depthwise != child.is_depthwise and parent.place != child.place:
        return None
    if not parent.place or not child.place:
        return 0.0 if parent.call.args == child.call.args or parent.body else OTHER_FORM
    if parent.place == child.place:
        return 0.0
    return ELSEWHERE if _role(parent) == _role(child) else None


def _role(layer: Layer) -> str:
    return layer.place.rpartition(":")[2]


def _pool(layer: Layer) -> str:
    """Form of a pooling, whatever it takes of a window; empty for anything else."""
    name = next((kind for kind in POOLS if layer.kind.startswith(f"{kind}Pool")), "")
    return name and layer.kind.removeprefix(name)


def branch_pairs(
    parent: Sequence[Branch], child: Sequence[Branch], same_source: Callable[[Branch, Branch], bool]
) -> tuple[list[tuple[Branch, Branch]], list[Branch], list[Branch]]:
    """Which branches of two joins are which.

    Args:
        parent: of the parent's join.
        child: of the child's.
        same_source: whether they come from the same value.

    Returns:
        Pairs, the parent's and the child's that are left over; pairs in the order of the child's.
    """

    def cost(theirs: Branch, mine: Branch) -> float | None:
        return branch_likeness(theirs, mine) if same_source(theirs, mine) else None

    found = paired(parent, child, cost)
    taken, used = {i for i, _ in found}, {j for _, j in found}
    pairs = [(parent[i], child[j]) for i, j in found]
    return (
        pairs,
        [branch for i, branch in enumerate(parent) if i not in taken],
        [branch for j, branch in enumerate(child) if j not in used],
    )


def branch_likeness(theirs: Branch, mine: Branch) -> float | None:
    """What it costs to take two branches for one."""
    places, others = places_in(mine.items), places_in(theirs.items)
    if places and others:
        if places & others:
            return 0.0
        pairs = paired(theirs.items, mine.items, likeness)
        return ELSEWHERE if len(pairs) == max(len(theirs.items), len(mine.items)) else None
    if places and not theirs.items:
        return PROJECTED
    if places or others:
        return None
    return 0.0 if len(theirs.items) == len(mine.items) else OTHER_FORM

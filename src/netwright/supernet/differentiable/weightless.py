"""Of choices among operations in any declaration: the values whose operation has no weights.

A relaxed network knows them from its parts; here they are read off the places of weights that networks of the space
were seen to have, so that no network of all of them is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netwright.space.expressions import Choice
from netwright.space.nodes import Cell, Node, OneOf, Repeat
from netwright.types import Value


def weightless(root: Node, layers: Iterable[str]) -> dict[str, tuple[Value, ...]]:
    """The values without weights of each choice among operations of which some have weights.

    Args:
        root: the declaration.
        layers: where networks of it have weights (`netwright.nn.places.Place.layer`).

    Example:
        >>> from netwright import nn
        >>> root = nn.seq(nn.one_of("op", {"conv": nn.conv(4), "skip": nn.identity()}))
        >>> weightless(root, ["net.0.'conv':conv"])
        {'op': ('skip',)}
    """
    known = tuple(layers)
    found: dict[str, set[Value]] = {}
    all_: dict[str, tuple[Value, ...]] = {}
    for node, site in _sited(root, "net"):
        if isinstance(node, OneOf) and isinstance(node.selector, Choice):
            name = node.selector.name
            all_[name] = tuple(dict.fromkeys((*all_.get(name, ()), *(key for key, _ in node.branches))))
            found.setdefault(name, set()).update(key for key, _ in node.branches if _is_used(f"{site}.{key!r}", known))
    free = {name: tuple(key for key in keys if key not in found[name]) for name, keys in all_.items()}
    return {n: keys for n, keys in free.items() if 0 < len(keys) < len(all_[n]) and not isinstance(keys[0], bool)}


def _is_used(site: str, layers: tuple[str, ...]) -> bool:
    """Whether a layer stands at a site or inside it."""
    return any(layer.startswith(site) and layer[len(site) : len(site) + 1] in ("", ".", "[", ":") for layer in layers)


def _sited(root: Node, site: str) -> Iterator[tuple[Node, str]]:
    """All nodes with their sites, as `netwright.space.resolve` counts."""
    pending = [(root, site)]
    while pending:
        node, here = pending.pop()
        yield node, here
        if isinstance(node, OneOf):
            pending += [(branch, f"{here}.{key!r}") for key, branch in node.branches]
        elif isinstance(node, Cell):
            for number, inner in enumerate(node.nodes, start=node.num_inputs):
                pending += [(edge.op, f"{here}.n{number}.e{i}") for i, edge in enumerate(inner.edges)]
                pending += [] if inner.op is None else [(inner.op, f"{here}.n{number}.op")]
        else:
            inside = node.items if isinstance(node, Repeat) else node.children
            pending += [(child, f"{here}.{number}") for number, child in enumerate(inside)]

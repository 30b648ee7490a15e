"""The default search space of graphs, and the hand-made networks it contains.

A network makes the features of each node into ``width`` numbers, heard by its neighbours or not; runs up to three
layers, each of one of eight kinds; joins what the layers gave (the last, all side by side, or the greatest), or runs a
deep stack of alike layers in their place; and makes logits that may spread over the graph once more. Widths and depth
are elastic. Knows neither data nor training.

References:
    Kipf and Welling (2017), Semi-Supervised Classification with Graph Convolutional Networks.
    Hamilton, Ying, Leskovec (2017), Inductive Representation Learning on Large Graphs (GraphSAGE).
    Veličković et al. (2018), Graph Attention Networks.
    Xu, Hu, Leskovec, Jegelka (2019), How Powerful are Graph Neural Networks? (GIN, with its epsilon 0).
    Du et al. (2017), Topology Adaptive Graph Convolutional Networks (``powers``: a polynomial of degree 2 in the
    normalised adjacency, in the place of ChebNet's in the Laplacian).
    Gasteiger, Bojchevski, Günnemann (2019), Predict then Propagate (APPNP).
    Xu et al. (2018), Representation Learning on Graphs with Jumping Knowledge Networks.
    Chen, Wei, Huang, Ding, Li (2020), Simple and Deep Graph Convolutional Networks (GCNII, ``deep``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netwright import nn
from netwright.errors import SpecError, wrong
from netwright.space import Choice, Node, SearchSpace, choice, flag, integer
from netwright.tasks.base import Reference
from netwright.tasks.narrowing import admitted
from netwright.types import Architecture, Value

STARTS = ("linear", "gcn", "attention", "mean")
LAYERS = ("gcn", "mean", "max", "attention", "gin", "powers", "linear", "identity")
ENDS = ("none", "gcn", "attention", "appnp")
JOINS = ("last", "concat", "max")
DEEP = "deep"
"""In the place of a join: the layers of GCNII."""

MOST_LAYERS = 3
DENSE = 0.2
"""Features of which at least this share is not 0 are kept as a matrix."""


@dataclass(frozen=True)
class GraphSizes:
    """What operations need to know of a graph.

    Args:
        edges: each direction counted.
        inputs: features of a node.
        entries: values of the features of all nodes that are not 0.
        dense: whether features are kept as a matrix.
    """

    edges: int
    inputs: int
    entries: int
    dense: bool = False


@dataclass(frozen=True)
class _Shared:
    """Choices that several operations share."""

    width: Choice
    activation: Choice
    dropout: Choice
    heads: Choice
    norm: Choice
    skip: Choice


def graph_space(sizes: GraphSizes, classes: int) -> SearchSpace:
    """The default space for the nodes of a graph.

    Args:
        sizes: of the graph.
        classes: of nodes.

    Raises:
        SpecError: there are fewer than two classes.

    Example:
        >>> graph_space(GraphSizes(edges=10, inputs=5, entries=20), 3).count() > 10**6
        True
    """
    if classes < 2:
        raise SpecError(wrong("classes", classes, ">= 2"))
    shared = _Shared(
        choice("width", [16, 32, 64, 128, 256]),
        choice("activation", ["relu", "elu", "silu"]),
        choice("dropout", [0.0, 0.25, 0.5, 0.65, 0.8]),
        choice("heads", [1, 2, 4, 8]),
        choice("norm", ["none", "layer"]),
        flag("skip"),
    )
    kinds = [choice(f"layer{place}", LAYERS) for place in range(MOST_LAYERS)]
    depth = integer("depth", 0, MOST_LAYERS)

    def layer(place: int) -> Node:
        return _layer(kinds[place], sizes, shared)

    def onward(join: str, place: int) -> Node:
        """The layers from this one on, joined with what comes before each."""
        if place == MOST_LAYERS:
            return nn.identity()
        rest = nn.seq(layer(place), onward(join, place + 1))
        parts = (nn.identity(), rest)
        return nn.optional(depth > place, nn.concat(*parts) if join == "concat" else nn.maximum(*parts))

    bodies: dict[Value, Node] = {"last": nn.repeat(depth, layer)}
    bodies |= {join: onward(join, 0) for join in JOINS[1:]}
    bodies[DEEP] = nn.gcnii(
        choice("deep.layers", [4, 8, 16]),
        edges=sizes.edges,
        restart=choice("deep.restart", [0.1, 0.2]),
        dropout=shared.dropout,
    )
    return SearchSpace(nn.seq(_start(sizes, shared), nn.one_of("join", bodies), _end(sizes, shared, classes)))


def _features(sizes: GraphSizes, width: Choice) -> Node:
    dropped = choice("dropout.input", [0.0, 0.25, 0.5, 0.65, 0.8])
    if sizes.dense:
        return nn.seq(nn.node_features(sizes.inputs), nn.dropout(dropped), nn.linear(width))
    return nn.node_linear(width, inputs=sizes.inputs, entries=sizes.entries, dropout=dropped)


def _start(sizes: GraphSizes, shared: _Shared) -> Node:
    own, edges = _features(sizes, shared.width), sizes.edges
    starts: dict[Value, Node] = {
        "linear": own,
        "gcn": nn.seq(own, nn.propagate("gcn", edges=edges)),
        "attention": nn.seq(own, nn.graph_attention(shared.heads, edges=edges, dropout=shared.dropout)),
        "mean": nn.add(own, nn.seq(own, nn.propagate("mean", edges=edges))),
    }
    return nn.seq(nn.one_of("start", starts), nn.activation(shared.activation))


def _layer(kind: Choice, sizes: GraphSizes, shared: _Shared) -> Node:
    edges, width = sizes.edges, shared.width

    def heard(mode: str, hops: int = 1) -> Node:
        return nn.propagate(mode, edges=edges, hops=hops)

    def linear() -> Node:
        return nn.linear(width)

    gin = nn.seq(nn.add(nn.identity(), heard("sum")), linear(), nn.activation(shared.activation), linear())
    kinds: dict[Value, Node] = {
        "gcn": nn.seq(linear(), heard("gcn")),
        "mean": nn.add(linear(), nn.seq(heard("mean"), linear())),
        "max": nn.add(linear(), nn.seq(heard("max"), linear())),
        "attention": nn.seq(linear(), nn.graph_attention(shared.heads, edges=edges, dropout=shared.dropout)),
        "gin": gin,
        "powers": nn.add(linear(), nn.seq(heard("gcn"), linear()), nn.seq(heard("gcn", 2), linear())),
        "linear": linear(),
        "identity": nn.identity(),
    }
    norm = nn.one_of(shared.norm, {"none": nn.identity(), "layer": nn.layer_norm()})
    body = nn.seq(nn.dropout(shared.dropout), nn.one_of(kind, kinds), norm, nn.activation(shared.activation))
    return nn.residual(body, nn.one_of(shared.skip, {False: nn.zero(), True: nn.identity()}))


def _end(sizes: GraphSizes, shared: _Shared, classes: int) -> Node:
    hops, restart = choice("appnp.hops", [2, 5, 10]), choice("appnp.restart", [0.05, 0.1, 0.2, 0.4])
    ends: dict[Value, Node] = {
        "none": nn.identity(),
        "gcn": nn.propagate("gcn", edges=sizes.edges),
        "attention": nn.graph_attention(1, edges=sizes.edges, dropout=shared.dropout),
        "appnp": nn.propagate("gcn", edges=sizes.edges, hops=hops, restart=restart),
    }
    return nn.seq(nn.dropout(shared.dropout), nn.linear(classes), nn.one_of("end", ends))


def graph_references(space: SearchSpace) -> tuple[Reference, ...]:
    """What a person who knows the field would write down: GCN, GAT and APPNP with the numbers of their papers.

    Args:
        space: what `graph_space` gave.
    """
    return tuple(Reference(name, _design(space, values)) for name, values in _REFERENCES.items())


def graph_portfolio(space: SearchSpace) -> tuple[Architecture, ...]:
    """Networks that are tried right after the references.

    Args:
        space: what `graph_space` gave.
    """
    return tuple(_design(space, values) for values in _PORTFOLIO)


def graph_narrowed(space: SearchSpace, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
    """Those of the references that are not admitted, in the widest smaller form that is.

    Args:
        space: what `graph_space` gave.
        admits: whether a network may be proposed, such as `SearchSpace.admits`.
    """

    def smaller(name: str) -> Iterator[tuple[str, Architecture]]:
        for width in (32, 16):
            yield f"{width}", _design(space, {**_REFERENCES[name], "width": width, "heads": 4})

    return admitted({name: _design(space, values) for name, values in _REFERENCES.items()}, smaller, admits)


def _design(space: SearchSpace, values: Mapping[str, Value]) -> Architecture:
    """The architecture of a few decisions; others are the defaults."""
    return space.architecture({**_DEFAULTS, **values}, drop_inactive=True)


_DEFAULTS: Mapping[str, Value] = {
    "width": 64,
    "activation": "relu",
    "dropout": 0.5,
    "dropout.input": 0.5,
    "heads": 8,
    "norm": "none",
    "skip": False,
    "start": "linear",
    "join": "last",
    "depth": 0,
    "end": "none",
    **{f"layer{place}": "gcn" for place in range(MOST_LAYERS)},
    "appnp.hops": 10,
    "appnp.restart": 0.1,
    "deep.layers": 8,
    "deep.restart": 0.1,
}

_REFERENCES: Mapping[str, Mapping[str, Value]] = {
    "gcn": {"start": "gcn", "end": "gcn", "width": 16},
    "gat": {
        "start": "attention",
        "end": "attention",
        "activation": "elu",
        "dropout": 0.65,
        "dropout.input": 0.65,
    },
    "appnp": {"start": "linear", "end": "appnp"},
}

_PORTFOLIO: Sequence[Mapping[str, Value]] = (
    {"start": "linear", "end": "appnp", "dropout": 0.8, "dropout.input": 0.65, "width": 128},
    {"start": "gcn", "end": "gcn", "width": 64, "dropout": 0.8, "dropout.input": 0.8},
    {"start": "gcn", "end": "appnp", "width": 64},
    {"start": "mean", "end": "gcn", "width": 64},
)

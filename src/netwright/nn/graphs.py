"""Declarations of what networks on graphs need: features of nodes, and ways in which neighbours are heard.

A network computes all nodes of one graph at once; what flows in it is a sequence (nodes, features), so that linear
layers, norms, dropout and residual connections are those of sequences. Sizes of the graph are arguments; its edges and
features are given where a network is built (`netwright.space.terms.OpTerm.constants`) and kept with the weights. A
declaration is data and imports no torch.
"""

from __future__ import annotations

from netwright.nn.arguments import Size, Word, make_op, node, nodes, number, size, word
from netwright.nn.emitters.graphs import PROPAGATIONS
from netwright.space.expressions import Expr
from netwright.space.nodes import Node, Op


def all_nodes(body: Node, nodes: int) -> Op:
    """Declare a network on all nodes: node numbers (1,) as int64 become what ``body`` says of these nodes.

    Args:
        body: gets the numbers of all nodes (nodes,) and gives (nodes, features).
        nodes: of the graph.
    """
    return make_op("all_nodes", {"nodes": size("nodes", nodes)}, node("body", body))


def node_linear(features: Size, *, inputs: int, entries: int, dropout: Expr | float = 0.0) -> Op:
    """Declare a linear layer on the sparse features of all nodes: gives (nodes, features).

    Args:
        features: that it gives.
        inputs: features of a node.
        entries: values of all nodes' features that are not 0.
        dropout: share of these that is left out in each step of a training.
    """
    sizes = {"features": size("features", features), "inputs": size("inputs", inputs)}
    args = {**sizes, "entries": size("entries", entries), "dropout": number("dropout", dropout, 0.0, 0.99)}
    return make_op("node_linear", args)


def node_features(inputs: int) -> Op:
    """Declare the features of all nodes as they are: gives (nodes, inputs)."""
    return make_op("node_features", {"inputs": size("inputs", inputs)})


def propagate(mode: Word = "gcn", *, edges: int, hops: Size = 1, restart: Expr | float = 0.0) -> Op:
    """Declare that each node gets what its neighbours have, (nodes, D) to (nodes, D); it has no weights.

    Args:
        mode: ``gcn``: the node and its neighbours, each divided by the roots of both degrees (+ 1 for itself);
            ``mean``, ``sum`` or ``max`` of the neighbours alone, 0 where there are none.
        edges: of the graph, each direction counted.
        hops: how often.
        restart: share of what was there at first, mixed in after each hop; personalised PageRank with ``gcn``.

    References:
        Kipf and Welling (2017), Semi-Supervised Classification with Graph Convolutional Networks, equation 2.
        Hamilton, Ying, Leskovec (2017), Inductive Representation Learning on Large Graphs (all neighbours, no sample).
        Gasteiger, Bojchevski, Günnemann (2019), Predict then Propagate (APPNP), equation 4; we drop no edges.

    Example:
        >>> propagate("gcn", edges=10, hops=10, restart=0.1).kind
        'propagate'
    """
    args: dict[str, object] = {"mode": word("mode", mode, PROPAGATIONS), "edges": size("edges", edges)}
    args |= {"hops": size("hops", hops), "restart": number("restart", restart, 0.0, 1.0)}
    return make_op("propagate", args)


def graph_attention(heads: Size = 8, *, edges: int, dropout: Expr | float = 0.0) -> Op:
    """Declare attention of each node over itself and its neighbours, (nodes, D) to (nodes, D).

    Args:
        heads: each has D / heads features.
        edges: of the graph, each direction counted.
        dropout: of attention weights.

    References:
        Veličković et al. (2018), Graph Attention Networks, equations 1 to 5. The linear layer before it is an
        operation of its own, as is the activation behind it.
    """
    return make_op(
        "graph_attention",
        {
            "heads": size("heads", heads),
            "edges": size("edges", edges),
            "dropout": number("dropout", dropout, 0.0, 0.99),
        },
    )


def gcnii(
    layers: Size = 8,
    *,
    edges: int,
    restart: Expr | float = 0.1,
    decay: Expr | float = 0.5,
    dropout: Expr | float = 0.0,
) -> Op:
    """Declare a deep network of neighbours, (nodes, D) to (nodes, D), that keeps what came in and stays trainable.

    Args:
        layers: each hears all neighbours once and has weights (D, D).
        edges: of the graph, each direction counted.
        restart: share of what came in at first, mixed in in each layer; alpha of the paper.
        decay: how fast layers come near to the identity: that of depth l has a share log(decay / l + 1) of its weights;
            lambda of the paper.
        dropout: before each layer.

    References:
        Chen, Wei, Huang, Ding, Li (2020), Simple and Deep Graph Convolutional Networks, equation 5.
    """
    args: dict[str, object] = {"layers": size("layers", layers), "edges": size("edges", edges)}
    args |= {"restart": number("restart", restart, 0.0, 1.0), "decay": number("decay", decay, 0.0, 1.0)}
    return make_op("gcnii", {**args, "dropout": number("dropout", dropout, 0.0, 0.99)})


def maximum(*branches: Node) -> Op:
    """Declare branches that run on the same input, and the greatest of their values at each place.

    References:
        Xu et al. (2018), Representation Learning on Graphs with Jumping Knowledge Networks (max pooling of layers).
    """
    return make_op("maximum", {}, *nodes("branches", branches, 1))

"""Graphs: all nodes at once, their features, and how neighbours are heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.errors import wrong
from netwright.nn.code import Call, Code, Lit, call, placed
from netwright.nn.site import Emitted, Flow, Site
from netwright.types import Value

PROPAGATIONS = ("gcn", "mean", "sum", "max")


def _all_nodes(site: Site) -> Emitted:
    nodes = site.integer("nodes")
    if site.flow.is_float or site.flow.shape != (1,):
        site.fail("needs one node number an example, shape (1,), as int64")
    inner = site.child(0, Flow((nodes,), "int64", depth=site.flow.depth))
    if inner.flow.rank != 2 or inner.flow.shape[0] != nodes or not inner.flow.is_float:
        site.fail(f"its body must give (nodes, features) of all {nodes} nodes, gives {inner.flow}")
    out = inner.flow.reshaped((inner.flow.shape[1],), "")
    site.tally.add(values=out.size)
    return Emitted(call("AllNodes", inner.code, Lit(nodes, "nodes")), out)


def _edges(site: Site, count: int, targets: int, sources: int) -> Code:
    """The module that holds edges, and what it keeps with the weights."""
    site.tally.add(buffers=3 * count + targets + sources)
    return call("Edges", Lit(count, "count"), Lit(targets, "targets"), Lit(sources, "sources"))


def _numbers(site: Site) -> int:
    """How many nodes there are, where the numbers of all come in."""
    if site.flow.is_float or site.flow.rank != 1:
        site.fail("takes the features of all nodes from the graph; put it first into nn.all_nodes(...)")
    return site.flow.shape[0]


def _node_linear(site: Site) -> Emitted:
    nodes, entries = _numbers(site), site.integer("entries")
    inputs, features = site.integer("inputs"), site.integer("features")
    dropout = site.number("dropout", 0.0, 0.99, 0.0)
    out = Flow((nodes, features), "float32", "channels last", site.flow.depth + 1)
    site.tally.add(params=(inputs + 1) * features, macs=entries * features, values=out.size)
    site.tally.add(buffers=entries)
    options: dict[str, Value] = {"dropout": dropout} if dropout else {}
    sizes = (Lit(inputs, "in_features"), Lit(features, "out_features"))
    code = call("NodeLinear", _edges(site, entries, nodes, inputs), *sizes, **options)
    return Emitted(placed(code, site.place("linear")), out)


def _node_features(site: Site) -> Emitted:
    nodes, inputs = _numbers(site), site.integer("inputs")
    out = Flow((nodes, inputs), "float32", "channels last", site.flow.depth)
    site.tally.add(values=out.size, buffers=out.size)
    return Emitted(call("NodeFeatures", Lit(nodes, "nodes"), Lit(inputs, "features")), out)


def _propagate(site: Site) -> Emitted:
    site.need_sequence()
    flow = site.flow.reshaped(site.flow.shape, "channels last")
    nodes, count = flow.shape[0], site.integer("edges")
    mode, hops = site.word("mode", PROPAGATIONS, "gcn"), site.integer("hops", default=1)
    restart = site.number("restart", 0.0, 1.0, 0.0)
    options: dict[str, Value] = {"hops": hops} if hops > 1 else {}
    if restart:
        options["restart"] = restart
    site.tally.add(macs=hops * count * flow.channels, values=hops * flow.size)
    code = call("Propagate", _edges(site, count, nodes, nodes), Lit(mode, "mode"), **options)
    return Emitted(code, flow)


def _graph_attention(site: Site) -> Emitted:
    site.need_sequence()
    flow = site.flow.reshaped(site.flow.shape, "channels last", deeper=1)
    nodes, count = flow.shape[0], site.integer("edges")
    heads, dropout = site.integer("heads", default=8), site.number("dropout", 0.0, 0.99, 0.0)
    if flow.channels % heads:
        site.fail(f"heads={heads} does not divide the {flow.channels} features; make it a divisor")
    scores = 2 * flow.size + (count + nodes) * flow.channels
    site.tally.add(params=2 * flow.channels, macs=scores, values=2 * flow.size + 3 * count * heads)
    options: dict[str, Value] = {"dropout": dropout} if dropout else {}
    sizes = (Lit(heads, "heads"), Lit(flow.channels // heads, "features"))
    code = call("GraphAttention", _edges(site, count, nodes, nodes), *sizes, **options)
    return Emitted(placed(code, site.place("attention")), flow)


def _gcnii(site: Site) -> Emitted:
    site.need_sequence()
    layers, count = site.integer("layers", default=8), site.integer("edges")
    flow = site.flow.reshaped(site.flow.shape, "channels last", deeper=layers)
    nodes, width = flow.shape[0], flow.channels
    defaults = {"restart": (1.0, 0.1), "decay": (1.0, 0.5), "dropout": (0.99, 0.0)}
    found = {name: site.number(name, 0.0, most, default) for name, (most, default) in defaults.items()}
    options: dict[str, Value] = {name: value for name, value in found.items() if value != defaults[name][1]}
    site.tally.add(
        params=layers * width**2, macs=layers * (count + nodes * width) * width, values=2 * layers * flow.size
    )
    sizes = (Lit(layers, "layers"), Lit(width, "features"))
    code = call("GCNII", _edges(site, count, nodes, nodes), *sizes, **options)
    return Emitted(placed(code, site.place("layers")), flow)


def _maximum(site: Site) -> Emitted:
    branches = [site.child(index) for index in range(len(site.term.children))]
    flows = [branch.flow for branch in branches]
    if any(flow.shape != flows[0].shape for flow in flows):
        site.fail(wrong("shapes of its branches", [flow.shape for flow in flows], "one and the same"))
    out = flows[0].reshaped(flows[0].shape, deeper=max(flow.depth for flow in flows) - flows[0].depth)
    site.tally.add(values=(len(flows) - 1) * out.size)
    return Emitted(Call("Maximum", tuple(("", branch.code) for branch in branches)), out)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "all_nodes": _all_nodes,
    "node_linear": _node_linear,
    "node_features": _node_features,
    "propagate": _propagate,
    "graph_attention": _graph_attention,
    "gcnii": _gcnii,
    "maximum": _maximum,
}

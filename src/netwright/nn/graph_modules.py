"""The module classes of graphs in generated source, as text; see `netwright.nn.helpers`.

A network on a graph computes all nodes at once: what flows in it is (1, nodes, features). The graph lies in buffers,
which are zeros in fresh source and are filled where a network is built from a term, or from its file of weights.
"""

from __future__ import annotations

TEXTS = '''\
class AllNodes(nn.Module):
    """Computes all nodes of a graph, and gives what it says of those that are asked for by number."""

    def __init__(self, body: nn.Module, nodes: int) -> None:
        super().__init__()
        self.body = body
        self.nodes = nodes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        everyone = torch.arange(self.nodes, device=x.device)
        return self.body(everyone[None])[0].index_select(0, x[:, 0])


class Edges(nn.Module):
    """Which sources each target has, in the order of the targets and, for gradients, of the sources."""

    class WeightedSum(torch.autograd.Function):
        """Sum over the sources of each target; its gradient is the same sum over the edges turned around."""

        @staticmethod
        def forward(ctx, x, weights, *graph):
            ctx.save_for_backward(x, weights, *graph)
            sources, _, offsets, _, _ = graph
            return F.embedding_bag(sources, x, offsets, mode="sum", per_sample_weights=weights)

        @staticmethod
        def backward(ctx, gradient):
            x, weights, sources, targets, _, order, back = ctx.saved_tensors
            of_x = of_weights = None
            if ctx.needs_input_grad[0]:
                turned = None if weights is None else weights[order]
                of_x = F.embedding_bag(
                    targets[order], gradient, back, mode="sum", per_sample_weights=turned
                )
            if ctx.needs_input_grad[1]:
                of_weights = (x[sources] * gradient[targets]).sum(1)
            return of_x, of_weights, None, None, None, None, None

    def __init__(self, count: int, targets: int, sources: int) -> None:
        super().__init__()
        self.register_buffer("sources", torch.zeros(count, dtype=torch.int64))
        self.register_buffer("targets", torch.zeros(count, dtype=torch.int64))
        self.register_buffer("offsets", torch.zeros(targets, dtype=torch.int64))
        self.register_buffer("order", torch.zeros(count, dtype=torch.int64))
        self.register_buffer("back", torch.zeros(sources, dtype=torch.int64))

    def sums(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Sum (targets, features) over the sources of each target of x (sources, features), weighted (edges,)."""
        if not torch.jit.is_tracing() and not torch.compiler.is_compiling():
            graph = (self.sources, self.targets, self.offsets, self.order, self.back)
            return self.WeightedSum.apply(x, weights, *graph)
        values = x.index_select(0, self.sources)
        values = values if weights is None else values * weights[:, None]
        return x.new_zeros(self.offsets.shape[0], x.shape[1]).index_add(0, self.targets, values)

    def largest(self, x: torch.Tensor) -> torch.Tensor:
        """The greatest value of each feature among the sources of each target; 0 where it has none."""
        if not torch.jit.is_tracing() and not torch.compiler.is_compiling():
            return F.embedding_bag(self.sources, x, self.offsets, mode="max")
        values, places = x.index_select(0, self.sources), self.targets[:, None].expand(-1, x.shape[1])
        zeros = x.new_zeros(self.offsets.shape[0], x.shape[1])
        return zeros.scatter_reduce(0, places, values, "amax", include_self=False)

    def degrees(self) -> torch.Tensor:
        """How many sources each target has (targets, 1)."""
        ends = torch.cat([self.offsets[1:], self.offsets.new_full((1,), self.sources.shape[0])])
        return (ends - self.offsets)[:, None]


class NodeLinear(nn.Module):
    """A linear layer on the sparse features of all nodes; while training it drops features."""

    def __init__(
        self, entries: nn.Module, in_features: int, out_features: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        bound = (6 / (in_features + out_features)) ** 0.5
        self.weight = nn.Parameter(torch.empty(in_features, out_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.entries = entries
        self.register_buffer("values", torch.zeros(entries.sources.shape[0]))
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = F.dropout(self.values, self.dropout, self.training).to(self.weight.dtype)
        return (self.entries.sums(self.weight, values) + self.bias)[None]


class NodeFeatures(nn.Module):
    """Gives the features of all nodes."""

    def __init__(self, nodes: int, features: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.zeros(nodes, features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.matrix[None]


class Propagate(nn.Module):
    """Gives each node what its neighbours have, combined; several times over, and mixed with its own at the start."""

    def __init__(self, edges: nn.Module, mode: str, hops: int = 1, restart: float = 0.0) -> None:
        super().__init__()
        self.edges = edges
        self.mode = mode
        self.hops = hops
        self.restart = restart

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        start = x = x[0]
        scale = self.scale(x) if self.mode in ("mean", "gcn") else x
        for _ in range(self.hops):
            x = self.step(x, scale)
            if self.restart:
                x = (1 - self.restart) * x + self.restart * start
        return x[None]

    def scale(self, x: torch.Tensor) -> torch.Tensor:
        """What a mean divides by, or what both ends of an edge are multiplied with (nodes, 1)."""
        degrees = self.edges.degrees().to(x.dtype)
        return degrees.clamp(min=1) if self.mode == "mean" else (degrees + 1) ** -0.5

    def step(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """One hop of x (nodes, features)."""
        if self.mode == "max":
            return self.edges.largest(x)
        if self.mode == "sum":
            return self.edges.sums(x)
        if self.mode == "mean":
            return self.edges.sums(x) / scale
        return scale * (self.edges.sums(scale * x) + scale * x)


class GCNII(nn.Module):
    """Layers that hear neighbours, each mixed with what came in at first and near to the identity."""

    def __init__(
        self,
        edges: nn.Module,
        layers: int,
        features: int,
        restart: float = 0.1,
        decay: float = 0.5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        bound = features**-0.5
        self.weight = nn.Parameter(torch.empty(layers, features, features).uniform_(-bound, bound))
        self.edges = edges
        self.restart = restart
        self.dropout = dropout
        depths = torch.arange(1, layers + 1, device="cpu", dtype=torch.float64)
        self.shares = torch.log1p(decay / depths).tolist()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        start = x = x[0]
        scale = (self.edges.degrees().to(x.dtype) + 1) ** -0.5
        for layer, share in enumerate(self.shares):
            x = F.dropout(x, self.dropout, self.training)
            x = scale * (self.edges.sums(scale * x) + scale * x)
            x = (1 - self.restart) * x + self.restart * start
            x = F.relu((1 - share) * x + share * (x @ self.weight[layer]))
        return x[None]


class GraphAttention(nn.Module):
    """Weighs itself and its neighbours by learned scores; each head has a part of the features."""

    def __init__(self, edges: nn.Module, heads: int, features: int, dropout: float = 0.0) -> None:
        super().__init__()
        bound = features**-0.5
        self.source_weight = nn.Parameter(torch.empty(heads, features).uniform_(-bound, bound))
        self.target_weight = nn.Parameter(torch.empty(heads, features).uniform_(-bound, bound))
        self.edges = edges
        self.dropout = dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = x[0].unflatten(1, self.source_weight.shape)
        sources = (parts * self.source_weight).sum(2)
        targets = (parts * self.target_weight).sum(2)
        limit = F.leaky_relu(sources.amax(0) + targets, 0.2).detach()
        own = (F.leaky_relu(sources + targets, 0.2) - limit).exp()
        ends = self.edges.targets
        between = sources.index_select(0, self.edges.sources) + targets.index_select(0, ends)
        between = (F.leaky_relu(between, 0.2) - limit.index_select(0, ends)).exp()
        total = (own + torch.zeros_like(own).index_add(0, ends, between)).clamp(min=1e-12)
        own = F.dropout(own, self.dropout, self.training)
        between = F.dropout(between, self.dropout, self.training)
        out = [
            self.edges.sums(parts[:, head], between[:, head]) + own[:, head, None] * parts[:, head]
            for head in range(self.source_weight.shape[0])
        ]
        return (torch.stack(out, dim=1) / total[:, :, None]).flatten(1)[None]


class Maximum(nn.Module):
    """Greatest value of its branches, all run on the same input."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.branches[0](x)
        for branch in self.branches[1:]:
            out = torch.maximum(out, branch(x))
        return out
'''

"""Operations on graphs: what they compute beside dense formulas, gradients, costs, and that weights are shared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from netwright import nn
from netwright.errors import BuildError, SpaceError
from netwright.nn.networks import Networks
from netwright.space import Node, OpTerm, SearchSpace, Term, choice
from netwright.supernet import Supernet
from netwright.tasks.graphs.data import Features, Graph, tidy_edges

NODES, INPUTS = 6, 5
LINKS = np.array([[0, 0, 1, 2, 3], [1, 2, 2, 3, 4]])  # node 5 has no neighbour
MATRIX = np.array([[1, 0, 2, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0.5, 1], [3, 0, 0, 0, 0], [0] * 5, [0, 1, 1, 0, 0]])


def a_graph(*, directed: bool = False) -> Graph:
    edges, _ = tidy_edges(LINKS.astype(np.int64), NODES, directed=directed, where="edges")
    return Graph("six", Features.of_matrix(MATRIX), edges, np.zeros(NODES, dtype=np.int64), ("a", "b"), {})


def around(network: Term, graph: Graph) -> OpTerm:
    matrix = {"matrix": graph.features.matrix()}
    return OpTerm("all_nodes", (("nodes", NODES),), (network,), constants={**graph.constants(), **matrix})


def model_of(body: Node, *, directed: bool = False) -> torch.nn.Module:
    space = SearchSpace(nn.seq(nn.node_features(INPUTS), body))
    term = around(space.resolve(space.sample(np.random.default_rng(0))), a_graph(directed=directed))
    return nn.build(term, input_shape=(1,), input_dtype="int64", seed=0)


def everyone() -> torch.Tensor:
    return torch.arange(NODES)[:, None]


def dense_edges(*, directed: bool = False) -> torch.Tensor:
    """(targets, sources), 1 where an edge leads."""
    found = torch.zeros(NODES, NODES)
    found[LINKS[1], LINKS[0]] = 1
    return found if directed else (found + found.T).clamp(max=1)


def expected(mode: str, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    degrees = edges.sum(1, keepdim=True)
    if mode == "sum":
        return edges @ x
    if mode == "mean":
        return edges @ x / degrees.clamp(min=1)
    if mode == "max":
        heard = torch.where(edges[:, :, None] > 0, x[None], -torch.inf).amax(1)
        return torch.where(degrees > 0, heard, 0.0)
    with_self, scale = edges + torch.eye(NODES), (degrees + 1) ** -0.5
    return (scale * with_self * scale.T) @ x


@pytest.mark.parametrize("mode", ["gcn", "mean", "sum", "max"])
@pytest.mark.parametrize("directed", [False, True])
def test_propagation_is_a_product_with_the_dense_matrix(mode: str, directed: bool) -> None:
    """In all modes, for one hop, and for two that begin anew in part."""
    edges = dense_edges(directed=directed)
    count = int(edges.sum())
    x = torch.tensor(MATRIX, dtype=torch.float32)
    once = expected(mode, x, edges)
    assert torch.allclose(once, model_of(nn.propagate(mode, edges=count), directed=directed)(everyone()), atol=1e-6)
    mixed = 0.75 * once + 0.25 * x
    twice = 0.75 * expected(mode, mixed, edges) + 0.25 * x
    model = model_of(nn.propagate(mode, edges=count, hops=2, restart=0.25), directed=directed)
    assert torch.allclose(twice, model(everyone()), atol=1e-6)


def test_attention_is_a_softmax_over_a_node_and_its_neighbours() -> None:
    """Two heads, beside the softmax of a masked matrix of scores."""
    model = model_of(nn.seq(nn.linear(6), nn.graph_attention(2, edges=10)))
    layer = next(m for m in model.modules() if type(m).__name__ == "GraphAttention")
    linear = next(m for m in model.modules() if isinstance(m, torch.nn.Linear))
    h = linear(torch.tensor(MATRIX, dtype=torch.float32)).unflatten(1, (2, 3))
    sources, targets = (h * layer.source_weight).sum(2), (h * layer.target_weight).sum(2)
    scores = F.leaky_relu(targets[:, None] + sources[None], 0.2)
    allowed = (dense_edges() + torch.eye(NODES))[:, :, None] > 0
    weights = torch.where(allowed, scores, -torch.inf).softmax(1)
    wanted = torch.einsum("tsh,shd->thd", weights, h).flatten(1)
    assert torch.allclose(wanted, model(everyone()), atol=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        *(nn.propagate(mode, edges=10, hops=2, restart=0.1) for mode in ("gcn", "mean", "sum")),
        nn.seq(nn.linear(4), nn.propagate("max", edges=10)),
        nn.seq(nn.linear(4), nn.graph_attention(2, edges=10)),
        nn.seq(nn.linear(4), nn.gcnii(2, edges=10)),
        nn.maximum(nn.linear(3), nn.seq(nn.linear(3), nn.propagate("gcn", edges=10))),
    ],
)
def test_gradients_are_those_of_finite_differences(body: Node) -> None:
    """Of each operation by what flows in and by its own weights, in double precision."""
    model = model_of(nn.seq(nn.linear(4), body)).double()
    names, values = zip(*model.named_parameters(), strict=True)

    def run(*given: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = torch.func.functional_call(model, dict(zip(names, given, strict=True)), (everyone(),))
        return out

    assert torch.autograd.gradcheck(run, tuple(v.detach().requires_grad_() for v in values))


def test_sparse_features_are_a_linear_layer_on_the_matrix() -> None:
    """What it gives, and the gradients of its weights."""
    space = SearchSpace(nn.node_linear(3, inputs=INPUTS, entries=int((MATRIX != 0).sum())))
    term = around(space.resolve(space.sample(np.random.default_rng(0))), a_graph())
    model = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0)
    layer = next(m for m in model.modules() if type(m).__name__ == "NodeLinear")
    x = torch.tensor(MATRIX, dtype=torch.float32)
    wanted = x @ layer.weight + layer.bias
    given = model(everyone())
    assert torch.allclose(wanted, given, atol=1e-6)
    toward = torch.arange(18.0).reshape(NODES, 3)
    (found,) = torch.autograd.grad((given * toward).sum(), layer.weight)
    assert torch.allclose(x.T @ toward, found, atol=1e-5)


def test_features_are_dropped_in_training_alone() -> None:
    """With dropout an entry counts twice or not at all."""
    space = SearchSpace(nn.node_linear(3, inputs=INPUTS, entries=int((MATRIX != 0).sum()), dropout=0.5))
    term = around(space.resolve(space.sample(np.random.default_rng(0))), a_graph())
    model = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0)
    assert torch.equal(model.eval()(everyone()), model(everyone()))
    assert not torch.equal(model.train()(everyone()), model(everyone()))


def graph_space() -> SearchSpace:
    """All operations, in elastic sizes."""
    width, edges = choice("width", [4, 8]), 10
    start = nn.node_linear(width, inputs=INPUTS, entries=int((MATRIX != 0).sum()))
    kinds = {
        "gcn": nn.seq(nn.linear(width), nn.propagate("gcn", edges=edges)),
        "attention": nn.graph_attention(choice("heads", [1, 2, 4]), edges=edges),
        "max": nn.maximum(nn.identity(), nn.propagate("max", edges=edges)),
        "deep": nn.gcnii(choice("layers", [1, 3]), edges=edges, restart=0.2),
    }
    return SearchSpace(nn.seq(start, nn.one_of("kind", kinds), nn.linear(2)))


def test_what_is_counted_is_what_is_built() -> None:
    """Parameters and what is kept with them, and the outputs' shape."""
    space = graph_space()
    for architecture in space.enumerate():
        term = around(space.resolve(architecture), a_graph())
        model = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0)
        found = nn.profile(term, input_shape=(1,), input_dtype="int64")
        assert found.params == sum(p.numel() for p in model.parameters())
        buffers = sum(b.numel() for b in model.buffers())
        assert found.parameter_bytes == 4 * (found.params + buffers)
        assert model(torch.tensor([[3], [3], [0]])).shape == (3, 2)


def test_subnets_are_slices_of_the_supernet() -> None:
    """What is taken out of a supernet answers as the subnet does, and learns the same in a step, bit for bit."""
    graph = a_graph()
    supernet = Supernet(
        graph_space(), input_shape=(1,), input_dtype="int64", wrap=lambda term: around(term, graph), seed=0
    )
    targets = torch.arange(NODES) % 2
    for architecture in supernet.space.enumerate():
        plain, subnet = supernet.extract(architecture), supernet.subnet(architecture)
        outputs = []
        for model, parameters in ((plain, list(plain.parameters())), (subnet.model, supernet.parameters())):
            optimiser = torch.optim.SGD(parameters, lr=0.1)
            optimiser.zero_grad()
            out = plain(everyone()) if model is plain else subnet(everyone())
            F.cross_entropy(out, targets).backward()
            optimiser.step()
            outputs.append(out)
        assert torch.equal(*outputs)
        assert [n for n, own in plain.named_parameters() if not torch.equal(own, subnet.weight(n))] == []


def test_source_is_the_model_with_its_weights() -> None:
    """The graph lies in the state: generated source alone has none, and with the state the same answers."""
    space = graph_space()
    for architecture in list(space.enumerate())[:6]:
        term = around(space.resolve(architecture), a_graph())
        model = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0).eval()
        names: dict[str, object] = {}
        exec(compile(nn.source(term, input_shape=(1,), input_dtype="int64"), "network", "exec"), names)
        again = names["build"]().eval()  # type: ignore[operator]
        assert not any(buffer.any() for buffer in again.buffers())
        again.load_state_dict(model.state_dict())
        assert torch.equal(model(everyone()), again(everyone()))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_a_traced_network_says_the_same() -> None:
    """What exporters follow is other code than what trains."""
    space = graph_space()
    for architecture in space.enumerate():
        term = around(space.resolve(architecture), a_graph())
        model = nn.build(term, input_shape=(1,), input_dtype="int64", seed=0).eval()
        traced = torch.jit.trace(model, everyone())  # type: ignore[no-untyped-call]
        assert torch.allclose(model(everyone()), traced(everyone()), atol=1e-6)


def test_networks_of_a_space_have_the_graph_and_places() -> None:
    """Each that is built for sharing holds the edges."""
    networks = Networks(
        graph_space(), input_shape=(1,), input_dtype="int64", wrap=lambda term: around(term, a_graph()), seed=0
    )
    network = networks(networks.space.sample(np.random.default_rng(1)))
    edges = {name: buffer for name, buffer in network.model.named_buffers() if name.endswith("entries.sources")}
    assert [buffer.tolist() for buffer in edges.values()] == [np.nonzero(MATRIX)[1].tolist()]
    assert len(network.weights()) == len(list(network.model.parameters()))


def test_what_does_not_fit_is_named() -> None:
    """Words, heads, and another graph than the operations were declared for."""
    with pytest.raises(SpaceError, match="mode must be one of gcn, max, mean, sum"):
        nn.propagate("median", edges=10)
    with pytest.raises(BuildError, match="heads=4 does not divide the 5 features"):
        model_of(nn.graph_attention(4, edges=10))
    with pytest.raises(BuildError, match=r"edges.sources has shape \(9,\), the data for it \(10,\)"):
        model_of(nn.propagate("gcn", edges=9))
    space = SearchSpace(nn.node_features(INPUTS))
    with pytest.raises(BuildError, match="takes the features of all nodes from the graph"):
        nn.build(space.resolve(space.sample(np.random.default_rng(0))), input_shape=(3,), seed=0)


def test_gcnii_is_its_equation() -> None:
    """Beside dense matrices, layer by layer."""
    model = model_of(nn.seq(nn.linear(4), nn.gcnii(3, edges=10, restart=0.2, decay=0.7)))
    layer = next(m for m in model.modules() if type(m).__name__ == "GCNII")
    linear = next(m for m in model.modules() if isinstance(m, torch.nn.Linear))
    start = h = linear(torch.tensor(MATRIX, dtype=torch.float32))
    for depth in (1, 2, 3):
        share = float(np.log(0.7 / depth + 1))
        mixed = 0.8 * expected("gcn", h, dense_edges()) + 0.2 * start
        h = ((1 - share) * mixed + share * mixed @ layer.weight[depth - 1]).relu()
    assert torch.allclose(h, model(everyone()), atol=1e-6)


@pytest.mark.parametrize("mode", ["gcn", "mean"])
def test_hops_are_steps_one_after_the_other_to_the_last_bit(mode: str) -> None:
    """What is the same in each hop is computed once, and changes nothing."""
    count = int(dense_edges().sum())
    once, thrice = (model_of(nn.propagate(mode, edges=count, hops=hops)) for hops in (1, 3))
    step = next(m for m in once.modules() if type(m).__name__ == "Propagate")
    x = torch.tensor(MATRIX, dtype=torch.float32)[None]
    assert torch.equal(step(step(step(x)))[0], thrice(everyone()))

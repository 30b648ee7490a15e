"""Weights in the default space of each task: a twin is a twin, and a function that is said to be kept is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.inheritance import Morphism, morph
from netwright.nn.networks import Networks
from netwright.space import OpTerm, SearchSpace, choice
from netwright.space.terms import Term
from netwright.tasks.detection.space import detection_space
from netwright.tasks.graphs.data import Features, Graph, tidy_edges
from netwright.tasks.graphs.spaces import GraphSizes, graph_space
from netwright.tasks.series.spaces import classification_space, forecasting_space
from netwright.tasks.speech_recognition.spaces import speech_space
from netwright.tasks.tabular.spaces import tabular_references, tabular_space
from netwright.tasks.text_spaces import class_space, language_space
from netwright.tasks.translation.spaces import translation_space
from netwright.types import Architecture

NODES = 8
TOKENS = 20


@dataclass(frozen=True)
class Kind:
    """A space, and what its networks are asked."""

    space: Callable[[], SearchSpace]
    x: torch.Tensor
    wrap: Callable[[Term], Term] | None = None

    def networks(self) -> Networks:
        dtype = str(self.x.dtype).removeprefix("torch.")
        return Networks(self.space(), input_shape=tuple(self.x.shape[1:]), input_dtype=dtype, wrap=self.wrap, seed=1)


def a_graph() -> Graph:
    rng = np.random.default_rng(0)
    edges, _ = tidy_edges(rng.integers(0, NODES, (2, 20)), NODES, directed=False, where="edges")
    features = Features.of_matrix(rng.random((NODES, 5)) * (rng.random((NODES, 5)) < 0.5))
    return Graph("eight", features, edges, np.zeros(NODES, dtype=np.int64), ("a", "b"), {})


GRAPH = a_graph()
SIZES = GraphSizes(GRAPH.edges.shape[1], GRAPH.features.count, len(GRAPH.features.values))


def around_graph(network: Term) -> Term:
    return OpTerm("all_nodes", (("nodes", NODES),), (network,), constants=GRAPH.constants())


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))


def tokens(length: int) -> torch.Tensor:
    return torch.randint(1, TOKENS, (3, length), generator=torch.Generator().manual_seed(0))


KINDS = {
    "tables": Kind(
        lambda: tabular_space(3, (4, 2), 3, classes=True),
        torch.cat([drawn(3), torch.tensor([[0.0, 1.0], [3.0, 0.0], [2.0, 1.0]])], dim=1),
        lambda network: OpTerm("seq", children=(network, OpTerm("temperature"))),
    ),
    "tables with intervals": Kind(
        lambda: tabular_space(3, (4, 2), 3, classes=True, intervals=(5, 3)),
        torch.cat([drawn(3), torch.tensor([[0.0, 1.0, 4, 0], [3.0, 0.0, 2, 2], [2.0, 1.0, 0, 1]])], dim=1),
        lambda network: OpTerm("seq", children=(network, OpTerm("temperature"))),
    ),
    "graphs": Kind(lambda: graph_space(SIZES, 2), torch.arange(NODES)[:, None], around_graph),
    "series": Kind(lambda: classification_space((2, 40), 3), drawn(2, 40)),
    "forecasts": Kind(
        lambda: forecasting_space((2, 24), 1, 4),
        drawn(2, 24),
        lambda network: OpTerm("reversible_norm", children=(network,)),
    ),
    "texts": Kind(lambda: class_space(TOKENS, 3), tokens(12)),
    "language": Kind(lambda: language_space(TOKENS), tokens(12)),
    "speech": Kind(lambda: speech_space((12, 32), 4, 6), drawn(12, 32)),
    "translation": Kind(lambda: translation_space(8, TOKENS, TOKENS), tokens(16)),
    "detection": Kind(lambda: detection_space((3, 64, 64), 2), drawn(3, 64, 64)),
}


def trained(networks: Networks, architecture: Architecture) -> torch.nn.Module:
    """A network in float64 none of whose numbers is what it was at first."""
    model = networks.make(architecture).model.double().eval()
    source = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for own in model.parameters():
            own.add_(0.05 * torch.randn(own.shape, generator=source, dtype=own.dtype))
        for name, own in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                own.add_(0.5 * torch.rand(own.shape, generator=source, dtype=own.dtype))
    return model


def moved(kind: Kind, networks: Networks, parent: Architecture, child: Architecture) -> tuple[float, Morphism]:
    """Largest difference between the answers of parent and child, and what was kept."""
    model = trained(networks, parent)
    weights, found = morph(networks, parent, model.state_dict(), child)
    other = networks.make(child).model.double().eval()
    other.load_state_dict(weights)
    x = kind.x.double() if kind.x.is_floating_point() else kind.x
    with torch.no_grad():
        return float((model(x) - other(x)).abs().max()), found


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_twin_takes_over_everything(name: str) -> None:
    """Whatever it is made of: no layer is passed over."""
    networks = KINDS[name].networks()
    rng = np.random.default_rng(0)
    for _ in range(1 if name == "detection" else 4):
        architecture = networks.space.sample(rng)
        difference, found = moved(KINDS[name], networks, architecture, architecture)
        assert found.is_preserved, str(found)
        assert (difference, found.share) == (0.0, 1.0), str(found)


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("count", [3, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_a_function_that_is_said_to_be_kept_is_kept(name: str, count: int) -> None:
    """Of neighbours, whose weights come from their parents where they have the same place."""
    networks = KINDS[name].networks()
    rng = np.random.default_rng(1)
    for _ in range(count):
        parent = networks.space.sample(rng)
        near = list(networks.space.neighbours(parent))
        difference, found = moved(KINDS[name], networks, parent, near[rng.integers(len(near))])
        assert difference < 1e-6 or not found.is_preserved, str(found)
        assert found.share > 0, str(found)


@pytest.mark.parametrize("kind", ["plain", "tokens", "periodic", "bins"])
def test_a_network_that_is_shown_intervals_does_what_it_did_before(kind: str) -> None:
    """Whatever it makes of its columns; one that is no longer shown them may not, and says so."""
    networks = KINDS["tables with intervals"].networks()
    plain = next(r for r in tabular_references(networks.space) if r.name == "mlp").architecture
    decisions = {**plain, "input": kind, "token": 8, "frequencies": 8, "frequency.scale": 0.5}
    without, shown = (
        networks.space.architecture({**decisions, "intervals": seen}, drop_inactive=True) for seen in (False, True)
    )
    difference, found = moved(KINDS["tables with intervals"], networks, without, shown)
    assert found.is_preserved, str(found)
    assert difference < 1e-9
    difference, found = moved(KINDS["tables with intervals"], networks, shown, without)
    assert not found.is_preserved
    assert difference > 1e-6


LAYERS = {
    "tokens": ({"size": 4}, {"size": 8}),
    "heads of members": ({"width": 6}, {"width": 12}),
}


@pytest.mark.parametrize("change", sorted(LAYERS))
def test_layers_of_tables_are_widened(change: str) -> None:
    """New features of tokens, and of what members read, are read with zeros."""
    tokens_of = nn.column_tokens(choice("size", [4, 8]), 3, (4, 2), frequencies=2)
    body = nn.seq(tokens_of, nn.flatten(), nn.members(2), nn.linear(choice("width", [6, 12])), nn.relu())
    space = SearchSpace(nn.seq(body, nn.member_linear(4), nn.relu(), nn.member_linear(3), nn.combine_members()))
    networks = Networks(space, input_shape=(5,), seed=1)
    small, large = (space.architecture({"size": 4, "width": 6, **own}) for own in LAYERS[change])
    difference, found = moved(KINDS["tables"], networks, small, large)
    assert found.is_preserved, str(found)
    assert difference < 1e-9


@pytest.mark.parametrize("kind", ["attention", "gcnii", "maximum"])
def test_layers_of_graphs_are_widened(kind: str) -> None:
    """Scores do not look at new features, deep stacks pass them on beside the others, a maximum has them in order."""
    width, edges = choice("width", [8, 16]), SIZES.edges
    bodies = {
        "attention": nn.graph_attention(2, edges=edges),
        "gcnii": nn.gcnii(3, edges=edges),
        "maximum": nn.maximum(nn.identity(), nn.propagate("gcn", edges=edges)),
    }
    first = nn.node_linear(width, inputs=SIZES.inputs, entries=SIZES.entries)
    space = SearchSpace(nn.seq(first, nn.relu(), bodies[kind], nn.linear(2)))
    networks = Networks(space, input_shape=(1,), input_dtype="int64", wrap=around_graph, seed=1)
    small, large = (space.architecture({"width": n}) for n in (8, 16))
    difference, found = moved(KINDS["graphs"], networks, small, large)
    assert found.is_preserved, str(found)
    assert difference < 1e-9
    narrower = moved(KINDS["graphs"], networks, large, small)[1]
    assert not narrower.is_preserved
    assert narrower.share == 1.0

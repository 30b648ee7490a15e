"""A relaxed network whose weights are an architecture is that network; what cannot be mixed is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn as torch_nn

from netwright import nn
from netwright.errors import SpaceError
from netwright.nn.spaces import SPACES
from netwright.space import Node, SearchSpace, choice, contains, flag, integer, subset
from netwright.supernet.differentiable import Mixing, RelaxedNetwork
from netwright.tasks.image_spaces import image_space
from netwright.types import Architecture

SIDES = {"mobile_macro": 32, "resnet_macro": 32, "image_space": 16}


def shipped(name: str) -> SearchSpace:
    """A shipped space, small."""
    side = SIDES.get(name, 8)
    if name == "image_space":
        return image_space((3, side, side), 4)
    small: dict[str, dict[str, int]] = {
        "darts": {"channels": 4, "num_cells": 3, "num_nodes": 2},
        "nas_bench_101": {"channels": 4, "num_modules": 1},
        "nas_bench_201": {"channels": 4, "num_cells": 1},
        "mobile_macro": {"max_depth": 2},
        "resnet_macro": {"max_depth": 2},
    }
    return SPACES[name]((3, side, side), 4, **small.get(name, {}))


def relaxed(name: str) -> RelaxedNetwork:
    side = SIDES.get(name, 8)
    apart = ("stem.stride",) if name == "image_space" else ()
    return RelaxedNetwork(shipped(name), input_shape=(3, side, side), apart=apart)


def both(network: RelaxedNetwork, architecture: Architecture, x: torch.Tensor, *, alone: bool) -> list[torch.Tensor]:
    """What the plain network with the same weights says of a batch, and what the relaxed one says."""
    plain = network.extract(architecture).to(x.dtype).train().to(memory_format=torch.channels_last)
    mix = Mixing.of(network.universe, architecture, x.dtype, alone=alone)
    found = []
    for run in (plain, lambda x: network(x, mix)):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)  # of dropout
            found.append(run(x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x))
    return found


@pytest.fixture
def two_threads() -> Iterator[None]:
    """As docs/differentiable.md says it; one thread sums joined convolutions of 1 x 1 in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", ["nas_bench_201", "darts"])
@pytest.mark.long
def test_cells_with_weights_of_an_architecture_are_its_network_bit_for_bit(name: str) -> None:
    """All mixed and one path alone: sums of zeros change no bit, in eval mode and in training."""
    network = relaxed(name).train()
    rng, x = np.random.default_rng(0), torch.rand(6, 3, 8, 8)
    for _ in range(6):
        architecture = network.space.sample(rng)
        for alone in (False, True):
            assert torch.equal(*both(network, architecture, x, alone=alone)), architecture


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Convolutions of 1 x 1 round otherwise there, by how many channels they have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_on_one_thread_cells_are_the_same_up_to_rounding() -> None:
    """One path alone bit for bit; all mixed within a few units in the last place."""
    network = relaxed("nas_bench_201").train()
    rng, x = np.random.default_rng(0), torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for _ in range(4):
        architecture = network.space.sample(rng)
        assert torch.equal(*both(network, architecture, x, alone=True)), architecture
        torch.testing.assert_close(*both(network, architecture, x, alone=False), rtol=0, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["image_space", "mobile_macro", "resnet_macro"])
def test_elastic_spaces_are_their_networks(name: str) -> None:
    """Sizes are parts of larger tensors, whose zeros may be summed in another order: equal in float64 to 1e-10."""
    network = relaxed(name).double().train()
    side = SIDES[name]
    rng, x = np.random.default_rng(0), torch.rand(6, 3, side, side).double()
    for _ in range(6):
        architecture = network.space.sample(rng)
        one, other = both(network, architecture, x, alone=False)
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def elastic() -> SearchSpace:
    """Sizes of every kind: width shared by two layers, kernel, expansion, activation, norm, depth, an operation."""
    width, act = choice("width", [4, 8]), choice("act", ["relu", "gelu", "sigmoid"])
    body = nn.seq(
        nn.conv_norm_act(width, choice("kernel", [1, 3, 5]), norm=choice("norm", ["batch", "layer"]), activation=act),
        nn.residual(nn.conv_norm_act(width, groups=choice("groups", [1, 2])), activation=act),
        nn.repeat("depth", lambda i: nn.mbconv(width, 3, expand=choice(f"expand{i}", [1, 2]), se=4), 0, 2),
        nn.one_of(
            "op", {"pool": nn.max_pool(3, 1), "skip": nn.identity(), "own": nn.op(Scale, factor=choice("f", [1, 2]))}
        ),
        nn.optional("squeeze", nn.squeeze_excite(2)),
    )
    return SearchSpace(nn.seq(body, nn.global_pool(choice("pool", ["avg", "max"])), nn.linear(3)))


class Scale(torch_nn.Module):
    """A class of one's own."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.weight = torch_nn.Parameter(torch.ones(()))
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight * self.factor


def test_elastic_sizes_are_parts_of_one_tensor() -> None:
    """The network of each architecture, from weights of which there is one a place; costs are counted alike."""
    network = RelaxedNetwork(elastic(), input_shape=(3, 6, 6)).double().train()
    rng, x = np.random.default_rng(1), torch.rand(5, 3, 6, 6).double()
    for _ in range(12):
        architecture = network.space.sample(rng)
        for alone in (False, True):
            one, other = both(network, architecture, x, alone=alone)
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
        profile = network.networks.profile(architecture)
        expected = network.expected(Mixing.of(network.universe, architecture))
        assert expected.tolist() == pytest.approx([profile.params, profile.macs])


def presence(output: str) -> SearchSpace:
    """A cell whose edges and last node may be absent."""
    inputs = subset("inputs", [0, 1], 1, 2)
    nodes = [
        nn.cell_node(nn.edge(0, nn.conv(4))),
        nn.cell_node(nn.edge(0, nn.conv(4, 1), present=contains(inputs, 0)), nn.edge(1, present=contains(inputs, 1))),
        nn.cell_node(nn.edge(2, nn.conv(4)), nn.edge(1, nn.max_pool(3, 1)), present=flag("last")),
    ]
    return SearchSpace(nn.seq(nn.conv(4), nn.cell(*nodes, output=output), nn.global_pool(), nn.linear(2)))


@pytest.mark.parametrize("output", ["last", "sum"])
def test_edges_and_nodes_may_be_absent(output: str) -> None:
    """All architectures, in both ways of running them."""
    network = RelaxedNetwork(presence(output), input_shape=(3, 6, 6)).train()
    x = torch.rand(4, 3, 6, 6)
    for architecture in network.space.enumerate():
        for alone in (False, True):
            assert torch.equal(*both(network, architecture, x, alone=alone)), architecture


def test_sequences_are_mixed() -> None:
    """Tokens, attention with a choice of heads, recurrent layers of elastic width, side by side where they must be."""
    layers = nn.seq(
        nn.embedding(7, 8),
        nn.attention(choice("heads", [2, 4])),
        nn.one_of("layer", {"gru": nn.gru(choice("units", [3, 6])), "linear": nn.linear(6)}),
        nn.global_pool(),
    )
    space = SearchSpace(nn.seq(layers, nn.linear(2)))
    network = RelaxedNetwork(space, input_shape=(5,), input_dtype="int64")
    x = torch.randint(0, 7, (4, 5))
    for architecture in space.enumerate():
        plain = network.extract(architecture)
        found = network(x, Mixing.of(network.universe, architecture))
        torch.testing.assert_close(plain(x), found, rtol=1e-5, atol=1e-6)


def test_gradients_of_mixtures_are_those_of_finite_differences() -> None:
    """By the weights of choices and by the input, in float64, through cells, elastic sizes and presence."""
    for space in (shipped("nas_bench_201"), presence("last"), elastic_small()):
        network = RelaxedNetwork(space, input_shape=(3, 4, 4)).double().eval()
        names = list(network.universe.values)
        source = torch.Generator().manual_seed(0)
        x = torch.rand(2, 3, 4, 4, generator=source).double().requires_grad_()
        sizes = [len(network.universe.values[name]) for name in names]
        logits = [torch.randn(k, generator=source).double().requires_grad_() for k in sizes]

        def run(x: torch.Tensor, *logits: torch.Tensor) -> torch.Tensor:
            weights = {name: own.softmax(0) for name, own in zip(names, logits, strict=True)}  # noqa: B023
            out: torch.Tensor = network(x, Mixing(weights)).sum()  # noqa: B023
            return out

        assert torch.autograd.gradcheck(run, (x, *logits), eps=1e-6, atol=1e-5, fast_mode=True)


def elastic_small() -> SearchSpace:
    width = choice("width", [2, 4])
    body = nn.conv_norm_act(width, choice("kernel", [1, 3]), activation=choice("act", ["gelu", "silu"]))
    return SearchSpace(
        nn.seq(body, nn.mbconv(width, 3, expand=choice("e", [1, 2]), activation="silu"), nn.global_pool())
    )


@pytest.mark.parametrize("partial", [1, 2])
def test_what_edges_have_in_common_changes_nothing(partial: int) -> None:
    """A cell run by what leaves its nodes is the cell run edge by edge, with its gradients by weights and choices."""
    network = RelaxedNetwork(shipped("nas_bench_201"), input_shape=(3, 8, 8), partial=partial).double().train()
    source = torch.Generator().manual_seed(0)
    logits = {n: torch.randn(5, generator=source).double().requires_grad_() for n in network.universe.values}
    edges = {site: torch.rand(k, generator=source).double() for site, k in network.edge_counts().items()}
    x = torch.rand(4, 3, 8, 8, generator=source).double()
    found = []
    for fanned in (True, False):
        for module in network.modules():
            if hasattr(module, "_can_fan"):
                module._can_fan = fanned
        mix = Mixing({n: own.softmax(0) for n, own in logits.items()}, edges=edges)
        out = network(x, mix)
        found.append([out, *torch.autograd.grad(out.square().sum(), [*logits.values(), *network.weights()])])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_a_path_runs_nothing_else() -> None:
    """One path alone calls the layers of that path; all mixed calls all."""
    network = RelaxedNetwork(shipped("nas_bench_201"), input_shape=(3, 8, 8))
    space = network.space
    architecture = space.architecture(dict.fromkeys(space.choices, "skip_connect") | {"edge0-1": "nor_conv_1x1"})
    calls: list[int] = []
    for module in network.modules():
        if isinstance(module, torch_nn.Conv2d):
            module.register_forward_hook(lambda m, *_: calls.append(m.kernel_size[0]))
    network(torch.rand(2, 3, 8, 8), Mixing.of(network.universe, architecture, alone=True))
    in_cells = calls.count(1) - 2  # two shortcuts of reductions have 1 x 1 convolutions
    assert in_cells == 3  # one edge in each of three cells
    assert calls.count(3) == 1 + 4  # the stem and two reductions


def refused(network: Node, match: str, shape: tuple[int, ...] = (3, 8, 8)) -> None:
    with pytest.raises(SpaceError, match=match):
        RelaxedNetwork(SearchSpace(network), input_shape=shape)


def test_what_cannot_be_mixed_is_refused_by_name() -> None:
    """Branches of other shapes with both, extents, too many sizes at once, nodes that may be lost, real depth."""
    refused(nn.one_of("op", {"a": nn.conv(4), "b": nn.conv(6)}), r"choice 'op'.*\(4, 8, 8\) or \(6, 8, 8\)")
    refused(nn.one_of("op", {"a": nn.conv(4), "b": nn.conv(4, stride=2)}), r"\(4, 8, 8\).*\(4, 4, 4\).*apart=")
    refused(nn.conv(4, stride=choice("stride", [1, 2])), r"\(4, 8, 8\).*\(4, 4, 4\)")
    refused(nn.conv(integer("width", 1, 1000)), "number of values of 'width' must be at most 128")
    many = nn.concat(*(nn.conv(choice(f"w{i}", [1, 2, 3, 4])) for i in range(8)))
    refused(many, "combinations of w0, .* must be <= 4096")
    lost = nn.cell(nn.cell_node(nn.edge(0, nn.conv(4), present=flag("edge"))), nn.cell_node(nn.edge(1)))
    refused(lost, "may have no edge at all.*subset of at least one")
    side = nn.cell(nn.cell_node(nn.edge(0, nn.conv(2)), nn.edge(0, present=flag("e")), combine="concat"))
    refused(side, "combines by 'concat' may be absent")
    refused(nn.seq(nn.linear(4), nn.conv(4)), "needs", (3,))
    with pytest.raises(SpaceError, match="partial must be a whole number >= 1, got 0"):
        RelaxedNetwork(shipped("nas_bench_201"), input_shape=(3, 8, 8), partial=0)
    with pytest.raises(SpaceError, match="partial=3 must divide the channels"):
        RelaxedNetwork(shipped("nas_bench_201"), input_shape=(3, 8, 8), partial=3)
    with pytest.raises(SpaceError, match="apart must be a choice of the network"):
        RelaxedNetwork(shipped("nas_bench_201"), input_shape=(3, 8, 8), apart=("stride",))
    with pytest.raises(SpaceError, match="has no network"):
        RelaxedNetwork(SearchSpace(training={"lr": choice("lr", [0.1])}), input_shape=(3,))


@pytest.mark.parametrize(
    ("name", "match"),
    [("free_form", "keep the extent the same in all branches"), ("nas_bench_101", "may have no edge at all")],
)
def test_shipped_spaces_that_cannot_be_mixed_say_why(name: str, match: str) -> None:
    """Blocks that halve the image or not in free_form; vertices that may be cut off in NAS-Bench-101."""
    with pytest.raises(SpaceError, match=match):
        relaxed(name)


def test_choices_of_extent_are_mixed_as_whole_networks() -> None:
    """With apart, each value has a network of its own with the same weights; all give one answer."""
    space = SearchSpace(nn.seq(nn.conv(choice("w", [2, 4]), stride=choice("stride", [1, 2])), nn.global_pool()))
    network = RelaxedNetwork(space, input_shape=(3, 8, 8), apart=("stride",))
    x = torch.rand(2, 3, 8, 8)
    for architecture in space.enumerate():
        out = network(x, Mixing.of(network.universe, architecture))
        wide = network.extract(architecture)(x.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(out[:, : wide.shape[1]], wide, rtol=1e-5, atol=1e-6)
    assert len(network.weights()) == 2


def test_build_is_the_same_for_the_same_seed() -> None:
    """Weights are drawn from the seed, and torch's random state stays as it was."""
    before = torch.random.get_rng_state()
    make: Callable[[int], list[torch.Tensor]] = lambda seed: RelaxedNetwork(  # noqa: E731
        shipped("nas_bench_201"), input_shape=(3, 8, 8), seed=seed
    ).weights()
    one, two, other = make(0), make(0), make(1)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(before, torch.random.get_rng_state())


NORMS = (torch_nn.BatchNorm1d, torch_nn.BatchNorm2d)


@pytest.mark.parametrize("name", ["nas_bench_201", "elastic"])
def test_norms_in_mixtures_of_operations_are_not_trained(name: str) -> None:
    """Gain and shift stay 1 and 0 in branches of a choice, also where sizes are masked; those of others are trained."""
    space = mixed_norms() if name == "elastic" else shipped(name)
    network, scaled = (RelaxedNetwork(space, input_shape=(3, 8, 8), affine=affine) for affine in (False, True))
    assert len(scaled.weights()) == len(list(network._store.tensors))
    places = network._store.tensors
    fixed = {place for place in places if place.kind.startswith("BatchNorm") and ".'" in place.layer}
    others = {place for place in places if place.kind.startswith("BatchNorm")} - fixed
    assert fixed
    assert others
    trained = {id(weight) for weight in network.weights()}
    assert {id(places[place]) in trained for place in fixed} == {False}
    assert {id(places[place]) in trained for place in set(places) - fixed} == {True}
    mix = Mixing({n: torch.full((len(v),), 1 / len(v), requires_grad=True) for n, v in network.universe.values.items()})
    torch.autograd.backward(network(torch.rand(4, 3, 8, 8), mix).square().sum())
    assert all(places[place].grad is None and not places[place].requires_grad for place in fixed)
    assert all(places[place].grad is not None for place in others)
    assert all(w.grad is not None for w in mix.weights.values())
    with torch.no_grad():
        for weight in network.weights():
            weight.add_(0.5)
    plain = network.extract(space.sample(np.random.default_rng(0)))
    ends = {
        float(end) for m in plain.modules() if isinstance(m, NORMS) for p in m.parameters() for end in p.data.aminmax()
    }
    assert ends == {0.0, 0.5, 1.0, 1.5}
    assert all(p.requires_grad for p in plain.parameters())


def mixed_norms() -> SearchSpace:
    """Norms of elastic width in the branches of a choice, of one of which there are two sizes, and one before them."""
    width = choice("width", [2, 4])
    ops = {"conv": nn.conv_norm_act(width, choice("kernel", [1, 3])), "sep": nn.seq(nn.conv(width, 1), nn.batch_norm())}
    return SearchSpace(nn.seq(nn.conv_norm_act(4), nn.one_of("op", ops), nn.global_pool(), nn.linear(2)))


@pytest.mark.parametrize("partial", [2, 4])
def test_partial_channels_cost_what_whole_networks_cost(partial: int) -> None:
    """Penalties and models of latency are those of networks of the space, of which every channel counts."""
    network = RelaxedNetwork(shipped("nas_bench_201"), input_shape=(3, 8, 8), partial=partial)
    assert network.is_partial
    rng = np.random.default_rng(0)
    for _ in range(4):
        architecture = network.space.sample(rng)
        profile = network.networks.profile(architecture)
        expected = network.expected(Mixing.of(network.universe, architecture))
        assert expected.tolist() == pytest.approx([profile.params, profile.macs])
    few, most = (sum(w.numel() for w in RelaxedNetwork(network.space, input_shape=(3, 8, 8), partial=p).weights())
                 for p in (partial, 1))  # fmt: skip
    assert few < most


def dependent() -> SearchSpace:
    """Kernels of which some go with each width."""
    width = choice("width", [2, 4])
    kernel = choice("kernel", {2: [1, 3], 4: [3, 5]}, on=width)
    return SearchSpace(nn.seq(nn.conv(width, kernel), nn.global_pool(), nn.linear(2)))


@pytest.mark.parametrize("apart", [(), ("width",)])
def test_what_is_expected_is_the_mean_over_architectures(apart: tuple[str, ...]) -> None:
    """Of a dependent choice the weights of the values that are open count, also where a network is run apart."""
    network = RelaxedNetwork(dependent(), input_shape=(3, 8, 8), apart=apart)
    values = network.universe.values
    weights = {"width": torch.tensor([0.3, 0.7]), "kernel": torch.tensor([0.5, 0.2, 0.3])}
    mean = np.zeros(2)
    for architecture in network.space.enumerate():
        width, kernel = (network.universe.number(name, architecture[name]) for name in ("width", "kernel"))
        open_ = [values["kernel"].index(k) for k in ((1, 3), (3, 5))[width]]
        chance = weights["width"][width] * weights["kernel"][kernel] / weights["kernel"][open_].sum()
        profile = network.networks.profile(architecture)
        mean += float(chance) * np.array([profile.params, profile.macs])
    assert network.expected(Mixing(weights)).tolist() == pytest.approx(mean.tolist())

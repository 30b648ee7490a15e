"""Columns of tables as operations: what they compute, what they cost, and that weights are shared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import BuildError, SpaceError
from netwright.space import SearchSpace, choice
from netwright.supernet import Supernet
from netwright.tasks.losses import class_loss
from netwright.tasks.series.spaces import classification_space
from netwright.tasks.tabular.spaces import tabular_space

CATEGORIES = (5, 2)


def table_space() -> SearchSpace:
    """Tokens of two kinds or a vector, members, all of elastic size."""
    size, count = choice("size", [4, 8]), choice("count", [1, 3])
    waves = nn.column_tokens(size, 3, CATEGORIES, frequencies=choice("waves", [2, 4]), scale=0.3)
    inputs = {
        "vector": nn.column_vector(3, CATEGORIES),
        "tokens": nn.seq(nn.column_tokens(size, 3, CATEGORIES), nn.flatten()),
        "waves": nn.seq(waves, nn.flatten()),
        "bins": nn.seq(nn.column_tokens(size, 3, CATEGORIES, bins=8), nn.flatten()),
    }
    body = nn.seq(nn.members(count), nn.linear(choice("width", [6, 10])), nn.layer_norm(), nn.relu())
    end = nn.seq(nn.member_linear(3), nn.combine_members(), nn.temperature())
    return SearchSpace(nn.seq(nn.one_of("input", inputs), body, end))


def rows(count: int = 7) -> torch.Tensor:
    codes = [[i % size for i in range(count)] for size in CATEGORIES]
    numbers = torch.linspace(-2, 2, 3 * count).reshape(count, 3)
    return torch.cat([numbers, torch.tensor(codes, dtype=torch.float32).T], dim=1)


def test_what_is_counted_is_what_is_built() -> None:
    """Parameters of every kind of input, as the built network has them."""
    space = table_space()
    for seed in range(20):
        term = space.resolve(space.sample(np.random.default_rng(seed)))
        model = nn.build(term, input_shape=(5,), seed=0)
        assert nn.profile(term, input_shape=(5,)).params == sum(p.numel() for p in model.parameters())
        assert model.eval()(rows()).shape == (7, 3)
        assert model.train()(rows()).ndim == 3


def unequal(space: SearchSpace, x: torch.Tensor, count: int) -> list[str]:
    """What differs between subnets and the networks that are taken out: outputs, and weights after a step."""
    supernet = Supernet(space, input_shape=tuple(x.shape[1:]), seed=0)
    rng, targets, found = np.random.default_rng(0), torch.arange(len(x)) % 2, list[str]()
    for _ in range(count):
        architecture = supernet.space.sample(rng)
        plain, subnet = supernet.extract(architecture), supernet.subnet(architecture)
        outputs = []
        for model, parameters in ((plain, list(plain.parameters())), (subnet.model, supernet.parameters())):
            optimiser = torch.optim.SGD(parameters, lr=0.1)
            optimiser.zero_grad()
            model.train()
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                out = plain(x) if model is plain else subnet(x)
            class_loss(out, targets).backward()
            optimiser.step()
            outputs.append(out)
        found += [] if torch.equal(*outputs) else ["outputs"]
        found += [n for n, own in plain.named_parameters() if not torch.equal(own, subnet.weight(n))]
    return found


def test_subnets_are_slices_of_the_supernet() -> None:
    """What is taken out of a supernet answers as the subnet does, and learns the same in a step, bit for bit."""
    assert unequal(table_space(), rows(), 12) == []


def test_so_in_the_default_spaces() -> None:
    """Of tables and of series."""
    assert unequal(tabular_space(3, CATEGORIES, 2, classes=True), rows(), 6) == []
    x = torch.randn(4, 2, 24, generator=torch.Generator().manual_seed(0))
    assert unequal(classification_space((2, 24), 2), x, 6) == []


def test_a_vector_is_numbers_and_one_hot_categories() -> None:
    """Also where a number stands for no category: that is 'other'."""
    space = SearchSpace(nn.column_vector(1, (3, 2)))
    model = nn.build(space.resolve(space.sample(np.random.default_rng(0))), input_shape=(3,), seed=0)
    given = torch.tensor([[0.5, 2.0, 1.0], [-1.5, 9.0, -4.0]])
    expected = [[0.5, 0.0, 0.0, 1.0, 0.0, 1.0], [-1.5, 1.0, 0.0, 0.0, 1.0, 0.0]]
    assert expected == model(given).tolist()


def test_members_are_joined_by_their_mean_probability() -> None:
    """While training each member is heard; later they speak as one."""
    space = SearchSpace(nn.combine_members("classes"))
    model = nn.build(space.resolve(space.sample(np.random.default_rng(0))), input_shape=(2, 3), seed=0)
    x = torch.tensor([[[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]]])
    assert torch.equal(x, model.train()(x))
    assert torch.allclose(x.softmax(2).mean(1), model.eval()(x).softmax(1))


def test_source_is_the_model() -> None:
    """Generated source, run alone, builds a network of the same weights' names and outputs."""
    space = table_space()
    for seed in range(8):
        term = space.resolve(space.sample(np.random.default_rng(seed)))
        model = nn.build(term, input_shape=(5,), seed=0).eval()
        names: dict[str, object] = {}
        text = nn.source(term, input_shape=(5,))
        exec(compile(text, "network", "exec"), names)
        again = names["build"]().eval()  # type: ignore[operator]
        again.load_state_dict(model.state_dict())
        assert torch.equal(model(rows()), again(rows()))


def test_wrong_columns_are_named() -> None:
    """At the declaration, and where a row has another length."""
    with pytest.raises(SpaceError, match=r"categories must be how many .* got \(0,\)"):
        nn.column_vector(1, (0,))
    with pytest.raises(SpaceError, match="numbers must be a whole number >= 0, and a column at least"):
        nn.column_tokens(8, 0)
    space = SearchSpace(nn.column_vector(2, (3,)))
    term = space.resolve(space.sample(np.random.default_rng(0)))
    with pytest.raises(BuildError, match="numbers, categories, others must be 4 columns of a row"):
        nn.build(term, input_shape=(4,), seed=0)
    with pytest.raises(SpaceError, match="others must be how many columns are not looked at"):
        nn.column_vector(2, (3,), others=-1)


def test_bins_are_straight_lines_between_edges() -> None:
    """At first a token is that of a linear layer; then a number has a slope of its own in each bin, and none beyond."""
    space = SearchSpace(nn.column_tokens(2, 1, bins=4))
    model = nn.build(space.resolve(space.sample(np.random.default_rng(0))), input_shape=(1,), seed=0)
    layer = next(m for m in model.modules() if type(m).__name__ == "ColumnTokens")
    edges = torch.tensor(layer.edges)
    assert torch.allclose(edges, torch.tensor([-3.0, -0.6724, 0.0, 0.6724, 3.0]), atol=1e-3)
    x = torch.tensor([[-5.0], [-3.0], [-0.3], [0.0], [1.0], [3.0], [4.0]])
    assert torch.equal(x[:, :, None] * layer.weight + layer.bias, model(x))
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.pieces.copy_(torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 0.0], [8.0, 1.0]])[None])
    heights = np.interp(x[:, 0].numpy(), edges.numpy(), [0.0, 1.0, 3.0, 7.0, 15.0])
    assert torch.allclose(torch.tensor(heights, dtype=torch.float32), model(x)[:, 0, 0], atol=1e-5)
    assert model(x)[:4, 0, 1].tolist() == [0.0] * 4


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_network_says_the_same() -> None:
    """Of each kind of input."""
    space = table_space()
    for seed in range(8):
        term = space.resolve(space.sample(np.random.default_rng(seed)))
        model = nn.build(term, input_shape=(5,), seed=0).eval()
        traced = torch.jit.trace(model, rows(3))  # type: ignore[no-untyped-call]
        assert torch.allclose(model(rows()), traced(rows()), atol=1e-6)

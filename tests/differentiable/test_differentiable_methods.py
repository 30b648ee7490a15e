"""The methods find what is there to be found, are the same for the same seed, keep limits, and refuse what is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch

from netwright import nn
from netwright.errors import SearchError, SpaceError, TrialError, UsageError
from netwright.nn.spaces import nas_bench_201
from netwright.space import Node, SearchSpace, choice, equal
from netwright.supernet.differentiable import METHODS, AlarmOptions, Batches, Options, Penalty, Searched, darts, gdas
from netwright.supernet.differentiable.beta_darts import beta_darts
from netwright.supernet.differentiable.course import Course
from netwright.supernet.differentiable.drnas import drnas
from netwright.supernet.differentiable.gdas import drawn
from netwright.supernet.differentiable.pc_darts import pc_darts
from netwright.types import Constraint

OPTIONS = Options(epochs=4, learning_rate=0.05, arch_learning_rate=0.1, alarm=AlarmOptions(free_share=1, same_share=1))


def batches(seed: int, count: int = 5) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images of two classes: stripes along or across, which only a convolution that sees neighbours tells apart."""
    source = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        y = torch.randint(2, (24,), generator=source)
        along = (torch.arange(6)[None, :, None] + torch.randint(2, (24, 1, 1), generator=source)).expand(24, 6, 6) % 2
        x = torch.where(y[:, None, None] == 0, along, along.transpose(1, 2)).float()[:, None]
        found.append((x + 0.3 * torch.randn(x.shape, generator=source), y))
    return found


def stripes() -> SearchSpace:
    """Two edges of a cell, each with something useful and something useless."""

    def edge(i: int, j: int) -> Node:
        ops = {"none": nn.zero(), "point": conv(1), "wide": conv(3)}
        return nn.one_of(f"edge{i}-{j}", ops)

    cell = nn.dense_cell(3, edge)
    return SearchSpace(nn.seq(nn.conv(8, 1), nn.stages(cell, [8]), nn.global_pool(), nn.linear(2)))


def conv(kernel: int) -> Node:
    return nn.seq(nn.conv(nn.stage_width(), kernel, bias=False), nn.batch_norm(), nn.relu())


RELAXED = [name for name in sorted(METHODS) if name != "enas"]
"""Those that train a relaxed network; ENAS has tests of its own."""


def search(name: str, train: Batches, valid: Batches, options: Options) -> Searched:
    found = METHODS[name](stripes(), train, valid, options)
    assert isinstance(found, Searched)
    return found


@pytest.mark.parametrize("name", RELAXED)
def test_a_method_finds_the_operation_that_helps(name: str) -> None:
    """The heaviest value of an edge to the output is the convolution that sees stripes; the mixture learned them."""
    found = search(name, batches(0), batches(1), OPTIONS)
    assert "wide" in {found.architecture["edge0-1"], found.architecture["edge0-2"], found.architecture["edge1-2"]}
    assert found.architecture in list(stripes().enumerate())
    assert found.history[-1].train_loss < found.history[0].train_loss
    assert len(found.history) == 4
    assert all(math.isclose(sum(w), 1.0, abs_tol=1e-5) for w in found.weights.values())


def same(one: Searched, other: Searched) -> bool:
    weights = zip(one.network.weights(), other.network.weights(), strict=True)
    return one.weights == other.weights and all(torch.equal(a, b) for a, b in weights)


@pytest.mark.parametrize("name", RELAXED)
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    """Weights of choices and of the network; another seed gives others, and torch's random state stays."""
    short = Options(epochs=1, arch_learning_rate=0.1)
    before = torch.random.get_rng_state()
    one, two = (search(name, batches(0, 2), batches(1, 2), short) for _ in range(2))
    assert same(one, two)
    other = search(name, batches(0, 2), batches(1, 2), Options(epochs=1, arch_learning_rate=0.1, seed=1))
    assert not same(one, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_second_order_differs_from_the_first() -> None:
    """It is another gradient, and the network's weights come back from what was tried."""
    first, second = (darts(stripes(), batches(0), batches(1), OPTIONS, order=order) for order in (1, 2))
    assert first.weights != second.weights
    assert second.history[-1].train_loss < second.history[0].train_loss


def test_limits_are_kept_and_the_penalty_pulls_towards_them() -> None:
    """What is derived keeps the limit; a penalty makes the expected size smaller; an impossible limit says so."""
    limit = Constraint.parse("params<=250")
    free = darts(stripes(), batches(0), batches(1), OPTIONS)
    options = Options(epochs=4, arch_learning_rate=0.1, limits=(limit,), penalty=Penalty("params", 200.0, 50.0))
    found = darts(stripes(), batches(0), batches(1), options)
    assert found.network.networks.profile(found.architecture).params <= 250
    sizes = [sum(w for w in f.weights["edge0-2"][2:]) for f in (free, found)]
    assert sizes[1] < sizes[0]
    table = {"edge0-2": {"wide": 5.0, "point": 1.0}}
    slow = Options(epochs=4, arch_learning_rate=0.1, penalty=Penalty("latency_ms", 0.5, 50.0, table))
    assert darts(stripes(), batches(0), batches(1), slow).weights["edge0-2"][2] < free.weights["edge0-2"][2]
    with pytest.raises(SearchError, match=r"no architecture within params<=5 was found; the nearest has params"):
        darts(stripes(), batches(0, 1), batches(1, 1), Options(epochs=1, limits=(Constraint.parse("params<=5"),)))


def test_constraints_of_the_space_are_kept() -> None:
    """The heaviest values that go together are taken."""
    a, b = (choice(n, [1, 3]) for n in ("a", "b"))
    body = nn.seq(nn.conv(4, a), nn.relu(), nn.conv(4, b), nn.global_pool(), nn.linear(2))
    space = SearchSpace(body, constraints=[~equal(a, b)])
    found = darts(space, batches(0, 2), batches(1, 2), Options(epochs=2))
    assert space.contains(found.architecture)


def test_a_loss_that_is_not_finite_ends_the_search_clearly() -> None:
    """It says which loss, where, and what to do."""
    bad = [(torch.full((4, 1, 6, 6), math.nan), torch.zeros(4, dtype=torch.long))]
    with pytest.raises(TrialError, match=r"darts, order 1: the validation loss is nan in epoch 0, step 0; lower"):
        darts(stripes(), batches(0, 1), bad, Options(epochs=1))
    with pytest.raises(TrialError, match="gdas: the training loss is nan"):
        gdas(stripes(), bad, batches(0, 1), Options(epochs=1))


def generator() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    yield from batches(0, 2)


def test_what_is_wrong_is_refused_before_it_costs() -> None:
    """Options, batches that cannot be read again, no batches, a limit nobody measures, channels that do not divide."""
    good: Batches = batches(0, 1)
    with pytest.raises(UsageError, match="order must be 1 or 2, got 3"):
        darts(stripes(), good, good, order=3)
    with pytest.raises(UsageError, match="epochs must be a whole number >= 1, got 0"):
        Options(epochs=0)
    with pytest.raises(UsageError, match="learning_rate must be > 0"):
        Options(learning_rate=math.nan)
    with pytest.raises(UsageError, match="metric of a limit must be params or macs, got 'latency_ms'; give measure="):
        Options(limits=(Constraint.parse("latency_ms<=2"),))
    with pytest.raises(UsageError, match="metric must be params or macs, got 'latency_ms'; give a table"):
        Penalty("latency_ms", 2.0)
    lost = Options(epochs=1, penalty=Penalty("ms", 1.0, 1.0, {"edge0-9": {"wide": 1.0}}))
    with pytest.raises(UsageError, match=r"unknown choice in the table of a penalty 'edge0-9'; did you mean 'edge0-"):
        darts(stripes(), good, good, lost)
    odd = Options(epochs=1, penalty=Penalty("ms", 1.0, 1.0, {"edge0-1": {"huge": 1.0}}))
    with pytest.raises(UsageError, match="value of 'edge0-1' in the table of a penalty must be one of"):
        darts(stripes(), good, good, odd)
    limits = (Constraint.parse("latency_ms<=2"),)
    with pytest.raises(UsageError, match="unknown metric of a limit 'latency_ms'"):
        darts(stripes(), good, good, Options(epochs=1, limits=limits, measure=lambda _: {"latency": 1.0}))
    with pytest.raises(UsageError, match="first_temperature must be > 0"):
        gdas(stripes(), good, good, first_temperature=0.0)
    with pytest.raises(UsageError, match=r"warm_up must be in \[0, 1\)"):
        pc_darts(stripes(), good, good, warm_up=1.0)
    with pytest.raises(UsageError, match="divergence must be >= 0"):
        drnas(stripes(), good, good, divergence=-1.0)
    with pytest.raises(UsageError, match="largest_weight must be >= 0"):
        beta_darts(stripes(), good, good, largest_weight=-1.0)
    with pytest.raises(UsageError, match="train must be at least one batch, got 'none'; give a list"):
        darts(stripes(), [], good)
    with pytest.raises(UsageError, match="at least one batch, got 'none'; give a list or a DataLoader"):
        darts(stripes(), generator(), good, Options(epochs=3))
    with pytest.raises(UsageError, match="a batch of train must be a pair of tensors"):
        darts(stripes(), [torch.zeros(2)], good)  # type: ignore[list-item]
    fixed = nn.cell(nn.cell_node(nn.edge(0, nn.one_of("op", {"a": nn.conv(4, 1), "b": nn.conv(4, 3)}))))
    with pytest.raises(SpaceError, match=r"must keep their number \(2\).*stage_width"):
        pc_darts(SearchSpace(nn.seq(nn.conv(4), fixed, nn.global_pool())), good, good, partial=2)


def test_pc_darts_trains_only_the_network_at_first() -> None:
    """In the warm-up the weights of choices stay as they were drawn."""
    space = nas_bench_201((1, 6, 6), 2, channels=4, num_cells=1)
    found = pc_darts(space, batches(0, 2), batches(1, 2), Options(epochs=2, arch_learning_rate=0.1), warm_up=0.5)
    first, last = found.history
    assert max(max(w) - min(w) for w in first.weights.values()) < 0.01
    assert math.isnan(first.valid_loss)
    assert not math.isnan(last.valid_loss)
    assert max(max(w) - min(w) for w in last.weights.values()) > 0.01


def test_a_path_on_which_nothing_flows_changes_no_weight() -> None:
    """GDAS may draw zeros for every edge: the loss does not depend on the choices then."""
    ops = {"none": nn.zero(), "also": nn.zero()}
    space = SearchSpace(nn.seq(nn.conv(2), nn.one_of("op", ops), nn.global_pool(), nn.linear(2)))
    found = gdas(space, batches(0, 1), batches(1, 1), Options(epochs=1, arch_learning_rate=0.1))
    assert max(found.weights["op"]) < 0.51


def test_a_path_takes_only_what_goes_together() -> None:
    """A dependent choice is drawn among the values that are open after what it depends on."""
    width = choice("width", [2, 4])
    kernel = choice("kernel", {2: [1, 3], 4: [5]}, on=width)
    space = SearchSpace(nn.seq(nn.conv(width, kernel), nn.global_pool(), nn.linear(2)))
    course = Course("gdas", space, batches(0, 1), Options())
    values = course.network.universe.values
    seen = set()
    for step in range(40):
        course.step = step
        taken = drawn(course, 1.0, purpose=0).taken
        assert taken is not None
        seen.add(tuple(values[name][number] for name, number in sorted(taken.items(), reverse=True)))
    assert seen == {(2, 1), (2, 3), (4, 5)}

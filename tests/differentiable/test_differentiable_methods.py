"""The methods find what is there to be found, are the same for the same seed, keep limits, and refuse what is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module

import numpy as np
import pytest
import torch
from scipy.special import digamma, gammaln
from torch import nn as torch_nn

from netwright import nn
from netwright.errors import SearchError, SpaceError, TrialError, UsageError
from netwright.nn.spaces import nas_bench_201
from netwright.space import Node, SearchSpace, choice, equal
from netwright.supernet.differentiable import (
    METHODS,
    AlarmOptions,
    Batches,
    Mixing,
    Options,
    Penalty,
    Searched,
    darts,
    gdas,
)
from netwright.supernet.differentiable.beta_darts import beta_darts
from netwright.supernet.differentiable.course import Course
from netwright.supernet.differentiable.drnas import concentrations, drnas, from_flat
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


def idle(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Searches whose losses are 0 and whose weights stay; what the architecture weights would have followed."""
    told: list[float] = []
    monkeypatch.setattr(Course, "loss", lambda *_, **__: torch.zeros((), requires_grad=True))
    monkeypatch.setattr(Course, "architecture_step", lambda _, loss: told.append(float(loss.detach())))
    monkeypatch.setattr(Course, "weight_step", lambda *_: None)
    return told


def test_the_penalty_of_beta_darts_grows_to_its_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linearly over the epochs, on the smooth maximum of parameters near 0, which is the logarithm of their number."""
    told = idle(monkeypatch)
    beta_darts(stripes(), batches(0, 1), batches(1, 1), Options(epochs=5))
    assert told == pytest.approx([50 * math.log(3) * share for share in (0, 0.25, 0.5, 0.75, 1)], rel=0.01)


def test_the_temperature_of_gdas_falls_and_so_does_the_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linearly from the first epoch to the last; the rate by half a cosine."""
    idle(monkeypatch)
    temperatures: list[float] = []
    rates: list[float] = []

    def softmax(course: Course, temperature: float, *, purpose: int) -> Mixing:
        temperatures.append(temperature)
        rates.append(course.optimizer.param_groups[0]["lr"])
        return course.mixing(course.softmax())

    monkeypatch.setattr(import_module("netwright.supernet.differentiable.gdas"), "drawn", softmax)
    gdas(stripes(), batches(0, 1), batches(1, 1), Options(epochs=4))
    assert temperatures[::2] == pytest.approx([10.0, 6.7, 3.4, 0.1])
    assert rates[::2] == pytest.approx([0.001 + 0.012 * (1 + math.cos(math.pi * e / 4)) for e in range(4)])


def test_every_validation_batch_is_used_however_short_an_epoch_is() -> None:
    """They go on where the epoch before ended, and begin anew after the last."""
    train, valid = batches(0, 2), [(x, torch.full((24,), n)) for n, (x, _) in enumerate(batches(1, 3))]
    course = Course("darts", stripes(), train, Options())
    seen = [[int(y[0]) for _, (_, y) in course.pairs(train, valid)] for _ in range(3)]
    assert seen == [[0, 1], [2, 0], [1, 2]]


class Given:
    """Architecture parameters, as of a search."""

    def __init__(self, *parameters: float) -> None:
        self.arch = {"a": torch.tensor(parameters, dtype=torch.float64, requires_grad=True)}


def test_concentrations_of_drnas_are_those_of_the_paper() -> None:
    """elu(b) + 1, which is 1 + b above 0 and exp(b) below; where that is 0 a distribution can still be drawn from."""
    found = concentrations(Given(2.0, 0.0, -3.0, -40.0))["a"].tolist()  # type: ignore[arg-type]
    assert found == pytest.approx([3.0, 1.0, math.exp(-3.0), 1e-6])


def test_the_divergence_of_drnas_is_that_from_the_flat_distribution() -> None:
    """In closed form, KL(Dir(c) || Dir(1)) of the drawn one from the flat one; 0 for that, and falling towards it."""
    given = Given(2.0, -1.0, 0.5)
    c = np.array([3.0, math.exp(-1.0), 1.5])
    total = c.sum()
    closed = gammaln(total) - gammaln(c).sum() - gammaln(3) + ((c - 1) * (digamma(c) - digamma(total))).sum()
    found = from_flat(given)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(closed)
    assert from_flat(Given(0.0, 0.0, 0.0)).item() == pytest.approx(0.0)  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(found, [given.arch["a"]])
    moved = given.arch["a"].detach() - 0.1 * gradient
    assert from_flat(Given(*moved.tolist())).item() < found.item()  # type: ignore[arg-type]


def test_drnas_has_a_divergence_or_a_weight_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the weight decay of the options; a divergence takes its place. Sizes are expected, not drawn."""
    decays: list[float] = []
    priced: list[dict[str, torch.Tensor]] = []
    made = Course.__init__

    def making(self: Course, name: str, space: SearchSpace, train: Batches, options: Options, **more: object) -> None:
        decays.append(options.arch_weight_decay)
        made(self, name, space, train, options, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Course, "__init__", making)
    monkeypatch.setattr(Course, "penalty", lambda self, weights: priced.append(weights) or torch.zeros(()))
    for divergence in (0.0, 1e-3):
        drnas(stripes(), batches(0, 1), batches(1, 1), Options(epochs=1), divergence=divergence)
    assert decays == [1e-3, 0.0]
    assert all(w.tolist() == pytest.approx([1 / 3] * 3, abs=1e-3) for weights in priced for w in weights.values())


def test_what_a_search_does_not_admit_is_not_derived() -> None:
    """The heaviest that is admitted; records tell what would be taken without limits."""
    space = stripes().limited(lambda architecture: "wide" not in architecture.values())
    found = darts(space, batches(0), batches(1), OPTIONS)
    assert "wide" not in found.architecture.values()
    assert "wide" in found.history[-1].architecture.values()


class Halved(torch_nn.Module):
    """A factor that is trained, and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.trained = torch_nn.Parameter(torch.ones(()))
        self.fixed = torch_nn.Parameter(torch.full((), 0.5), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.trained * self.fixed


def test_frozen_parameters_stay() -> None:
    """Those that an operation of one's own has frozen are neither changed nor thawed."""
    body = nn.one_of("op", {"own": nn.op(Halved), "conv": nn.conv(4, 3)})
    space = SearchSpace(nn.seq(nn.conv(4, 1), body, nn.global_pool(), nn.linear(2)))
    found = darts(space, batches(0, 2), batches(1, 2), Options(epochs=2))
    own = next(module for module in found.network.modules() if isinstance(module, Halved))
    assert (own.fixed.item(), own.fixed.requires_grad, own.trained.requires_grad) == (0.5, False, True)
    assert own.trained.item() != 1.0
    assert all(weight is not own.fixed for weight in found.network.weights())
    plain = found.network.extract(space.architecture({"op": "own"}))
    assert {name: p.requires_grad for name, p in plain.named_parameters() if "fixed" in name} == {"halved.fixed": False}


def test_without_cells_all_channels_are_mixed_which_is_said() -> None:
    """PC-DARTS searches the space all the same, and what it found can be taken out with its weights."""
    body = nn.one_of("op", {"point": conv_of(4, 1), "wide": conv_of(4, 3)})
    space = SearchSpace(nn.seq(body, nn.global_pool(), nn.linear(2)))
    found = pc_darts(space, batches(0, 2), batches(1, 2), Options(epochs=2))
    assert any("all channels were mixed" in remark for remark in found.remarks)
    assert found.network.extract(found.architecture)(batches(0, 1)[0][0]).shape == (24, 2)
    cells = pc_darts(stripes(), batches(0, 2), batches(1, 2), Options(epochs=1))
    assert not any("all channels were mixed" in remark for remark in cells.remarks)


def conv_of(channels: int, kernel: int) -> Node:
    return nn.seq(nn.conv(channels, kernel, bias=False), nn.batch_norm())


def test_data_that_cannot_be_learned_from_is_refused_clearly() -> None:
    """A label that is no class, and a single example where a norm has one value a channel; labels may be left out."""
    x, y = batches(0, 1)[0]
    for labels, got in ((y + 5, "[56]"), (y - 3, "-[32]")):
        with pytest.raises(UsageError, match=rf"a label must be in \[0, 2\).*got {got}; number the classes from 0"):
            darts(stripes(), [(x, labels)], [(x, y)], Options(epochs=1))
    left_out = torch.where(torch.arange(24) % 2 == 0, -100, y)
    assert math.isfinite(darts(stripes(), [(x, left_out)], [(x, y)], Options(epochs=1)).history[0].train_loss)
    norm = nn.seq(nn.global_pool(), nn.one_of("op", {"a": nn.linear(4), "b": nn.seq(nn.linear(4), nn.batch_norm())}))
    with pytest.raises(UsageError, match=r"examples of a batch must be >= 2, since .*got 1; leave out a last batch"):
        darts(SearchSpace(nn.seq(norm, nn.linear(2))), [(x[:1], y[:1])], [(x[:1], y[:1])], Options(epochs=1))
    for betas in ((2, 0.9), (0.5, 1.0), (0.5,)):
        with pytest.raises(UsageError, match=r"arch_betas must be two numbers in \[0, 1\)"):
            Options(arch_betas=betas)  # type: ignore[arg-type]

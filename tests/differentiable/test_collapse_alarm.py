"""The alarm fires where operations without weights take over or curvature runs away with them, and not elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch

from netwright import nn
from netwright.errors import UsageError
from netwright.space import Node, SearchSpace
from netwright.supernet.differentiable import AlarmOptions, CollapseAlarm, Options, Penalty, Signs, darts
from netwright.supernet.differentiable.alarm import signs_of
from netwright.supernet.differentiable.course import Course
from netwright.supernet.differentiable.curvature import dominant_eigenvalue
from netwright.supernet.differentiable.drnas import drnas, means
from netwright.types import Architecture

FREE = {f"edge{i}": ("skip", "none") for i in range(6)}
VALUES = dict.fromkeys(FREE, ("skip", "none", "conv"))


def signs(ops: str, weight: float = 0.9) -> Signs:
    """Signs of six edges: s for skip, n for none, c for conv, each with that weight."""
    names = {"s": "skip", "n": "none", "c": "conv"}
    decided = {edge: names[op] for edge, op in zip(FREE, ops, strict=True)}
    rest = (1 - weight) / 2
    weights = {edge: [weight if v == decided[edge] else rest for v in VALUES[edge]] for edge in FREE}
    return signs_of(FREE, Architecture(decided), weights, VALUES)


@pytest.mark.parametrize(
    ("ops", "fires"), [("ssssss", True), ("snsnsc", True), ("sssscc", True), ("sssccn", False), ("cccccs", False)]
)
def test_operations_without_weights_are_counted(ops: str, fires: bool) -> None:
    """From five of six without weights on, or four of one kind; below it is silent."""
    alarm = CollapseAlarm(AlarmOptions()).see(3, signs(ops))
    assert (alarm is not None) is fires


def test_weights_that_hardly_differ_say_nothing_until_they_are_taken() -> None:
    """Which operation is heaviest by a hair is chance; at the end it is what is taken."""
    alarm = CollapseAlarm(AlarmOptions())
    assert alarm.see(0, signs("ssssss", weight=0.34)) is None
    found = alarm.see(1, signs("ssssss", weight=0.34), last=True)
    assert found is not None
    assert "100% of the operations have no weights" in found.reason


def test_the_first_alarm_stays_and_knows_the_last_sound_epoch() -> None:
    """The epoch before, whatever comes after."""
    alarm = CollapseAlarm(AlarmOptions())
    for epoch, ops in enumerate(["cccccs", "ccccss", "ssssss", "cccccc"]):
        alarm.see(epoch, signs(ops))
    assert alarm.alarm is not None
    assert (alarm.alarm.epoch, alarm.alarm.safe_epoch) == (2, 1)
    assert not alarm.is_collapsed()


def curve(values: list[float], shares: list[float]) -> CollapseAlarm:
    alarm = CollapseAlarm(AlarmOptions())
    for epoch, (value, share) in enumerate(zip(values, shares, strict=True)):
        alarm.see(epoch, Signs(0.2, 0.2, "skip", share, 0.6, 0.0, value))
    return alarm


def test_curvature_that_grows_with_the_share_fires_a_window_later() -> None:
    """Averages of five, five apart, with a ratio below 3/4; the architecture from before the growth is sound."""
    grown = [0.1] * 5 + [0.1, 0.1, 0.2, 0.3, 0.4]
    rising = [0.7 + 0.01 * i for i in range(10)]
    alarm = curve(grown, rising).alarm
    assert alarm is not None
    assert (alarm.epoch, alarm.safe_epoch) == (9, 4)
    assert "the curvature grew from 0.1" in alarm.reason


def test_curvature_alone_fires_not() -> None:
    """Neither where operations without weights lose or hardly lead, nor where curvature is steady, nor too early."""
    grown, steady = [0.1] * 5 + [0.2, 0.3, 0.4, 0.5, 0.6], [0.1, 0.11] * 5
    falling, rising = ([0.8 + s * 0.01 * i for i in range(10)] for s in (-1, 1))
    slight = [0.6 + 0.004 * i for i in range(10)]
    assert curve(grown, falling).alarm is None
    assert curve(grown, slight).alarm is None
    assert curve(steady, rising).alarm is None
    assert curve(grown[:9], rising[:9]).alarm is None


def test_the_dominant_eigenvalue_is_that_of_the_hessian() -> None:
    """Of a quadratic with a known matrix, also where it is negative; of what depends on nothing 0."""
    basis = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)).double()).Q
    for values in ([3.0, 2.0, 1.0, 0.5, 0.1], [-4.0, 2.0, 1.0, 0.5, 0.1]):
        matrix = basis @ torch.diag(torch.tensor(values).double()) @ basis.T
        x = torch.randn(5, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
        found = dominant_eigenvalue(lambda m=matrix, x=x: x @ m @ x / 2, [x], iterations=100)  # type: ignore[misc]
        assert found == pytest.approx(values[0], rel=1e-6)
    other = torch.ones(2, requires_grad=True)
    assert dominant_eigenvalue((other * 0.0).sum, [torch.ones(1, requires_grad=True)]) == 0.0


def batches(seed: int, *, flipped: bool = False) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Images of two classes, stripes along or across, which only a convolution tells apart; or with false labels."""
    source = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(5):
        y = torch.randint(2, (24,), generator=source)
        along = (torch.arange(6)[None, :, None] + torch.randint(2, (24, 1, 1), generator=source)).expand(24, 6, 6) % 2
        x = torch.where(y[:, None, None] == 0, along, along.transpose(1, 2)).float()[:, None]
        found.append((x + 0.3 * torch.randn(x.shape, generator=source), 1 - y if flipped else y))
    return found


class Worse:
    """Batches that are replaced by others after some reads."""

    def __init__(
        self, first: list[tuple[torch.Tensor, torch.Tensor]], then: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> None:
        self.first, self.then, self.reads = first, then, 0

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self.reads += 1
        return iter(self.first if self.reads <= 6 else self.then)


def cell_space() -> SearchSpace:
    """A cell of three edges: pass on, or a convolution."""

    def edge(i: int, j: int) -> Node:
        conv = nn.seq(nn.conv(4, 3, bias=False), nn.batch_norm(), nn.relu())
        return nn.one_of(f"edge{i}-{j}", {"skip": nn.identity(), "conv": conv})

    return SearchSpace(nn.seq(nn.conv(4, 1), nn.dense_cell(3, edge), nn.global_pool(), nn.linear(2)))


WATCHED = Options(
    epochs=24,
    learning_rate=0.05,
    arch_learning_rate=0.1,
    alarm=AlarmOptions(stop=True, free_share=1.0, same_share=1.0),
)


@pytest.mark.long
def test_a_search_that_collapses_is_stopped_with_the_architecture_from_before() -> None:
    """False labels make what tells classes apart worse than nothing: convolutions lose; one from before has some."""
    found = darts(cell_space(), batches(0), Worse(batches(1), batches(1, flipped=True)), WATCHED)
    assert found.alarm is not None
    assert found.stopped
    assert len(found.history) == found.alarm.epoch + 1 < 24
    assert set(found.history[-1].architecture.values()) == {"skip"}
    assert found.architecture == found.history[found.alarm.safe_epoch].architecture
    assert "conv" in found.architecture.values()


def test_a_search_that_goes_well_is_not_stopped() -> None:
    """The same search with true labels."""
    found = darts(cell_space(), batches(0), batches(1), WATCHED)
    assert found.alarm is None
    assert not found.stopped
    assert len(found.history) == 24
    assert "conv" in found.architecture.values()


def test_a_network_that_sees_nothing_is_told() -> None:
    """Zeros on every way to the output: half of the operations have weights, and none of them matters."""
    ops = {"none": nn.zero(), "conv": nn.conv(4, 3)}
    cell = nn.cell(nn.cell_node(nn.edge(0, nn.one_of("a", ops))), nn.cell_node(nn.edge(1, nn.one_of("b", ops))))
    space = SearchSpace(nn.seq(nn.conv(4, 1), cell, nn.global_pool(), nn.linear(2)))
    pull = Penalty("cost", 0.1, 100.0, {"a": {"none": 1.0}, "b": {"conv": 1.0}})
    silent = AlarmOptions(free_share=1.0, same_share=1.0)
    found = darts(space, batches(0), batches(1), Options(epochs=2, arch_learning_rate=0.1, penalty=pull, alarm=silent))
    assert found.architecture["a"] == "conv"
    assert found.architecture["b"] == "none"
    assert found.alarm is not None
    assert "answers the same to all inputs" in found.alarm.reason


def test_thresholds_are_checked() -> None:
    """Shares are in (0, 1], counts whole."""
    with pytest.raises(UsageError, match=r"free_share must be in \(0, 1\], got 2"):
        AlarmOptions(free_share=2)
    with pytest.raises(UsageError, match="window must be a whole number >= 1"):
        AlarmOptions(window=0)


def test_curvature_is_measured_without_a_trace() -> None:
    """A search with curvature finds the same weights as one without."""
    train, valid = batches(0), batches(1)
    plain = darts(cell_space(), train, valid, Options(epochs=2, arch_learning_rate=0.1))
    watched = darts(
        cell_space(), train, valid, Options(epochs=2, arch_learning_rate=0.1, alarm=AlarmOptions(curvature_every=1))
    )
    assert plain.weights == watched.weights
    assert all(torch.equal(a, b) for a, b in zip(plain.network.buffers(), watched.network.buffers(), strict=True))
    assert [math.isnan(e.signs.curvature) for e in watched.history] == [False, False]


def test_the_curvature_draws_from_a_source_of_its_own() -> None:
    """With dropout, whatever the caller's random state is, which stays as it was."""
    drop = nn.seq(nn.conv(4, 3), nn.dropout(0.5))
    space = SearchSpace(
        nn.seq(nn.conv(4, 1), nn.one_of("op", {"a": drop, "b": nn.conv(4, 1)}), nn.global_pool(), nn.linear(2))
    )
    options = Options(epochs=1, arch_learning_rate=0.1, alarm=AlarmOptions(curvature_every=1))
    curvatures = []
    before = torch.random.get_rng_state()
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            state = torch.random.get_rng_state()
            curvatures.append(darts(space, batches(0), batches(1), options).history[0].signs.curvature)
            assert torch.equal(state, torch.random.get_rng_state())
    assert curvatures[0] == curvatures[1]
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_curvature_of_drnas_is_that_at_the_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mixture that it would derive from, not the softmax of parameters that are no logits."""
    seen: list[bool] = []

    def curvature(self: Course, batch: object, weights: Callable[[], dict[str, torch.Tensor]]) -> float:
        del batch
        with torch.no_grad():
            next(iter(self.arch.values())).add_(torch.tensor([2.0, -2.0]))
        seen.append(all(torch.equal(own, weights()[name]) for name, own in means(self).items()))
        return 0.0

    monkeypatch.setattr(Course, "_curvature", curvature)
    drnas(cell_space(), batches(0), batches(1), Options(epochs=1, alarm=AlarmOptions(curvature_every=1)))
    assert seen == [True]

"""The controller of ENAS follows the right gradient, finds what is rewarded, and says clearly what is wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import SearchError, SpaceError, TrialError, UsageError
from netwright.nn.spaces import SPACES
from netwright.policies.controller import Controller
from netwright.space import SearchSpace, choice
from netwright.supernet.differentiable import (
    Alarm,
    AlarmOptions,
    CollapseAlarm,
    ControllerOptions,
    Options,
    Penalty,
    RelaxedNetwork,
    Signs,
    enas,
)
from netwright.supernet.differentiable.enas import Reinforce
from netwright.supernet.differentiable.sampled_course import SampledCourse
from netwright.supernet.differentiable.sgd import PlacedSgd
from netwright.supernet.differentiable.weightless import weightless
from netwright.supernet.supernet import Supernet
from netwright.testing import small_cell_space, tiny_space
from netwright.types import Architecture, Constraint

QUIET = AlarmOptions(free_share=1, same_share=1)
OPTIONS = Options(epochs=6, learning_rate=0.05, alarm=QUIET)
SHORT = ControllerOptions(draws=2, derived=6, judged_on=2, warm_up=0.0)


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
    """Three edges of a cell, each with something useful and something useless."""

    def conv(kernel: int) -> object:
        return nn.seq(nn.conv(nn.stage_width(), kernel, bias=False), nn.batch_norm(), nn.relu())

    ops = {"none": nn.zero(), "point": conv(1), "wide": conv(3)}
    cell = nn.dense_cell(3, lambda i, j: nn.one_of(f"edge{i}-{j}", ops))  # type: ignore[arg-type]
    return SearchSpace(nn.seq(nn.conv(8, 1), nn.stages(cell, [8]), nn.global_pool(), nn.linear(2)))


def test_the_gradient_is_the_numerical_one() -> None:
    """Of the mean of advantage times log-probability and of the entropy, by central differences of each parameter."""
    policy = Controller(small_cell_space(), np.random.default_rng(0), 3)
    rng = np.random.default_rng(1)
    for _ in range(10):
        policy.sample(rng)
    for name, values in policy.parameters.items():
        policy.parameters[name] = rng.normal(0.0, 0.7, values.shape)
    episodes = [policy.sample(rng)[1] for _ in range(4)]
    advantages = np.array([0.3, -0.2, 0.0, 0.6])
    learner = Reinforce(policy, ControllerOptions(entropy=0.05))

    def value() -> float:
        told = policy.forward(episodes)
        return float((advantages * told.log_probs - 0.05 * told.divergences).mean())

    gradient = learner.gradient(episodes, advantages)
    used = sorted({int(a) for e in episodes for q in e.questions for a in q.answers})
    for parameter, values in policy.parameters.items():
        for index in np.ndindex(*values.shape):
            if parameter == "recurrent" or index[0] in used:
                ends = []
                for step in (1e-6, -1e-6):
                    values[index] += step
                    ends.append(value())
                    values[index] -= step
                assert gradient[parameter][index] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_controller_finds_the_best_of_a_toy_reward(seed: int) -> None:
    """Of 12 architectures with noisy rewards it draws one of the best far more often than chance; entropy holds it."""
    space = tiny_space()
    archs = sorted(space.enumerate(), key=lambda a: a.to_json())
    worth = {a: number / len(archs) for number, a in enumerate(archs)}
    rng = np.random.default_rng(seed)

    def share_of_best(entropy: float) -> float:
        policy = Controller(space, np.random.default_rng(seed), 8)
        learner = Reinforce(policy, ControllerOptions(entropy=entropy, rate=0.1))
        for _ in range(120):
            drawn = [policy.sample(rng) for _ in range(4)]
            rewards = [worth[a] + 0.1 * rng.standard_normal() for a, _ in drawn if a is not None]
            learner.step([episode for _, episode in drawn], rewards)
        last = [policy.sample(rng)[0] for _ in range(100)]
        return sum(a == archs[-1] for a in last) / 100

    assert share_of_best(0.001) > 3 / len(archs)
    assert share_of_best(50.0) < 2.5 / len(archs)


def test_it_finds_the_operation_that_helps() -> None:
    """What is taken sees stripes; the policy prefers it; scores are in order; each epoch has its record."""
    found = enas(stripes(), batches(0), batches(1), OPTIONS)
    assert "wide" in found.architecture.values()
    assert stripes().contains(found.architecture)
    assert found.scores[0] > 0.9
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert len(found.scores) == 1 + len(found.others)
    assert len(found.history) == 6
    assert found.history[-1].architecture == found.architecture
    assert found.history[-1].train_loss < found.history[0].train_loss
    assert math.isnan(found.history[0].valid_accuracy)  # the controller waits
    assert found.weights["edge0-2"][2] > 1 / 3
    assert all(math.isclose(sum(w), 1.0, abs_tol=1e-9) for w in found.weights.values())
    assert 0 < found.entropy() < 1
    plain = found.supernet.extract(found.architecture)
    assert plain(batches(0)[0][0]).shape == (24, 2)


def test_the_same_seed_gives_the_same_bits() -> None:
    """Policy, shared weights and scores; another seed gives others, and torch's random state stays."""
    before = torch.random.get_rng_state()
    short = replace(OPTIONS, epochs=2)
    one, two = (enas(stripes(), batches(0, 2), batches(1, 2), short, controller=SHORT) for _ in range(2))
    assert (one.scores, one.others, one.weights, one.entropy()) == (two.scores, two.others, two.weights, two.entropy())
    weights = zip(one.supernet.parameters(), two.supernet.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    other = enas(stripes(), batches(0, 2), batches(1, 2), replace(short, seed=1), controller=SHORT)
    assert any(
        not torch.equal(a, b) for a, b in zip(one.supernet.parameters(), other.supernet.parameters(), strict=True)
    )
    assert torch.equal(before, torch.random.get_rng_state())


def test_limits_are_obeyed_when_drawing() -> None:
    """Every network that is trained or scored keeps them; an impossible one says how near it came."""
    limit = Constraint.parse("params<=250")
    seen: list[Architecture] = []

    def measure(architecture: Architecture) -> dict[str, float]:
        seen.append(architecture)
        return {}

    options = replace(OPTIONS, epochs=1, limits=(limit,), measure=measure)
    found = enas(stripes(), batches(0, 2), batches(1, 2), options, controller=SHORT)
    sizes = [found.supernet.networks.profile(a).params for a in (found.architecture, *found.others)]
    assert max(sizes) <= 250
    assert len(set(seen)) > len(sizes)
    with pytest.raises(SearchError, match=r"no architecture within params<=5 was found; the nearest has params"):
        enas(stripes(), batches(0, 1), batches(1, 1), replace(OPTIONS, limits=(Constraint.parse("params<=5"),)))


def test_limits_of_the_search_are_obeyed_too() -> None:
    """What a search space does not admit is not drawn."""
    space = stripes().limited(lambda architecture: architecture["edge0-1"] == "wide")
    found = enas(space, batches(0, 2), batches(1, 2), replace(OPTIONS, epochs=1), controller=SHORT)
    assert {a["edge0-1"] for a in (found.architecture, *found.others)} == {"wide"}
    assert any("broke a limit" in remark for remark in found.remarks)


def test_penalties_lower_the_reward() -> None:
    """By size, by a table, and by what is measured, which then is a hard limit."""
    course = SampledCourse("enas", stripes(), batches(0, 1), OPTIONS, policy(stripes()))
    small, large = (Architecture(dict.fromkeys(course.values, op)) for op in ("point", "wide"))
    batch = batches(1, 1)[0]
    for penalty in (
        Penalty("params", 300.0),
        Penalty("ms", 2.0, 1.0, {"edge0-1": {"wide": 3.0}}),
        Penalty("ms", 2.0, measure=lambda a: 1.0 + list(a.values()).count("wide"), measurements=8),
    ):
        options = replace(OPTIONS, penalty=penalty)
        taxed = SampledCourse("enas", stripes(), batches(0, 1), options, policy(stripes()))
        assert taxed.reward(small, batch) == pytest.approx(course.reward(small, batch), abs=0.3)
        assert taxed.reward(large, batch) < course.reward(large, batch) - 0.2
    limits = (Constraint.parse("ms<=2"),)
    found = enas(stripes(), batches(0, 2), batches(1, 2), replace(options, epochs=1, limits=limits), controller=SHORT)
    assert list(found.architecture.values()).count("wide") <= 1


def policy(space: SearchSpace) -> Controller:
    return Controller(space, np.random.default_rng(0), 4)


LARGE = pytest.mark.slow


@pytest.mark.parametrize("name", [pytest.param(n, marks=[LARGE] if n == "free_form" else []) for n in sorted(SPACES)])
def test_it_searches_every_shipped_space(name: str) -> None:
    """Those too that cannot be relaxed: a supernet can be made of all."""
    side = 16 if name in ("free_form", "image_space", "mobile_macro") else 8
    small: dict[str, dict[str, int]] = {
        "darts": {"channels": 4, "num_cells": 3, "num_nodes": 2},
        "nas_bench_101": {"channels": 4, "num_modules": 1},
        "nas_bench_201": {"channels": 4, "num_cells": 1},
        "mobile_macro": {"max_depth": 1},
        "resnet_macro": {"max_depth": 1},
    }
    space = SPACES[name]((3, side, side), 4, **small.get(name, {}))
    x = torch.rand(8, 3, side, side, generator=torch.Generator().manual_seed(0))
    given = [(x, torch.arange(8) % 4)]
    few = ControllerOptions(draws=2, derived=2, judged_on=1, warm_up=0.0)
    found = enas(space, given, given, Options(epochs=1, alarm=QUIET), controller=few)
    assert space.contains(found.architecture)


@pytest.mark.long
@pytest.mark.parametrize("name", ["nas_bench_201", "darts"])
def test_operations_without_weights_are_those_of_the_relaxed_network(name: str) -> None:
    small = {"darts": {"channels": 4, "num_cells": 3, "num_nodes": 2}, "nas_bench_201": {"channels": 4, "num_cells": 1}}
    space = SPACES[name]((3, 8, 8), 4, **small[name])
    course = SampledCourse("enas", space, [(torch.zeros(2, 3, 8, 8), torch.zeros(2))], OPTIONS, policy(space))
    assert space.root is not None
    free = weightless(space.root, [place.layer for place, _ in course.supernet.bank.items()])
    expected = RelaxedNetwork(space, input_shape=(3, 8, 8)).free
    assert {n: set(keys) for n, keys in free.items()} == {n: set(keys) for n, keys in expected.items()}


def test_a_loss_that_is_not_finite_ends_the_search_clearly() -> None:
    """It says which loss, where, of which network, and what to do; a reward is never made of it."""
    bad = [(torch.full((4, 1, 6, 6), math.nan), torch.zeros(4, dtype=torch.long))]
    with pytest.raises(TrialError, match=r"enas: the training loss is nan in epoch 0, step 0, of Architecture.*lower"):
        enas(stripes(), bad, batches(0, 1), replace(OPTIONS, epochs=1))
    with pytest.raises(TrialError, match="enas: the validation loss is nan"):
        enas(stripes(), batches(0, 1), bad, replace(OPTIONS, epochs=1), controller=SHORT)


def test_networks_that_all_answer_the_same_end_the_search() -> None:
    """Choices that change nothing: there is nothing to be found."""
    same = {"a": nn.identity(), "b": nn.seq(nn.identity())}
    space = SearchSpace(
        nn.seq(nn.conv(2), *(nn.one_of(f"o{i}", same) for i in range(3)), nn.global_pool(), nn.linear(2))
    )
    with pytest.raises(TrialError, match="different networks give the same outputs with shared weights"):
        enas(space, batches(0, 1), batches(1, 1), replace(OPTIONS, epochs=1))


def test_an_alarm_can_stop_the_search() -> None:
    """Where nearly all the policy draws has no weights."""
    space = stripes().limited(lambda a: a["edge0-1"] == "none" and list(a.values()).count("none") >= 2)
    options = Options(epochs=4, alarm=AlarmOptions(free_share=0.6, stop=True))
    found = enas(space, batches(0, 1), batches(1, 1), options, controller=SHORT)
    assert found.alarm is not None
    assert found.stopped
    assert len(found.history) == 1
    assert "have no weights" in found.alarm.reason


def test_the_optimiser_follows_tensors_that_grow() -> None:
    """What it kept of a tensor is a part of what it has then."""
    widths = choice("width", [2, 4])
    space = SearchSpace(nn.seq(nn.conv(widths, 3), nn.relu(), nn.global_pool(), nn.linear(2)))
    course = SampledCourse("enas", space, batches(0, 1), OPTIONS, policy(space))
    wide = Architecture({"width": 4})
    course.weight_step(wide, batches(0, 1)[0])
    place, tensor = next(iter(course.supernet.bank.items()))
    before = course._optimizer.kept[place].clone()
    course.supernet.bank.learn({place: torch.nn.Parameter(torch.zeros(6, *tensor.shape[1:]))})
    course.weight_step(wide, batches(0, 1)[0])
    grown = course.supernet.bank[place]
    assert grown.shape[0] == 6
    after = course._optimizer.kept[place]
    assert after.shape == grown.shape
    assert not torch.equal(after[:4], torch.zeros_like(after[:4]))
    assert before.shape[0] == 4


@pytest.mark.long
def test_the_optimiser_is_that_of_torch() -> None:
    """The same steps as torch's SGD with Nesterov momentum and weight decay."""
    space = SearchSpace(nn.seq(nn.conv(2), nn.global_pool(), nn.linear(2)))
    ours = Supernet(space, input_shape=(1, 6, 6))
    plain = ours.extract(Architecture({}))
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
    sgd = PlacedSgd(ours.bank, 0.9, 0.01)
    for x, y in batches(0, 3):
        for run in (ours.subnet(Architecture({})), plain):
            torch.autograd.backward(torch.nn.functional.cross_entropy(run(x), y))
        sgd.step(0.1)
        optimizer.step()
        optimizer.zero_grad()
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_space_with_nothing_to_decide_is_searched_in_no_time() -> None:
    space = SearchSpace(nn.seq(nn.conv(2), nn.global_pool(), nn.linear(2)))
    found = enas(space, batches(0, 1), batches(1, 1), replace(OPTIONS, epochs=1), controller=SHORT)
    assert dict(found.architecture) == {}
    assert found.entropy() == 0.0


def test_what_is_wrong_is_refused_before_it_costs() -> None:
    for key, value, message in (
        ("draws", 0, "draws must be a whole number >= 1, got 0"),
        ("warm_up", 1.0, r"warm_up must be in \[0, 1\)"),
        ("rate", math.nan, "rate must be > 0 and finite"),
        ("entropy", -1.0, "entropy must be >= 0"),
    ):
        with pytest.raises(UsageError, match=message):
            ControllerOptions(**{key: value})  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match=r"memory of the supernet must be <= .* MiB"):
        enas(stripes(), batches(0, 1), batches(1, 1), replace(OPTIONS, memory_bytes=1000))
    with pytest.raises(UsageError, match="train must be at least one batch"):
        enas(stripes(), [], batches(1, 1), OPTIONS)


def test_a_stopped_search_takes_the_architecture_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its policy took most often in the last sound epoch comes first; what it draws after the collapse follows."""

    def see(self: CollapseAlarm, epoch: int, signs: Signs, *, last: bool = False) -> Alarm | None:
        del signs, last
        self.alarm = self.alarm or (Alarm(epoch, "zeros", epoch - 1) if epoch == 2 else None)
        return self.alarm

    monkeypatch.setattr(CollapseAlarm, "see", see)
    options = replace(OPTIONS, alarm=AlarmOptions(stop=True))
    found = enas(stripes(), batches(0, 2), batches(1, 2), options, controller=SHORT)
    assert found.stopped
    assert len(found.history) == 3
    assert (found.architecture, found.weights) == (found.history[1].architecture, found.history[1].weights)
    assert found.architecture not in found.others
    assert len(found.scores) == 1 + len(found.others)
    assert list(found.scores[1:]) == sorted(found.scores[1:], reverse=True)


def test_batches_that_are_used_up_at_the_end_are_refused() -> None:
    """A generator that is long enough for the steps, but not for scoring what is drawn at the end."""
    with pytest.raises(UsageError, match="valid must be at least one batch, got 'none'; give a list or a DataLoader"):
        enas(stripes(), batches(0, 2), iter(batches(1, 2)), replace(OPTIONS, epochs=1), controller=SHORT)


def test_each_record_tells_its_steps() -> None:
    found = enas(stripes(), batches(0, 3), batches(1, 2), replace(OPTIONS, epochs=2), controller=SHORT)
    assert [record.steps for record in found.history] == [3, 3]

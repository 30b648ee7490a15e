"""From weights to an architecture: the heaviest within the space and the limits."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from netwright import nn
from netwright.errors import SearchError
from netwright.nn.networks import Networks
from netwright.space import SearchSpace, choice, real
from netwright.space.relaxed import Universe
from netwright.supernet.differentiable import derive
from netwright.types import Architecture, Constraint


def space(layers: int = 3) -> SearchSpace:
    kinds = [choice(f"width{i}", [2, 4, 8]) for i in range(layers)]
    body = [nn.conv(width, choice(f"kernel{i}", [1, 3])) for i, width in enumerate(kinds)]
    return SearchSpace(nn.seq(*body, nn.global_pool(), nn.linear(2)), training={"lr": real("lr", 0.1, 0.3)})


def random_weights(universe: Universe, seed: int) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {name: rng.dirichlet(np.ones(len(values))).tolist() for name, values in universe.values.items()}


def regret(universe: Universe, weights: dict[str, list[float]], decisions: object) -> float:
    named = dict(decisions.items())  # type: ignore[attr-defined]
    chosen = {n: weights[n][universe.number(n, v)] for n, v in named.items() if n in weights}
    return float(sum(np.log(max(weights[n])) - np.log(w) for n, w in chosen.items()))


@pytest.mark.parametrize("seed", range(5))
def test_without_limits_every_choice_takes_its_heaviest_value(seed: int) -> None:
    """Choices of the training, which have no weights, take one from the middle."""
    universe = Universe(space())
    weights = random_weights(universe, seed)
    found = derive(space(), universe, weights)
    assert all(weights[n][universe.number(n, found[n])] == max(weights[n]) for n in universe.values)
    assert found["lr"] == pytest.approx(0.2)


def limited() -> SearchSpace:
    body = [nn.conv(choice(f"width{i}", [2, 4, 8]), choice(f"kernel{i}", [1, 3])) for i in range(3)]
    return SearchSpace(nn.seq(*body, nn.global_pool(), nn.linear(2)))


@pytest.mark.parametrize("seed", range(3))
def test_the_heaviest_within_the_limits_is_found(seed: int) -> None:
    """In a space that can be listed it is the best of all; the moves for larger ones keep the limits, too."""
    here = limited()
    universe, networks = Universe(here), Networks(here, input_shape=(3, 4, 4))
    weights = random_weights(universe, seed)
    limit = (Constraint.parse("params<=300"), Constraint.parse("macs<=4k"))
    found = derive(here, universe, weights, networks=networks, limits=limit)
    within = [a for a in here.enumerate() if (p := networks.profile(a)).params <= 300 and p.macs <= 4000]
    best = min(regret(universe, weights, a) for a in within)
    assert regret(universe, weights, found) == pytest.approx(best)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("netwright.supernet.differentiable.derive"), "MOST_LISTED", 0)
        moved = derive(here, universe, weights, networks=networks, limits=limit)
    assert networks.profile(moved).params <= 300
    assert networks.profile(moved).macs <= 4000


def test_a_limit_that_nothing_keeps_is_an_error() -> None:
    """It tells how near the nearest comes."""
    here = limited()
    universe, networks = Universe(here), Networks(here, input_shape=(3, 4, 4))
    limit = (Constraint.parse("params<=3"),)
    with pytest.raises(SearchError, match=r"no architecture within params<=3 was found; the nearest has params \d+"):
        derive(here, universe, random_weights(universe, 0), networks=networks, limits=limit)


def test_own_metrics_are_limits() -> None:
    """What measure tells of an architecture."""
    here = limited()
    universe, networks = Universe(here), Networks(here, input_shape=(3, 4, 4))
    found = derive(
        here,
        universe,
        random_weights(universe, 1),
        networks=networks,
        limits=(Constraint.parse("latency_ms<=1"),),
        measure=lambda a: {"latency_ms": sum(v == 8 for v in a.values())},
    )
    assert sum(v == 8 for v in found.values()) <= 1


def odd(architecture: Architecture) -> bool:
    return sum(int(v) for n, v in architecture.items() if n.startswith("width")) in (10, 12)  # type: ignore[arg-type]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("with_limits", [True, False])
def test_only_what_a_search_admits_is_derived(
    monkeypatch: pytest.MonkeyPatch, *, listed: bool, with_limits: bool
) -> None:
    """The heaviest of what is admitted where it can be listed; with limits and without, and also where it cannot."""
    here = limited().limited(odd)
    universe, networks = Universe(here), Networks(here, input_shape=(3, 4, 4))
    limits = (Constraint.parse("params<=300"),) if with_limits else ()
    if not listed:
        monkeypatch.setattr(import_module("netwright.supernet.differentiable.derive"), "MOST_LISTED", 0)
    for seed in range(3):
        weights = random_weights(universe, seed)
        found = derive(here, universe, weights, networks=networks, limits=limits)
        assert odd(found)
        within = [a for a in here.enumerate() if odd(a) and (not limits or networks.profile(a).params <= 300)]
        assert found in within
        best = min(regret(universe, weights, a) for a in within)
        assert not listed or regret(universe, weights, found) == pytest.approx(best)


def test_where_nothing_is_admitted_that_is_said() -> None:
    here = limited().limited(lambda _: False)
    universe, networks = Universe(here), Networks(here, input_shape=(3, 4, 4))
    for limits in ((), (Constraint.parse("params<=300"),)):
        with pytest.raises(SearchError, match=r"was found that is admitted; refused was, .*SearchSpace.limited"):
            derive(here, universe, random_weights(universe, 0), networks=networks, limits=limits)

"""The networks of a space that lie within one of them, so that a short training of shared weights is enough for them.

A space with several kinds of operations has weights for each, of which a step trains a few, and its largest networks
may cost more than there is time for. The networks within one that is known to be good have its operations and no more
of anything that can be sliced: each is a part of the same weights, and each step trains weights that all others use.

References:
    Cai et al. (2020), Once-for-All, section 3.2 (elastic depth, width and kernel within one backbone). There the
    backbone is part of the declaration; here it is any network of any space.
"""

from __future__ import annotations

import numpy as np

from netwright.errors import BuildError, SpaceError
from netwright.nn.networks import Networks
from netwright.space import SearchSpace, equal
from netwright.space.expressions import Categorical, Choice, Dependent, Expr, Integer, Real
from netwright.types import Architecture, Value

MOST_VALUES = 32
"""Values of a range that are looked at."""

DRAWN = 1000
"""Random networks that are counted where real numbers make a space infinite."""


def within(networks: Networks, largest: Architecture) -> SearchSpace:
    """The part of a space whose networks lie within one of them.

    A choice among numbers that make networks larger or smaller may take the values that do not make this one larger
    (in multiply-accumulates, all other decisions left as they are); a flag may leave out what it adds. Everything else,
    such as the kind of an operation, stays as it is, so that no other network is as large. Choices that only a smaller
    network has are free, and so are those that only the training recipe reads.

    Args:
        networks: of the space.
        largest: one of them.

    Returns:
        A space of the same declaration with more constraints: its architectures are architectures of the whole.

    Raises:
        SpaceError: ``largest`` is not in the space.
        BuildError: its network cannot be built.
    """
    space = networks.space
    problem = space.explain(largest)
    if problem is not None:
        raise SpaceError(f"largest: {problem}; give an architecture of this space")
    full = networks.profile(largest).macs
    limits: list[Expr] = []
    for name in _of_networks(space, largest):
        choice, mine = space.choices[name], largest[name]
        sizes = {value: _macs(networks, largest, name, value) for value in _values(choice, largest)}
        known = {value: macs for value, macs in sizes.items() if macs is not None} | {mine: full}
        limits += _limits(choice, mine, list(sizes), known)
    return space.constrained(limits)


def num_within(space: SearchSpace, largest: Architecture) -> float:
    """How many networks lie within one, those that differ in their training alone or in real numbers counted once.

    Where a space has real numbers it is the number of those among `DRAWN` random ones, a lower bound.

    Args:
        space: what `within` gave.
        largest: the one.

    Raises:
        SpaceError: the space is too entangled to be counted.
    """
    own = _of_networks(space, largest)
    if not any(isinstance(choice.domain, Real) for choice in space.choices.values()):
        recipe = [name for name in largest if name not in own]
        return float(space.constrained([equal(space.choices[name], largest[name]) for name in recipe]).count())
    counted = [name for name in own if not isinstance(space.choices[name].domain, Real)]
    rng = np.random.default_rng(0)
    drawn = (space.sample(rng) for _ in range(DRAWN))
    return float(len({tuple(architecture.get(name) for name in counted) for architecture in drawn}))


def _of_networks(space: SearchSpace, architecture: Architecture) -> list[str]:
    """The choices that an architecture decides, but for those that only its training reads."""
    own = SearchSpace(space.root).choices
    return [name for name in architecture if name in own]


def _values(choice: Choice, architecture: Architecture) -> tuple[Value, ...]:
    """Values that a choice might have in this network, of a long range some of them."""
    domain = choice.domain
    if isinstance(domain, Categorical):
        return domain.values
    if isinstance(domain, Dependent):
        return next(values for key, values in domain.table if key == domain.on.evaluate(architecture))
    if isinstance(domain, Integer):
        low, high = (b.evaluate(architecture) if isinstance(b, Expr) else b for b in (domain.low, domain.high))
        assert isinstance(low, int)
        assert isinstance(high, int)
        numbers = range(low, high + 1, domain.step)
        return tuple(numbers[:: max(1, len(numbers) // MOST_VALUES)])
    if isinstance(domain, Real):
        return (domain.low, domain.high)
    return ()


def _macs(networks: Networks, largest: Architecture, name: str, value: Value) -> float | None:
    """Multiply-accumulates where one decision is another one; None where there is no such network."""
    try:
        changed = networks.space.architecture({**largest, name: value}, drop_inactive=True)
        return float(networks.profile(changed).macs)
    except (SpaceError, BuildError):
        return None


def _limits(choice: Choice, mine: Value, values: list[Value], known: dict[Value, float]) -> list[Expr]:
    """What keeps a choice within the value that the largest network has."""
    others = {value: macs for value, macs in known.items() if value != mine}
    if isinstance(mine, bool) or not isinstance(mine, (int, float)):
        fewer = {value for value, macs in others.items() if macs < known[mine]} if isinstance(mine, bool) else set()
        return [] if fewer else [equal(choice, mine)]
    numbers = {value: macs for value, macs in others.items() if isinstance(value, (int, float))}
    if len(numbers) < len(others) or not all(isinstance(value, (int, float)) for value in values):
        return [equal(choice, mine)]  # numbers and other things: what is larger is not said
    if all(macs == known[mine] for macs in numbers.values()):
        return [equal(choice, mine)]
    slopes = {(value > mine) == (macs > known[mine]) for value, macs in numbers.items() if macs != known[mine]}
    if slopes == {True}:
        return [choice <= mine]
    if slopes == {False}:
        return [choice >= mine]
    kept = [value for value, macs in numbers.items() if macs <= known[mine]]
    return [~equal(choice, value) for value in values if value != mine and value not in kept]

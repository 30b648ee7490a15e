"""Architectures that differ from one in one decision, few enough to look at each.

`SearchSpace.neighbours` lists every way to decide what a changed decision opens: five more blocks that decide three
sizes each have millions. Where there are many, a decision is changed to some of its values, and what is new is decided
in few ways; a climb that goes on from there decides the rest. Knows no networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from netwright.space import SearchSpace
from netwright.space.values import Continuous, Values, each
from netwright.types import Architecture, Value

MOST_LISTED = 1000
"""Neighbours up to which all are looked at."""

MOST_VALUES = 16
"""Values of one decision that are looked at where there are more neighbours."""

PLACES = (0.0, 0.5, 1.0)
"""Where in the list of their values decisions stand that are new."""


def near(space: SearchSpace, architecture: Architecture) -> list[Architecture]:
    """All neighbours of an architecture; where there are more than `MOST_LISTED`, some of each decision.

    Args:
        space: of the architecture.
        architecture: is not among them.

    Example:
        >>> from netwright.space import choice, integer
        >>> space = SearchSpace(training={"a": choice("a", [1, 2]), "b": integer("b", 1, 10**6)})
        >>> found = near(space, space.architecture({"a": 1, "b": 7}))
        >>> len(found), {a["a"] for a in found}, min(a["b"] for a in found), max(a["b"] for a in found)
        (17, {1, 2}, 1, 1000000)
    """
    found = list(islice(space.neighbours(architecture), MOST_LISTED + 1))
    if len(found) <= MOST_LISTED:
        return found
    some: dict[Architecture, None] = {}
    for name, values in _decisions(space, architecture):
        for value in values:
            for place in PLACES:
                changed = _decided(space, {**architecture, name: value}, place)
                if changed is not None and changed != architecture:
                    some[changed] = None
    return list(some)


def _decisions(space: SearchSpace, architecture: Architecture) -> Iterator[tuple[str, list[Value]]]:
    """What is decided, and some of the values that each decision may have after those before it."""
    walk = space.walk()
    while (step := walk.step) is not None:
        name = step.choice.name
        yield name, _some(step.options, architecture[name])
        walk.take(architecture[name])


def _some(options: Values, own: Value) -> list[Value]:
    """Other values, from one end to the other; the ones beside that which there is are among them."""
    if isinstance(options, Continuous):
        return [options.at_share(share) for share in PLACES]
    if options.size <= MOST_VALUES:
        return [value for value in each(options) if value != own]
    last, here = options.size - 1, options.position(own)
    beside = [] if here is None else [max(0, here - 1), min(last, here + 1)]
    numbers = [*beside, *(last * number // (MOST_VALUES - 3) for number in range(MOST_VALUES - 2))]
    return [options.at(number) for number in dict.fromkeys(numbers) if number != here]


def _decided(space: SearchSpace, wanted: dict[str, Value], place: float) -> Architecture | None:
    """The architecture with these decisions, as far as there is one; others stand at a place among their options."""
    walk = space.walk()
    while (step := walk.step) is not None:
        value = wanted.get(step.choice.name)
        if step.choice.name not in wanted or step.options.position(value) is None:
            value = _at(step.options, place)
        walk.take(value)
    return walk.architecture()


def _at(options: Values, place: float) -> Value:
    return options.at_share(place) if isinstance(options, Continuous) else options.at(int(place * (options.size - 1)))

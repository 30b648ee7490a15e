"""Hand-made networks made smaller until they are admitted: what a person does whose favourite is too large.

`admitted` tries what a space's own designs become in smaller sizes; `narrowed` scales any of a space's choices by one
factor. Knows no data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product

from netwright.space import SearchSpace
from netwright.space.expressions import Categorical, Choice
from netwright.tasks.base import Reference
from netwright.types import Architecture, Value

FACTORS = (0.75, 0.5, 0.35, 0.25, 0.15, 0.1, 0.0)
"""Of all sizes; the last takes the smallest of each."""


def admitted(
    designs: Mapping[str, Architecture],
    smaller: Callable[[str], Iterator[tuple[str, Architecture]]],
    admits: Callable[[Architecture], bool],
) -> tuple[Reference, ...]:
    """Those that are not admitted, in the first smaller form that is.

    Args:
        designs: by name.
        smaller: gives the forms of a design by its name, the largest first, each with what is added to the name.
        admits: whether a network may be proposed, such as `SearchSpace.admits`.

    Returns:
        One of each; none of one of which no form is admitted, or only what is there already.
    """
    found: list[Reference] = []
    known = set(designs.values())
    for name, architecture in designs.items():
        if admits(architecture):
            continue
        for suffix, made in smaller(name):
            if made not in known and admits(made):
                known.add(made)
                found.append(Reference(f"{name}-{suffix}", made))
                break
    return tuple(found)


def narrowed(
    space: SearchSpace,
    references: Sequence[Reference],
    admits: Callable[[Architecture], bool],
    sizes: Collection[str],
    depths: Collection[str] = (),
) -> tuple[Reference, ...]:
    """Those that are not admitted, made smaller until they are.

    Args:
        space: what they are points of.
        references: hand-made networks.
        admits: whether a network may be proposed.
        sizes: names of the choices that are made smaller, among several numbers or between two.
        depths: the same, of those that are made smaller only where that is not enough.

    Returns:
        The largest admitted one of each, with the factor in its name; none of one of which no size is admitted.
    """
    designs = {reference.name: reference.architecture for reference in references}

    def smaller(design: str) -> Iterator[tuple[str, Architecture]]:
        for names, factor in product((sizes, (*sizes, *depths)), FACTORS):
            decisions = dict(designs[design])
            for name in names:
                if name in decisions:
                    decisions[name] = _smaller(space.choices[name], decisions[name], factor)
            yield f"x{factor:g}", space.architecture(decisions, drop_inactive=True)

    return admitted(designs, smaller, admits)


def _smaller(choice: Choice, value: Value, factor: float) -> Value:
    """The allowed size nearest to a part of one, and not above it."""
    if not isinstance(value, (int, float)):
        return value
    domain, wanted = choice.domain, factor * value
    if isinstance(domain, Categorical):
        numbers = [v for v in domain.values if isinstance(v, (int, float)) and v <= value]
        return min(numbers, key=lambda v: abs(v - wanted), default=value)
    low = getattr(domain, "low", value)
    return max(int(low), round(wanted)) if isinstance(low, int) else value

"""Strategies as they are named for a comparison: a label, a name or a factory, and options.

``evolution:population=50,tournament=10`` is the strategy ``evolution`` with two options. Knows no benchmark beyond its
space and its fidelities.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from netwright.comparison.settings import Rules
from netwright.errors import UsageError, wrong
from netwright.strategies import STRATEGIES, Strategy, make_strategy
from netwright.types import Fidelity

if TYPE_CHECKING:
    from netwright.space import SearchSpace

Option = bool | int | float | str
Factory = Callable[..., Strategy]
"""Makes a strategy from ``(space, *, seed, objectives, constraints)``; a strategy class is one."""

GIVEN = frozenset({"space", "seed", "objectives", "constraints", "initial", "fidelities"})
"""Arguments a comparison sets, the same for all."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A strategy in a comparison.

    Args:
        label: how it is called in the results; unique.
        strategy: a name that `netwright.strategies.make_strategy` knows, or what makes a strategy.
        options: further arguments of the strategy.
    """

    label: str
    strategy: str | Factory
    options: tuple[tuple[str, Option], ...] = ()

    @property
    def name(self) -> str:
        """Name of the strategy, or of what makes it."""
        return self.strategy if isinstance(self.strategy, str) else getattr(self.strategy, "__name__", self.label)

    def make(self, space: SearchSpace, fidelities: Sequence[Fidelity], rules: Rules, seed: int) -> Strategy:
        """Make the strategy for one search.

        Args:
            space: where to search.
            fidelities: the benchmark's; given to a strategy that has an argument of that name.
            rules: objectives and limits.
            seed: of the search.
        """
        extra: dict[str, Any] = dict(self.options)  # a strategy's own checks refuse what it does not take
        given: dict[str, Any] = {"seed": seed, "objectives": rules.objectives, "constraints": rules.constraints}
        factory = STRATEGIES.get(self.strategy) if isinstance(self.strategy, str) else self.strategy
        if factory is not None and "fidelities" in signature(factory).parameters:
            extra["fidelities"] = tuple(fidelities)
        if isinstance(self.strategy, str):
            return make_strategy(self.strategy, space, **given, **extra)
        return self.strategy(space, **given, **extra)


def parse_strategies(texts: Iterable[str]) -> tuple[Contestant, ...]:
    """Read strategies as they are typed: by commas, options after a colon.

    Raises:
        UsageError: there is none, or a text is none.

    Example:
        >>> [c.label for c in parse_strategies(["random,evolution:population=50,tournament=10,random"])]
        ['random', 'evolution:population=50,tournament=10', 'random#2']
    """
    found: list[tuple[str, dict[str, Option]]] = []
    for part in (part.strip() for text in texts for part in text.split(",")):
        head, colon, option = part.partition(":")
        if "=" in head:  # a further option of the strategy before it
            if not found:
                raise UsageError(wrong("strategy", part, "a name before its options", "write name:option=value"))
            colon, option = ":", part
        elif head:
            found.append((head, {}))
        else:
            raise UsageError(wrong("strategy", part, "a name, or name:option=value,option=value"))
        if colon:
            name, options = found[-1]
            options.update([_option(name, option, options)])
    return named([(_label(name, options), name, options) for name, options in found])


def named(entries: Sequence[tuple[str, str | Factory, Mapping[str, Option]]]) -> tuple[Contestant, ...]:
    """Make contestants, each label once: the second ``random`` becomes ``random#2``.

    Raises:
        UsageError: there is none.
    """
    if not entries:
        raise UsageError(wrong("strategies", [], "at least one", "name some: random,local"))
    used: set[str] = set()
    contestants = []
    for label, strategy, options in entries:
        unique, number = label, 1
        while unique in used:
            number += 1
            unique = f"{label}#{number}"
        used.add(unique)
        contestants.append(Contestant(unique, strategy, tuple(options.items())))
    return tuple(contestants)


def require_usable(
    contestants: Iterable[Contestant], space: SearchSpace, fidelities: Sequence[Fidelity], rules: Rules
) -> None:
    """Make each strategy once, so that what cannot be made is refused before anything runs.

    Raises:
        UsageError: an unknown name or option, a value a strategy does not take, a space it cannot search.
    """
    for contestant in contestants:
        for option, _ in contestant.options:
            if option in GIVEN:
                cure = "a comparison sets it for all strategies alike"
                raise UsageError(f"the option {option!r} of the strategy {contestant.label!r} cannot be given; {cure}")
        try:
            made = contestant.make(space, fidelities, rules, seed=0)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the strategy {contestant.label!r} cannot be made of its options: {error}") from error
        if not isinstance(made, Strategy):
            raise UsageError(wrong(f"the strategy {contestant.label!r}", made, "an object with ask and tell"))


def _option(strategy: str, text: str, known: Mapping[str, Option]) -> tuple[str, Option]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise UsageError(wrong(f"option of the strategy {strategy!r}", text, "written as option=value"))
    if key in known:
        raise UsageError(wrong(f"option {key} of the strategy {strategy!r}", text, "given once"))
    return key, _value(value)


def _value(text: str) -> Option:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def _label(name: str, options: Mapping[str, Option]) -> str:
    return f"{name}:{','.join(f'{key}={_text(value)}' for key, value in options.items())}" if options else name


def _text(value: Option) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)

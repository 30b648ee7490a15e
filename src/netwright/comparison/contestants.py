"""Strategies as they are named for a comparison: a label, a name or a factory, and options.

``evolution:population=50,tournament=10`` is the strategy ``evolution`` with two options. Knows no benchmark beyond its
space and its fidelities.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

from netwright.benchmarks.base import Benchmark, NotInBenchmark
from netwright.comparison.settings import Rules
from netwright.errors import UsageError, wrong
from netwright.strategies import STRATEGIES, Strategy, make_strategy
from netwright.types import Architecture

Option = bool | int | float | str
Factory = Callable[..., Strategy]
"""Makes a strategy from ``(space, *, seed, objectives, constraints)``; a strategy class is one."""

GIVEN = frozenset({"space", "seed", "objectives", "constraints", "initial", "fidelities", "scores", "num_trials"})
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

    def make(self, benchmark: Benchmark, rules: Rules, seed: int) -> Strategy:
        """Make the strategy for one search.

        A strategy that has arguments of these names is given the ``fidelities`` of the benchmark, the ``scores`` that
        the rules allow to be read without a query, and how many evaluations there will be (``num_trials``).

        Args:
            benchmark: where to search.
            rules: objectives and limits.
            seed: of the search.
        """
        extra: dict[str, Any] = dict(self.options)  # a strategy's own checks refuse what it does not take
        given: dict[str, Any] = {"seed": seed, "objectives": rules.objectives, "constraints": rules.constraints}
        factory = STRATEGIES.get(self.strategy) if isinstance(self.strategy, str) else self.strategy
        offered = {
            "fidelities": tuple(benchmark.fidelities),
            "scores": scores_of(benchmark, rules) if rules.proxies else None,
            "num_trials": rules.queries,
        }
        if factory is not None:
            known = signature(factory).parameters
            extra.update((name, value) for name, value in offered.items() if name in known)
        if isinstance(self.strategy, str):
            return make_strategy(self.strategy, benchmark.space, **given, **extra)
        return self.strategy(benchmark.space, **given, **extra)


def scores_of(benchmark: Benchmark, rules: Rules) -> Callable[[Architecture], dict[str, float]]:
    """The proxies of an architecture, larger promising more; none of one that is not in the benchmark."""

    def scores(architecture: Architecture) -> dict[str, float]:
        try:
            metrics = benchmark.query(architecture)
        except NotInBenchmark:
            metrics = {}
        return {proxy.metric: -proxy.sign * metrics.get(proxy.metric, math.nan) for proxy in rules.proxies}

    return scores


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


def require_usable(contestants: Iterable[Contestant], benchmark: Benchmark, rules: Rules) -> None:
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
            made = contestant.make(benchmark, rules, seed=0)
        except (TypeError, ValueError) as error:
            reason = _no_number(contestant) or error
            raise UsageError(f"the strategy {contestant.label!r} cannot be made of its options: {reason}") from error
        if not isinstance(made, Strategy):
            raise UsageError(wrong(f"the strategy {contestant.label!r}", made, "an object with ask and tell"))


def _no_number(contestant: Contestant) -> str:
    """Which option is text where the strategy has a number, if one is."""
    factory = STRATEGIES.get(contestant.strategy) if isinstance(contestant.strategy, str) else contestant.strategy
    known = signature(factory).parameters if factory is not None else {}
    for option, value in contestant.options:
        default = known[option].default if option in known else None
        if isinstance(value, str) and isinstance(default, (int, float)):
            return wrong(option, value, f"a number, such as {default}")
    return ""


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

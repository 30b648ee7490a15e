"""The conformance suite of search strategies, for authors of plug-ins.

Each check takes a factory ``(space, seed) -> strategy`` and a space, and raises `AssertionError` with what is wrong
and why it matters. To check a strategy with several objectives or constraints, give a factory that sets them: the
made-up trials have the metrics ``accuracy``, ``loss``, ``params`` and ``latency_ms``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np

from netwright.errors import UsageError
from netwright.space.search_space import SearchSpace
from netwright.strategies.base import Exhausted, Strategy
from netwright.testing.process import check_hash_seed
from netwright.testing.simulation import Simulation, synthetic_metrics
from netwright.testing.spaces import example_spaces
from netwright.types import Architecture, Fidelity, Metrics, TrialState

StrategyFactory = Callable[[SearchSpace, int], Strategy]
Check = Callable[[StrategyFactory, SearchSpace], None]

NUM_TRIALS = 32
"""Long enough that strategies with a first population of 20 are well past it."""

SMALL = 500
"""Spaces of at most so many architectures are searched until they are exhausted."""


def check_strategy(
    factory: StrategyFactory,
    *,
    spaces: Mapping[str, SearchSpace] | None = None,
    other_process: bool = True,
    uses_seed: bool = True,
    by_function: bool = True,
) -> None:
    """Run every check on every space.

    Args:
        factory: makes a strategy for a space and a seed.
        spaces: what to search, by name; by default `example_spaces`.
        other_process: also run in fresh interpreters with other hash seeds; the factory has to be importable by name
            (a function of a module, not a lambda), and the default spaces are used.
        uses_seed: whether different seeds give different searches; false for a strategy without randomness.
        by_function: isomorphic architectures count as one, of which a second is a duplicate; false for a search after
            more than what a network computes, such as a front of accuracy and latency.

    Raises:
        AssertionError: a check failed; the message says which, on which space, and what was seen.

    Example:
        >>> from netwright.strategies import RandomSearch
        >>> from netwright.testing.spaces import tiny_space
        >>> check_strategy(lambda space, seed: RandomSearch(space, seed=seed), spaces={"tiny": tiny_space()},
        ...                other_process=False)
    """
    for name, space in (example_spaces() if spaces is None else spaces).items():
        looked_at = space if by_function else cast(SearchSpace, ByArchitecture(space))
        for check in CHECKS:
            if check is check_seeds_differ and not uses_seed:
                continue
            try:
                check(factory, looked_at)
            except AssertionError as error:
                raise AssertionError(f"{check.__name__} on the space {name!r}: {error}") from error
    if other_process:
        check_hash_seed(factory)


class ByArchitecture:
    """A space in which no two architectures are the same network.

    Args:
        space: everything else is its.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    def canonical_id(self, arch: Architecture) -> str:
        """The architecture's own id."""
        return arch.id

    def __getattr__(self, name: str) -> object:
        return getattr(self._space, name)


def check_protocol(factory: StrategyFactory, space: SearchSpace) -> None:
    """It has ask and tell, keeps to the number asked for, stays in the space, and goes on; batches of 1, 3, 16."""
    assert isinstance(factory(space, 0), Strategy), "a strategy has the methods ask(n) and tell(trials)"
    for batch in (1, 3, 16):
        simulation = Simulation(factory(space, 0), space).run(NUM_TRIALS, batch)
        assert simulation.asked, f"nothing was proposed for batches of {batch}"


def check_determinism(factory: StrategyFactory, space: SearchSpace) -> None:
    """The same seed gives the same proposals, whatever the global random states, which stay as they were."""
    saved = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global state is what is checked
    try:
        traces = []
        for poison in (1, 2):
            random.seed(poison)
            np.random.seed(poison)  # noqa: NPY002
            before = _global_state()
            traces.append(Simulation(factory(space, 7), space).run(NUM_TRIALS, 2).trace())
            used = "the global random state was used; draw from np.random.default_rng(seed) instead"
            assert before == _global_state(), used
        _same(traces[0], traces[1], "two runs with the same seed differ")
    finally:
        random.setstate(saved[0])
        np.random.set_state(saved[1])  # noqa: NPY002


def _global_state() -> tuple[object, list[int], int]:
    _, key, place, *_ = np.random.get_state(legacy=True)  # noqa: NPY002
    return random.getstate(), np.asarray(key).tolist(), int(place)


def check_seeds_differ(factory: StrategyFactory, space: SearchSpace) -> None:
    """Among five seeds at least two give different searches."""
    if space.count() == 1:
        return
    traces = {tuple(Simulation(factory(space, seed), space).run(NUM_TRIALS).trace()) for seed in range(5)}
    assert len(traces) > 1, "five different seeds gave one search; the seed is not used"


def check_replay(factory: StrategyFactory, space: SearchSpace) -> None:
    """A new strategy that gets the history again goes on exactly as the uninterrupted one."""
    whole = Simulation(factory(space, 3), space).run(NUM_TRIALS, 3)
    for stop in (1, NUM_TRIALS // 3, NUM_TRIALS - 6):
        resumed = Simulation(factory(space, 3), space).run(stop - stop % 3, 3)
        _same(whole.trace()[: len(resumed.asked)], resumed.trace(), f"the replay of {stop} trials differs")
        _same(whole.trace(), resumed.run(NUM_TRIALS, 3).trace(), f"resumed after {stop} trials it differs")


def check_grouping(factory: StrategyFactory, space: SearchSpace) -> None:
    """Trials told together or one by one, in the same order, lead to the same proposals."""
    together, single = (Simulation(factory(space, 5), space) for _ in range(2))
    for _ in range(NUM_TRIALS // 4):
        together.tell(together.ask(4))
        for trial_id in single.ask(4):
            single.tell([trial_id])
    _same(together.trace(), single.trace(), "trials told in one call or in several lead to different proposals")


def check_any_order(factory: StrategyFactory, space: SearchSpace) -> None:
    """Late and reordered trials are accepted, and pending architectures are not proposed again."""
    rng = np.random.default_rng(0)
    simulation = Simulation(factory(space, 0), space)
    while len(simulation.asked) < NUM_TRIALS and not simulation.exhausted:
        simulation.ask(int(rng.integers(1, 6)))
        ended = rng.permutation(simulation.pending)[: int(rng.integers(0, 6))].tolist()
        simulation.tell(ended or simulation.pending[-1:])
    simulation.tell(simulation.pending[::-1])
    _no_duplicates(simulation)


def check_pending(factory: StrategyFactory, space: SearchSpace) -> None:
    """While nothing is told, it does not fail and does not propose anything twice."""
    simulation = Simulation(factory(space, 0), space)
    for _ in range(8):
        simulation.ask(3)
    simulation.tell(simulation.pending)
    simulation.ask(3)
    _no_duplicates(simulation)


def check_told_once(factory: StrategyFactory, space: SearchSpace) -> None:
    """A trial told a second time is refused with `UsageError`, and the refusal changes nothing."""
    refused, control = (Simulation(factory(space, 2), space) for _ in range(2))
    for simulation in (refused, control):
        simulation.run(4, 2)
    new = refused.ask(1), control.ask(1)
    doubled = refused.told[-1]
    for batch in ([doubled], [refused.trial(i) for i in new[0]] + [doubled]):
        try:
            refused.strategy.tell(batch)
        except UsageError:
            continue
        raise AssertionError(f"trial {doubled.id} was told twice and accepted; raise UsageError before anything else")
    try:
        refused.tell(new[0])
    except UsageError as error:
        raise AssertionError(
            f"a refused tell took the first of its trials in, all or none is right: {error}"
        ) from error
    control.tell(new[1])
    _same(control.run(20).trace(), refused.run(20).trace(), "a refused tell changed what is proposed")


def check_bad_trials(factory: StrategyFactory, space: SearchSpace) -> None:
    """It goes on when all trials fail, are infeasible, or report NaN; NaN in a metric is a failure."""
    for state in (TrialState.FAILED, TrialState.INFEASIBLE):
        for batch in (1, 4):
            Simulation(factory(space, 0), space, state=state).run(NUM_TRIALS, batch)

    failed = Simulation(factory(space, 1), space, state=TrialState.FAILED).run(NUM_TRIALS)
    nan = Simulation(factory(space, 1), space, evaluate=_nan_metrics).run(NUM_TRIALS)
    _same(failed.trace(), nan.trace(), "trials that report NaN are not treated as failed ones")


def _nan_metrics(architecture: Architecture, fidelity: Fidelity) -> Metrics:
    return dict.fromkeys(synthetic_metrics(architecture, fidelity), math.nan)


def check_warm_start(factory: StrategyFactory, space: SearchSpace) -> None:
    """Trials nobody asked for are accepted, and not proposed again at the same fidelity while there are new ones."""
    source = Simulation(factory(space, 11), space).run(5)
    warm = Simulation(factory(space, 12), space)
    warm.asked.extend(source.asked)
    warm.pending.extend(range(len(source.asked)))
    warm.tell(list(warm.pending))
    warm.run(NUM_TRIALS)
    _no_duplicates(warm)


def check_no_duplicates(factory: StrategyFactory, space: SearchSpace) -> None:
    """No architecture is proposed twice at a fidelity while new ones exist, and isomorphic ones count as the same."""
    _no_duplicates(Simulation(factory(space, 0), space).run(NUM_TRIALS, 2))


def check_exhaustion(factory: StrategyFactory, space: SearchSpace) -> None:
    """A small space is covered, and then `Exhausted` is raised, again and again; an infinite one is never exhausted."""
    if space.count() > SMALL:
        simulation = Simulation(factory(space, 0), space).run(NUM_TRIALS)
        assert not simulation.exhausted, f"Exhausted after {len(simulation.asked)} of {space.count()} architectures"
        return
    everything = {space.canonical_id(a) for a in space.enumerate()}
    for batch in (1, 5):
        simulation = Simulation(factory(space, 0), space).run(10 * len(everything) + 100, batch)
        assert simulation.exhausted, f"Exhausted was not raised in {len(simulation.asked)} proposals"
        missed = len(everything) - len({space.canonical_id(p.architecture) for p in simulation.asked})
        assert missed == 0, f"Exhausted was raised while {missed} of {len(everything)} architectures were new"
        try:
            simulation.strategy.ask(1)
        except Exhausted:
            continue
        raise AssertionError("after Exhausted was raised, ask proposed again")


def _no_duplicates(simulation: Simulation) -> None:
    space = simulation.space
    num_architectures = _num_canonical(space)
    seen: dict[tuple[str, Fidelity], Architecture] = {}
    canonical_ids: set[str] = set()
    for proposal in simulation.asked:
        key = space.canonical_id(proposal.architecture), proposal.fidelity
        if key in seen and len(canonical_ids) < num_architectures:
            pair = f"{seen[key]!r} and {proposal.architecture!r}"
            raise AssertionError(f"proposed twice while new architectures exist: {pair} are the same network")
        seen[key] = proposal.architecture
        canonical_ids.add(key[0])


def _num_canonical(space: SearchSpace) -> float:
    """How many architectures differ up to isomorphism; infinity where counting them would take long."""
    return len({space.canonical_id(a) for a in space.enumerate()}) if space.count() <= SMALL else math.inf


def _same(expected: Sequence[str], actual: Sequence[str], problem: str) -> None:
    for place, (a, b) in enumerate(zip(expected, actual, strict=False)):
        assert a == b, f"{problem}: at proposal {place}, {a} against {b}"
    assert len(expected) == len(actual), f"{problem}: {len(expected)} proposals against {len(actual)}"


CHECKS: Sequence[Check] = (
    check_protocol,
    check_determinism,
    check_seeds_differ,
    check_replay,
    check_grouping,
    check_any_order,
    check_pending,
    check_told_once,
    check_bad_trials,
    check_warm_start,
    check_no_duplicates,
    check_exhaustion,
)

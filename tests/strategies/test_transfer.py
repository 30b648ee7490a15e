"""Transfer: what like studies save, what unlike ones cost, and what happens without any."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.space import SearchSpace, integer
from netwright.strategies import BayesianOptimization, RandomSearch
from netwright.strategies.earlier_studies import EarlierStudy
from netwright.strategies.transfer import Transfer
from netwright.testing import Simulation, cell_space, check_strategy, example_spaces
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

SPACES = example_spaces()
TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)


@lru_cache(maxsize=16)
def earlier(space: SearchSpace, seed: int = 5) -> list[Trial]:
    return Simulation(RandomSearch(space, seed=seed), space).run(30).told


def transfer(space: SearchSpace, seed: int) -> Transfer:
    return Transfer(space, seed=seed, earlier=[EarlierStudy("first", tuple(earlier(space)))])


def transfer_two(space: SearchSpace, seed: int) -> Transfer:
    studies = [earlier(space), earlier(space, 6)]
    return Transfer(space, seed=seed, objectives=TWO, constraints=LIMITS, earlier=studies)


def test_transfer_keeps_the_protocol() -> None:
    """It passes the suite; larger spaces are slow."""
    check_strategy(transfer, spaces={"tiny": SPACES["tiny"]}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("factory", [transfer, transfer_two])
@pytest.mark.parametrize("space", ["nested", "mixed", "small_cell", "cell"])
def test_transfer_keeps_the_protocol_on_larger_spaces(factory: object, space: str) -> None:
    """It passes the suite on every space, with one objective and with two and a limit."""
    by_function = factory is transfer  # for a front, isomorphic networks differ
    check_strategy(
        factory,  # type: ignore[arg-type]
        spaces={space: SPACES[space]},
        other_process=False,
        by_function=by_function,
    )


def test_without_earlier_studies_it_is_bayesian_optimisation() -> None:
    """Nothing earlier, or nothing of use, gives the same search."""
    space = cell_space()
    useless = [EarlierStudy("other", tuple(earlier(SPACES["tiny"])))]
    expected = Simulation(BayesianOptimization(space, seed=3), space).run(12).trace()
    for studies in ([], useless):
        strategy = Transfer(space, seed=3, earlier=studies)
        assert expected == Simulation(strategy, space).run(12).trace()
        assert strategy.num_lessons == 0


def test_what_was_left_out_is_told() -> None:
    """Trials of another space are counted, study by study."""
    studies = [earlier(cell_space()), earlier(SPACES["tiny"])]
    strategy = Transfer(cell_space(), earlier=studies)
    assert [("study 0", 0), ("study 1", 6)] == [(s.name, s.num_left_out) for s in strategy.carried]
    assert strategy.num_lessons == 1


def test_the_best_of_an_earlier_study_comes_first() -> None:
    """Behind what is to be proposed first in any case."""
    space = cell_space()
    first = space.sample(np.random.default_rng(7))
    asked = Transfer(space, earlier=[earlier(space)], initial=[first]).ask(2)
    best = max(earlier(space), key=lambda trial: trial.metrics["accuracy"]).architecture
    assert [first, best] == [p.architecture for p in asked]


def test_a_like_study_is_trusted_and_an_inverted_one_is_not() -> None:
    """After fifteen trials the weight is on the side of the study that says the same."""
    space = cell_space()
    like = earlier(space)
    inverted = [
        Trial(t.id, t.proposal, 0, t.state, {"accuracy": -t.metrics["accuracy"]}) for t in earlier(space, seed=6)
    ]
    strategy = Transfer(space, earlier=[like, inverted])
    Simulation(strategy, space).run(15)
    assert strategy.weights[0] > strategy.weights[1]
    assert strategy.weights[1] < 0.05


def test_wrong_arguments_are_refused() -> None:
    """A portfolio has no negative size."""
    with pytest.raises(UsageError, match="num_portfolio must be >= 0, got -1"):
        Transfer(cell_space(), num_portfolio=-1)


@pytest.mark.slow
def test_like_studies_save_queries_and_unlike_ones_hardly_cost_any(shared_data: Path) -> None:
    """CIFAR-100 after a study of CIFAR-10: half of the queries; permuted or inverted: at most a tenth more, 60 seeds.

    The tenth is tested against the interval of the difference, since sixty seeds tell it to about four queries only.
    """
    tables = {name: _table(shared_data, name) for name in ("cifar10", "cifar100")}
    queries = {kind: _queries(tables, kind) for kind in ("none", "like", "permuted", "inverted")}
    assert queries["like"].mean() <= 0.5 * queries["none"].mean()
    for kind in ("permuted", "inverted"):
        more = queries[kind] - 1.1 * queries["none"]
        assert more.mean() <= 1.64 * more.std(ddof=1) / np.sqrt(len(more))


def _table(folder: Path, dataset: str) -> dict[Architecture, float]:
    with np.load(folder / "nasbench201" / "nasbench201.npz") as arrays:
        names, rows = [str(n) for n in arrays["op_names"]], arrays["ops"].tolist()
        scores = arrays[f"{dataset}__test_200"].tolist()
    architectures = [Architecture({f"edge{i}": names[op] for i, op in enumerate(ops)}) for ops in rows]
    return dict(zip(architectures, scores, strict=True))


def _queries(tables: dict[str, dict[Architecture, float]], kind: str) -> np.ndarray:
    """Queries to the optimum of CIFAR-100, at most 100, for each seed."""
    space, present, counts = cell_space(), tables["cifar100"], []
    optimum = max(present.values())
    for seed in range(60):
        studies = [] if kind == "none" else [_study(space, tables["cifar10"], kind, seed)]
        simulation = Simulation(
            Transfer(space, seed=seed, earlier=studies), space, lambda a, _: {"accuracy": present[a]}
        )
        while len(simulation.asked) < 100 and optimum not in {present[p.architecture] for p in simulation.asked}:
            simulation.tell(simulation.ask())
        counts.append(len(simulation.asked))
    return np.array(counts)


def _study(space: SearchSpace, table: dict[Architecture, float], kind: str, seed: int) -> list[Trial]:
    sign = -1 if kind == "inverted" else 1
    asked = Simulation(RandomSearch(space, seed=1_000 + seed), space).run(150).told
    scores = np.array([sign * table[t.architecture] for t in asked])
    if kind == "permuted":
        scores = np.random.default_rng(seed).permutation(scores)
    return [Trial(t.id, t.proposal, 0, t.state, {"accuracy": s}) for t, s in zip(asked, scores.tolist(), strict=True)]


def test_the_longest_trainings_of_an_earlier_study_say_what_is_tried_first() -> None:
    """Not the shortest ones, which most networks had and which rank them the other way round here."""
    space = SearchSpace(training={"width": integer("width", 1, 30)})

    def trial(number: int, width: int, epochs: float, accuracy: float) -> Trial:
        proposal = Proposal(Architecture({"width": width}), Fidelity(epochs))
        return Trial(number, proposal, 0, TrialState.FINISHED, {"accuracy": accuracy})

    short = [trial(n, n + 1, 1.0, 0.9 - n / 100) for n in range(20)]
    longer = [trial(20 + n, width, 9.0, 0.80 + width / 1000) for n, width in enumerate((3, 5, 6))]
    finals = [trial(30, 5, 27.0, 0.93), trial(31, 6, 27.0, 0.95)]
    study = [*short, *longer, *finals]
    asked = Transfer(space, earlier=[study]).ask(3)
    assert [6, 5, 3] == [p.architecture["width"] for p in asked]
    assert {"earlier study"} == {p.origin for p in asked}
    both = Transfer(space, earlier=[study, [*short, trial(20, 8, 27.0, 0.5)]]).ask(3)
    assert [6, 8, 5] == [p.architecture["width"] for p in both]
    alone = Transfer(space, earlier=[short], num_portfolio=3).ask(2)
    assert [True, False] == [p.origin == "earlier study" for p in alone]

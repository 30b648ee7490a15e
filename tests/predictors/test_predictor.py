"""The facade: it learns, goes on learning, tells intervals, and says what is wrong with what it is given."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from netwright.benchmarks import load_benchmark
from netwright.benchmarks.table import Table
from netwright.errors import MissingDependencyError, SpaceError, UsageError
from netwright.predictors import boosted_trees
from netwright.predictors.predictor import KINDS, AccuracyPredictor, Predictor
from netwright.testing import cell_space, example_spaces
from netwright.types import Architecture

pytest.importorskip("sklearn")

SPACE = cell_space()


def drawn(count: int, seed: int = 0) -> list[Architecture]:
    """Different cells."""
    rng = np.random.default_rng(seed)
    found: dict[Architecture, None] = {}
    while len(found) < count:
        found[SPACE.sample(rng)] = None
    return list(found)


def score(cell: Architecture) -> float:
    """Convolutions are good, more so beside the way that leads through the last edge."""
    convs = sum(value == "nor_conv_3x3" for value in cell.values())
    return 0.6 + 0.05 * convs + 0.05 * (cell["edge5"] == "nor_conv_1x1") * convs


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    return drawn(160)


def fitted(kind: str, cells: list[Architecture], count: int = 60, seed: int = 0) -> Predictor:
    predictor = Predictor(SPACE, kind=kind, seed=seed)
    predictor.fit(cells[:count], [score(cell) for cell in cells[:count]])
    return predictor


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_ranks_what_it_has_not_seen(kind: str, cells: list[Architecture]) -> None:
    """After 60 cells Kendall's tau over 100 others is above 0.6, and most of them are inside their intervals."""
    told = fitted(kind, cells).predict(cells[60:])
    truth = np.array([score(cell) for cell in cells[60:]])
    assert kendalltau(told.mean, truth).statistic > 0.6
    assert np.mean((told.lower <= truth) & (truth <= told.upper)) > 0.75
    assert (told.lower < told.mean).all()
    assert (told.mean < told.upper).all()


def test_it_fulfils_the_protocol() -> None:
    """The facade is an `AccuracyPredictor`."""
    assert isinstance(Predictor(SPACE), AccuracyPredictor)


def test_the_seed_decides_all(cells: list[Architecture]) -> None:
    """Equal seeds predict the same, others do not."""
    told = [fitted("forest", cells, 20, seed).predict(cells[60:80]).mean.tolist() for seed in (3, 3, 4)]
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_updates_are_what_one_fit_is(cells: list[Architecture]) -> None:
    """Trials that come one by one teach what all of them at once do, also after a prediction between."""
    predictor = Predictor(SPACE, kind="process")
    for place, cell in enumerate(cells[:30]):
        predictor.update([cell], [score(cell)])
        if place == 20:
            predictor.predict(cells[60:61])
    assert 30 == len(predictor)
    expected = fitted("process", cells, 30).predict(cells[60:80])
    assert expected.mean.tolist() == predictor.predict(cells[60:80]).mean.tolist()


def test_fitting_forgets(cells: list[Architecture]) -> None:
    """A second fit is as the first of a new predictor."""
    predictor = fitted("process", cells, 40)
    predictor.fit(cells[40:60], [score(cell) for cell in cells[40:60]])
    fresh = Predictor(SPACE, kind="process")
    fresh.fit(cells[40:60], [score(cell) for cell in cells[40:60]])
    assert fresh.predict(cells[:9]).upper.tolist() == predictor.predict(cells[:9]).upper.tolist()


def test_twins_are_one_observation() -> None:
    """A network under two names, with two values, teaches their mean: both names are predicted alike."""
    rng = np.random.default_rng(0)
    by_network: dict[str, list[Architecture]] = {}
    for _ in range(300):
        cell = SPACE.sample(rng)
        by_network.setdefault(SPACE.canonical_id(cell), []).append(cell)
    twins = next(list(dict.fromkeys(c)) for c in by_network.values() if len(set(c)) > 1)[:2]
    others = [c[0] for c in by_network.values() if c[0] not in twins][:20]
    values = [score(cell) for cell in others]
    two, one = Predictor(SPACE, kind="process"), Predictor(SPACE, kind="process")
    two.fit([*twins, *others], [0.2, 0.4, *values])
    one.fit([twins[0], *others], [0.3, *values])
    assert one.predict(others).mean == pytest.approx(two.predict(others).mean)


def test_intervals_grow_with_the_coverage(cells: list[Architecture]) -> None:
    """A 50 % interval lies inside the 90 % one; with 60 observations there is none of 99.9 %."""
    predictor = fitted("process", cells)
    half, most, too_much = (predictor.predict(cells[60:70], share) for share in (0.5, 0.9, 0.999))
    assert (most.lower < half.lower).all()
    assert (half.upper < most.upper).all()
    assert np.isneginf(too_much.lower).all()
    assert np.isposinf(too_much.upper).all()


@pytest.mark.parametrize("name", example_spaces())
def test_every_space_can_be_learnt(name: str) -> None:
    """Also one without a network, and one of six architectures."""
    space, rng = example_spaces()[name], np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(25)]
    predictor = Predictor(space, kind="process")
    predictor.fit(architectures, rng.normal(size=25))
    assert np.isfinite(predictor.predict(architectures).mean).all()


@pytest.mark.parametrize("kind", ["process", "forest"])
def test_equal_values_are_predicted(kind: str, cells: list[Architecture]) -> None:
    """Where all scored the same, that is what is expected."""
    predictor = Predictor(SPACE, kind=kind)
    predictor.fit(cells[:12], [0.5] * 12)
    assert [0.5] * 5 == pytest.approx(predictor.predict(cells[60:65]).mean.tolist())


def test_nothing_is_predicted_for_nothing(cells: list[Architecture]) -> None:
    """No architectures, no numbers."""
    assert (0,) == fitted("forest", cells, 12).predict([]).mean.shape


def test_scores_help_where_they_tell_the_truth(cells: list[Architecture]) -> None:
    """A score that is the truth makes twelve observations enough; where it is no number, others still are."""

    def scores(cell: Architecture) -> dict[str, float]:
        return {"truth": math.nan if cell["edge0"] == "none" else score(cell), "never": math.nan, "low": -math.inf}

    predictor = Predictor(SPACE, kind="process", scores=scores)
    predictor.fit(cells[:12], [score(cell) for cell in cells[:12]])
    told = [cell for cell in cells[60:] if cell["edge0"] != "none"]
    truth = [score(cell) for cell in told]
    without = kendalltau(fitted("process", cells, 12).predict(told).mean, truth).statistic
    assert kendalltau(predictor.predict(told).mean, truth).statistic > max(0.6, without)


def test_what_is_wrong_is_said(cells: list[Architecture]) -> None:
    """Kinds, values, numbers of them, architectures of other spaces, and too few observations."""
    with pytest.raises(UsageError, match="unknown kind of predictor 'forests'; did you mean 'forest'"):
        Predictor(SPACE, kind="forests")
    with pytest.raises(UsageError, match="seed must be a whole number >= 0, got -1"):
        Predictor(SPACE, seed=-1)
    predictor = Predictor(SPACE)
    with pytest.raises(UsageError, match=r"values\[1\] must be a finite number .* got nan; leave out trials"):
        predictor.fit(cells[:2], [0.1, math.nan])
    with pytest.raises(UsageError, match=r"values must be as many as there are architectures \(2\), got 1"):
        predictor.fit(cells[:2], [0.1])
    with pytest.raises(SpaceError, match="unknown decision 'width'"):
        predictor.update([Architecture({"width": 3})], [0.1])
    with pytest.raises(UsageError, match="observations must be of at least 4, got '3 different networks'"):
        fitted("process", cells, 3).predict(cells[:1])
    with pytest.raises(UsageError, match="scores must be at least one score"):
        Predictor(SPACE, scores=lambda cell: {}).inputs  # noqa: B018 - making them is what fails
    assert 0 == len(predictor)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch, cells: list[Architecture]) -> None:
    """Trees name the extra; the Gaussian process needs none."""
    monkeypatch.setattr(boosted_trees, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'netwright\[predictors\]'"):
        fitted("average", cells, 12).predict(cells[:1])
    assert (1,) == fitted("process", cells, 12).predict(cells[:1]).mean.shape


@pytest.mark.slow
@pytest.mark.parametrize("labels", [50, 100])
def test_nas_bench_201(labels: int, shared_data: Path) -> None:
    """Over 10 seeds the Gaussian process ranks unseen cells of CIFAR-10 with tau .75 and more, and 85 to 95 % hold."""
    table = load_benchmark("nasbench201-cifar10", shared_data)
    assert isinstance(table, Table)
    rng = np.random.default_rng(0)
    cells = list(dict.fromkeys(table.space.sample(rng) for _ in range(800)))
    accuracies = np.array([table.query(cell)["test_accuracy"] for cell in cells])
    networks = np.array([table.space.canonical_id(cell) for cell in cells])
    taus, shares = [], []
    predictor = Predictor(table.space, kind="process")
    for _ in range(10):
        order = rng.permutation(len(cells))
        known = order[:labels]
        others = order[~np.isin(networks[order], networks[known])]
        predictor.fit([cells[i] for i in known], accuracies[known])
        told = predictor.predict([cells[i] for i in others])
        taus.append(kendalltau(told.mean, accuracies[others]).statistic)
        shares.append(np.mean((told.lower <= accuracies[others]) & (accuracies[others] <= told.upper)))
    assert np.mean(taus) > 0.75
    assert 0.85 < np.mean(shares) < 0.95

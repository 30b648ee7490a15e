"""Strategies as they are typed: names, options, labels, and what is wrong with them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from comparison_helpers import Square

from netwright.comparison.contestants import Contestant, named, parse_strategies, require_usable
from netwright.comparison.settings import Settings, make_rules
from netwright.errors import UsageError
from netwright.predictors.score_ranks import Scores
from netwright.space import SearchSpace, real
from netwright.strategies import RandomSearch, RegularizedEvolution


def test_names_and_options_are_read() -> None:
    """Options belong to the strategy before them; values are numbers, flags or text."""
    found = parse_strategies(["random, evolution:population=50,crossover=0.5", "x:flag=true,kind=a:b"])
    assert ["random", "evolution:population=50,crossover=0.5", "x:flag=true,kind=a:b"] == [c.label for c in found]
    assert [(), (("population", 50), ("crossover", 0.5)), (("flag", True), ("kind", "a:b"))] == [
        c.options for c in found
    ]
    assert [str, float] == [type(found[2].options[1][1]), type(found[1].options[1][1])]


def test_labels_are_unique() -> None:
    """Equal ones are counted, and a label that is taken is not given again."""
    assert ["a", "a#2", "a#2#2", "a#3"] == [
        c.label for c in named([(name, name, {}) for name in ("a", "a", "a#2", "a")])
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "strategy must be a name, or name:option=value"),
        ("random,,local", "strategy must be a name, or name:option=value"),
        ("population=5", "strategy must be a name before its options, got 'population=5'"),
        ("evolution:", "option of the strategy 'evolution' must be written as option=value, got ''"),
        ("evolution:population", "must be written as option=value, got 'population'"),
        ("evolution:population=", "must be written as option=value, got 'population='"),
        ("evolution:population=5,population=6", "option population of the strategy 'evolution' must be given once"),
    ],
)
def test_a_text_that_is_no_strategy_is_refused(text: str, message: str) -> None:
    """With what it got."""
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_strategies([text])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("randon", "unknown strategy 'randon'; did you mean 'random'?"),
        (
            "evolution:popluation=5",
            "unknown option of the strategy 'evolution': 'popluation'; did you mean 'population'?",
        ),
        ("evolution:population=5", "population must be >= tournament (10), got 5"),
        ("evolution:population=abc", "cannot be made of its options"),
        ("random:seed=3", "the option 'seed' of the strategy 'random:seed=3' cannot be given"),
    ],
)
def test_a_strategy_that_cannot_be_made_is_refused_before_anything_runs(text: str, message: str) -> None:
    """Each is made once to find out."""
    square = Square()
    with pytest.raises(UsageError, match=re.escape(message)):
        require_usable(parse_strategies([text]), square, make_rules(square, Settings()))


def test_a_strategy_that_cannot_search_the_space_is_refused() -> None:
    """The grid needs a finite space."""
    square = Square()
    square.space = SearchSpace(training={"rate": real("rate", 0.0, 1.0)})
    with pytest.raises(UsageError, match="grid strategy needs a finite search space"):
        require_usable(parse_strategies(["grid"]), square, make_rules(square, Settings()))


def test_what_makes_no_strategy_is_refused() -> None:
    """A factory of something else."""
    square = Square()
    wrong = Contestant("it", lambda space, **_: 3)  # type: ignore[arg-type,return-value]
    with pytest.raises(UsageError, match="the strategy 'it' must be an object with ask and tell"):
        require_usable([wrong], square, make_rules(square, Settings()))


def test_a_class_takes_the_place_of_a_name() -> None:
    """With options, too; its own name is told."""
    square = Square()
    rules = make_rules(square, Settings())
    contestant = Contestant("mine", RegularizedEvolution, (("population", 12),))
    assert "RegularizedEvolution" == contestant.name
    assert isinstance(contestant.make(square, rules, 0), RegularizedEvolution)
    assert isinstance(Contestant("r", RandomSearch).make(square, rules, 0), RandomSearch)


def test_proxies_are_read_without_a_query_and_turned_round_where_less_promises_more() -> None:
    """A strategy that has an argument `scores` gets them; others do not."""
    square = Square()
    rules = make_rules(square, Settings(proxies=("time_s", "latency_ms:min")))
    told: list[dict[str, float]] = []

    def scored(space: SearchSpace, *, scores: Scores, num_trials: int, **given: Any) -> RandomSearch:
        told.append(dict(scores(next(iter(space.enumerate())))))
        told.append({"num_trials": num_trials})
        return RandomSearch(space, **given)

    Contestant("mine", scored).make(square, rules, 0)
    metrics = square.query(next(iter(square.space.enumerate())))
    scores = {"time_s": metrics["time_s"], "latency_ms": -metrics["latency_ms"]}
    assert [scores, {"num_trials": 300}] == told


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("latency", "unknown metric of a proxy 'latency'; did you mean 'latency_ms'?"),
        ("latency_ms:up", "proxy must be a metric, or metric:min"),
        ("accuracy", "proxy must be known before any training"),
    ],
)
def test_a_proxy_that_is_none_is_refused(proxy: str, message: str) -> None:
    """An unknown metric, a direction that is none, and the metric that is searched for."""
    with pytest.raises(UsageError, match=re.escape(message)):
        make_rules(Square(), Settings(proxies=(proxy,)))


def test_a_proxy_is_named_once() -> None:
    """Also where the directions differ."""
    with pytest.raises(UsageError, match="proxy must be named once, got 'time_s'"):
        make_rules(Square(), Settings(proxies=("time_s", "time_s:min")))

"""Whose turn it is: the pool's first, and then as often as its networks prove better than the strategy's."""

from __future__ import annotations

from collections.abc import Callable

from netwright.study.pool_turns import LONGEST_WAIT, NUM_FIRST, PoolTurns
from netwright.types import Architecture


def searched(turns: PoolTurns, num: int, worth: Callable[[bool], float]) -> list[bool]:
    """So many networks, each told before the next is asked for; whether each was the pool's."""
    asked: list[bool] = []
    for number in range(num):
        from_pool = turns.is_the_pools
        asked.append(from_pool)
        network = Architecture({"number": number})
        turns.note(network, from_pool=from_pool)
        turns.learn(network, worth(from_pool))
    return asked


def test_the_pool_is_first_after_what_is_tried_in_any_case() -> None:
    """So that a strategy which would propose at random begins with something better."""
    asked = searched(PoolTurns(num_before=4), 4 + NUM_FIRST + 1, float)
    assert [False] * 4 + [True] * NUM_FIRST + [False] == asked


def test_a_pool_that_is_behind_waits_twice_as_long_each_time() -> None:
    """Of the last hundred of two hundred networks it has two at most."""
    turns = PoolTurns()
    asked = searched(turns, 200, lambda from_pool: 0.0 if from_pool else 1.0)
    assert turns.wait == LONGEST_WAIT
    assert sum(asked[100:]) <= 2


def test_a_pool_that_is_ahead_takes_every_second_turn() -> None:
    turns = PoolTurns()
    asked = searched(turns, 60, float)
    assert (1, 30) == (turns.wait, sum(asked[NUM_FIRST - 1 :]) + 1)


def test_a_pool_that_gets_better_has_its_turns_again() -> None:
    """Half the wait for each network that is ahead."""
    turns = PoolTurns()
    searched(turns, 40, lambda from_pool: 0.0 if from_pool else 1.0)
    waited = turns.wait
    searched(turns, 200, lambda from_pool: 2.0 if from_pool else 1.0)
    assert waited > 1 == turns.wait


def test_only_what_was_chosen_is_compared() -> None:
    """Neither what is tried in any case, nor what was drawn from the pool by chance, nor what nobody asked for."""
    turns = PoolTurns(num_before=5)
    for number in range(20):
        network = Architecture({"number": number})
        if number < 5:
            turns.note(network, from_pool=False)
        elif number % 2:
            turns.note(network, from_pool=True, by_chance=True)
        turns.learn(network, -float(number))
    assert turns.wait == 1


def test_a_pool_that_had_nothing_is_not_asked_first_for_ever() -> None:
    """Where the strategy proposed in its place it waits as usual."""
    turns = PoolTurns()
    assert turns.is_the_pools
    turns.note(Architecture({"number": 0}), from_pool=False)
    turns.note(Architecture({"number": 1}), from_pool=True)
    assert not turns.is_the_pools

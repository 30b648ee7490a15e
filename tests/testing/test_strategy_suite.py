"""The conformance suite of strategies passes what is right and finds what is planted."""

from __future__ import annotations

from functools import partial

import broken_strategies as broken
import pytest

from netwright.errors import UsageError
from netwright.testing import CHECKS, check_hash_seed, check_strategy, example_spaces, tiny_space
from netwright.testing.strategies import StrategyFactory
from netwright.types import Fidelity

TINY = {"tiny": tiny_space()}
SPACES = example_spaces()

PLANTED = [
    (broken.IgnoresSeed, "mixed", "five different seeds gave one search"),
    (broken.EntropyFromTheSystem, "mixed", "two runs with the same seed differ: at proposal 0"),
    (broken.GlobalNumpy, "mixed", "the global random state was used"),
    (broken.SeedsGlobalRandom, "mixed", "the global random state was used"),
    (broken.Outside, "tiny", "a proposal is outside the space: .*extra"),
    (broken.Duplicates, "tiny", "proposed twice while new architectures exist"),
    (broken.IsomorphicDuplicates, "small_cell", "proposed twice while new architectures exist"),
    (broken.ForgetsPending, "tiny", "proposed twice while new architectures exist"),
    (broken.TooMany, "tiny", r"ask\(1\) must return at most 1 proposals, got 2"),
    (broken.GivesUpEarly, "tiny", "Exhausted was raised while 1 of 6 architectures were new"),
    (broken.GivesUpEarly, "cell", "Exhausted after 5 of 15625 architectures"),
    (broken.NeverEnds, "tiny", "Exhausted was not raised in 160 proposals"),
    (broken.EmptyInsteadOfTheEnd, "tiny", "ask may return nothing only while trials are pending"),
    (broken.AcceptsTwice, "tiny", "was told twice and accepted"),
    (broken.RefusesHalfWay, "mixed", "a refused tell took the first of its trials in"),
    (broken.CountsCalls, "mixed", "told in one call or in several lead to different proposals"),
    (broken.LearnsFromNan, "mixed", "trials that report NaN are not treated as failed ones"),
    (broken.OrderMatters, "tiny", "came late"),
    (broken.ForeignTrials, "tiny", "who asked for this"),
    (broken.SharedState, "mixed", "two runs with the same seed differ"),
    (broken.NotAProposal, "tiny", "ask must return Proposal objects, got Architecture"),
    (broken.NoTell, "tiny", r"a strategy has the methods ask\(n\) and tell\(trials\)"),
]


@pytest.mark.parametrize(("bug", "space", "message"), PLANTED, ids=[f"{b.__name__}-{s}" for b, s, _ in PLANTED])
def test_a_planted_bug_is_found(bug: type, space: str, message: str) -> None:
    """Each broken strategy fails the suite, with a message that says what is wrong."""
    with pytest.raises(AssertionError, match=message):
        check_strategy(bug, spaces={space: SPACES[space]}, other_process=False)


def test_an_exception_of_the_strategy_comes_through() -> None:
    """A strategy that fails when all trials failed is found by its own exception."""
    with pytest.raises(ValueError, match="max"):
        check_strategy(broken.NeedsResults, spaces={"mixed": SPACES["mixed"]}, other_process=False)


def test_the_message_names_check_and_space() -> None:
    """A failure says where to look."""
    with pytest.raises(AssertionError, match=r"^check_protocol on the space 'tiny': "):
        check_strategy(broken.Outside, spaces=TINY, other_process=False)


@pytest.mark.parametrize("strategy", [broken.Broken, broken.FidelityOfItsOwn])
def test_what_is_right_passes(strategy: type) -> None:
    """The suite does not cry wolf, nor at an architecture that comes again at another fidelity."""
    check_strategy(strategy, spaces=TINY, other_process=False)


@pytest.mark.long
def test_the_order_of_a_set_is_found_in_other_processes() -> None:
    """What is deterministic within one process and not across processes is found, and what is right passes."""
    check_hash_seed(broken.right)
    with pytest.raises(AssertionError, match=r"depends on PYTHONHASHSEED.*sort what comes from a set"):
        check_hash_seed(broken.set_order)


@pytest.mark.parametrize("factory", [lambda space, seed: broken.Broken(space, seed + 1), partial(broken.Broken)])
def test_a_factory_that_others_cannot_import_is_refused(factory: StrategyFactory) -> None:
    """A lambda or a partial cannot be imported elsewhere; the message says what to do."""
    with pytest.raises(UsageError, match=r"factory must be a function at the top of an importable.*other_process"):
        check_strategy(factory, spaces=TINY)


def test_the_suite_has_every_check_once() -> None:
    """No check is left out of the suite: every public check of a strategy and a space is in it."""
    import netwright.testing.strategies as module

    public = {name for name in dir(module) if name.startswith("check_")} - {"check_strategy", "check_hash_seed"}
    assert public == {check.__name__ for check in CHECKS}
    assert len(CHECKS) == len(public)


def test_made_up_metrics_are_the_same_everywhere() -> None:
    """The made-up objective does not depend on process or platform: one value is written down here."""
    from netwright.testing import synthetic_metrics

    space = tiny_space()
    metrics = synthetic_metrics(space.architecture({"width": 16, "bias": True}), Fidelity(epochs=1))
    assert metrics == {
        "accuracy": 0.9341533345006233,
        "loss": 0.06584666549937668,
        "params": 132405.7144721884,
        "latency_ms": 2.076500636414824,
    }

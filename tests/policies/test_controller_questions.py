"""Choices become questions with few answers, and answers become values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from netwright.policies.controller_questions import MOST, PARTS, Question, Questions, first_from, is_increasing
from netwright.space import Choice, Op, SearchSpace, choice, contains, implies, integer, real, subset
from netwright.space.values import Continuous, Listed, Stepped
from netwright.space.walk import Step
from netwright.types import Value

Answer = Callable[[Question], int]


def first_step(decision: Choice, **more: Choice) -> Step:
    step = SearchSpace(Op("conv", (("a", decision), *more.items()))).walk().step
    assert step is not None
    return step


def asked(questions: Questions, step: Step, answer: Answer, seed: int = 0) -> tuple[list[Question], Value]:
    """The questions about a step, and the value that the answers come to."""
    dialogue, seen = questions.about(step, np.random.default_rng(seed)), []
    try:
        question = next(dialogue)
        while True:
            seen.append(question)
            question = dialogue.send(answer(question))
    except StopIteration as end:
        return seen, end.value


STEPS = {
    "names": first_step(choice("a", ["x", "y", "z"])),
    "numbers": first_step(choice("a", [8, 16, 64])),
    "long list": first_step(choice("a", [float(2**i) for i in range(40)])),
    "range": first_step(integer("a", 1, 10**9)),
    "log range": first_step(integer("a", 1, 10**9, log=True)),
    "steps": first_step(integer("a", 16, 4096, 16)),
    "short log range": first_step(integer("a", 1, 40, log=True)),
    "weighted range": first_step(n := integer("a", 0, 40), b=integer("b", 0, n)),
    "real": first_step(real("a", -1.0, 1.0)),
    "log real": first_step(real("a", 1e-5, 1e-1, log=True)),
    "subset": first_step(subset("a", list(range(60)), 2, 50)),
}


@pytest.mark.parametrize("name", STEPS)
def test_an_answer_is_where_its_value_is_placed(name: str) -> None:
    """Whatever is answered, the value is an option, and each question places it where it was answered."""
    questions, rng = Questions(), np.random.default_rng(0)
    for seed in range(40):
        given: list[int] = []

        def answer(question: Question, given: list[int] = given) -> int:
            given.append(int(rng.integers(len(question.answers))))
            return given[-1]

        seen, value = asked(questions, STEPS[name], answer, seed)
        assert STEPS[name].options.position(value) is not None
        assert [question.place(value) for question in seen] == given


@pytest.mark.parametrize("name", [n for n in STEPS if n != "subset"])
def test_a_choice_is_one_question_of_few_answers(name: str) -> None:
    """There are as many answers as values, or the parts of the range, and chances are those of the values in them."""
    step = STEPS[name]
    seen, _ = asked(Questions(), step, lambda question: 0)
    assert len(seen) == 1
    assert len(seen[0].answers) == len(seen[0].log_weights) <= (MOST if step.options.size <= MOST else PARTS)


def test_parts_are_even_in_the_logarithm() -> None:
    """The first of the 16 parts of 1 to 10**9 ends at 10**(9/16); without log it has a sixteenth of the numbers."""
    (even,), _ = asked(Questions(), STEPS["range"], lambda question: 0)
    (log,), _ = asked(Questions(), STEPS["log range"], lambda question: 0)
    assert (log.place(3), log.place(4), log.place(10**9)) == (0, 1, PARTS - 1)
    assert (even.place(10**9 // 16), even.place(10**9 // 16 + 2)) == (0, 1)
    for question in (even, log):
        assert np.exp(question.log_weights).sum() == pytest.approx(10**9)


def test_parts_without_a_value_are_left_out() -> None:
    """Of 1 to 40 over the logarithm there is nothing between 1.26 and 1.58."""
    (question,), _ = asked(Questions(), STEPS["short log range"], lambda question: 0)
    assert len(question.answers) < PARTS
    assert np.exp(question.log_weights).sum() == pytest.approx(40)


def test_within_a_part_values_are_drawn_by_what_lies_behind_them() -> None:
    """Behind 40 lie 41 architectures and behind 38 lie 39: both come, and a part weighs as much as its values."""
    (question,), _ = asked(Questions(), STEPS["weighted range"], lambda question: 0)
    last = len(question.answers) - 1
    values = {asked(Questions(), STEPS["weighted range"], lambda question: last, seed)[1] for seed in range(30)}
    assert values == {38, 39, 40}
    assert np.exp(question.log_weights[last]) == pytest.approx(39 + 40 + 41)


def test_the_same_value_is_the_same_answer_wherever_it_is_asked_for() -> None:
    """A choice whose values depend on another shares the answers its tables share; other choices share none."""
    width = choice("width", [1, 2])
    kernel = choice("kernel", {1: [3, 5], 2: [5, 7]}, on=width)
    space = SearchSpace(Op("conv", (("width", width), ("kernel", kernel))))
    questions, numbers = Questions(), []
    for value in (1, 2):
        walk = space.walk()
        walk.take(value)
        assert walk.step is not None
        (question,), _ = asked(questions, walk.step, lambda question: 0)
        numbers.append(question.answers.tolist())
    assert numbers == [[0, 1], [1, 2]]
    assert questions.num_answers == 3


def test_what_is_settled_is_not_asked() -> None:
    """Of a subset of two to two of three, the third element follows once the others are decided; 1 option is none."""
    questions = Questions()
    seen, value = asked(questions, first_step(subset("a", ["x", "y", "z"], 2, 2)), lambda question: 0)
    assert (len(seen), value) == (2, ("x", "y"))
    seen, value = asked(questions, first_step(subset("a", ["x", "y", "z"], 2, 2)), lambda question: 1)
    assert (len(seen), value) == (1, ("y", "z"))
    assert asked(questions, first_step(choice("b", [7])), lambda question: 0) == ([], 7)
    assert asked(questions, first_step(real("c", 0.5, 0.5)), lambda question: 0) == ([], 0.5)


def test_elements_of_a_subset_under_a_constraint_are_weighed_by_what_is_left() -> None:
    """X needs y: of the six subsets left of eight, two have x."""
    part = subset("a", ["x", "y", "z"], 0, 3)
    space = SearchSpace(Op("conv", (("a", part),)), constraints=[implies(contains(part, "x"), contains(part, "y"))])
    step = space.walk().step
    assert step is not None
    seen, value = asked(Questions(), step, lambda question: 0)
    assert np.exp(seen[0].log_weights) == pytest.approx([2, 4])
    assert value == ("x", "y", "z")
    assert len(seen) == 2


def test_only_increasing_numbers_are_a_range() -> None:
    """Flags, names and numbers in another order are no range."""
    assert [is_increasing(Listed(v)) for v in ((1, 2.5), (2, 1), (True, 2), ("a", "b"))] == [True, False, False, False]
    assert is_increasing(Stepped(1, 9))
    assert not is_increasing(Continuous(0.0, 1.0))


def test_the_first_value_from_a_bound() -> None:
    """In a range by arithmetic, in a list by bisection; beyond the end it is the number of values."""
    assert [first_from(Stepped(10, 20, 5), bound) for bound in (0, 10, 11, 20, 21)] == [0, 0, 1, 2, 3]
    assert [first_from(Listed((10, 15, 20)), bound) for bound in (0, 10, 11, 20, 21)] == [0, 0, 1, 2, 3]

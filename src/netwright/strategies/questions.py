"""A space as a sequence of plain questions, for optimisers that know categories and numbers only.

A walk through the space asks one question after the other: one of these values, a whole number in these bounds, a real
number in these bounds. A subset is asked for member by member. Whatever the answers, every choice gets a value that
still leads to an architecture; only constraints that hold by rejection may be broken in the end.

Knows no optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from netwright.space.expressions import Integer, Real
from netwright.space.values import Continuous, Listed, Stepped, Subsets
from netwright.types import Architecture, Value, canonical_json, digest, to_json_value

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.space.expressions import Choice
    from netwright.space.walk import Step


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Something with one plain answer.

    Args:
        name: of the choice; of a member of a subset the name and the member.
        options: at least two values.
        log: whether ratios matter rather than differences.
    """

    name: str
    options: Union[Listed, Stepped, Continuous]
    log: bool = False


Answer = Callable[[Question], Value]
"""Gives one of the question's options."""


def ask_for(space: SearchSpace, answer: Answer) -> Architecture | None:
    """Make an architecture of answers; None where they break a constraint that holds by rejection.

    Args:
        space: which choices there are.
        answer: is asked what is not settled by the answers before.
    """
    walk = space.walk()
    while (step := walk.step) is not None:
        walk.take(_decide(step, answer))
    return walk.architecture()


def known_answers(space: SearchSpace, decisions: Mapping[str, Value]) -> Iterator[tuple[Question, Value]]:
    """The questions that lead to an architecture, with their answers, in order.

    Args:
        space: which choices there are.
        decisions: of the architecture, in the space.
    """
    walk = space.walk()
    while (step := walk.step) is not None:
        value = decisions[step.choice.name]
        yield from _asked(step, value)
        walk.take(value)


def _decide(step: Step, answer: Answer) -> Value:
    options = step.options
    if isinstance(options, Subsets):
        return _members(step.choice, options, answer)
    if _is_settled(options):
        return options.at(0)
    return answer(_question(step, options))


def _asked(step: Step, value: Value) -> list[tuple[Question, Value]]:
    asked: list[tuple[Question, Value]] = []

    def answer(question: Question) -> Value:
        asked.append((question, value))
        return value

    def has(question: Question) -> Value:
        given = isinstance(value, tuple) and any(member_name(step.choice, v) == question.name for v in value)
        asked.append((question, given))
        return given

    _decide(step, has if isinstance(step.options, Subsets) else answer)
    return asked


def _is_settled(options: Union[Listed, Stepped, Continuous]) -> bool:
    return options.low == options.high if isinstance(options, Continuous) else options.size == 1


def _question(step: Step, options: Union[Listed, Stepped, Continuous]) -> Question:
    domain = step.choice.domain
    if isinstance(domain, Integer):
        ranged = _as_range(options, domain.step) if isinstance(options, Listed) else options
        return Question(step.choice.name, ranged, domain.log and domain.step == 1 and isinstance(ranged, Stepped))
    return Question(step.choice.name, options, isinstance(domain, Real) and domain.log)


def _as_range(options: Listed, step: int) -> Listed | Stepped:
    """The whole numbers of a list as a range, where they are one."""
    numbers = [value for value in options.values if isinstance(value, int)]
    is_range = numbers == list(range(numbers[0], numbers[-1] + 1, step))
    return Stepped(numbers[0], numbers[-1], step) if is_range else options


def _members(choice: Choice, options: Subsets, answer: Answer) -> Value:
    taken: list[Value] = []
    for number, value in enumerate(options.values):
        left = len(options.values) - number
        if len(taken) == options.max_size:
            break
        is_needed = len(taken) + left <= options.min_size
        if is_needed or answer(Question(member_name(choice, value), Listed((False, True)))):
            taken.append(value)
    return tuple(taken)


def member_name(choice: Choice, value: Value) -> str:
    """Name of the question whether a subset has a value."""
    return f"{choice.name} has {canonical_json(to_json_value(value))}"


def question_name(question: Question) -> str:
    """A name under which the options are always the same, but for the bounds of numbers."""
    if not isinstance(question.options, Listed):
        return question.name
    return f"{question.name} of {digest(canonical_json([to_json_value(v) for v in question.options.values]), 6)}"

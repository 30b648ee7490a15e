"""Recursion without a recursion limit: recursive functions written as generators.

Spaces may be nested thousands deep, which Python's stack is not made for. A function that would call itself yields the
call instead and receives its result. Knows nothing of what is computed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, TypeVar, cast

Result = TypeVar("Result")
Recursion = Generator["Recursion[Any]", Any, Result]


def run(call: Recursion[Result]) -> Result:
    """Run a recursive generator to its end.

    Args:
        call: yields further generators of its kind, is sent what they return, and returns a result.

    Returns:
        What ``call`` returns.

    Example:
        >>> def depth(nested):
        ...     inner = yield depth(nested[0]) if nested else leaf()
        ...     return inner + 1
        >>> def leaf():
        ...     return 0
        ...     yield
        >>> run(depth([[[]]]))
        3
    """
    stack: list[Recursion[Any]] = [call]
    value: object = None
    while stack:
        try:
            inner = stack[-1].send(value)
        except StopIteration as end:
            stack.pop()
            value = end.value
        else:
            stack.append(inner)
            value = None
    return cast(Result, value)


def gather(calls: Iterable[Recursion[Result]]) -> Recursion[list[Result]]:
    """Run several recursive generators one after the other; returns the list of what they return."""
    results: list[Result] = []
    for call in calls:
        result: Result = yield call
        results += (result,)
    return results

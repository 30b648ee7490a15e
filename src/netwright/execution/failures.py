"""When so many trials fail that a search makes no sense, and what it says then.

Pure: it is fed with trials and counts; knows nothing of processes and stores.
"""

from __future__ import annotations

import re
from collections import Counter

from netwright.errors import SearchError
from netwright.types import Trial, TrialState

_VARYING = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


class FailurePolicy:
    """Stops a search whose first trials all fail, or in which a long row of trials fails.

    Failures here and there are normal and never stop it: where 40 % of trials fail at random, ten failures before the
    first success happen once in 10,000 searches, 30 in a row once in 10^12. Infeasible trials count neither way.

    Args:
        at_start: failures before any trial finished that stop the search.
        in_a_row: failures in a row, later, that stop it.

    Example:
        >>> from netwright.types import Architecture, Proposal
        >>> policy = FailurePolicy(at_start=2)
        >>> for i in range(2):
        ...     policy.add(Trial(i, Proposal(Architecture({})), 0, TrialState.FAILED, error=f"ValueError: size {i}"))
        Traceback (most recent call last):
        netwright.errors.SearchError: the first 2 trials all failed; mend the evaluator and resume. Causes:
          2 x ValueError: size 0
    """

    def __init__(self, at_start: int = 10, in_a_row: int = 30) -> None:
        if at_start < 1 or in_a_row < 1:
            raise ValueError(f"at_start and in_a_row must be >= 1, got {at_start} and {in_a_row}")
        self._at_start = at_start
        self._in_a_row = in_a_row
        self._finished = 0
        self._causes: list[str] = []

    def add(self, trial: Trial) -> None:
        """Count a trial.

        Raises:
            SearchError: enough is enough; the message groups the causes, most frequent first.
        """
        if trial.state is TrialState.FINISHED:
            self._finished += 1
            self._causes.clear()
        elif trial.state is TrialState.FAILED:
            self._causes.append((trial.error.splitlines() or ["no cause given"])[0])
            self._judge()

    def _judge(self) -> None:
        count = len(self._causes)
        if not self._finished and count >= self._at_start:
            problem = f"the first {count} trials all failed"
        elif count >= self._in_a_row:
            problem = f"the last {count} trials all failed"
        else:
            return
        raise SearchError(f"{problem}; mend the evaluator and resume. Causes:\n{group_causes(self._causes)}")


def group_causes(causes: list[str], most: int = 3) -> str:
    """Group causes that differ in numbers only: a line each with its count and first example, most frequent first."""
    kinds = [_VARYING.sub("#", cause) for cause in causes]
    example = dict(zip(reversed(kinds), reversed(causes), strict=True))
    counts = Counter(kinds).most_common()
    lines = [f"  {count} x {example[kind]}" for kind, count in counts[:most]]
    rest = sum(count for _, count in counts[most:])
    return "\n".join([*lines, f"  {rest} x something else"] if rest else lines)

"""Which networks keep the limits that are known without a training; counts those that do not.

Knows no strategy: a search space is given it (`netwright.space.SearchSpace.limited`), and what breaks a limit is passed
over there.
"""

from __future__ import annotations

from collections.abc import Callable

from netwright.types import Architecture


class KnownLimits:
    """Asks once of each network.

    Args:
        keeps: whether a network keeps the limits, as far as that is known without a training.
    """

    def __init__(self, keeps: Callable[[Architecture], bool]) -> None:
        self._keeps = keeps
        self._answers: dict[Architecture, bool] = {}

    def __call__(self, architecture: Architecture) -> bool:
        """Whether a network keeps them."""
        if architecture not in self._answers:
            self._answers[architecture] = self._keeps(architecture)
        return self._answers[architecture]

    def note(self) -> str:
        """What a person should know of them; nothing where all networks kept them."""
        num = len(self._answers) - sum(self._answers.values())
        share = f"{num} of {len(self._answers)} networks that were looked at"
        return f"{share} break a limit by their size; they were passed over, as far as others were found" if num else ""

"""What a task may do after a search, besides scoring: set what is fitted on validation data, and name a rival.

Both are optional; the end of a search asks a task that has them. Nothing here trains a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from netwright.tasks.base import Examples


@runtime_checkable
class Calibrating(Protocol):
    """A task whose networks hold a number that is fitted on the validation part, such as a temperature."""

    def calibrated(self, weights: Mapping[str, Tensor], outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The weights with that number.

        Args:
            weights: of the trained network, by name.
            outputs: of the network for the validation examples.
            targets: of the validation examples.
        """


@dataclass(frozen=True)
class Rival:
    """What something that is no network reaches on the same parts.

    Args:
        name: such as ``forest``.
        what: what it is, for people.
        metrics: by name, such as ``test_accuracy``.
    """

    name: str
    what: str
    metrics: Mapping[str, float]


@runtime_checkable
class Rivalled(Protocol):
    """A task that knows a method without networks, which is shown beside the result."""

    def rival_seconds(self) -> float:
        """About how long `rival` takes, on one core."""

    def rival(self, test: Examples) -> Rival:
        """Fit it on the training part and score it."""

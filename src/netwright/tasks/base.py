"""The protocol of a task: data, what is measured on it, how it is trained, and where a search starts.

A task knows its data and how to score predictions; it does not know strategies, stores or processes. Arrays are
numpy until a training loop turns batches into tensors, so that loading runs no torch operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from netwright.space import SearchSpace
from netwright.types import Architecture, Objective


@dataclass(frozen=True)
class Reference:
    """A hand-made network a search starts from and is compared with."""

    name: str
    architecture: Architecture


class Task(Protocol):
    """What `search` needs of a task."""

    name: str
    objective: Objective
    """The main metric, such as accuracy, max."""

    input_shape: tuple[int, ...]
    """Shape of one example as the network gets it, without the batch, such as (3, 32, 32)."""

    metric_ranges: Mapping[str, tuple[float, float]]

    def default_space(self) -> SearchSpace:
        """The search space used when none is given, fitted to the data's shape and number of outputs."""

    def references(self) -> tuple[Reference, ...]:
        """Hand-made networks, points of the default space."""

    def portfolio(self) -> tuple[Architecture, ...]:
        """Points of the default space that did well on other data: tried first, after the references."""

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        """Those of the references and the portfolio that are not admitted, made smaller until they are."""

    def fingerprint(self) -> str:
        """Digest of the data and its splits; a study refuses to resume on other data."""

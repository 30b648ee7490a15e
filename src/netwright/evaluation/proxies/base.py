"""What a zero-cost proxy is: a score of an untrained network, and what it needs to be one.

References:
    M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS"; A. Krishnakumar et al., 2022,
    "NAS-Bench-Suite-Zero".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright.evaluation.proxies.probe import Probe


class Need(StrEnum):
    """What a proxy needs; without it, the proxy says so and scores nothing."""

    LABELS = "labels"
    RELU = "relu"
    WEIGHTS = "weights"
    SEVERAL = "several examples"
    REAL_INPUTS = "real inputs"


WITHOUT = {
    Need.LABELS: "the data has no labels",
    Need.RELU: "the network has no ReLU",
    Need.WEIGHTS: "the network has no weights that are trained",
    Need.SEVERAL: "the batch has a single example",
    Need.REAL_INPUTS: "inputs are tokens, by which there is no gradient",
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A score of an untrained network, larger is better.

    Args:
        name: by which it is asked for.
        score: of a probe; may be NaN or infinite, which ranks last.
        needs: without which it has no meaning.
        paper: where it is from.
    """

    name: str
    score: Callable[[Probe], float]
    needs: frozenset[Need] = frozenset()
    paper: str = ""

    def why_not(self, probe: Probe) -> str | None:
        """Why this network, or this data, cannot be scored; None where it can.

        Args:
            probe: of the network.
        """
        lacks: dict[Need, Callable[[], bool]] = {
            Need.LABELS: lambda: probe.labels is None,
            Need.WEIGHTS: lambda: not probe.weights,
            Need.SEVERAL: lambda: len(probe.inputs) < 2,
            Need.REAL_INPUTS: lambda: not probe.inputs.is_floating_point(),
            Need.RELU: lambda: probe.num_relus == 0,
        }
        missing = next((need for need, lack in lacks.items() if need in self.needs and lack()), None)
        return None if missing is None else f"{self.name} is not for this network: {WITHOUT[missing]}"

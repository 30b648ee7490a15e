"""What a differentiable search gives. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netwright.supernet.differentiable.alarm import Alarm, Signs
from netwright.supernet.differentiable.measured import MeasuredCost
from netwright.supernet.differentiable.relaxed import RelaxedNetwork
from netwright.supernet.supernet import Supernet
from netwright.types import Architecture, Value

Weights = Mapping[str, tuple[float, ...]]
"""Weights of the values of each choice; they sum to 1."""


@dataclass(frozen=True)
class EpochRecord:
    """What was there after an epoch.

    Args:
        epoch: from 0.
        train_loss: of the mixture, mean over the epoch.
        valid_loss: the same on validation batches; NaN in an epoch without steps of the architecture weights.
        valid_accuracy: the same, in [0, 1]; NaN where it is no classification.
        weights: of the values of each choice.
        architecture: what would be taken now, without limits.
        signs: what the alarm looked at.
        steps: of the weights in it.
    """

    epoch: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    weights: Weights
    architecture: Architecture
    signs: Signs
    steps: int = 0


@dataclass(frozen=True)
class Found:
    """What a search on shared weights found, whatever the weights are trained in.

    Args:
        method: its name.
        architecture: within the space and the limits.
        weights: of the values of each choice, from which it was derived; of ENAS how often its policy takes each.
        values: of each choice, in the order of the weights.
        history: one record an epoch.
        accuracy: of the mixture on the validation batches of the last epoch, in [0, 1]; of ENAS the mean of its draws.
        alarm: a collapse that was seen; None for none.
        stopped: whether the search ended because of it, with an architecture from before.
        remarks: other things worth knowing, such as weights that hardly differ.
    """

    method: str
    architecture: Architecture
    weights: Weights
    values: Mapping[str, tuple[Value, ...]]
    history: tuple[EpochRecord, ...]
    accuracy: float
    alarm: Alarm | None
    stopped: bool
    remarks: tuple[str, ...]

    def entropy(self) -> float:
        """Mean entropy of the choices' weights, each divided by the largest it can be; 1 where nothing was learned."""
        return entropy_of(self.weights)


@dataclass(frozen=True)
class Searched(Found):
    """What a differentiable search found.

    Args:
        network: the relaxed network as it was trained.
        costs: that were measured, by metric.
    """

    network: RelaxedNetwork
    costs: Mapping[str, MeasuredCost]


@dataclass(frozen=True)
class Sampled(Found):
    """What a search by sampling on shared weights found.

    Args:
        supernet: the shared weights as they were trained.
        others: architectures that were sampled at the end besides the one that is taken, the best first. The one that
            is taken is better than these, but where a collapse stopped the search: then it is from before.
        scores: of the one that is taken and of these, on validation batches, with shared weights.
        policy_entropy: of the policy over architectures, divided by that of the uniform one.
    """

    supernet: Supernet
    others: tuple[Architecture, ...]
    scores: tuple[float, ...]
    policy_entropy: float

    def entropy(self) -> float:
        """Entropy of the policy, divided by the largest it can be; 1 where nothing was learned."""
        return self.policy_entropy


def entropy_of(weights: Weights) -> float:
    """Mean entropy of the choices' weights, each divided by the largest it can be.

    Example:
        >>> entropy_of({"a": (0.5, 0.5), "b": (1.0, 0.0)})
        0.5
    """
    import math

    shares = [
        -sum(w * math.log(w) for w in own if w > 0) / math.log(len(own)) for own in weights.values() if len(own) > 1
    ]
    return sum(shares) / len(shares) if shares else 0.0

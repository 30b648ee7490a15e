"""Do different subnets say different things? Where weights are shared wrongly, or not learned, all score the same.

References:
    The symptom in public tools is a search in which every network has the same accuracy; see the catalogue of faults in
    ``docs/supernet.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from netwright.evaluation.batches import Batches, Stored
from netwright.evaluation.training import recalibrate
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.supernet.sampling import draw
from netwright.types import Architecture, Json

NUM_NETWORKS = 8
NUM_IMAGES = 500
DRAWS = 50


@dataclass(frozen=True, slots=True)
class Distinct:
    """What some random subnets said of the same images.

    Args:
        accuracies: of each, on these; none where outputs are no classes.
        equal_pairs: pairs of them with the very same outputs.
        chance: share of the most frequent class.
        num: how many subnets.
    """

    accuracies: tuple[float, ...]
    equal_pairs: int
    chance: float
    num: int

    @property
    def all_equal(self) -> bool:
        """Whether all said the same: then the weights are shared wrongly, or the networks do not differ."""
        num = self.num
        return num > 1 and self.equal_pairs == num * (num - 1) // 2

    @property
    def warning(self) -> str:
        """What is odd; empty where nothing is."""
        num = self.num
        if self.all_equal:
            return f"{num} different networks give the same outputs"
        if self.equal_pairs:
            return f"{self.equal_pairs} pairs of {num} random networks give the same outputs"
        if not self.accuracies:
            return ""
        if max(self.accuracies) <= self.chance:
            best = max(self.accuracies)
            return f"no network is better than chance with shared weights (the best of {num}: {best:.3f}); train longer"
        if num > 1 and len(set(self.accuracies)) == 1:
            return f"{num} different networks score the same: {self.accuracies[0]:.3f}"
        return ""

    def to_dict(self) -> dict[str, Json]:
        """JSON object."""
        return {"accuracies": list(self.accuracies), "equal_pairs": self.equal_pairs, "chance": self.chance}


@torch.no_grad()
def compare_outputs(
    supernet: Supernet, images: Stored, batches: Batches, seed: int = 0, *, classes: bool = True
) -> Distinct:
    """Ask some random subnets the same images, each with its own statistics of norms.

    Args:
        supernet: whose.
        images: what they are asked.
        batches: on which statistics of norms are measured.
        seed: of the draw.
        classes: whether outputs are classes, which accuracies can be told of.
    """
    shown = np.linspace(0, len(images) - 1, min(NUM_IMAGES, len(images)), dtype=np.int64)
    x = images.to_input(torch.from_numpy(images.inputs[shown].copy()).to(batches.device))
    y = torch.from_numpy(images.targets[shown].copy()).to(batches.device)
    outputs = []
    for architecture in _drawn(supernet, seed):
        model = supernet.extract(architecture).to(batches.device)
        recalibrate(model, batches, num_shards=4)
        outputs.append(model.eval()(x))
    equal = sum(torch.equal(a, b) for a, b in combinations(outputs, 2))
    if not classes:
        return Distinct((), equal, 0.0, len(outputs))
    accuracies = tuple(float((logits.argmax(1) == y).double().mean()) for logits in outputs)
    return Distinct(accuracies, equal, float(torch.bincount(y).max()) / len(y), len(outputs))


def _drawn(supernet: Supernet, seed: int) -> list[Architecture]:
    """Different random networks that are not known to be the same one; fewer where the space has fewer."""
    rng = np.random.default_rng([seed, 8])
    space: SearchSpace = supernet.space
    found: dict[str, Architecture] = {}
    for _ in range(DRAWS):
        architecture = draw(supernet.networks, lambda: space.sample(rng))
        found.setdefault(space.canonical_id(architecture), architecture)
        if len(found) == NUM_NETWORKS:
            break
    return list(found.values())

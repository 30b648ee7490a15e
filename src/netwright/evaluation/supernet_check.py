"""Do different subnets say different things? Where weights are shared wrongly, or not learned, all score the same.

References:
    The symptom in public tools is a search in which every network has the same accuracy; see ``docs/supernet.md``,
    "What shared weights are worth is measured".
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
NUM_IMAGES, FEWEST_IMAGES = 500, 64
"""Examples that they are shown; fewer of large ones."""

NUM_SHARDS = 4
"""Parts of batches on which statistics of norms are measured; one with large examples."""

SMALL = 784.0
"""Work of an example up to which none of that is less, in pixels."""

DRAWS = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """How much the networks are shown.

    Args:
        images: examples that they are asked.
        shards: parts of training batches on which statistics of norms are measured.
    """

    images: int = NUM_IMAGES
    shards: int = NUM_SHARDS

    @classmethod
    def of(cls, work: float, at_once: int) -> Shown:
        """As much as takes no longer than with small examples, as far as that can be, and as is asked at once.

        Args:
            work: of an example, in pixels.
            at_once: examples whose inputs and outputs do not fill the memory.

        Example:
            >>> Shown.of(784, 1000), Shown.of(96 * 96, 1000), Shown.of(784, 90)
            (Shown(images=500, shards=4), Shown(images=64, shards=1), Shown(images=90, shards=4))
        """
        few = min(NUM_IMAGES, max(FEWEST_IMAGES, int(NUM_IMAGES * min(1.0, SMALL / max(work, 1.0)))))
        return cls(min(few, at_once), NUM_SHARDS if work <= NUM_SHARDS * SMALL else 1)


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
    supernet: Supernet,
    images: Stored,
    batches: Batches,
    seed: int = 0,
    *,
    classes: bool = True,
    much: Shown | None = None,
) -> Distinct:
    """Ask some random subnets the same images, each with its own statistics of norms.

    Args:
        supernet: whose.
        images: what they are asked.
        batches: on which statistics of norms are measured.
        seed: of the draw.
        classes: whether outputs are classes, which accuracies can be told of.
        much: how much they are shown; as of small examples if not given.
    """
    much = much or Shown()
    shown = np.linspace(0, len(images) - 1, min(much.images, len(images)), dtype=np.int64)
    x = images.to_input(torch.from_numpy(images.inputs[shown].copy()).to(batches.device))
    y = torch.from_numpy(images.targets[shown].copy()).to(batches.device)
    outputs = []
    for architecture in _drawn(supernet, seed):
        model = supernet.extract(architecture).to(batches.device)
        recalibrate(model, batches, num_shards=much.shards)
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

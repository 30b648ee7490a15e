"""A graph as it was read, with places for messages. Knows no files and no networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from netwright.tasks.graphs.data import Features, Ints

NUMBER = re.compile("-?[0-9]+")
FILES = "features.npz or features.csv, edges.csv, labels.csv and split.csv"
"""What a folder of a graph holds."""

Place = Callable[[int], str]
"""Where an entry of an array stands, for messages."""


@dataclass(frozen=True)
class RawGraph:
    """What was read, with places for messages; entries are not checked against each other yet.

    Args:
        name: for people.
        features: of all nodes; None where there are none.
        edges: (2, E), and where each stands.
        labels: (N or fewer,) of the nodes below, and where each stands; empty strings and negative numbers are unknown.
        parts: nodes of each part, and where each stands; empty to be split.
        notes: what was left out.
    """

    name: str
    features: Features | None
    edges: tuple[Ints, Place]
    label_nodes: Ints
    labels: tuple[NDArray[Any], Place]
    parts: Mapping[str, tuple[Ints, Place]]
    notes: tuple[str, ...] = ()

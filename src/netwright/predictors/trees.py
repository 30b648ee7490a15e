"""Regression trees as flat arrays: what is kept of scikit-learn's after fitting, and predicts without it.

Trees stand one behind the other. A node with a feature sends a row to the left where its number is <= the threshold,
else to the right; a leaf has the feature -1. Several trees make a member (one forest's tree, one boosted model), whose
prediction is the sum of their leaves; the members' mean is the prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from netwright.errors import DataError
from netwright.predictors.model import LEAST_SPREAD, Arrays

LEAF = -1


class FittedTree(Protocol):
    """What is read of scikit-learn's ``tree_``: arrays with an entry for each node."""

    children_left: np.ndarray
    children_right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray


@dataclass(frozen=True, eq=False)
class Trees:
    """Members made of trees; see `netwright.predictors.model.Model`.

    Args:
        feature: column that a node asks for, `LEAF` in a leaf, shape (nodes,).
        threshold: shape (nodes,).
        left: node for a number that is not above the threshold, shape (nodes,); behind its parent.
        right: node for one that is, shape (nodes,); behind its parent.
        value: of leaves, shape (nodes,).
        roots: first node of each tree, shape (trees,).
        member: which member each tree belongs to, increasing from 0, shape (trees,).
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    roots: np.ndarray
    member: np.ndarray

    @classmethod
    def of(cls, members: Sequence[Sequence[tuple[FittedTree, float, float]]]) -> Trees:
        """From fitted trees: for each member its trees, each with what its values are multiplied by, then added."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
        roots, member, first = [], [], 0
        for number, trees in enumerate(members):
            for tree, factor, summand in trees:
                leaf = tree.children_left < 0
                parts["feature"].append(np.where(leaf, LEAF, tree.feature))
                parts["threshold"].append(np.where(leaf, 0.0, tree.threshold))
                parts["left"].append(np.where(leaf, 0, tree.children_left + first))
                parts["right"].append(np.where(leaf, 0, tree.children_right + first))
                parts["value"].append(factor * tree.value.reshape(len(leaf)) + summand)
                roots.append(first)
                member.append(number)
                first += len(leaf)
        joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
        whole = {name: joined[name].astype(np.int64) for name in ("feature", "left", "right")}
        real = {name: joined[name].astype(np.float64) for name in ("threshold", "value")}
        return cls(**whole, **real, roots=np.array(roots, dtype=np.int64), member=np.array(member, dtype=np.int64))

    def members(self, rows: np.ndarray) -> np.ndarray:
        """Prediction of each member, shape (members, m)."""
        seen = rows.astype(np.float32)  # as scikit-learn compares
        everyone = np.arange(len(rows))
        predicted = np.zeros((int(self.member[-1]) + 1, len(rows)))
        for root, member in zip(self.roots.tolist(), self.member.tolist(), strict=True):
            at = np.full(len(rows), root)
            going = everyone[self.feature[at] != LEAF]
            while len(going):
                nodes = at[going]
                left = seen[going, self.feature[nodes]] <= self.threshold[nodes]
                at[going] = np.where(left, self.left[nodes], self.right[nodes])
                going = going[self.feature[at[going]] != LEAF]
            predicted[member] += self.value[at]
        return predicted

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        predicted = self.members(rows)
        spread = predicted.std(axis=0, ddof=1) if len(predicted) > 1 else np.zeros(len(rows))
        return predicted.mean(axis=0), spread + LEAST_SPREAD

    def arrays(self) -> Arrays:
        return dict(vars(self))

    @classmethod
    def read(cls, arrays: Arrays, num_columns: int) -> Trees:
        """Trees of arrays that somebody else may have written.

        Raises:
            DataError: they are no trees: a node leads nowhere, back, or asks for a column that is not there.
        """
        trees = cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        nodes = np.arange(len(trees.feature))
        inner = trees.feature != LEAF
        places = (trees.feature, trees.left, trees.right, trees.roots, trees.member)
        same = all(a.shape == nodes.shape for a in (trees.threshold, trees.left, trees.right, trees.value))
        if not same or len(trees.roots) != len(trees.member) or not all(a.dtype == np.int64 for a in places):
            raise DataError("the trees of a predictor do not fit together; save it again")
        forward = all(((side > nodes) & (side < len(nodes)))[inner].all() for side in (trees.left, trees.right))
        known = ((trees.feature >= LEAF) & (trees.feature < num_columns)).all()
        begun = len(trees.roots) and ((trees.roots >= 0) & (trees.roots < len(nodes))).all()
        counted = begun and trees.member[0] == 0 and np.isin(np.diff(trees.member), (0, 1)).all()
        if not (forward and known and counted):
            raise DataError("the trees of a predictor lead nowhere; save it again")
        return trees

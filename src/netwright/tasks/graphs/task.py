"""The task ``node-classification``: which class each node of a graph belongs to.

An example is the number of a node; the graph itself, edges and features, is a constant that every network holds. So one
step is one pass over the whole graph, and the cost of an answer does not depend on how many nodes are asked for. It
knows the data, the loss and the metrics; not how networks are trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from netwright.errors import SpecError, wrong
from netwright.space.terms import OpTerm, Term
from netwright.tasks.base import Examples, ExportInfo, Reference
from netwright.tasks.graphs.checking import checked_graph
from netwright.tasks.graphs.data import Features, Graph
from netwright.tasks.graphs.reading import read_graph
from netwright.tasks.learning import ClassifyingTask
from netwright.tasks.loaded import remembered
from netwright.tasks.metrics import require_metrics, sklearn_metrics
from netwright.tasks.splits import TEST_SHARE, SplitOptions
from netwright.types import Architecture, Value

if TYPE_CHECKING:
    from torch import Tensor

    from netwright.space import SearchSpace
    from netwright.tasks.graphs.spaces import GraphSizes

Scaling = Literal["auto", "rows", "columns", "none"]
_SHARE = (0.0, 1.0)
_WORK_A_VALUE = 0.11
"""What an edge or a value of a feature costs in each step, in pixels: APPNP of width 64 takes 12 ms of a core a step on
Cora (GCN 6, GAT 27)."""


class NodeClassification(ClassifyingTask):
    """Which class a node belongs to. Made by `load`.

    Args:
        graph: the graph, whose features are scaled.
        seed: of the splits.
    """

    name = "node-classification"
    directions = MappingProxyType({"accuracy": "max", "macro_f1": "max"})
    metric_ranges = MappingProxyType({"accuracy": _SHARE, "macro_f1": _SHARE, "loss": (0.0, float("inf"))})
    input_dtype = "int64"
    least_epochs = 60.0  # a step is an epoch here

    def __init__(self, graph: Graph, *, seed: int = 0) -> None:
        train, validation, test = (_examples(graph, part) for part in ("train", "val", "test"))
        super().__init__(train, validation, test, graph.class_names, data_name=graph.name, seed=seed, notes=graph.notes)
        self.graph = graph

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        scaling: Scaling = "auto",
        directed: bool = False,
        train_share: float = 0.6,
        validation_share: float | None = None,
        test_share: float = TEST_SHARE,
    ) -> NodeClassification:
        """Load a graph.

        Args:
            data: a ``.npz`` file, or a folder with features, edges, labels and split.
            seed: of the validation split, where the data has none.
            scaling: of features: ``rows`` divides each node's by their sum, ``columns`` brings each feature to mean 0
                and deviation 1, ``none``; ``auto``: rows where no value is negative and most are 0, else columns.
            directed: whether edges lead one way only; else the other direction of each is added.
            train_share: of the nodes with a class that are not given as test nodes, where the data has no others and
                there is no ``validation_share``; validation gets what training and test leave.
            validation_share: where the data has no validation nodes.
            test_share: where the data has no test nodes.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
            MissingDependencyError: scikit-learn is not installed.
        """
        require_metrics("macro F1", "graphs")
        if scaling not in ("auto", "rows", "columns", "none"):
            raise SpecError(wrong("scaling", scaling, "auto, rows, columns or none"))
        if not isinstance(train_share, (int, float)) or not 0 < train_share < 1:
            raise SpecError(wrong("train_share", train_share, "between 0 and 1, both excluded"))
        options = SplitOptions(seed, validation_share, test_share)
        graph = checked_graph(read_graph(data), options, directed=directed, train_share=train_share)
        return cls(_scaled(graph, scaling), seed=seed)

    @property
    def sizes(self) -> GraphSizes:
        """What operations need to know of the graph."""
        from netwright.tasks.graphs.spaces import DENSE, GraphSizes

        own = self.graph.features
        return GraphSizes(self.graph.edges.shape[1], own.count, len(own.values), own.density >= DENSE)

    @property
    def work(self) -> float:
        """A step computes all nodes, so that a training node costs less the more there are."""
        values = self.graph.edges.shape[1] + len(self.graph.features.values)
        return float(max(1.0, _WORK_A_VALUE * values / len(self._train[1])))

    @property
    def full_epochs(self) -> float:  # type: ignore[override]  # a constant here
        """Steps after which networks gain little: an epoch is one."""
        return 200.0

    @property
    def scored_at_once(self) -> int:
        """All nodes: one pass over the graph answers for all of them."""
        return self.graph.num_nodes

    @cached_property
    def _fingerprint(self) -> str:
        import hashlib

        state = hashlib.blake2b(super()._fingerprint.encode(), digest_size=16)
        own = self.graph.features
        for array in (self.graph.edges, own.rows, own.columns, own.values):
            state.update(np.ascontiguousarray(array).data)
        return state.hexdigest()

    def recipe(self) -> Mapping[str, Value]:
        """That of the papers: Adam with all training nodes in each step, a decay of 5e-4 in the gradient, no smoothing.

        References:
            Kipf and Welling (2017), section 5.2; Klicpera et al. (2019), PPNP, section 5. Ours decays all matrices, not
            the first one alone.
        """
        return {
            "optimizer": "adam",
            "learning_rate": 0.01,
            "side_learning_rate": 0.01,
            "weight_decay": 5e-4,
            "batch_size": len(self._train[1]),
            "shards": 1,
            "label_smoothing": 0.0,
        }

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """``accuracy``, ``macro_f1`` (over the classes that occur) and ``loss`` (mean cross entropy in nats)."""
        import torch

        from netwright.tasks.losses import class_scores

        pairs = list(answers)
        wanted = torch.cat([targets for _, targets in pairs]).cpu().numpy()
        found = torch.cat([outputs.argmax(1) for outputs, _ in pairs]).cpu().numpy()
        return {**class_scores(pairs), "macro_f1": macro_f1(wanted, found)}

    def normalised(self, network: Term) -> Term:
        """A network with the graph around it."""
        return OpTerm("all_nodes", (("nodes", self.graph.num_nodes),), children=(network,), constants=self._constants)

    @cached_property
    def _constants(self) -> Mapping[str, NDArray[Any]]:
        found = self.graph.constants()
        if self.sizes.dense:
            found["matrix"] = self.graph.features.matrix()
        return MappingProxyType(found)

    def default_space(self) -> SearchSpace:
        from netwright.tasks.graphs.spaces import graph_space

        return graph_space(self.sizes, self.num_classes)

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.graphs.spaces import graph_references

        return graph_references(self.default_space())

    def portfolio(self) -> tuple[Architecture, ...]:
        from netwright.tasks.graphs.spaces import graph_portfolio

        return graph_portfolio(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.graphs.spaces import graph_narrowed

        return graph_narrowed(self.default_space(), admits)

    def export_info(self) -> ExportInfo:
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            class_names=self.class_names,
            input_dtype=self.input_dtype,
            output_shape=self.output_shape,
            runtime="nodes",
            constants={"NUM_NODES": self.graph.num_nodes},
            num_values=self.graph.num_nodes,
        )

    def data_line(self) -> str:
        """What is learned from, in one line."""
        graph = self.graph
        words = (("train", "train"), ("val", "validation"), ("test", "test"))
        counts = ", ".join(f"{word} {len(graph.parts[part])}" for part, word in words)
        sizes = f"{graph.num_nodes} nodes, {graph.edges.shape[1]} edges, {graph.features.count} features"
        return f"{self.data_name}: {sizes}; {counts}"

    def summary(self) -> str:
        """What a person checks before a search."""
        counts = np.bincount(self._train[1], minlength=self.num_classes).tolist()
        shown = ", ".join(f"{n!r} {c}" for n, c in list(zip(self.class_names, counts, strict=True))[:20])
        lines = [f"{self.name} on {self.data_line()}", f"{self.num_classes} classes (training nodes: {shown})"]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def macro_f1(wanted: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """The mean over the classes that occur of F1, as scikit-learn computes it.

    Args:
        wanted: class numbers (N,), N >= 1.
        found: the answers (N,).

    Example:
        >>> macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
        0.7333333333333334
    """
    occur = np.unique(wanted)
    return float(sklearn_metrics().f1_score(wanted, found, labels=occur, average="macro", zero_division=0.0))


def _examples(graph: Graph, part: str) -> Examples:
    nodes = graph.parts[part]
    return nodes[:, None], graph.labels[nodes]


def _scaled(graph: Graph, scaling: Scaling) -> Graph:
    """The graph with scaled features; with one of its own for each node where none is left that differs."""
    own = graph.features
    if scaling == "auto":
        sparse = own.density < 0.5 and not (own.values < 0).any()
        scaling = "rows" if sparse else "columns"
    if scaling == "rows":
        own = own.rows_of_sum_one()
    elif scaling == "columns":
        own = own.standardised(np.arange(graph.num_nodes))
    if len(own.values) > 0:
        return replace(graph, features=own)
    note = "all nodes have the same features; nodes are told apart by their numbers"
    return replace(graph, features=Features.none(graph.num_nodes), notes=(*graph.notes, note))

"""From what was read to a graph that can be learned from: numbers, labels and parts that fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, shorten, wrong
from netwright.tasks.graphs.data import PARTS, Features, Graph, Ints, tidy_edges
from netwright.tasks.graphs.raw import NUMBER, Place, RawGraph
from netwright.tasks.labels import Classes
from netwright.tasks.splits import TEST_SEED, SplitOptions, stratified_split
from netwright.tasks.tabular.label_texts import label_array

_WORDS = {"train": "training", "val": "validation", "test": "test"}
_MOST_A_NODE, _ALWAYS = 10, 1000
"""Without features numbers of nodes may reach so many times the nodes that are named, and so many more."""


@dataclass(frozen=True)
class _Labels:
    """Labels of all nodes.

    Args:
        known: (N,) whether a node has one.
        values: (N,) of the nodes that have one, anything elsewhere.
        rows: (N,) the entry of each node, -1 where it has none.
        place: of an entry.
    """

    known: NDArray[np.bool_]
    values: NDArray[Any]
    rows: Ints
    place: Place

    def where(self, node: int) -> str:
        """Where the label of a node stands."""
        return self.place(int(self.rows[node]))


def checked_graph(raw: RawGraph, options: SplitOptions, *, directed: bool, train_share: float) -> Graph:
    """Check a graph and mend what can be mended.

    Args:
        raw: what was read.
        options: of parts that the data does not have.
        directed: whether edges lead one way only.
        train_share: part of the nodes with classes (of those in no part) that is learned from, where the data has
            neither training nor validation nodes and no validation share is given.

    Raises:
        DataError: it cannot be used; names file and line.
        SpecError: the shares leave nothing to validate on.
    """
    notes = list(raw.notes)
    num_nodes = _num_nodes(raw)
    features = raw.features
    if features is None:
        features = Features.none(num_nodes)
        notes.append("there are no features; nodes are told apart by their numbers")
    edges, place = raw.edges
    _require_nodes(edges.T, num_nodes, place)
    tidy, mended = tidy_edges(edges, num_nodes, directed=directed, where=_file(place))
    notes += mended
    labels = _labels(raw, num_nodes)
    unknown = num_nodes - int(labels.known.sum())
    if unknown:
        notes.append(f"{_file(labels.place)}: {unknown} of {num_nodes} nodes have no class")
    parts = _parts(raw, labels, num_nodes, options, train_share, notes)
    learned = labels.values[parts["train"]]
    classes = Classes.learn(learned, f"{_file(labels.place)}, training nodes")
    numbers = np.full(num_nodes, -1, dtype=np.int64)
    for part in PARTS:
        nodes = parts[part]
        strange = nodes[~np.isin(labels.values[nodes], learned)]
        where = labels.where(int(strange[0])) if len(strange) else _file(labels.place)
        numbers[nodes] = classes.encode(labels.values[nodes], f"{where}, {_WORDS[part]} nodes")
    empty = num_nodes - len(np.unique(features.rows))
    if empty:
        notes.append(f"{empty} node(s) have no feature but 0")
    return Graph(raw.name, features, tidy, numbers, classes.names, parts, tuple(notes))


def _file(place: Place) -> str:
    return place(0).partition(",")[0].partition(":")[0]


def _num_nodes(raw: RawGraph) -> int:
    """As many as there are rows of features; else as labels and edges need, if most of these are named there."""
    if raw.features is not None:
        return raw.features.num_nodes
    if len(raw.label_nodes) == 0:
        raise DataError(f"{shorten(raw.name)}: no nodes; give features or labels")
    edges, place = raw.edges
    num_nodes = int(max(raw.label_nodes.max(), edges.max(initial=0))) + 1
    named = len(np.unique(np.concatenate([raw.label_nodes, edges.ravel()])))
    if num_nodes > _MOST_A_NODE * named + _ALWAYS:
        in_labels = raw.label_nodes.max() == num_nodes - 1
        row = int(raw.label_nodes.argmax() if in_labels else edges.max(0).argmax())
        raise DataError(
            f"{(raw.labels[1] if in_labels else place)(row)}: node {num_nodes - 1}, but labels and edges name {named} "
            "nodes; number the nodes from 0 without gaps, or give features, a line for each node"
        )
    return num_nodes


def _require_nodes(numbers: Ints, num_nodes: int, place: Place) -> None:
    """Refuse numbers (K,) or (K, 2) of nodes that do not exist."""
    wide = numbers.reshape(len(numbers), -1)
    outside = (wide < 0) | (wide >= num_nodes)
    rows = np.flatnonzero(outside.any(axis=1))
    if len(rows):
        row = int(rows[0])
        raise DataError(
            f"{place(row)}: there is no node {wide[row][outside[row]][0]}; nodes are 0 to {num_nodes - 1}"
            + (f" ({len(rows)} such entries)" if len(rows) > 1 else "")
        )


def _labels(raw: RawGraph, num_nodes: int) -> _Labels:
    """The label of each node that has one."""
    labels, place = raw.labels
    _require_nodes(raw.label_nodes, num_nodes, place)
    numbers, counts = np.unique(raw.label_nodes, return_counts=True)
    if (counts > 1).any():
        node = int(numbers[counts > 1][0])
        again = int(np.flatnonzero(raw.label_nodes == node)[1])
        raise DataError(f"{place(again)}: node {node} has a class already; give each node one")
    labels = _numbers_or_texts(labels, place)
    found = labels != "" if labels.dtype.kind == "U" else labels >= 0
    known = np.zeros(num_nodes, dtype=np.bool_)
    known[raw.label_nodes] = found
    filled = np.zeros(num_nodes, dtype=labels.dtype)
    filled[raw.label_nodes] = labels
    entries = np.full(num_nodes, -1, dtype=np.int64)
    entries[raw.label_nodes] = np.arange(len(raw.label_nodes))
    return _Labels(known, filled, entries, place)


def _numbers_or_texts(labels: NDArray[Any], place: Place) -> NDArray[Any]:
    """Labels as whole numbers, -1 where none is known, where all are such; else as texts, empty where none is known.

    Raises:
        DataError: a number is not whole.
    """
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "surrogateescape")  # different bytes stay different classes
    if labels.dtype.kind == "f":
        given = ~np.isnan(labels)
        broken = np.flatnonzero(given & ((labels != np.rint(labels)) | (np.abs(labels) > 2**53)))
        if len(broken):
            row = int(broken[0])
            raise DataError(
                f"{place(row)}: the class {labels[row]} is no whole number ({len(broken)} such nodes); give class "
                "numbers or names"
            )
        return np.where(given, labels, -1.0).astype(np.int64)
    if labels.dtype.kind != "U":
        return labels
    given = labels != ""
    if all(NUMBER.fullmatch(label) for label in labels[given].tolist()):
        given &= ~np.char.startswith(labels, "-")
    values = label_array(labels[given].tolist())
    found = np.full(len(labels), -1) if values.dtype.kind == "i" else np.zeros(len(labels), dtype=values.dtype)
    found[given] = values
    return found


def _parts(
    raw: RawGraph,
    labels: _Labels,
    num_nodes: int,
    options: SplitOptions,
    train_share: float,
    notes: list[str],
) -> dict[str, Ints]:
    """The nodes of each part: as given, or split off."""
    given = {part: raw.parts[part] for part in PARTS if part in raw.parts}
    found: dict[str, Ints] = {}
    taken: dict[int, str] = {}
    for part, (nodes, place) in given.items():
        _require_nodes(nodes, num_nodes, place)
        for index, node in enumerate(nodes.tolist()):
            if node in taken:
                also = f"is a {_WORDS[taken[node]]} node already" if taken[node] != part else "is there twice"
                raise DataError(f"{place(index)}: node {node} {also}; a node is in one part, once")
            taken[node] = part
        unknown = np.flatnonzero(~labels.known[nodes])
        if len(unknown):
            first = int(unknown[0])
            raise DataError(
                f"{place(first)}: {_WORDS[part]} node {nodes[first]} has no class ({len(unknown)} such nodes); "
                "give it one or take it out of the parts"
            )
        found[part] = np.sort(nodes)
    if "train" not in found:
        free = np.array([node for node in np.flatnonzero(labels.known).tolist() if node not in taken], dtype=np.int64)
        return _split(found, free, labels, options, train_share, notes)
    lacking = [part for part in ("test", "val") if part not in found]
    for number, part in enumerate(lacking):
        share = options.test_share if part == "test" else options.share_for(len(found["train"]))
        seed, least = TEST_SEED if part == "test" else options.seed, len(lacking) - number + 1
        found["train"], found[part] = _taken(found["train"], labels, share, seed, least)
        notes.append(f"no {_WORDS[part]} nodes: {len(found[part])} of the training nodes are taken for it")
    return found


def _split(
    found: Mapping[str, Ints],
    free: Ints,
    labels: _Labels,
    options: SplitOptions,
    train_share: float,
    notes: list[str],
) -> dict[str, Ints]:
    """Split nodes that are in no part: a test part, then a validation part, the rest is learned from."""
    parts = dict(found)
    num_trained = train_share * len(free)
    if "test" not in parts:
        if "val" not in parts and options.validation_share is None:
            _require_room(train_share, options.test_share)
        free, parts["test"] = _taken(free, labels, options.test_share, TEST_SEED, 2 if "val" in parts else 3)
    if "val" not in parts:
        share = options.validation_share or max(0.0, 1 - num_trained / max(1, len(free)))
        free, parts["val"] = _taken(free, labels, share, options.seed, 2)
    parts["train"] = free
    counts = ", ".join(f"{len(parts[part])} {_WORDS[part]}" for part in PARTS)
    notes.append(f"no split is given: nodes are split at random, by class: {counts}")
    return parts


def _require_room(train_share: float, test_share: float) -> None:
    """Refuse shares that leave nothing to validate on."""
    if train_share + test_share >= 1:
        raise SpecError(
            wrong(
                "train_share",
                train_share,
                f"< 1 - test_share ({1 - test_share:g})",
                "lower one of them: validation gets what both leave",
            )
        )


def _taken(nodes: Ints, labels: _Labels, share: float, seed: int, least: int) -> tuple[Ints, Ints]:
    """Split nodes by class, of each of which there must be so many."""
    names, numbers, counts = np.unique(labels.values[nodes], return_inverse=True, return_counts=True)
    if len(counts) == 0:
        raise DataError(
            f"{_file(labels.place)}: there are no nodes with a class to be split; give the parts (split.csv)"
        )
    if (counts < least).any():
        rare = int(counts.argmin())
        raise DataError(
            f"{labels.where(int(nodes[numbers == rare][0]))}: the class {shorten(names[rare].item(), 40)} has "
            f"{counts[rare]} node(s) to be split, fewer than {least}; give the parts (split.csv), or leave it out"
        )
    kept, taken = stratified_split(numbers.astype(np.int64), share, seed)
    return nodes[kept], nodes[taken]

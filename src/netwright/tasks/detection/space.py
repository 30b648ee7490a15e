"""The default search space of detectors.

A detector is a backbone (the stages of the space of images) whose last three stages give maps of strides 8, 16 and 32;
a pyramid that brings them to one width and lets them exchange what they know, in one or two rounds whose links are
choices; a head of convolutions on each map, for scores and boxes together or apart; and one linear layer for all
points. The links of a round hold those of the feature pyramid network, of PANet and of BiFPN, and what lies between, as
in NAS-FPN.

References:
    Lin et al. (2017), Feature Pyramid Networks; Liu et al. (2018), Path Aggregation Network, section 3.2; Ghiasi, Lin,
    Le (2019), NAS-FPN, section 3.1 (merging cells whose inputs are searched; here the order of the maps is fixed and
    any number of links may enter one); Tan et al. (2020), EfficientDet, section 3.2 (a node's own input linked to its
    second merging). Tian et al. (2019), FCOS, section 3.1 and Ge et al. (2021), YOLOX, section 2.1 (heads that are
    apart).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from netwright import nn
from netwright.errors import SpecError, wrong
from netwright.space import Choice, Expr, Node, SearchSpace, choice, equal, flag, integer
from netwright.space.nodes import CellNode, Edge
from netwright.tasks.image_spaces import ACTIVATIONS, BLOCKS, Stage, stage_blocks
from netwright.types import Value

STRIDES = (8, 16, 32)
"""Pixels between the points of each map."""

SIDE = 3.0
"""An untrained distance is this times 0.7 strides, so that boxes of all sizes begin near a map that suits them."""

STEM = (16, 24, 32)
WIDTHS = ((16, 24, 32, 48), (32, 48, 64, 96), (64, 96, 128, 160), (96, 128, 192, 256))
PYRAMID = (32, 48, 64, 96)
_ROUNDS, _DEEPEST_HEAD = 2, 2

LINKS: Mapping[str, tuple[str, ...]] = {
    "down4": ("in5",),
    "down3": ("down4", "in5"),
    "up4": ("in4", "down3", "in5"),
    "up5": ("up4", "down3"),
}
"""What may enter each merging of a round besides its own map; the last character is the level (stride 8 is 3)."""

_OWN = {"down4": "in4", "down3": "in3", "up4": "down4", "up5": "in5"}
_RESULT = {"down3": 3, "up4": 4, "up5": 5}


def map_extents(canvas: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Height and width of the maps of an image, in points.

    Example:
        >>> map_extents((128, 160))
        ((16, 20), (8, 10), (4, 5))
    """
    return tuple((canvas[0] // stride, canvas[1] // stride) for stride in STRIDES)


def detection_space(input_shape: tuple[int, ...], num_classes: int) -> SearchSpace:
    """The default space of detectors.

    Args:
        input_shape: (C, H, W), sides that 32 divides.
        num_classes: C >= 1.

    Raises:
        SpecError: the shape is no such image, or there is no class.

    Example:
        >>> detection_space((3, 128, 160), 3).count() > 10**12
        True
    """
    if len(input_shape) != 3 or any(side < 64 or side % 32 for side in input_shape[1:]):
        raise SpecError(wrong("input_shape", input_shape, "(channels, height, width), sides multiples of 32, >= 64"))
    if num_classes < 1:
        raise SpecError(wrong("num_classes", num_classes, ">= 1"))
    extents = map_extents((input_shape[1], input_shape[2]))
    heights, widths = tuple(e[0] for e in extents), tuple(e[1] for e in extents)
    activation = choice("activation", ACTIVATIONS)
    return SearchSpace(
        nn.seq(
            nn.conv_norm_act(choice("stem.width", STEM), kernel=3, stride=2, activation=activation),
            stage_blocks(_stage(0), activation),
            _maps(activation),
            nn.linear(4 + num_classes),
            nn.decode_boxes(heights, widths, STRIDES, side=SIDE, log_odds=-4.0),
        )
    )


def _stage(index: int) -> Stage:
    name = f"stage{index}"
    return Stage(
        block=choice(f"{name}.block", BLOCKS),
        width=choice(f"{name}.width", WIDTHS[index]),
        depth=integer(f"{name}.depth", 1, 2 if index == 0 else 3),
        kernel=choice(f"{name}.kernel", [3, 5]),
        expand=choice(f"{name}.expand", [2, 4]),
        squeeze_excite=flag(f"{name}.squeeze_excite"),
        stride=2,
    )


@dataclass
class _Graph:
    """Nodes of a cell, by name."""

    nodes: list[CellNode]
    numbers: dict[str, int]

    def add(
        self, name: str, *edges: Edge, then: Node | None = None, combine: str = "sum", present: object = None
    ) -> None:
        """Add a node that later edges can come from."""
        self.numbers[name] = len(self.nodes) + 1
        self.nodes.append(nn.cell_node(*edges, combine=combine, then=then, present=cast("Expr | None", present)))

    def edge(self, source: str, op: Node | None = None, present: Expr | None = None) -> Edge:
        """An edge from a node."""
        return nn.edge(self.numbers[source], op, present=present)


def _maps(activation: Choice) -> Node:
    """Backbone from stride 4 on, pyramid and head: features of all points, (points, width)."""
    graph = _Graph([], {})
    width = choice("pyramid.width", PYRAMID)
    rounds = integer("pyramid.rounds", 1, _ROUNDS)
    for level in (3, 4, 5):
        source = graph.edge(f"stage{level - 3}") if level > 3 else nn.edge(0)
        graph.add(f"stage{level - 2}", source, then=stage_blocks(_stage(level - 2), activation))
    for level in (3, 4, 5):
        lateral = nn.conv_norm_act(width, kernel=1, activation=activation)
        graph.add(f"p0.{level}", graph.edge(f"stage{level - 2}"), then=lateral)
    for number in range(1, _ROUNDS + 1):
        _round(graph, number, _Pyramid(width, activation), None if number == 1 else rounds >= number)
    for level in (3, 4, 5):
        edges = [graph.edge(f"p{n}.{level}", present=equal(rounds, n)) for n in range(1, _ROUNDS + 1)]
        rows = nn.seq(_head(width, activation), nn.to_sequence(), nn.permute((0, 1)))  # concat of rows, not channels
        graph.add(f"rows{level}", *edges, then=rows)
    graph.add("all", *(graph.edge(f"rows{level}") for level in (3, 4, 5)), combine="concat")
    return nn.cell(*graph.nodes, output="last")


@dataclass(frozen=True)
class _Pyramid:
    """Choices that all rounds share."""

    width: Choice
    activation: Choice

    def merge(self) -> Node:
        """What is done to a merged map."""
        conv = nn.conv_norm_act(self.width, kernel=3, activation=self.activation)
        separable = _separable(self.width, self.activation)
        kinds: dict[Value, Node] = {"conv": conv, "separable": separable, "none": nn.identity()}
        return nn.one_of(choice("pyramid.merge", ["conv", "separable", "none"]), kinds)

    def resample(self, source: int, target: int) -> Node:
        """From the extent of one level to that of another."""
        if source >= target:
            return nn.upsample(2 ** (source - target)) if source > target else nn.identity()
        steps = range(target - source)
        halving = nn.conv_norm_act(self.width, kernel=3, stride=2, activation=self.activation)
        pooling = nn.seq(*(nn.max_pool(2) for _ in steps))
        kinds: dict[Value, Node] = {"pool": pooling, "conv": nn.seq(*(halving for _ in steps))}
        return nn.one_of(choice("pyramid.down", ["pool", "conv"]), kinds)


def _round(graph: _Graph, number: int, pyramid: _Pyramid, present: Expr | None) -> None:
    """A round of merging: from coarse to fine, and back."""
    names = {f"in{level}": f"p{number - 1}.{level}" for level in (3, 4, 5)}
    for target, sources in LINKS.items():
        level = int(target[-1])
        names[target] = f"p{number}.{level}" if target in _RESULT else f"p{number}.{target}"
        edges = [graph.edge(names[_OWN[target]])]
        for source in sources:
            link = flag(f"pyramid.link{number}.{source}.{target}")
            edges.append(graph.edge(names[source], pyramid.resample(int(source[-1]), level), link))
        graph.add(names[target], *edges, then=pyramid.merge(), present=present)


def _separable(width: Expr, activation: Choice) -> Node:
    return nn.seq(
        nn.depthwise_conv(3, bias=False), nn.batch_norm(), nn.conv_norm_act(width, kernel=1, activation=activation)
    )


def _head(width: Choice, activation: Choice) -> Node:
    """Convolutions for scores and boxes together, or apart; their weights are each map's own."""

    def convs() -> Node:
        kinds: dict[Value, Node] = {
            "conv": nn.conv_norm_act(width, kernel=3, activation=activation),
            "separable": _separable(width, activation),
        }
        block = choice("head.block", ["conv", "separable"])
        return nn.repeat(integer("head.depth", 1, _DEEPEST_HEAD), lambda _: nn.one_of(block, kinds))

    return nn.one_of(
        choice("head.kind", ["together", "apart"]), {"together": convs(), "apart": nn.concat(convs(), convs())}
    )

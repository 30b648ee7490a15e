"""Makes random valid search spaces over all operations: whatever architecture is drawn from one, it must build."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from netwright import nn
from netwright.space import SearchSpace
from netwright.space.declarations import choice, flag, where
from netwright.space.expressions import Expr
from netwright.space.nodes import Node

WIDTHS = (8, 16, 24)
ACTIVATIONS = ("relu", "gelu", "silu", "hardswish", "leaky_relu", "tanh", "sigmoid")


@dataclass
class Maker:
    """Draws nodes; names are counted, so that they never meet by accident."""

    rng: random.Random
    count: int = 0
    shared: list[Expr] = field(default_factory=list)

    def name(self, what: str) -> str:
        self.count += 1
        return f"{what}{self.count}"

    def width(self) -> Expr | int:
        """A width that all groups and heads divide: fixed, a new choice, a shared one, or computed from one."""
        kind = self.rng.randrange(4)
        if kind == 0:
            return self.rng.choice(WIDTHS)
        if kind == 1 and self.shared:
            return self.rng.choice(self.shared)
        made = choice(self.name("width"), self.rng.sample(WIDTHS, 2))
        self.shared.append(made)
        return made * 2 if kind == 2 else made

    def pick(self, what: str, *values: object) -> Expr:
        return choice(self.name(what), list(values))  # type: ignore[arg-type]

    def activation(self) -> Node:
        return nn.activation(self.pick("activation", *self.rng.sample(ACTIVATIONS, 2)))

    # --- images (C, H, W); the extent never falls below 1, as all padding is "same" ---

    def image_layer(self) -> Node:
        """A layer that keeps the extent."""
        kernel = self.pick("kernel", 1, 2, 3, 5)
        makers: tuple[Callable[[], Node], ...] = (
            lambda: nn.conv(self.width(), kernel, groups=self.pick("groups", 1, 2, 4), bias=flag(self.name("bias"))),
            lambda: nn.conv(self.width(), (3, 1), dilation=self.pick("dilation", 1, 2)),
            lambda: nn.depthwise_conv(kernel, multiplier=self.pick("multiplier", 1, 2)),
            lambda: nn.separable_conv(self.width(), kernel),
            lambda: nn.conv_norm_act(self.width(), kernel, norm=self.pick("norm", "batch", "group", "layer", "none")),
            lambda: nn.mbconv(self.width(), kernel, expand=self.pick("expand", 1, 2), se=self.pick("se", 0, 4)),
            lambda: nn.transposed_conv(self.width(), kernel=3, stride=1),
            lambda: nn.over_positions(nn.transformer_block(self.pick("heads", 1, 2, 4), expand=2)),
            lambda: nn.over_positions(nn.lstm(self.width(), bidirectional=flag(self.name("both")))),
            lambda: nn.over_positions(nn.attention(self.pick("heads", 2, 4), causal=flag(self.name("causal")))),
            lambda: nn.one_of(self.name("norm"), {"b": nn.batch_norm(), "l": nn.layer_norm(), "r": nn.rms_norm()}),
            lambda: nn.group_norm(4),
            self.activation,
            lambda: nn.squeeze_excite(self.pick("reduction", 2, 8)),
            lambda: nn.avg_pool(3, stride=1),
            lambda: nn.max_pool(3, stride=1),
            lambda: nn.dropout(0.1, whole_channels=flag(self.name("whole"))),
            lambda: nn.permute((0, 2, 1)),
            lambda: nn.project(self.width()),
        )
        return self.rng.choice(makers)()

    def image_resize(self) -> Node:
        makers: tuple[Callable[[], Node], ...] = (
            lambda: nn.conv(self.width(), 3, stride=self.pick("stride", 1, 2)),
            lambda: nn.max_pool(self.pick("pool", 2, 3)),
            lambda: nn.avg_pool(2),
            lambda: nn.adaptive_pool(4, self.pick("mode", "avg", "max")),
            lambda: nn.factorized_reduce(self.width()),
            lambda: nn.seq(nn.conv(32), nn.pixel_shuffle(2), nn.max_pool(2)),
            lambda: nn.seq(nn.upsample(2, self.pick("upsample", "nearest", "linear")), nn.avg_pool(2)),
            lambda: nn.mbconv(self.width(), stride=2),
        )
        return self.rng.choice(makers)()

    def image(self, depth: int) -> Node:
        """Layers and structures around them."""
        if depth == 0:
            return self.image_layer() if self.rng.random() < 0.8 else self.image_resize()
        makers: tuple[Callable[[], Node], ...] = (
            lambda: nn.seq(*(self.image(depth - 1) for _ in range(self.rng.randint(0, 3)))),
            lambda: nn.residual(self.image(depth - 1), activation=self.pick("after", "identity", "relu")),
            lambda: nn.one_of(self.name("op"), {1: self.image(depth - 1), 2: nn.identity(), 3: self.image(depth - 1)}),
            lambda: nn.optional(self.name("optional"), self.image(depth - 1)),
            lambda: nn.repeat(self.name("depth"), lambda i: self.image(depth - 1), 0, 2),
            self.branches,
            self.cell,
            lambda: nn.stages(nn.conv_norm_act(nn.stage_width()), [8, 16], repeats=2, between=nn.max_pool(2)),
            lambda: nn.recursive(self.name("rule"), self._rule, self.image_layer(), 2),
        )
        return self.rng.choice(makers)()

    def _rule(self, recurse: Callable[[], Node], path: str) -> Node:
        return nn.one_of(f"{path}.op", {"leaf": nn.relu(), "more": nn.concat(recurse(), recurse())})

    def branches(self) -> Node:
        if self.rng.random() < 0.5:
            return nn.concat(*(self.image_layer_kept() for _ in range(self.rng.randint(1, 3))))
        width, combine = self.width(), self.pick("combine", "sum", "multiply", "mean")
        return nn.parallel(*(nn.conv(width, k) for k in (1, 2, 3)), combine=combine)

    def image_layer_kept(self) -> Node:
        """A layer that keeps the extent whatever it is (a permutation of H and W would not)."""
        kernel = self.pick("kernel", 1, 2, 3)
        return nn.one_of(
            self.name("op"), {"conv": nn.conv(self.width(), kernel), "skip": nn.identity(), "none": nn.zero()}
        )

    def cell(self) -> Node:
        width = self.rng.choice(WIDTHS)
        on = flag(self.name("present"))

        def make(source: int, number: int) -> Node:
            ops = {
                "conv": nn.conv_norm_act(width),
                "none": nn.seq(nn.conv(width, 1), nn.zero()),
                "pool": nn.avg_pool(3, 1),
            }
            return nn.one_of(self.name("edge"), ops if source else {"conv": nn.conv(width, 1)})

        if self.rng.random() < 0.5:
            return nn.dense_cell(4, make, output=self.rng.choice(["last", "concat", "sum", "mean", "loose"]))
        first = nn.cell_node(nn.edge(0, nn.conv(width, 3)), nn.edge(0, nn.conv(width, 1)), combine="multiply")
        second = nn.cell_node(nn.edge(1), nn.edge(0, nn.conv(width, 1), present=on), then=self.activation(), present=on)
        third = nn.cell_node(nn.edge(1), nn.edge(2, nn.conv(where(on, width, 8), 1)), combine="concat")
        return nn.cell(first, second, third)

    # --- sequences (L, D) ---

    def sequence_layer(self) -> Node:
        makers: tuple[Callable[[], Node], ...] = (
            lambda: nn.linear(self.width(), bias=flag(self.name("bias"))),
            lambda: nn.attention(self.pick("heads", 1, 2, 4), dropout=0.1),
            lambda: nn.transformer_block(
                4, self.pick("expand", 1.0, 2.0), norm=self.pick("norm", "layer", "rms", "none")
            ),
            lambda: nn.gru(self.width(), layers=self.pick("layers", 1, 2)),
            lambda: nn.rnn(self.width(), bidirectional=flag(self.name("both"))),
            lambda: nn.one_of(self.name("norm"), {"l": nn.layer_norm(), "r": nn.rms_norm()}),
            nn.positional_embedding,
            nn.softmax,
            lambda: nn.seq(nn.to_channels(), nn.conv1d(self.width(), 3), nn.batch_norm(), nn.to_sequence()),
            lambda: nn.residual(nn.seq(nn.layer_norm(), nn.linear(self.width()), nn.drop_path(0.1))),
            lambda: nn.concat(nn.identity(), nn.linear(self.width())),
        )
        return self.rng.choice(makers)()

    def sequence_end(self) -> Node:
        return nn.one_of(
            self.name("end"),
            {
                "pool": nn.global_pool(self.pick("mode", "avg", "max")),
                "last": nn.lstm(8, returns="last", bidirectional=flag(self.name("both"))),
                "flat": nn.flatten(),
            },
        )


@dataclass(frozen=True)
class RandomDeclaration:
    """A space and the input it is for."""

    space: SearchSpace
    input_shape: tuple[int, ...]
    input_dtype: str


def random_declaration(seed: int) -> RandomDeclaration:
    """A valid space; the same for the same seed."""
    make = Maker(random.Random(seed))
    kind = make.rng.randrange(4)
    if kind == 0:
        layers = [make.sequence_layer() for _ in range(make.rng.randint(0, 3))]
        start = make.rng.choice(
            [nn.embedding(11, make.width()), nn.seq(nn.embedding(11, 8), nn.positional_embedding())]
        )
        return _declaration(nn.seq(start, *layers, make.sequence_end(), nn.linear(3)), (5,), "int64")
    if kind == 1:
        layers = [make.sequence_layer() for _ in range(make.rng.randint(1, 3))]
        start = nn.patch_embedding(make.width(), make.pick("patch", 2, 4))
        return _declaration(nn.seq(start, *layers, make.sequence_end(), nn.linear(3)), (3, 8, 8), "float32")
    layers = [make.image(make.rng.randint(0, 2)) for _ in range(make.rng.randint(1, 4))]
    end = nn.one_of(make.name("end"), {"pool": nn.global_pool(), "flat": nn.flatten()})
    start = nn.seq(nn.normalize((0.1, 0.2, 0.3), 0.5), nn.conv(make.width(), 3))
    return _declaration(nn.seq(start, *layers, end, nn.linear(3)), (3, 8, 8), "float32")


def _declaration(root: Node, shape: tuple[int, ...], dtype: str) -> RandomDeclaration:
    return RandomDeclaration(SearchSpace(root), shape, dtype)

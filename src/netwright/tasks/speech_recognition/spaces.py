"""The default search space of speech recognition, and its hand-made networks.

A stem shortens the recording to one frame in `stride`, by convolutions over time or over time and bands. Then come
blocks on a sequence of one width: convolution, recurrence, attention, or a Conformer's mixture of the last two; then a
logit a unit for each frame. Depth, width, kernels, heads and hidden sizes are elastic: subnets share their weights.

References:
    Gulati et al. (2020), *Conformer*; ours adds its feed-forward halves whole, and has learned positions where it has
    any. Kriman et al. (2020), *QuartzNet*: separable convolutions over time. Amodei et al. (2016), *Deep Speech 2*:
    convolutions over time and bands, then bidirectional recurrence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netwright import nn
from netwright.space import SearchSpace, choice
from netwright.space.expressions import Choice, Expr
from netwright.space.nodes import Node
from netwright.tasks.base import Reference
from netwright.types import Architecture, Value

WIDTHS = (48, 64, 96, 128, 160)
BLOCKS = ("conv", "gru", "attention", "conformer")
MOST_BLOCKS = 6
SIZES, DEPTHS = ("width", "stem.channels", "expand"), ("depth",)
"""Choices by which a hand-made network is made smaller."""


def speech_space(input_shape: tuple[int, ...], stride: int, num_units: int) -> SearchSpace:
    """Make the space.

    Args:
        input_shape: (bands, T), T a multiple of ``stride``.
        stride: input frames for a frame of the output: 1, 2, 4 or 8.
        num_units: logits of each frame.
    """
    width, dropout = choice("width", WIDTHS), choice("dropout", [0.1, 0.2, 0.3])
    shared = _Shared(width, dropout, choice("heads", [2, 4, 8]), choice("expand", [1, 2, 4]))
    stem = nn.one_of("stem", {"conv1d": _stem_1d(shared, stride), "conv2d": _stem_2d(shared, input_shape, stride)})
    blocks = nn.repeat("depth", lambda i: nn.one_of(f"block{i}", _kinds(shared, i)), 1, MOST_BLOCKS)
    head = nn.seq(nn.layer_norm(), nn.dropout(dropout), nn.linear(num_units))
    return SearchSpace(nn.seq(stem, nn.optional("positions", nn.positional_embedding()), blocks, head))


@dataclass(frozen=True)
class _Shared:
    """Choices that all blocks have in common."""

    width: Choice
    dropout: Choice
    heads: Choice
    expand: Choice


def _steps(stride: int) -> tuple[int, int]:
    """Strides of the two convolutions of a stem."""
    first = min(2, stride) if stride < 8 else 4
    return first, stride // first


def _stem_1d(shared: _Shared, stride: int) -> Node:
    kernel = choice("stem.kernel", [3, 5, 7])
    first, second = _steps(stride)
    return nn.seq(
        nn.conv_norm_act(shared.width, kernel=kernel, stride=first),
        nn.conv_norm_act(shared.width, kernel=kernel, stride=second),
        nn.to_sequence(),
    )


def _stem_2d(shared: _Shared, input_shape: tuple[int, ...], stride: int) -> Node:
    bands, longest = input_shape
    channels = choice("stem.channels", [8, 16, 24, 32])
    first, second = _steps(stride)
    rows = -(-bands // 4)
    return nn.seq(
        nn.reshape((1, bands, longest)),
        nn.conv_norm_act(channels, kernel=3, stride=(2, first)),
        nn.conv_norm_act(channels, kernel=3, stride=(2, second)),
        nn.permute((2, 0, 1)),
        nn.reshape((longest // stride, channels * rows)),  # type: ignore[arg-type]  # parts may be expressions
        nn.linear(shared.width),
    )


def _kinds(shared: _Shared, place: int) -> Mapping[Value, Node]:
    """A block of each kind, all keeping the shape (T / stride, width)."""
    kernel = choice(f"kernel{place}", [5, 9, 15, 21])
    convolution = _convolution(shared, kernel)
    recurrence = nn.residual(
        nn.seq(nn.layer_norm(), nn.gru(shared.width // 2, bidirectional=True), nn.dropout(shared.dropout))
    )
    attention = nn.residual(
        nn.seq(nn.layer_norm(), nn.attention(shared.heads, dropout=shared.dropout), nn.dropout(shared.dropout))
    )
    return {
        "conv": convolution,
        "gru": recurrence,
        "attention": nn.transformer_block(shared.heads, shared.expand, dropout=shared.dropout),
        "conformer": nn.seq(_feed_forward(shared), attention, convolution, _feed_forward(shared), nn.layer_norm()),
    }


def _feed_forward(shared: _Shared) -> Node:
    return nn.residual(
        nn.seq(
            nn.layer_norm(),
            nn.linear(shared.width * shared.expand),
            nn.silu(),
            nn.dropout(shared.dropout),
            nn.linear(shared.width),
        )
    )


def _convolution(shared: _Shared, kernel: Expr) -> Node:
    """A Conformer's convolution module: a gate, a depthwise convolution over time, batch norm."""
    gate = nn.parallel(nn.linear(shared.width), nn.seq(nn.linear(shared.width), nn.sigmoid()), combine="multiply")
    return nn.residual(
        nn.seq(
            nn.layer_norm(),
            gate,
            nn.to_channels(),
            nn.depthwise_conv(kernel, bias=False),
            nn.batch_norm(),
            nn.silu(),
            nn.to_sequence(),
            nn.linear(shared.width),
            nn.dropout(shared.dropout),
        )
    )


def speech_references(space: SearchSpace) -> tuple[Reference, ...]:
    """What a person who knows the field would write down for little data and a CPU.

    Args:
        space: what `speech_space` gave.
    """
    return tuple(Reference(name, design.of(space)) for name, design in _REFERENCES.items())


@dataclass(frozen=True)
class _Design:
    """A network in a few numbers: kinds of its blocks, its stem, width and kernel."""

    blocks: tuple[str, ...]
    stem: str = "conv2d"
    width: int = 96
    kernel: int = 15

    def of(self, space: SearchSpace) -> Architecture:
        """The architecture of a default space."""
        decisions: dict[str, Value] = {
            "width": self.width,
            "dropout": 0.2,
            "heads": 4,
            "expand": 2,
            "stem": self.stem,
            "stem.kernel": 5,
            "stem.channels": 16,
            "positions": False,
            "depth": len(self.blocks),
        }
        for place, block in enumerate(self.blocks):
            decisions |= {f"block{place}": block, f"kernel{place}": self.kernel}
        return space.architecture(decisions, drop_inactive=True)


_REFERENCES = {
    "cnn": _Design(("conv",) * 5),
    "gru": _Design(("gru",) * 3),
    "conformer": _Design(("conformer",) * 3),
}

"""The default search space of image classification, and the hand-made networks it contains.

A network is a stem, two to four stages and a head. Each stage has a kind of block, a width, a depth and, where it means
something for the block, a kernel, an expansion, squeeze-excite or not; the stem decides how early the image is made
smaller, and with it where the work is done. Small ResNets, MobileNets and VGG-like networks are points of the space. It
is fitted to the size of the images: no stage makes them smaller than 2 x 2, whatever is chosen.

The ranges hold what was measured to be trainable and fast on CPUs (``benchmarks/portfolio.py``): widths that are
multiples of eight, few layers at full resolution. Knows neither data nor training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

from netwright import nn
from netwright.errors import SpecError, wrong
from netwright.space import Choice, Expr, Node, SearchSpace, choice, flag, integer
from netwright.space.expressions import Categorical
from netwright.tasks.base import Reference
from netwright.tasks.narrowing import admitted
from netwright.types import Architecture, Value

BLOCKS = ("plain", "residual", "bottleneck", "fused", "mbconv", "separable")
"""Kinds of blocks: one convolution; two with a shortcut (He et al. 2016); 1 x 1, k x k, 1 x 1 with a shortcut (the
same); k x k that widens and 1 x 1 that narrows, with a shortcut (Fused-MBConv, Tan and Le 2021); inverted residual
(Sandler et al. 2018); depthwise and 1 x 1 (Howard et al. 2017)."""

ACTIVATIONS = ("relu", "leaky_relu", "silu", "gelu")
_SMALLEST_EXTENT = 2
_REDUCTION = 4
_LARGE = 40  # images from this side on are always halved in the stem


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage's choices, shared by its blocks; ``stride`` is that of the first."""

    block: Choice
    width: Choice
    depth: Choice
    kernel: Choice
    expand: Choice
    squeeze_excite: Choice
    stride: int


def image_space(input_shape: tuple[int, ...], num_classes: int) -> SearchSpace:
    """The default space for images.

    Args:
        input_shape: (C, H, W), sides >= 4.
        num_classes: C >= 2.

    Raises:
        SpecError: the shape is not that of an image, or there are fewer than two classes.

    Example:
        >>> image_space((1, 28, 28), 10).count() > 10**8
        True
    """
    if len(input_shape) != 3 or min(input_shape[1:]) < 4:
        raise SpecError(wrong("input_shape", input_shape, "(channels, height, width) with sides >= 4"))
    if num_classes < 2:
        raise SpecError(wrong("num_classes", num_classes, ">= 2"))
    activation = choice("activation", ACTIVATIONS)
    stem_stride = choice("stem.stride", _stem_strides(input_shape))
    stem = nn.conv_norm_act(
        choice("stem.width", [16, 24, 32]),
        kernel=choice("stem.kernel", [3, 5]),
        stride=stem_stride,
        activation=activation,
    )
    stages = [_stage(i, stride, stem_stride) for i, stride in enumerate(_stage_strides(input_shape))]
    head = nn.seq(
        nn.optional("head.widen", nn.conv_norm_act(2 * stages[-1].width, kernel=1, activation=activation)),
        nn.global_pool(choice("head.pool", ["avg", "max"])),
        nn.linear(num_classes),
    )
    return SearchSpace(nn.seq(stem, *(stage_blocks(stage, activation) for stage in stages), head))


def _halvings(input_shape: tuple[int, ...]) -> int:
    """How often an image can be halved before its smaller side is below the smallest extent."""
    return int(math.log2(min(input_shape[1:]) / _SMALLEST_EXTENT))


def _stem_strides(input_shape: tuple[int, ...]) -> list[int]:
    side = min(input_shape[1:])
    return [2] if side >= _LARGE else [1, 2] if side >= 16 else [1]


def _stage_strides(input_shape: tuple[int, ...]) -> list[int]:
    """Stride of each stage: the first keeps the extent, the others halve it, as long as it can be halved."""
    left = _halvings(input_shape) - (max(_stem_strides(input_shape)) - 1)
    return [1, *([2] * min(left, 3 if min(input_shape[1:]) >= _LARGE else 2))]


_FIRST_WIDTHS = {1: (8, 16, 24), 2: (16, 24, 32, 48, 64)}
"""Of the first stage, by the stem's stride: its layers see the largest images and cost most."""

_WIDTHS = ((24, 32, 48, 64, 96), (48, 64, 96, 128, 160, 192), (96, 128, 192, 256, 384))


def _stage(index: int, stride: int, stem_stride: Choice) -> Stage:
    name = f"stage{index}"
    if index == 0:
        strides = cast(Categorical, stem_stride.domain).values
        width = choice(f"{name}.width", {s: _FIRST_WIDTHS[cast(int, s)] for s in strides}, on=stem_stride)
    else:
        width = choice(f"{name}.width", _WIDTHS[index - 1])
    return Stage(
        block=choice(f"{name}.block", BLOCKS),
        width=width,
        depth=integer(f"{name}.depth", 1, 2 if index == 0 else 3),
        kernel=choice(f"{name}.kernel", [3, 5]),
        expand=choice(f"{name}.expand", [2, 4]),
        squeeze_excite=flag(f"{name}.squeeze_excite"),
        stride=stride,
    )


def stage_blocks(stage: Stage, activation: Choice) -> Node:
    """The blocks of a stage, one after the other, of a kind that is chosen for all of them."""

    def block(place: int) -> Node:
        return nn.one_of(stage.block, _kinds(stage, stage.stride if place == 0 else 1, activation))

    return nn.repeat(stage.depth, block)


def _kinds(stage: Stage, stride: int, activation: Choice) -> Mapping[Value, Node]:
    """A block of each kind, with the choices that mean something for it; dense convolutions are 3 x 3."""
    width, kernel = stage.width, stage.kernel

    def conv(channels: Expr, size: int, step: int = 1, act: Expr | str = activation) -> Node:
        return nn.conv_norm_act(channels, kernel=size, stride=step, activation=act)

    def last(channels: Expr, size: int) -> Node:
        return nn.seq(
            conv(channels, size, 1, "identity"), nn.optional(stage.squeeze_excite, nn.squeeze_excite(_REDUCTION))
        )

    return {
        "plain": conv(width, 3, stride),
        "residual": nn.residual(nn.seq(conv(width, 3, stride), last(width, 3)), activation=activation),
        "bottleneck": nn.residual(
            nn.seq(conv(width // 2, 1), conv(width // 2, 3, stride), last(width, 1)), activation=activation
        ),
        "fused": nn.residual(nn.seq(conv(width * stage.expand // 2, 3, stride), last(width, 1))),
        "mbconv": nn.mbconv(width, kernel, stride, expand=stage.expand, activation=activation),
        "separable": nn.seq(
            nn.depthwise_conv(kernel, stride, bias=False),
            nn.batch_norm(),
            nn.conv_norm_act(width, kernel=1, activation=activation),
        ),
    }


def image_references(space: SearchSpace) -> tuple[Reference, ...]:
    """Hand-made networks of the default space: a small ResNet, a MobileNetV2-like network, a plain CNN.

    They are what a person who knows the field would write down for small images on a CPU, without a handicap.

    Args:
        space: what `image_space` gave.
    """
    return tuple(Reference(name, design.of(space)) for name, design in _REFERENCES.items())


def image_portfolio(space: SearchSpace) -> tuple[Architecture, ...]:
    """Networks a search tries right after the references: those that learned most a second in earlier measurements.

    They halve the image in the stem and are wide after it, in several sizes, so that some keep tight limits. Chosen on
    the validation images of Fashion-MNIST with ``benchmarks/portfolio.py``; a start, never the result: what is better
    on the data at hand is decided there (a portfolio of warm starts: Feurer et al. 2022, *Auto-sklearn 2.0*,
    section 3.1; ours is small and put together by hand).

    Args:
        space: what `image_space` gave.
    """
    known = {reference.architecture for reference in image_references(space)}
    found = dict.fromkeys(design.of(space) for design in _PORTFOLIO.values())
    return tuple(architecture for architecture in found if architecture not in known)


def narrowed(space: SearchSpace, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
    """Those of the references and of the portfolio that are not admitted, made narrower until they are.

    What a person does whose favourite is too large: all widths by one factor, or the image halved in the stem; where
    that is not enough stages of a single block.

    Args:
        space: what `image_space` gave.
        admits: whether a network may be proposed, such as `SearchSpace.admits`.

    Returns:
        The widest admitted one of each, with the factor in its name; none of a design of which no width is admitted.
    """
    designs = {**_REFERENCES, **_PORTFOLIO}

    def smaller(name: str) -> Iterator[tuple[str, Architecture]]:
        design = designs[name]
        for depths, factor, stem_stride in product(
            (design.depths, (1, 1, 1, 1)), _FACTORS, {design.stem_stride: 0, 2: 0}
        ):
            widths = tuple(factor * width for width in design.widths)
            yield f"x{factor:g}", replace(design, widths=widths, depths=depths, stem_stride=stem_stride).of(space)

    return admitted({name: design.of(space) for name, design in designs.items()}, smaller, admits)


@dataclass(frozen=True, slots=True)
class _Design:
    """A network in a few numbers; those of stages that a space does not have are left out.

    Args:
        block: kind of all blocks.
        widths: of the stages; the nearest that the space has is taken.
        depths: of the stages.
        expand: of blocks that widen.
        stem_stride: of the stem, where the space has it.
        stem_width: of the stem.
    """

    block: str
    widths: Sequence[float]
    depths: Sequence[int]
    expand: int = 2
    stem_stride: int = 1
    stem_width: int = 16

    def of(self, space: SearchSpace) -> Architecture:
        """The architecture of a default space."""
        strides = cast(Categorical, space.choices["stem.stride"].domain).values
        stride = self.stem_stride if self.stem_stride in strides else cast(int, strides[0])
        decisions: dict[str, Value] = {
            "activation": "relu",
            "stem.stride": stride,
            "stem.width": self.stem_width,
            "stem.kernel": 3,
            "head.widen": False,
            "head.pool": "avg",
        }
        for i in range(sum(name.endswith(".block") for name in space.choices)):
            allowed = _FIRST_WIDTHS[stride] if i == 0 else _WIDTHS[i - 1]
            decisions |= {
                f"stage{i}.block": self.block,
                f"stage{i}.width": min(allowed, key=lambda width: abs(width - self.widths[i])),
                f"stage{i}.depth": self.depths[i],
                f"stage{i}.kernel": 3,
                f"stage{i}.expand": self.expand,
                f"stage{i}.squeeze_excite": False,
            }
        return space.architecture(decisions, drop_inactive=True)


_REFERENCES = {
    "resnet": _Design("residual", widths=(16, 32, 64, 128), depths=(1, 1, 1, 1)),
    "mobilenet": _Design("mbconv", widths=(24, 32, 64, 128), depths=(2, 2, 2, 2), expand=4, stem_stride=2),
    "cnn": _Design("plain", widths=(24, 64, 128, 256), depths=(1, 2, 1, 1)),
}

_PORTFOLIO = {
    "early-cnn": _Design("plain", widths=(48, 64, 160, 256), depths=(1, 2, 1, 1), stem_stride=2, stem_width=32),
    "early-resnet": _Design("residual", widths=(48, 64, 160, 256), depths=(1, 1, 1, 1), stem_stride=2, stem_width=32),
    "small-cnn": _Design("plain", widths=(24, 48, 96, 128), depths=(1, 2, 1, 1), stem_stride=2, stem_width=24),
    "tiny-cnn": _Design("plain", widths=(16, 24, 48, 96), depths=(1, 1, 1, 1), stem_stride=2),
}

_FACTORS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of all widths of a design that is made narrower."""

"""The default search spaces of time series, and the hand-made networks they contain.

A body of convolutions (residual, dilated or not), of recurrent layers, or of attention over patches; for forecasts also
straight lines from the window to the horizon. All sizes are elastic. Knows neither data nor training.

References:
    Wang, Yan, Oates (2017), Time Series Classification from Scratch with Deep Neural Networks (fully convolutional and
    residual networks). Zeng, Chen, Zhang, Xu (2023), Are Transformers Effective for Time Series Forecasting? (linear
    forecasts). Nie, Nguyen, Sinthong, Kalagnanam (2023), A Time Series is Worth 64 Words (patches).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from netwright import nn
from netwright.errors import SpecError, wrong
from netwright.space import Choice, Node, SearchSpace, choice, flag, integer
from netwright.tasks.base import Reference
from netwright.types import Architecture, Value

_LONG = 64
"""Series from this length on are halved at the start of a convolutional body."""


def classification_space(input_shape: tuple[int, ...], num_classes: int) -> SearchSpace:
    """The default space of series that belong to a class.

    Args:
        input_shape: (channels, length), length >= 4.
        num_classes: >= 2.

    Raises:
        SpecError: a shape that is no series, or too few classes.

    Example:
        >>> classification_space((1, 40), 10).count() > 10**4
        True
    """
    _check(input_shape)
    if num_classes < 2:
        raise SpecError(wrong("num_classes", num_classes, ">= 2"))
    dropout = choice("dropout", [0.0, 0.1, 0.3])
    head = nn.seq(nn.dropout(dropout), nn.linear(num_classes))
    bodies: dict[Value, Node] = {
        "conv": nn.seq(_convolutions(input_shape), nn.global_pool(choice("conv.pool", ["avg", "max"]))),
        "recurrent": _recurrent(input_shape),
        "attention": nn.seq(_attention(input_shape, dropout), nn.global_pool("avg")),
    }
    return SearchSpace(nn.seq(nn.one_of("body", bodies), head))


def forecasting_space(input_shape: tuple[int, ...], num_targets: int, horizon: int) -> SearchSpace:
    """The default space of forecasts.

    Args:
        input_shape: (channels, window), targets first.
        num_targets: channels that are told in advance.
        horizon: steps.

    Raises:
        SpecError: a shape that is no series.

    Example:
        >>> forecasting_space((3, 48), 1, 12).count() > 10**4
        True
    """
    _check(input_shape)
    dropout = choice("dropout", [0.0, 0.1, 0.3])
    head = nn.seq(nn.dropout(dropout), nn.linear(num_targets * horizon), nn.reshape((num_targets, horizon)))
    alone = input_shape[0] == num_targets
    line = nn.linear(horizon) if alone else nn.seq(nn.flatten(), nn.linear(num_targets * horizon))
    lines = line if alone else nn.seq(line, nn.reshape((num_targets, horizon)))
    bodies: dict[Value, Node] = {
        "linear": lines,
        "mlp": nn.seq(nn.flatten(), _perceptron(), head),
        "conv": nn.seq(_convolutions(input_shape), nn.flatten(), head),
        "recurrent": nn.seq(_recurrent(input_shape), head),
        "attention": nn.seq(_attention(input_shape, dropout), nn.flatten(), head),
    }
    return SearchSpace(nn.one_of("body", bodies))


def _check(input_shape: tuple[int, ...]) -> None:
    if len(input_shape) != 2 or input_shape[1] < 4:
        raise SpecError(wrong("input_shape", input_shape, "(channels, length) with a length >= 4"))


def _perceptron() -> Node:
    width = choice("mlp.width", [32, 64, 128, 256])
    return nn.repeat(integer("mlp.depth", 1, 3), lambda place: nn.seq(nn.linear(width), nn.relu()))


def _convolutions(input_shape: tuple[int, ...]) -> Node:
    """Stages of residual blocks; each stage after the first halves the series, as long as it can be."""
    length = input_shape[1]
    width = choice("conv.width", [16, 24, 32, 48, 64])
    kernels = [k for k in (3, 5, 7, 9, 15) if k <= max(3, length // 2)]
    activation = choice("conv.activation", ["relu", "silu"])
    start = 2 if length >= _LONG else 1
    most = max(1, min(3, int(math.log2(length / start / 4))))
    stem = nn.conv_norm_act(width, kernel=choice("conv.kernel", kernels), stride=start, activation=activation)

    def stage(place: int) -> Node:
        channels, stride = width * (1 if place == 0 else 2), 1 if place == 0 else 2
        kernel = choice(f"conv.kernel{place}", kernels)
        residual, dilated = flag(f"conv.residual{place}"), flag(f"conv.dilated{place}")
        first = nn.conv_norm_act(channels, kernel=kernel, stride=stride, activation=activation)
        second = nn.conv_norm_act(channels, kernel=kernel, activation="identity")
        wide = nn.conv_norm_act(channels, kernel=3, dilation=2, activation="identity")
        last = nn.one_of(dilated, {False: second, True: wide})
        body = nn.residual(nn.seq(first, last), activation=activation)
        return nn.one_of(residual, {False: first, True: body})

    return nn.seq(stem, nn.repeat(integer("conv.depth", 1, most), stage))


def _recurrent(input_shape: tuple[int, ...]) -> Node:
    """Perhaps a convolution that shortens the series, then recurrent layers; their last outputs."""
    features = choice("recurrent.features", [32, 48, 64, 96])
    layers, both = choice("recurrent.layers", [1, 2]), flag("recurrent.both")
    strides = [1, 2, 4] if input_shape[1] >= _LONG else [1, 2]
    strides = strides if input_shape[1] < 4 * _LONG else [4, 8]
    start = nn.conv_norm_act(
        features, kernel=5 if input_shape[1] > 8 else 3, stride=choice("recurrent.stride", strides)
    )
    cells: dict[Value, Node] = {
        "gru": nn.gru(features, layers, bidirectional=both, returns="last"),
        "lstm": nn.lstm(features, layers, bidirectional=both, returns="last"),
    }
    return nn.seq(start, nn.to_sequence(), nn.one_of("recurrent.cell", cells))


def _attention(input_shape: tuple[int, ...], dropout: Choice) -> Node:
    """Patches as positions, with learned places, and transformer blocks."""
    features = choice("attention.features", [32, 48, 64, 96])
    expand = choice("attention.expand", [1, 2, 4])
    patches = sorted({max(1, input_shape[1] // count) for count in (8, 12, 16, 24, 32)})
    blocks = nn.repeat(
        integer("attention.depth", 1, 4),
        lambda place: nn.transformer_block(choice("attention.heads", [2, 4]), expand, dropout=dropout),
    )
    start = nn.seq(nn.patch_embedding(features, choice("attention.patch", patches)), nn.positional_embedding())
    return nn.seq(start, blocks, nn.layer_norm())


def references_of(space: SearchSpace) -> tuple[Reference, ...]:
    """Hand-made networks of a default space: one of each kind of body, and for forecasts the straight lines.

    Args:
        space: what `classification_space` or `forecasting_space` gave.
    """
    designs = _FORECASTS if "linear" in _values(space.choices["body"]) else _CLASSIFIERS
    return tuple(Reference(name, _design(space, values)) for name, values in designs.items())


def portfolio_of(space: SearchSpace) -> tuple[Architecture, ...]:
    """Networks that are tried right after the references."""
    known = {reference.architecture for reference in references_of(space)}
    found = dict.fromkeys(_design(space, values) for values in _PORTFOLIO)
    return tuple(architecture for architecture in found if architecture not in known)


SIZES = ("conv.width", "recurrent.features", "attention.features", "mlp.width")
DEPTHS = ("conv.depth", "recurrent.layers", "attention.depth", "mlp.depth")
"""Choices that are made smaller where a network is too large."""


def _values(given: Choice) -> tuple[Value, ...]:
    """Values of a choice among several; of a whole number its ends."""
    domain = given.domain
    values = getattr(domain, "values", None)
    return tuple(values) if values is not None else (getattr(domain, "low", 0), getattr(domain, "high", 0))


def _design(space: SearchSpace, values: Mapping[str, Value]) -> Architecture:
    decisions: dict[str, Value] = {}
    known = {**_DEFAULTS, **values}
    for name, given in space.choices.items():  # a choice of a stage has its number behind its name
        decisions[name] = _nearest(known[name if name in known else name.rstrip("0123456789")], given)
    return space.architecture(decisions, drop_inactive=True)


def _nearest(value: Value, given: Choice) -> Value:
    """What a choice has that is nearest to a number; words and flags as they are."""
    if isinstance(value, (bool, str)) or not isinstance(value, int):
        return value
    allowed = [other for other in _values(given) if isinstance(other, (int, float))]
    if getattr(given.domain, "values", None) is None:
        return int(min(max(value, allowed[0]), allowed[-1]))
    return min(allowed, key=lambda other: abs(other - value))


_DEFAULTS: Mapping[str, Value] = {
    "dropout": 0.1,
    "conv.activation": "relu",
    "conv.width": 32,
    "conv.kernel": 7,
    "conv.residual": True,
    "conv.dilated": False,
    "conv.depth": 2,
    "conv.pool": "avg",
    "recurrent.features": 64,
    "recurrent.layers": 1,
    "recurrent.both": True,
    "recurrent.stride": 2,
    "recurrent.cell": "gru",
    "attention.features": 64,
    "attention.patch": 4,
    "attention.depth": 2,
    "attention.heads": 4,
    "attention.expand": 2,
    "mlp.width": 128,
    "mlp.depth": 2,
}

_CLASSIFIERS: Mapping[str, Mapping[str, Value]] = {
    "resnet": {"body": "conv", "conv.depth": 3},
    "gru": {"body": "recurrent"},
    "transformer": {"body": "attention"},
}

_FORECASTS: Mapping[str, Mapping[str, Value]] = {
    "linear": {"body": "linear"},
    "mlp": {"body": "mlp"},
    "gru": {"body": "recurrent"},
    "patch-transformer": {"body": "attention"},
}

_PORTFOLIO: tuple[Mapping[str, Value], ...] = (
    {"body": "conv", "conv.width": 64, "conv.kernel": 5, "conv.depth": 3},
    {"body": "conv", "conv.width": 32, "conv.kernel": 15, "conv.residual": False, "conv.depth": 2},
    {"body": "conv", "conv.width": 48, "conv.kernel": 9, "conv.dilated": True, "conv.depth": 3},
)

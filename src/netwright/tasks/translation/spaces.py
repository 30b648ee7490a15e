"""The default search space of translation, and the hand-made networks it contains.

An encoder and a decoder of one to six layers, each with features of its own. A layer of either mixes positions by
attention, a gated convolution or GRUs, has heads and a feed-forward size of its own; a layer of the decoder chooses
which of the encoder's last three layers it attends to. Knows neither data nor training.

References:
    Wang et al. (2020), HAT, section 3.1: elastic depth, features, heads, feed-forward size and links. We let one layer
    differ from the next in what mixes positions, too, and encoder and decoder in their features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

from netwright import nn
from netwright.space import SearchSpace, choice, integer
from netwright.space.nodes import Node
from netwright.tasks.base import Reference
from netwright.tasks.narrowing import admitted
from netwright.types import Architecture, Value

MIXERS = ("attention", "convolution", "recurrent")
WIDTHS = (64, 96, 128, 192, 256)
HIDDEN = (128, 256, 384, 512, 768)
LINKS: tuple[Value, ...] = ((1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3))
MOST_LAYERS = 6


def translation_space(source_length: int, source_tokens: int, target_tokens: int) -> SearchSpace:
    """The default space.

    Args:
        source_length: tokens of a source in a row.
        source_tokens: size of its vocabulary.
        target_tokens: size of the target's.

    Example:
        >>> translation_space(40, 4000, 4000).count() > 10**20
        True
    """
    every = {"activation": choice("activation", ["relu", "gelu"]), "dropout": choice("dropout", [0.1, 0.2, 0.3])}
    return SearchSpace(
        nn.encoder_decoder(
            nn.repeat(integer("encoder.depth", 1, MOST_LAYERS), partial(_encoder_layer, every)),
            nn.repeat(integer("decoder.depth", 1, MOST_LAYERS), partial(_decoder_layer, every)),
            source_length=source_length,
            source_tokens=source_tokens,
            target_tokens=target_tokens,
            source_features=choice("encoder.features", WIDTHS),
            target_features=choice("decoder.features", WIDTHS),
            dropout=every["dropout"],
        )
    )


def _encoder_layer(every: Mapping[str, Any], place: int) -> Node:
    name = f"encoder{place}"
    return _mixed(partial(nn.encoder_layer, choice(f"{name}.hidden", HIDDEN), **every), name)


def _decoder_layer(every: Mapping[str, Any], place: int) -> Node:
    name = f"decoder{place}"
    layer = partial(
        nn.decoder_layer,
        choice(f"{name}.hidden", HIDDEN),
        links=choice(f"{name}.links", LINKS),
        cross_heads=choice(f"{name}.cross_heads", [2, 4, 8]),
        **every,
    )
    return _mixed(layer, name)


def _mixed(layer: Callable[..., Node], name: str) -> Node:
    """A layer with each of the mixers, and with what only that one has."""
    return nn.one_of(
        choice(f"{name}.mixer", MIXERS),
        {
            "attention": layer(heads=choice(f"{name}.heads", [2, 4, 8])),
            "convolution": layer(mixer="convolution", kernel=choice(f"{name}.kernel", [3, 5, 7])),
            "recurrent": layer(mixer="recurrent"),
        },
    )


@dataclass(frozen=True)
class _Design:
    """A hand-made network: the same layer all the way."""

    encoder: int
    decoder: int
    width: int
    hidden: int
    mixers: tuple[str, str] = ("attention", "attention")
    heads: int = 4
    kernel: int = 5
    dropout: float = 0.2

    def of(self, space: SearchSpace) -> Architecture:
        decisions: dict[str, Value] = {
            "dropout": self.dropout,
            "activation": "relu",
            "encoder.depth": self.encoder,
            "decoder.depth": self.decoder,
            "encoder.features": self.width,
            "decoder.features": self.width,
        }
        for side, depth, mixer in (
            ("encoder", self.encoder, self.mixers[0]),
            ("decoder", self.decoder, self.mixers[1]),
        ):
            for place in range(depth):
                name = f"{side}{place}"
                decisions |= {
                    f"{name}.mixer": mixer,
                    f"{name}.hidden": self.hidden,
                    f"{name}.heads": self.heads,
                    f"{name}.kernel": self.kernel,
                }
                if side == "decoder":
                    decisions |= {f"{name}.links": (1,), f"{name}.cross_heads": self.heads}
        return space.architecture(decisions, drop_inactive=True)


_REFERENCES = {
    "transformer": _Design(3, 3, 128, 512),
    "transformer-large": _Design(3, 3, 256, 512),
    "convolutional": _Design(4, 3, 128, 256, ("convolution", "convolution")),
    "recurrent": _Design(2, 1, 192, 384, ("recurrent", "recurrent")),
}


def translation_references(space: SearchSpace) -> tuple[Reference, ...]:
    """Hand-made networks: a transformer in two sizes, one of convolutions, one of GRUs with attention.

    References:
        Vaswani et al. (2017); Gehring et al. (2017), Convolutional Sequence to Sequence Learning; Bahdanau, Cho, Bengio
        (2015). All with our pre-norm layers.
    """
    return tuple(Reference(name, design.of(space)) for name, design in _REFERENCES.items())


def narrowed(space: SearchSpace, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
    """Those of the references that are not admitted, made smaller until they are: fewer features, then fewer layers."""

    def smaller(name: str) -> Iterator[tuple[str, Architecture]]:
        design = _REFERENCES[name]
        widths = sorted((w for w in WIDTHS if w <= design.width), reverse=True)
        for layers, width, hidden in product((3, 2, 1), widths, sorted(HIDDEN, reverse=True)):
            depths = min(layers, design.encoder), min(layers, design.decoder)
            made = replace(design, encoder=depths[0], decoder=depths[1], width=width, hidden=min(hidden, design.hidden))
            yield f"{layers}x{width}", made.of(space)

    return admitted({name: design.of(space) for name, design in _REFERENCES.items()}, smaller, admits)

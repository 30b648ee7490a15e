"""Hand-made detectors of the default space: what a search starts from and is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from netwright.space import SearchSpace
from netwright.tasks.base import Reference
from netwright.tasks.detection.space import LINKS, PYRAMID, STEM, WIDTHS
from netwright.tasks.narrowing import admitted
from netwright.types import Architecture, Value


@dataclass(frozen=True, slots=True)
class _Design:
    """A detector in a few numbers.

    Args:
        block: kind of the backbone's blocks.
        stem: width of the stem.
        widths: of the stages.
        depths: of the stages.
        pyramid: its width.
        links: of the first round.
        light: whether pyramid and head have separable convolutions.
        head: ``together`` or ``apart``.
        activation: of all.
    """

    block: str
    stem: float
    widths: Sequence[float]
    depths: Sequence[int]
    pyramid: float
    links: Sequence[str] = ("in5.down4", "down4.down3")
    light: bool = False
    head: str = "apart"
    activation: str = "relu"

    def of(self, space: SearchSpace) -> Architecture:
        """The architecture of a default space; of widths the nearest that it has."""
        decisions: dict[str, Value] = {
            "activation": self.activation,
            "stem.width": _nearest(STEM, self.stem),
            "pyramid.width": _nearest(PYRAMID, self.pyramid),
            "pyramid.rounds": 1,
            "pyramid.merge": "separable" if self.light else "conv",
            "pyramid.down": "conv",
            "head.kind": self.head,
            "head.depth": 1,
            "head.block": "separable" if self.light else "conv",
        }
        for index, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            decisions |= {
                f"stage{index}.block": self.block,
                f"stage{index}.width": _nearest(WIDTHS[index], width),
                f"stage{index}.depth": depth,
                f"stage{index}.kernel": 3,
                f"stage{index}.expand": 4,
                f"stage{index}.squeeze_excite": False,
            }
        for target, sources in LINKS.items():
            decisions |= {f"pyramid.link1.{source}.{target}": f"{source}.{target}" in self.links for source in sources}
        return space.architecture(decisions, drop_inactive=True)


_PAN = ("in5.down4", "down4.down3", "down3.up4", "up4.up5")
_REFERENCES = {
    "cnn-pan": _Design("plain", 24, (32, 64, 128, 192), (1, 2, 2, 1), 64, _PAN, activation="silu"),
    "resnet-fpn": _Design("residual", 24, (32, 64, 128, 192), (1, 2, 2, 1), 64),
    "mobilenet-fpn": _Design("mbconv", 16, (16, 32, 64, 96), (1, 2, 3, 2), 48, light=True),
}


def detection_references(space: SearchSpace) -> tuple[Reference, ...]:
    """Hand-made detectors of the default space, as a person who knows the field would write them for small images.

    An FCOS-like ResNet with a feature pyramid, a MobileNetV2-like one with separable convolutions in pyramid and head,
    and a YOLO-like CNN whose pyramid leads back down (PANet), with heads apart as in YOLOX.

    Args:
        space: what `detection_space` gave.
    """
    return tuple(Reference(name, design.of(space)) for name, design in _REFERENCES.items())


def narrowed_detectors(space: SearchSpace, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
    """Those of the references that are not admitted, made narrower, then shallower, until they are.

    Args:
        space: what `detection_space` gave.
        admits: whether a network may be proposed, such as `SearchSpace.admits`.
    """

    def smaller(name: str) -> Iterator[tuple[str, Architecture]]:
        design = _REFERENCES[name]
        for depths, factor in product((design.depths, (1, 1, 1, 1)), _FACTORS):
            widths = tuple(factor * width for width in design.widths)
            made = replace(design, stem=factor * design.stem, widths=widths, pyramid=factor * design.pyramid)
            light = design.light or factor < _LIGHT_BELOW
            yield f"x{factor:g}", replace(made, depths=depths, light=light).of(space)

    return admitted({name: design.of(space) for name, design in _REFERENCES.items()}, smaller, admits)


def _nearest(allowed: Sequence[int], wanted: float) -> int:
    return min(allowed, key=lambda value: abs(value - wanted))


_FACTORS = (0.8, 0.6, 0.4, 0.2)
_LIGHT_BELOW = 0.5
"""Below this factor pyramid and head get separable convolutions, too."""

"""Which weights of a search space each parameter of one of its networks is.

A layer with weights has a *place*: where its operation stands in the declaration, which copy of it this is, and the
layer's role in the operation. Layers of two architectures at one place are the same layer in different sizes; that is
what weights are shared and inherited by. Knows neither supernets nor training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netwright.errors import BuildError
from netwright.nn.writing import Written

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Place:
    """What a tensor of a network is in its search space.

    Args:
        layer: place of the layer.
        kind: class of the layer, such as ``Conv2d``.
        name: of the tensor in the layer, such as ``weight``.
    """

    layer: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} of {self.kind} at {self.layer}"

    @property
    def key(self) -> str:
        """The place as one text, which `parse` reads."""
        return f"{self.layer}|{self.kind}|{self.name}"

    @classmethod
    def parse(cls, key: str) -> Place:
        """Read a key.

        Example:
            >>> Place.parse(Place("net.0:conv", "Conv2d", "weight").key)
            Place(layer='net.0:conv', kind='Conv2d', name='weight')
        """
        layer, kind, name = key.rsplit("|", 2)
        return cls(layer, kind, name)


def places_of(model: torch.nn.Module, written: Written) -> dict[str, Place]:
    """The place of every parameter and buffer of a layer with weights, by its name in the model.

    Args:
        model: made from ``written``.
        written: source of a network whose operations know their sites.

    Raises:
        BuildError: a parameter belongs to no layer that was written, as in a network without sites, or two layers
            have one place.
    """
    found: dict[str, Place] = {}
    taken: set[str] = set()
    waiting = list(reversed(written.places))
    for path, layer in _layers(model, "", waiting):
        kind, place = waiting.pop()
        if place in taken:
            raise BuildError(f"two layers have the place {place}; an operation declares them by one role")
        taken.add(place)
        names = [name for name, _ in (*layer.named_parameters(), *layer.named_buffers())]
        found |= {f"{path}.{name}" if path else name: Place(place, kind, name) for name in names}
    lost = [name for name, _ in model.named_parameters() if name not in found]
    if lost or waiting:
        raise BuildError(f"no place is known of {lost[:3] or waiting[-1]}; resolve the architecture with sited=True")
    return found


def _layers(
    module: torch.nn.Module, path: str, waiting: list[tuple[str, str]]
) -> Iterator[tuple[str, torch.nn.Module]]:
    """The modules that were written as layers with weights, in the order in which they were made."""
    if waiting and type(module).__name__ == waiting[-1][0]:
        yield path, module
        return
    for name, child in module.named_children():
        yield from _layers(child, f"{path}.{name}" if path else name, waiting)

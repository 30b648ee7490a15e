"""The weights of all networks of a space: for each place one tensor, as large as the largest layer that stands there.

Values come from the networks' own initialisation: the largest network that was seen at a place gives its values, and
what no network covers is drawn from the values that are known of the tensor. A larger layer than any before makes the
tensor grow; what was there stays where it is. Knows neither spaces nor training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from netwright.errors import BuildError
from netwright.nn.places import Place
from netwright.nn.slices import Shape, largest, put
from netwright.types import digest

if TYPE_CHECKING:
    import torch


class Bank:
    """Tensors by place.

    Args:
        seed: of the values that no network gave.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._tensors: dict[Place, torch.nn.Parameter] = {}

    def __getitem__(self, place: Place) -> torch.nn.Parameter:
        return self._tensors[place]

    def __len__(self) -> int:
        return len(self._tensors)

    def items(self) -> Iterator[tuple[Place, torch.nn.Parameter]]:
        """Places and tensors, in the order in which they came to be known."""
        return iter(self._tensors.items())

    @property
    def num_bytes(self) -> int:
        """Memory of the weights alone; gradients and an optimiser's state need it once more each."""
        return sum(t.numel() * t.element_size() for t in self._tensors.values())

    def learn(self, values: Mapping[Place, torch.Tensor]) -> list[Place]:
        """Make room for a network, with its values where there was nothing before.

        Args:
            values: of its tensors.

        Returns:
            The places whose tensors are new or have grown; an optimiser has to be told.

        Raises:
            BuildError: a layer has another number of dimensions, or another dtype, than was known of its place.
        """
        return [place for place, value in values.items() if self._learn(place, value)]

    def load(self, values: Mapping[Place, torch.Tensor]) -> None:
        """Take over tensors, in the shapes that they have."""
        import torch

        for place, value in values.items():
            kept = self._tensors.get(place)
            if kept is not None and kept.shape == value.shape:
                kept.data.copy_(value)
            else:
                needs_grad = kept is None or kept.requires_grad
                self._tensors[place] = torch.nn.Parameter(value.detach().clone(), requires_grad=needs_grad)

    def replace(self, values: Mapping[Place, torch.Tensor]) -> None:
        """Hold these tensors and no others, as if what was learned since had never been."""
        for place in [place for place in self._tensors if place not in values]:
            del self._tensors[place]
        self.load(values)

    def _learn(self, place: Place, value: torch.Tensor) -> bool:
        import torch

        known = self._tensors.get(place)
        if known is None:
            self._tensors[place] = torch.nn.Parameter(value.detach().clone(), requires_grad=value.requires_grad)
            return True
        if known.dtype != value.dtype:
            cure = "declare them as branches of nn.one_of, which have weights of their own"
            raise BuildError(f"{place} is {known.dtype} in one network and {value.dtype} in another; {cure}")
        shape = largest([tuple(known.shape), tuple(value.shape)], place)
        if shape == tuple(known.shape):
            return False
        grown = self._drawn(place, shape, value.detach())
        put(grown, value.detach(), place)
        put(grown, known.detach(), place)
        self._tensors[place] = torch.nn.Parameter(grown, requires_grad=known.requires_grad)
        return True

    def _drawn(self, place: Place, shape: Shape, values: torch.Tensor) -> torch.Tensor:
        """A tensor of values like these; the same ones in every process."""
        import torch

        source = torch.Generator().manual_seed(int(digest(f"{self._seed} {place} {shape}", 15), 16))
        chosen = torch.randint(values.numel(), (math.prod(shape),), generator=source)
        return values.flatten()[chosen.to(values.device)].reshape(shape)

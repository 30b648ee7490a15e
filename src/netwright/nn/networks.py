"""The networks of a space with the places of their tensors: built once, remembered for a while.

A network is written, run and made as any other; nothing of it knows that weights are shared.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netwright.nn.building import given_in_namespace, instantiate
from netwright.nn.places import Place, places_of
from netwright.nn.profiling import Profile, profile
from netwright.nn.writing import write
from netwright.space import SearchSpace
from netwright.space.terms import Term
from netwright.types import Architecture

if TYPE_CHECKING:
    import torch

Wrap = Callable[[Term], Term]
"""Puts something around a network, such as the normalisation of its data."""


@dataclass(frozen=True)
class Network:
    """A plain network.

    Args:
        model: as `netwright.nn.build` makes it.
        places: of its parameters, and of the buffers of layers with weights, by their names in the model.
    """

    model: torch.nn.Module
    places: dict[str, Place]

    def weights(self) -> dict[Place, torch.nn.Parameter]:
        """Its parameters by place."""
        return {self.places[name]: parameter for name, parameter in self.model.named_parameters()}


class Networks:
    """Builds networks of a space.

    Args:
        space: which architectures there are.
        input_shape: of one example without the batch.
        input_dtype: as torch names it.
        wrap: what is put around each network.
        seed: of initial weights.
        most: how many are remembered.
        device: where their tensors are.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
        wrap: Wrap | None = None,
        seed: int = 0,
        most: int = 16,
        device: str = "cpu",
    ) -> None:
        self.space, self.input_shape, self.input_dtype = space, tuple(input_shape), input_dtype
        self._wrap, self._seed, self._most, self._device = wrap, seed, most, device
        self._built: OrderedDict[Architecture, Network] = OrderedDict()

    def term(self, architecture: Architecture) -> Term:
        """The network without choices, whose operations know their sites."""
        term = self.space.resolve(architecture, sited=True)
        return term if self._wrap is None else self._wrap(term)

    def profile(self, architecture: Architecture) -> Profile:
        """The size of the network, which is not built.

        Raises:
            BuildError: it cannot be built.
        """
        return profile(self.term(architecture), input_shape=self.input_shape, input_dtype=self.input_dtype)

    def __call__(self, architecture: Architecture) -> Network:
        """The network, the same object as long as it is remembered.

        Raises:
            BuildError: it cannot be built.
        """
        found = self._built.pop(architecture, None) or self.make(architecture)
        self._built[architecture] = found
        if len(self._built) > self._most:
            self._built.popitem(last=False)
        return found

    def forget(self) -> None:
        """Remember none of the networks."""
        self._built.clear()

    def make(self, architecture: Architecture, *, device: str | None = None) -> Network:
        """A new network with weights of its own, the same on every device.

        Args:
            architecture: which.
            device: where its tensors are; ``meta`` for shapes without memory, None for that of all networks.

        Raises:
            BuildError: it cannot be built.
        """
        written = write(
            self.term(architecture),
            input_shape=self.input_shape,
            input_dtype=self.input_dtype,
            own_code=given_in_namespace,
            is_read=False,
        )
        meta = device == "meta"
        model = instantiate(written, seed=self._seed, device="meta" if meta else "cpu")
        return Network(model if meta else model.to(device or self._device), places_of(model, written))

"""All networks of a space with shared weights.

A subnet is the plain network of an architecture, run with parts of the shared tensors in the place of its own
parameters. So it computes what the stand-alone network computes, with the same code; gradients flow into the parts, and
what was taken out needs no translation.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from netwright import machine_memory
from netwright.errors import BuildError, SpaceError, one_line, wrong
from netwright.nn.networks import Network, Networks, Wrap
from netwright.nn.places import Place
from netwright.nn.slices import largest, take
from netwright.space import SearchSpace
from netwright.supernet.bank import Bank
from netwright.supernet.moved import moved_layers, remark_on
from netwright.supernet.sampling import listed
from netwright.types import Architecture

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

SURVEYED = 64
"""Random networks that are looked at, at least, before a supernet is made."""

MOST_SURVEYED = 2000
"""At most, where values of choices have not been seen yet."""

CHECKED = 4
"""Networks whose parts are looked for among tensors that are given."""

MOST_TOLD = 200
"""Characters of the cause for which a network cannot be built."""

COPIES = 6
"""Weights, gradients, what the optimiser keeps, and the state that a training comes back to and writes into its file;
``benchmarks/supernet_memory.py`` measures it. What flows through the networks comes on top."""


class Supernet:
    """The networks of a space, sharing their weights.

    Args:
        space: which architectures there are.
        input_shape: of one example without the batch.
        input_dtype: of the input as torch names it.
        wrap: what is put around each network, such as the normalisation of its data.
        seed: of the initial weights.
        memory_bytes: most memory that training it may take: weights, gradients, an optimiser's state, checkpoints. It
            is estimated from shapes before a weight is made. None for the machine's.
        state: shared tensors of an earlier supernet of the space, see `state_dict`; None for new ones.
        device: where the tensors are.

    Attributes:
        remark: what a person should know of the space: networks that cannot be built, weights that mean different
            things in different networks; empty for nothing.

    Raises:
        SpaceError: no network of the space can be built; weights of two operations cannot be shared, or are more than
            the memory; the state is one of another space.

    References:
        Pham et al. (2018), Efficient Neural Architecture Search via Parameter Sharing (shared operations).
        Yu, Jin, Liu, Bender, Kindermans, Tan, Huang, Song, Pang, Le (2020), BigNAS (entangled slices of one set of
        weights).

    Example:
        >>> from netwright import nn
        >>> from netwright.space import SearchSpace, choice
        >>> space = SearchSpace(nn.seq(nn.linear(choice("width", [4, 8])), nn.relu(), nn.linear(2)))
        >>> supernet = Supernet(space, input_shape=(3,))
        >>> [tuple(weights.shape) for weights in supernet.parameters()]
        [(8, 3), (8,), (2, 8), (2,)]
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
        wrap: Wrap | None = None,
        seed: int = 0,
        memory_bytes: int | None = None,
        state: Mapping[str, torch.Tensor] | None = None,
        device: str = "cpu",
    ) -> None:
        self.space, self.seed, self.device = space, seed, device
        self.networks = Networks(
            space, input_shape=input_shape, input_dtype=input_dtype, wrap=wrap, seed=seed, device=device
        )
        self.bank = Bank(seed)
        self.memory_bytes = machine_memory.memory_bytes() if memory_bytes is None else memory_bytes
        if state is None:
            surveyed = _survey(space, np.random.default_rng(seed))
            remarks = self._learn_all(surveyed), remark_on(moved_layers(self.networks, surveyed))
            self.remark = "; ".join(filter(None, remarks))
            if self.remark:
                _log.warning("supernet: %s", self.remark)
        else:
            self.remark = ""
            self.bank.load(self._placed(state))
            self._require_of_space()

    def parameters(self) -> list[torch.nn.Parameter]:
        """All shared tensors, in the order in which they came to be known."""
        return [tensor for _, tensor in self.bank.items()]

    def subnet(self, architecture: Architecture) -> Subnet:
        """A network that runs with shared weights; it sees what becomes of them.

        Raises:
            SpaceError: it is not of the space.
            BuildError: it cannot be built, or its weights cannot be shared.
        """
        network = self.networks(architecture)
        self.bank.learn(network.weights())
        return Subnet(network, self.bank)

    def extract(self, architecture: Architecture) -> torch.nn.Module:
        """A plain network with a copy of its weights; statistics of norms are those of a new network."""
        import torch

        subnet = self.subnet(architecture)
        plain = self.networks.make(architecture).model
        with torch.no_grad():
            for name, own in plain.named_parameters():
                own.copy_(subnet.weight(name))
        return plain

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The shared tensors by the keys of their places."""
        return {place.key: tensor.detach() for place, tensor in self.bank.items()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over shared tensors; some may be of networks that this supernet has not run yet.

        Raises:
            SpaceError: they are those of another space.
        """
        lost = [place for place, mine in self.bank.items() if not _fits(mine, state.get(place.key))]
        if lost:
            raise SpaceError(f"the weights are those of another space: there is no {lost[0]} of its size among them")
        self.bank.load(self._placed(state))

    def go_back(self, state: Mapping[str, torch.Tensor]) -> None:
        """Be as it was when `state_dict` gave a state: what it has learned of since is forgotten."""
        self.bank.replace(self._placed(state))

    def _placed(self, state: Mapping[str, torch.Tensor]) -> dict[Place, torch.Tensor]:
        return {Place.parse(key): tensor.to(self.device) for key, tensor in state.items()}

    def _require_of_space(self) -> None:
        """Refuse tensors among which a network of the space that every survey begins with does not find its own."""
        held, rng = dict(self.bank.items()), np.random.default_rng(self.seed)
        for _ in range(CHECKED):
            try:
                needed = self.networks.make(self.space.sample(rng), device="meta").weights()
            except (BuildError, RuntimeError):  # a class of one's own may need numbers to be made
                continue
            lost = next((place for place, own in needed.items() if not _fits(own, held.get(place))), None)
            if lost is not None:
                raise SpaceError(f"the weights are those of another space: there is no {lost} of its size among them")

    def _learn_all(self, architectures: list[Architecture]) -> str:
        """Make room for all of them, the largest first: its values stay, and too large a supernet is seen at once.

        Returns:
            A remark on those that cannot be built; empty where all can.
        """
        sizes: dict[Architecture, int] = {}
        causes: list[str] = []
        for architecture in architectures:
            try:
                sizes[architecture] = self.networks.profile(architecture).params
            except BuildError as error:
                causes.append(str(error))
        if not sizes:
            raise SpaceError(f"no network of the space can be built: {causes[0] if causes else 'it has none'}")
        ordered = sorted(sizes, key=lambda a: -sizes[a])
        try:
            for architecture in self._needed(ordered):
                self.bank.learn(self.networks.make(architecture).weights())
                self._require_memory(self.bank.num_bytes)
        except BuildError as error:
            raise SpaceError(f"the networks of the space cannot share weights: {error}") from error
        return _refused(causes, len(architectures))

    def _needed(self, architectures: list[Architecture]) -> list[Architecture]:
        """Those of which something is new beside the ones before them; what all need together is estimated first."""
        shapes: dict[Place, tuple[int, ...]] = {}
        sizes: dict[Place, int] = {}
        needed = []
        for architecture in architectures:
            try:
                found = self.networks.make(architecture, device="meta").weights()
            except RuntimeError:  # a class of one's own that needs numbers to be made
                needed.append(architecture)
                continue
            before = dict(shapes)
            for place, value in found.items():
                shapes[place] = largest([shapes.get(place, tuple(value.shape)), tuple(value.shape)], place)
                sizes[place] = math.prod(shapes[place]) * value.element_size()
            if shapes != before:
                needed.append(architecture)
            self._require_memory(sum(sizes.values()))
        return needed

    def _require_memory(self, num_bytes: int) -> None:
        needed = COPIES * num_bytes
        if needed > self.memory_bytes:
            cure = "make the widest choices smaller, or give it more memory"
            got, most = f"at least {needed / 2**20:.4g} MiB", f"<= {self.memory_bytes / 2**20:.4g} MiB"
            raise SpaceError(wrong("memory of the supernet", got, most, cure))


class Subnet:
    """A network that runs with parts of shared tensors.

    Args:
        network: the plain one, whose own parameters are not used.
        bank: the shared tensors.
    """

    def __init__(self, network: Network, bank: Bank) -> None:
        self.model, self._places, self._bank = network.model, network.places, bank
        self._shapes = {name: tuple(own.shape) for name, own in network.model.named_parameters()}

    def weight(self, name: str) -> torch.Tensor:
        """What stands for a parameter, by its name in the model: contiguous, as a layer's own would be."""
        place = self._places[name]
        return take(self._bank[place], self._shapes[name], place).contiguous()

    def weights(self) -> dict[str, torch.Tensor]:
        """What stands for each parameter."""
        return {name: self.weight(name) for name in self._shapes}

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Run it; gradients flow into the shared tensors."""
        import torch

        out: torch.Tensor = torch.func.functional_call(self.model, self.weights(), (x,))
        return out


def _fits(mine: torch.Tensor, given: torch.Tensor | None) -> bool:
    return (
        given is not None
        and given.dim() == mine.dim()
        and all(a >= b for a, b in zip(given.shape, mine.shape, strict=True))
    )


def _refused(causes: list[str], count: int) -> str:
    """What is said of networks that cannot be built; empty where there is none."""
    if not causes:
        return ""
    cure = "give the branches of a choice one output shape, or exclude them by a constraint"
    looked_at = f"{len(causes)} of {count} networks that were looked at cannot be built, and are passed over"
    return f"{looked_at} ({one_line(causes[0])[:MOST_TOLD]}); {cure}"


def _survey(space: SearchSpace, rng: np.random.Generator) -> list[Architecture]:
    """Random architectures in which, where that can be had, every value of every choice occurs."""
    missing = {(name, value) for name, values in listed(space) for value in values}
    found: dict[Architecture, None] = {}
    for number in range(MOST_SURVEYED):
        if number >= SURVEYED and not missing:
            break
        architecture = space.sample(rng)
        new = missing.intersection(architecture.items())
        if new or number < SURVEYED:
            found[architecture] = None
            missing -= new
    return list(found)

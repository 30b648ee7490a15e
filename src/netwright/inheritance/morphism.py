"""Network morphisms: a child's initial weights such that it computes what its parent does, where that can be.

Both networks are written as source, laid side by side, and walked through with the channels that each carries. Whatever
cannot be kept (another activation, an operation replaced by another, a narrower layer) is told, and the weights of what
both have are taken over all the same. Knows no training.

"The same function" is meant of a network that is not being trained: batch norm with its statistics, no dropout.

References:
    Chen, Goodfellow, Shlens (2016), Net2Net: Accelerating Learning via Knowledge Transfer.
    Wei, Wang, Rui, Chen (2016), Network Morphism.
    Elsken, Metzen, Hutter (2018), Simple and Efficient Architecture Search for Convolutional Neural Networks.
    Where we deviate: any two architectures of a declared space may be given, not one change at a time; new channels
    begin with weights of their own that are read with zeros, unless a norm over channels needs copies; copies are
    divided unequally, which is exact and needs no noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import SpaceError, UsageError, wrong
from netwright.inheritance.channels import Channels, Fill
from netwright.inheritance.draft import Draft
from netwright.inheritance.report import Morphism, Notes
from netwright.inheritance.walk import Walk
from netwright.nn.building import learned_state, whole_state
from netwright.nn.emitters import emit
from netwright.nn.items import Item, items_of
from netwright.nn.networks import Network, Networks
from netwright.nn.places import Place
from netwright.nn.site import Flow, Tally
from netwright.space.difference import difference
from netwright.types import Architecture

if TYPE_CHECKING:
    import torch

FLOATS = ("float32", "float64")
"""Dtypes of weights that are inherited."""


def morph(
    networks: Networks,
    parent: Architecture,
    weights: Mapping[str, torch.Tensor],
    child: Architecture,
    *,
    seed: int = 0,
    noise: float = 0.0,
) -> tuple[dict[str, torch.Tensor], Morphism]:
    """Give a child weights with which it computes what its parent does, as far as that can be.

    Args:
        networks: of their space; give it a seed for the initial values of what is new.
        parent: what the weights are of.
        weights: all of its parameters and buffers, by their names in its model; float32 or float64.
        child: what weights are wanted of.
        seed: of how weights are divided among copies, and of the noise.
        noise: standard deviation of what is added to all inherited parameters, relative to that of each tensor. None by
            default: nothing that is new is a twin of anything, so that there is no symmetry to break.

    Returns:
        All parameters and buffers of the child by their names in its model, in the dtype of the weights; and what was
        kept.

    Raises:
        SpaceError: an architecture is not of the space, or the weights are those of another one.
        UsageError: the weights have another dtype, or numbers among them are not finite; the noise is negative.
        BuildError: one of the two cannot be built.

    Example:
        >>> from netwright import nn
        >>> from netwright.space import SearchSpace, choice
        >>> space = SearchSpace(nn.seq(nn.linear(choice("width", [4, 8])), nn.relu(), nn.linear(2)))
        >>> networks = Networks(space, input_shape=(3,))
        >>> small, large = (space.architecture({"width": width}) for width in (4, 8))
        >>> weights, found = morph(networks, small, networks(small).model.state_dict(), large)
        >>> found.is_preserved, [str(change) for change in found.changes]
        (True, ['net.0:linear: 4 -> 8 features: kept'])
    """
    if not noise >= 0:
        raise UsageError(wrong("noise", noise, ">= 0"))
    of, made = networks.make(parent), networks.make(child)
    weights = whole_state(of.model, weights)
    require_weights(of, weights)
    theirs = {of.places[name]: tensor for name, tensor in weights.items() if name in of.places}
    sides = _items(networks, parent), _items(networks, child)
    results: list[tuple[int, int, Draft, Notes, Fill]] = []
    fills: tuple[Fill, ...] = ("new", "copies")
    for fill in fills:
        draft = Draft(_initial(made, theirs), theirs, fill, np.random.default_rng([seed, 6]))
        notes = _walk(draft, *sides)
        results.append((notes.num_lost, len(results), draft, notes, fill))
        if not notes.num_lost:
            break
    _, _, draft, notes, fill = min(results, key=lambda result: result[:2])
    if noise:
        _disturb(draft, made, noise, seed)
    copied, total = sum(draft.copied.values()), sum(t.numel() for t in draft.child.values())
    found = Morphism(difference(parent, child), tuple(notes.changes), copied / total if total else 0.0, fill)
    return _by_name(made, draft), found


def require_weights(network: Network, weights: Mapping[str, torch.Tensor]) -> None:
    """Check that weights are those of a network, and can be inherited.

    Raises:
        SpaceError: they are those of another network.
        UsageError: their dtype is another one, or not all of them are finite.
    """
    own = network.model.state_dict()
    for name, mine in own.items():
        given = weights.get(name)
        if given is None or given.shape != mine.shape:
            got = "nothing" if given is None else f"shape {tuple(given.shape)}"
            cure = "give those of this architecture"
            raise SpaceError(wrong(f"the parent's weight {name}", got, f"of shape {tuple(mine.shape)}", cure))
    more = sorted(set(weights) - set(own))
    if more:
        raise SpaceError(f"the parent's weights hold {more[0]}, which its network does not have; they are of another")
    kinds = {str(t.dtype).removeprefix("torch.") for n, t in weights.items() if own[n].is_floating_point()}
    if len(kinds) > 1 or not kinds <= set(FLOATS):
        raise UsageError(
            wrong("dtype of the parent's weights", ", ".join(sorted(kinds)), f"one of {', '.join(FLOATS)}")
        )
    spoilt = next((n for n, t in weights.items() if t.is_floating_point() and not bool(t.isfinite().all())), None)
    if spoilt is not None:
        raise UsageError(wrong(f"the parent's weight {spoilt}", "NaN or infinity", "finite", "train the parent again"))


def _items(networks: Networks, architecture: Architecture) -> tuple[tuple[Item, ...], Channels]:
    """The network as items, and what flows into it."""
    flow = Flow(networks.input_shape, networks.input_dtype)
    code = emit(networks.term(architecture), (flow,), "", tally=Tally()).code
    known = Channels() if flow.rank == 2 else Channels.made(np.arange(flow.channels), flow.channels)
    return items_of(code), known


def _walk(draft: Draft, parent: tuple[tuple[Item, ...], Channels], child: tuple[tuple[Item, ...], Channels]) -> Notes:
    notes = Notes()
    found = Walk(draft, notes).sequence(parent[0], child[0], child[1])
    if not found.is_exact:
        notes.lost("output", "its features", "they are not the parent's")
    return notes


def _initial(made: Network, theirs: Mapping[Place, torch.Tensor]) -> dict[Place, torch.Tensor]:
    """The child's tensors as they were initialised, in the dtype of the parent's."""
    dtype = next((t.dtype for t in theirs.values() if t.is_floating_point()), None)
    own = {made.places[name]: t.detach() for name, t in learned_state(made.model).items() if name in made.places}
    return {place: t.to(dtype) if dtype is not None and t.is_floating_point() else t for place, t in own.items()}


def _by_name(made: Network, draft: Draft) -> dict[str, torch.Tensor]:
    dtype = next((t.dtype for t in draft.child.values() if t.is_floating_point()), None)
    state: dict[str, torch.Tensor] = {}
    for name, own in made.model.state_dict().items():
        value = draft.child.get(made.places[name], own.detach()) if name in made.places else own.detach()
        state[name] = value.to(dtype) if dtype is not None and value.is_floating_point() else value
    return state


def _disturb(draft: Draft, made: Network, noise: float, seed: int) -> None:
    """Add noise to inherited parameters."""
    import torch

    source = torch.Generator().manual_seed(seed)
    for name, _ in made.model.named_parameters():
        place = made.places[name]
        values = draft.child[place]
        if draft.copied.get(place) and values.numel() > 1:
            drawn = torch.randn(values.shape, generator=source, dtype=values.dtype)
            draft.child[place] = values + noise * values.std() * drawn

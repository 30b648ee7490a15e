"""A relaxed network: every architecture of a space at once, each choice a mixture of its values.

With weights that are 1 for an architecture's decisions and 0 for all others it computes what the plain network of that
architecture computes with the same weights. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from netwright.errors import BuildError, SpaceError, wrong
from netwright.nn.networks import Networks, Wrap
from netwright.nn.site import Flow
from netwright.nn.slices import take
from netwright.space import SearchSpace
from netwright.space.relaxed import Universe
from netwright.space.terms import OpTerm, Term
from netwright.supernet.differentiable.cells import RelaxedNode
from netwright.supernet.differentiable.compiling import Compiler, Where
from netwright.supernet.differentiable.mixing import Mixing
from netwright.supernet.differentiable.operation import Store
from netwright.supernet.differentiable.partial import Partial
from netwright.supernet.differentiable.soft import Apart, Chain, Flows, Soft
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.types import Value

MOST_APART = 16
"""Networks that are run side by side for choices that cannot be mixed inside."""


class RelaxedNetwork(nn.Module):
    """All networks of a space as one.

    Args:
        space: which architectures there are.
        input_shape: of one example without the batch.
        input_dtype: as torch names it.
        wrap: what is put before each network and behind it, such as the normalisation of its data.
        seed: of the initial weights.
        partial: in mixtures on the edges of cells, one channel in so many is mixed (PC-DARTS).
        apart: choices that change the extent of what flows: the network is run once for each of their values.
        affine: whether batch norms inside mixtures of operations have a trained gain and shift; see `Options`.

    Attributes:
        is_partial: whether any mixture sees part of the channels.
        universe: the choices that have weights, and their values.
        free: of choices among operations of which some have weights: the values whose operation has none.

    Raises:
        SpaceError: something cannot be mixed; says what, and what to do.

    Example:
        >>> from netwright import nn
        >>> from netwright.space import choice
        >>> ops = {"wide": nn.conv(4, 3), "narrow": nn.conv(4, 1)}
        >>> network = RelaxedNetwork(SearchSpace(nn.seq(nn.one_of("op", ops), nn.flatten())), input_shape=(3, 8, 8))
        >>> mix = Mixing({"op": torch.tensor([0.5, 0.5])})
        >>> tuple(network(torch.zeros(2, 3, 8, 8), mix).shape), network.expected(mix).tolist()
        ((2, 256), [64.0, 3840.0])
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        input_shape: tuple[int, ...],
        input_dtype: str = "float32",
        wrap: Wrap | None = None,
        seed: int = 0,
        partial: int = 1,
        apart: Iterable[str] = (),
        affine: bool = False,
    ) -> None:
        super().__init__()
        if space.root is None:
            raise SpaceError("the space has no network, only choices of its training; search it by sampling")
        if isinstance(partial, bool) or not isinstance(partial, int) or partial < 1:
            raise SpaceError(wrong("partial", partial, "a whole number >= 1"))
        self.space, self.partial, self.affine = space, partial, affine
        self.networks = Networks(space, input_shape=input_shape, input_dtype=input_dtype, wrap=wrap, seed=seed)
        self.universe = Universe(space)
        self.free: dict[str, tuple[Value, ...]] = {}
        self._store = Store()
        flow = Flow(tuple(input_shape), input_dtype)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = self._compiled(flow, wrap, tuple(apart))
        self.is_partial = any(isinstance(module, Partial) for module in self.modules())
        self._store.bind()
        self._shared = nn.ParameterList(t for t in self._store.tensors.values())
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _compiled(self, flow: Flow, wrap: Wrap | None, apart: tuple[str, ...]) -> Soft:
        unknown = [name for name in apart if name not in self.universe.values]
        if unknown:
            raise SpaceError(wrong("apart", unknown[0], f"a choice of the network: {sorted(self.universe.values)}"))
        if not apart:
            return self._network(self.universe, flow, wrap)[0]
        ordered = self.universe.closure(apart)
        cases = self.universe.cases(ordered)
        if len(cases) > MOST_APART:
            raise SpaceError(wrong(f"combinations of apart={ordered}", len(cases), f"<= {MOST_APART}", "name fewer"))
        networks, shapes = [], []
        for case in cases:
            network, flows = self._network(self.universe.limited(case), flow, wrap)
            event = self.universe.event_of(ordered, [case], certain=len(cases) == 1)
            networks.append((event, network))
            shapes.append(flows.largest.shape)
        if len(set(shapes)) > 1:
            raise SpaceError(f"networks of different output shapes, {shapes[0]} and {shapes[-1]}, cannot be mixed")
        return Apart(networks)

    def _network(self, universe: Universe, flow: Flow, wrap: Wrap | None) -> tuple[Soft, Flows]:
        compiler = Compiler(universe, self._store, self.partial, affine=self.affine)
        assert self.space.root is not None
        before, behind = ((), ()) if wrap is None else around(wrap)
        parts: list[Soft] = []
        try:
            for term in before:
                soft, flows = compiler.term(term, flow, Where("wrap"))
                parts, flow = [*parts, soft], flows.largest
            soft, out = compiler.node(self.space.root, Flows.fixed(flow), Where("net"))
            parts.append(soft)
            for term in behind:
                soft, out = compiler.term(term, out.largest, Where("wrap"))
                parts.append(soft)
        except BuildError as error:
            raise SpaceError(f"the space cannot be relaxed: {error}") from error
        self.free |= compiler.free
        return (parts[0] if len(parts) == 1 else Chain(parts)), out

    # --- running ---

    def forward(self, x: Tensor, mix: Mixing) -> Tensor:
        """What the mixture says of a batch.

        Args:
            x: shape (B, ...).
            mix: weights of all choices of `universe`.
        """
        if x.dim() == 4:  # convolutions of few channels take half the time on CPUs, pooling a fifth
            x = x.contiguous(memory_format=torch.channels_last)
        out: Tensor = self.body(x, mix)
        return out

    def expected(self, mix: Mixing) -> Tensor:
        """Parameters and multiply-accumulates to be expected under the weights, shape (2,); differentiable.

        What an architecture of its own has where the weights are 1 for its decisions; with `partial`, too, all
        channels of its network are counted.
        """
        return self.parts(mix)[:2]

    def parts(self, mix: Mixing) -> Tensor:
        """What is to be expected of each of `measured.PARTS` under the weights, shape (4,); differentiable."""
        return self.body.expected(mix)

    def count(self, architecture: Architecture) -> np.ndarray:
        """How many of each of `measured.PARTS` an architecture has, shape (4,)."""
        with torch.no_grad():
            return np.array(self.parts(Mixing.of(self.universe, architecture)).tolist())

    def weights(self) -> list[nn.Parameter]:
        """The weights of the network that are trained: each tensor once."""
        return self._store.trained()

    def edge_counts(self) -> dict[str, int]:
        """By site of a cell's node whose edges are always there: their number (for the edge weights of PC-DARTS)."""
        found: dict[str, int] = {}
        for module in self.modules():
            edges = module.cell_edges() if isinstance(module, RelaxedNode) and module.combine == "sum" else []
            if isinstance(module, RelaxedNode) and len(edges) > 1 and all(edge.present.certain for edge in edges):
                found[module.site] = 1 + max(edge.number for edge in edges)
        return found

    def extract(self, architecture: Architecture) -> nn.Module:
        """A plain network with a copy of its weights; statistics of norms are those of a new network.

        Raises:
            SpaceError: mixtures saw part of the channels, so that there are no weights for a whole network.
            BuildError: it cannot be built.
        """
        if self.is_partial:
            raise SpaceError("the weights of partial channels are those of no whole network; train it anew")
        network = self.networks.make(architecture)
        with torch.no_grad():
            for name, own in network.model.named_parameters():
                place = network.places[name]
                own.copy_(take(self._store.tensors[place], tuple(own.shape), place))
        return network.model


def around(wrap: Wrap) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """What stands before a network and what stands behind it.

    Args:
        wrap: puts it there.

    Raises:
        SpaceError: the network stands within something, such as a graph.
    """
    inner = OpTerm("identity")
    whole = wrap(inner)
    if whole is inner:
        return (), ()
    children = whole.children if isinstance(whole, OpTerm) and whole.kind == "seq" else ()
    place = next((number for number, child in enumerate(children) if child is inner), None)
    if place is None:
        raise SpaceError("a relaxed network stands between what comes before and behind it, not within something")
    return children[:place], children[place + 1 :]

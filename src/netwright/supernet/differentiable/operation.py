"""A leaf of a relaxed network: one operation in all the forms that the choices in it, and before it, can give it.

Forms that are one operation in several sizes are run once, with masked weights (see `elastic`); others are run side by
side and their outputs mixed. All forms have their weights from one `Store`, by place, so that two forms of a layer are
parts of one tensor. Knows nothing of how operations are put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netwright.nn.code import Code
from netwright.nn.places import Place
from netwright.nn.site import Flow
from netwright.nn.slices import Shape, largest, take
from netwright.space.relaxed import Event
from netwright.supernet.differentiable.elastic import Sized, largest_code
from netwright.supernet.differentiable.mixing import Mixing, product
from netwright.supernet.differentiable.modules import instantiate_code
from netwright.supernet.differentiable.soft import NUM_PARTS, Soft, padded, zeros

_TINY = 1e-30
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Form:
    """One form of an operation.

    Args:
        event: the combinations of choices that give it.
        code: what it is written as, with its sizes.
        flow_in: what it takes.
        flow_out: what it gives.
        params: parameters.
        macs: multiply-accumulates.
        values: that its layers give.
    """

    event: Event
    code: Sized
    flow_in: Flow
    flow_out: Flow
    params: int
    macs: int
    values: int


@dataclass
class Store:
    """The weights of a relaxed network by place, and which runs need each.

    Args:
        tensors: one for each place, as large as the largest form.
        runs: which parts of a network have a layer at a place, and by which name.
        fixed: places whose tensors are not trained: gains and shifts of norms in mixtures, and what an operation of
            one's own has frozen.
    """

    tensors: dict[Place, nn.Parameter] = field(default_factory=dict)
    runs: dict[Place, list[tuple[Run, str]]] = field(default_factory=dict)
    fixed: set[Place] = field(default_factory=set)

    def trained(self) -> list[nn.Parameter]:
        """The tensors that are trained."""
        return [tensor for place, tensor in self.tensors.items() if place not in self.fixed]

    def bind(self) -> None:
        """Give every place one tensor: a module's own where it alone has the place, else one that all take parts of."""
        for place, users in self.runs.items():
            own = [run.parameter(name) for run, name in users]
            shape = largest([tuple(tensor.shape) for tensor in own], place)
            first = next((tensor for tensor in own if tuple(tensor.shape) == shape), None)
            is_trained = place not in self.fixed
            if len(users) == 1 and first is not None:
                self.tensors[place] = first.requires_grad_(is_trained)  # type: ignore[assignment]
                continue
            values = first.detach().clone() if first is not None else _grown(own, shape, place)
            shared = nn.Parameter(values, requires_grad=is_trained)
            self.tensors[place] = shared
            for run, name in users:
                run.borrow(name, place, shared)


def _grown(own: Sequence[Tensor], shape: Shape, place: Place) -> Tensor:
    """A tensor in which all of these have room, with their values; what none covers has values of the first."""
    from netwright.nn.slices import put

    count = -(-torch.Size(shape).numel() // own[0].numel())
    full = own[0].detach().flatten().repeat(count)[: torch.Size(shape).numel()].reshape(shape).clone()
    for tensor in reversed(own):
        put(full, tensor.detach(), place)
    return full


class Run(nn.Module):
    """Forms that are run as one: the largest of all sizes, whose weights are masked.

    Args:
        forms: of one kind.
        store: gets to know its layers.
        affine: whether its batch norms have a gain and a shift that are trained; without, these stay 1 and 0.
    """

    def __init__(self, forms: Sequence[Form], store: Store, *, affine: bool = True) -> None:
        super().__init__()
        code: Code = forms[0].code.code if len(forms) == 1 else largest_code([form.code for form in forms])
        self.module, self._places = instantiate_code(code)
        self.code = code
        self.flow_in = max((form.flow_in for form in forms), key=lambda flow: flow.channels)
        self.flow_out = max((form.flow_out for form in forms), key=lambda flow: flow.channels)
        self.events = [form.event for form in forms]
        self._borrowed: dict[str, tuple[Place, nn.Parameter, Shape]] = {}
        self._prefixes = _prefixes(self.module, forms)
        for name, parameter in self.module.named_parameters():
            store.runs.setdefault(self._places[name], []).append((self, name))
            if not parameter.requires_grad:
                store.fixed.add(self._places[name])
        store.fixed |= set() if affine else {self._places[name] for name in _unscaled(self.module)}
        steps = list(self.module) if isinstance(self.module, nn.Sequential) else [self.module]
        ends_in_norm = isinstance(steps[-1], _NORMS)
        self._norm_path = ("" if len(steps) == 1 else f"{len(steps) - 1}") if ends_in_norm else None

    @property
    def is_plain(self) -> bool:
        """Whether its module runs with its own parameters as they are."""
        return not self._borrowed and not self._prefixes

    def parameter(self, name: str) -> nn.Parameter:
        """A parameter of its module."""
        return self.module.get_parameter(name)

    def borrow(self, name: str, place: Place, shared: nn.Parameter) -> None:
        """Take a part of a shared tensor from now on; the own one is given up."""
        own = self.parameter(name)
        self._borrowed[name] = (place, shared, tuple(own.shape))
        own.requires_grad_(False)
        own.data = own.data.new_empty(0)

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        if self.is_plain:
            return self._plain(x, scale)
        out: Tensor = torch.func.functional_call(self.module, self._weights(mix), (x,))
        return out if scale is None else out * scale

    def _plain(self, x: Tensor, scale: Tensor | None) -> Tensor:
        """Run the module; a norm at its end takes the scale into its own factors, which costs nothing."""
        if scale is None or self._norm_path is None:
            out: Tensor = self.module(x)
            return out if scale is None else out * scale
        if isinstance(self.module, nn.Sequential):
            for step in list(self.module)[:-1]:
                x = step(x)
        return scaled_norm(self.norm, x, scale)

    @property
    def norm(self) -> nn.BatchNorm2d:
        """The batch norm at its end."""
        assert self._norm_path is not None
        norm = self.module.get_submodule(self._norm_path) if self._norm_path else self.module
        assert isinstance(norm, _NORMS)
        return norm  # type: ignore[return-value]  # of any number of dimensions

    def _weights(self, mix: Mixing) -> dict[str, Tensor]:
        shares = self._shares(mix) if self._prefixes else None
        weights: dict[str, Tensor] = {}
        for name, own in self.module.named_parameters():
            if name in self._borrowed:
                place, shared, shape = self._borrowed[name]
                tensor = take(shared, shape, place)
            else:
                tensor = own
            if shares is not None and name in self._prefixes:
                tensor = tensor * _mask(self._prefixes[name], shares, tensor)
            weights[name] = tensor
        return weights

    def _shares(self, mix: Mixing) -> Tensor:
        """How likely each form is, given that it is one of these, shape (F,)."""
        chances = torch.stack([mix.zeros() + 1.0 if e.certain else mix.case_weights(e).sum() for e in self.events])
        return chances / chances.sum().clamp_min(_TINY)


def _unscaled(module: nn.Module) -> list[str]:
    """Names of the gains and shifts of all batch norms, which become 1 and 0."""
    names = []
    for path, norm in module.named_modules():
        if isinstance(norm, _NORMS) and norm.affine:
            nn.init.ones_(norm.weight)
            nn.init.zeros_(norm.bias)
            names += [f"{path}.{name}" if path else name for name in ("weight", "bias")]
    return names


def scaled_norm(norm: nn.BatchNorm2d, x: Tensor, scale: Tensor) -> Tensor:
    """``scale * norm(x)``."""
    weight, bias = norm.weight * scale, norm.bias * scale
    mean, var = norm.running_mean, norm.running_var
    return F.batch_norm(x, mean, var, weight, bias, norm.training, norm.momentum or 0.0, norm.eps)


Prefixes = Mapping[int, Tensor]
"""By dimension of a weight: for each form, 1 where it has the row, shape (F, size)."""


def _prefixes(module: nn.Module, forms: Sequence[Form]) -> dict[str, Prefixes]:
    """Which parts of the largest weights each form has; of weights that are the same in all forms, nothing."""
    if len({form.code.sizes for form in forms}) <= 1:
        return {}
    shapes: list[dict[str, Shape]] = []
    with torch.device("meta"):
        for form in forms:
            made, _ = instantiate_code(form.code.code)
            shapes.append({name: tuple(p.shape) for name, p in made.named_parameters()})
    found: dict[str, Prefixes] = {}
    for name, full in module.named_parameters():
        rows: dict[int, Tensor] = {}
        for dim, size in enumerate(full.shape):
            sizes = [shape[name][dim] for shape in shapes]
            if len(set(sizes)) > 1:
                rows[dim] = torch.stack([_row(size, part, centred=full.dim() > 2 and dim >= 2) for part in sizes])
        if rows:
            found[name] = rows
    return found


def _row(size: int, part: int, *, centred: bool) -> Tensor:
    row = torch.zeros(size)
    start = (size - part) // 2 if centred else 0
    row[start : start + part] = 1.0
    return row


def _mask(prefixes: Prefixes, shares: Tensor, weight: Tensor) -> Tensor:
    """How likely each number of a weight is there."""
    letters = "abcdefgh"
    rows = [prefixes[dim].to(shares) for dim in prefixes]
    inputs = ",".join(f"z{letters[dim]}" for dim in prefixes)
    mask = torch.einsum(f"z,{inputs}->{''.join(letters[dim] for dim in prefixes)}", shares, *rows)
    shape = [weight.shape[dim] if dim in prefixes else 1 for dim in range(weight.dim())]
    return mask.reshape(shape)


class Operation(Soft):
    """All forms of an operation.

    Args:
        runs: forms that are run as one, and when any of them is taken.
        forms: all of them, for what they cost.
        flow: what flows out, the largest.
    """

    def __init__(self, runs: Sequence[tuple[Event, Run]], forms: Sequence[Form], flow: Flow) -> None:
        super().__init__()
        self.events = [event for event, _ in runs]
        self.runs = nn.ModuleList(run for _, run in runs)
        self.flow = flow
        self._costs = [(f.event, torch.tensor([f.params, f.macs, f.values, 1], dtype=torch.float32)) for f in forms]

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        out: Tensor | None = None
        for event, run in zip(self.events, self.runs, strict=True):
            assert isinstance(run, Run)
            if mix.happens(event):
                dim, channels = run.flow_in.channel_dim, run.flow_in.channels
                part = x if x.shape[dim] == channels else x.narrow(dim, 0, channels)
                value = padded(run(part, mix, product(mix.weight(event), scale)), run.flow_out, self.flow)
                out = value if out is None else out + value
        return zeros(x, self.flow.shape) if out is None else out

    def expected(self, mix: Mixing) -> Tensor:
        out = mix.zeros(NUM_PARTS)
        for event, numbers in self._costs:
            weight, costs = mix.weight(event), numbers.to(out.device)
            out = out + (costs if weight is None else weight * costs)
        return out

    @property
    def has_weights(self) -> bool:
        """Whether any form of it has parameters."""
        return any(True for _ in self.parameters())

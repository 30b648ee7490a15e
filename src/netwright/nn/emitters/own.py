"""A class of one's own as an operation: what it gives is found by making it and running it once.

It is made on torch's ``meta`` device first, which costs no memory. A small one is then run on the CPU, where a run
takes milliseconds; a large one on ``meta``, whose first use loads seconds' worth of torch. One that is larger than the
machine's memory is never made on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netwright.errors import BuildError, wrong
from netwright.machine_memory import memory_bytes
from netwright.nn.code import Call, Code, Lit
from netwright.nn.site import Emitted, Flow, Site
from netwright.types import Value

if TYPE_CHECKING:
    import torch

INPUT_SIZE = "@input_size"
"""Argument of the operation that names the class's argument for the number of input channels."""

_SMALL_BYTES = 80_000_000  # of parameters
_BATCH = 2


@dataclass(frozen=True)
class _Observed:
    """What one run of a module showed."""

    module: torch.nn.Module
    output: object
    macs: int
    values: int
    eval_only: bool


def _own_class(site: Site) -> Emitted:
    target = site.term.target
    if not isinstance(target, type):
        site.fail("has no class; declare it with nn.op(YourClass, ...)")
    args: dict[str, Value] = {}
    for name, value in site.term.args:
        if name == INPUT_SIZE:
            args[str(value)] = site.flow.channels
        else:
            args[name] = value
    codes: list[tuple[str, Code]] = [(name, Lit(value, name)) for name, value in args.items()]
    layer = Call(target.__name__, tuple(codes), target, site.place("own"))
    return Emitted(layer, _observed_flow(site, target, args))


def _observed_flow(site: Site, target: type, args: Mapping[str, Value]) -> Flow:
    """What the class gives; counts it."""
    import torch

    if not issubclass(target, torch.nn.Module):
        site.fail(wrong("class", target.__name__, "a subclass of torch.nn.Module"))
    try:
        seen = _observe(site.flow, target, args)
    except Exception as error:
        raise _refusal(site, target, args, error) from error
    out, module = seen.output, seen.module
    if not isinstance(out, torch.Tensor):
        site.fail(f"{target.__name__} gives {type(out).__name__}, needs to give one tensor")
    if out.dim() < 2 or out.shape[0] != _BATCH:
        shape = tuple(out.shape)
        site.fail(f"{target.__name__} gives shape {shape} for a batch of {_BATCH}; the first must stay the batch")
    site.tally.add(
        params=sum(p.numel() for p in module.parameters()),
        frozen=sum(p.numel() for p in module.parameters() if not p.requires_grad),
        buffers=sum(b.numel() for b in module.buffers()),
        macs=seen.macs,
        values=seen.values,
        eval_only=int(seen.eval_only),
    )
    depth = sum(1 for m in module.modules() if any(p.dim() > 1 for p in m.parameters(recurse=False)))
    layout = site.flow.layout if out.dim() - 1 == site.flow.rank else ""
    return Flow(tuple(out.shape[1:]), str(out.dtype).removeprefix("torch."), layout, site.flow.depth + depth)


def _observe(flow: Flow, target: type, args: Mapping[str, Value]) -> _Observed:
    """Make the class and run it, leaving torch's random state as it was."""
    import torch

    num_bytes = 0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            with torch.device("meta"):
                module = target(**args)
            if any(isinstance(p, torch.nn.UninitializedParameter) for p in module.parameters()):
                raise TypeError(
                    "lazy parameters have no size before a first run; give sizes, with input_size= if need be"
                )
            num_bytes = sum(p.numel() * p.element_size() for p in module.parameters())
            if num_bytes > _SMALL_BYTES:
                return _run_in_a_mode(module, flow, "meta")
        except (NotImplementedError, RuntimeError):
            if num_bytes > memory_bytes():
                raise MemoryError(f"its {num_bytes} bytes of parameters are more than this machine's memory") from None
            # what cannot be made or run without values is made and run with them
        with torch.device("cpu"):
            return _run_in_a_mode(target(**args), flow, "cpu")


def _run_in_a_mode(module: torch.nn.Module, flow: Flow, device: str) -> _Observed:
    """Run it as it is made; what cannot run in training mode is run in evaluation mode."""
    try:
        return _run(module, flow, device)
    except Exception:
        with suppress(Exception):
            return replace(_run(module.eval(), flow, device), eval_only=True)
        raise  # what is wrong in both modes is told of the first


def _run(module: torch.nn.Module, flow: Flow, device: str) -> _Observed:
    import torch

    from netwright.nn.counting import MacCounter

    values: list[int] = []

    def record(module: torch.nn.Module, inputs: object, output: object) -> None:
        outputs = output if isinstance(output, tuple) else (output,)
        values.extend(v.numel() for v in outputs if isinstance(v, torch.Tensor))

    leaves = [m for m in module.modules() if next(m.children(), None) is None]
    hooks = [leaf.register_forward_hook(record) for leaf in leaves]
    counter = MacCounter()
    dtype = getattr(torch, flow.dtype)
    try:
        with counter, torch.device(device):
            output = module(torch.zeros((_BATCH, *flow.shape), dtype=dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return _Observed(module, output, counter.macs // _BATCH, sum(values) // _BATCH, eval_only=False)


def _refusal(site: Site, target: type, args: Mapping[str, Value], error: Exception) -> BuildError:
    given = ", ".join(f"{name}={value!r}" for name, value in args.items())
    kind = type(error).__name__
    return BuildError(f"{target.__name__}({given}) at {site.path} cannot run on input {site.flow}: {kind}: {error}")


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {"class": _own_class}

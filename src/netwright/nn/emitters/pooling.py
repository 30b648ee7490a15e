"""Pooling: windows, the whole extent, or to a given extent.

"Same" padding gives ``ceil(extent / stride)``; an even kernel counts a last window that hangs over the edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.errors import wrong
from netwright.nn.code import Call, Code, Lit, call, sequence
from netwright.nn.emitters.convolutions import plain
from netwright.nn.site import Emitted, Site

MODES = ("avg", "max")


def _max_pool(site: Site) -> Emitted:
    return _window_pool(site, "Max")


def _avg_pool(site: Site) -> Emitted:
    return _window_pool(site, "Avg")


def _window_pool(site: Site, name: str) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    kernel = site.integers("kernel", dims, default=2)
    stride = kernel if site.term.arg("stride") is None else site.integers("stride", dims)
    padding, ceil = _pool_padding(site, kernel, stride)
    extent = tuple(
        _windows(e, k, s, p, ceil) for e, k, s, p in zip(site.flow.spatial, kernel, stride, padding, strict=True)
    )
    if any(e < 1 for e in extent):
        site.fail(f"window {kernel} is larger than the padded input {site.flow.spatial}")
    options: dict[str, Code] = {"kernel_size": Lit(plain(kernel), "kernel_size")}
    if stride != kernel:
        options["stride"] = Lit(plain(stride), "stride")
    if any(padding):
        options["padding"] = Lit(plain(padding), "padding")
    if ceil:
        options["ceil_mode"] = Lit(True, "ceil_mode")
    if name == "Avg" and (any(padding) or ceil):
        options["count_include_pad"] = Lit(False, "count_include_pad")
    out = site.flow.reshaped((site.flow.channels, *extent), "channels first")
    site.tally.add(values=out.size)
    return Emitted(call(f"nn.{name}Pool{dims}d", **options), out)


def _pool_padding(site: Site, kernel: tuple[int, ...], stride: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
    """Padding, and whether a last window that hangs over the edge counts."""
    value = site.term.arg("padding", "same")
    if not isinstance(value, str):
        padding = site.integers("padding", len(kernel), minimum=0)
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            site.fail(wrong("padding", value, "at most half the kernel"))
        return padding, False
    if site.word("padding", ("same", "valid")) == "valid":
        return (0,) * len(kernel), False
    if all(k % 2 for k in kernel):
        return tuple(k // 2 for k in kernel), False
    if any(k > s and (k - s) % 2 for k, s in zip(kernel, stride, strict=True)):
        site.fail(f"kernel {kernel} with stride {stride} cannot be padded alike on both sides; take an odd kernel")
    return tuple(max(0, k - s) // 2 for k, s in zip(kernel, stride, strict=True)), True


def _windows(extent: int, kernel: int, stride: int, padding: int, ceil: bool) -> int:
    """How many windows fit, counted as torch does."""
    room = extent + 2 * padding - kernel
    count = (-(-room // stride) if ceil else room // stride) + 1
    return count - 1 if ceil and (count - 1) * stride >= extent + padding else count


def _global_pool(site: Site) -> Emitted:
    site.need_float()
    mode = site.word("mode", MODES, "avg")
    flow = site.flow
    if flow.rank == 1:
        site.fail("needs an image or a sequence, gets a vector; leave it out")
    out = flow.reshaped((flow.channels,), "")
    site.tally.add(values=out.size)
    if flow.padded:
        pool = call("PaddedPool", Lit(mode, "mode"))
        return Emitted(pool if flow.channels_last else sequence(Call("ToSequence"), pool), out)
    if flow.channels_last:
        return Emitted(call("GlobalPool", Lit(mode, "mode")), out)
    if flow.rank > 4:
        site.fail(f"can pool at most 3 extents, gets {flow.rank - 1}")
    pool = call(f"nn.Adaptive{mode.title()}Pool{flow.rank - 1}d", Lit(1, "output_size"))
    return Emitted(sequence(pool, Call("nn.Flatten")), out)


def _adaptive_pool(site: Site) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    extent = site.integers("extent", dims)
    mode = site.word("mode", MODES, "avg")
    code = call(f"nn.Adaptive{mode.title()}Pool{dims}d", Lit(plain(extent), "output_size"))
    out = site.flow.reshaped((site.flow.channels, *extent), "channels first")
    site.tally.add(values=out.size)
    return Emitted(code, out)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "global_pool": _global_pool,
    "adaptive_pool": _adaptive_pool,
}

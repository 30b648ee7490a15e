"""Operations that change the form of what flows: flatten, reshape, permute, sequences and images, resizing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from netwright.errors import wrong
from netwright.nn.code import IDENTITY, Call, Lit, call, sequence
from netwright.nn.emitters.convolutions import Window, conv_layer
from netwright.nn.site import Emitted, Site
from netwright.types import Value


def _flatten(site: Site) -> Emitted:
    if site.flow.rank == 1:
        return Emitted(IDENTITY, site.flow)
    return Emitted(Call("nn.Flatten"), site.flow.reshaped((site.flow.size,), ""))


def _reshape(site: Site) -> Emitted:
    shape = site.row("shape")
    if math.prod(shape) != site.flow.size:
        site.fail(wrong("shape", shape, f"of {site.flow.size} values in all"))
    return Emitted(
        call("nn.Unflatten", Lit(1, "dim"), Lit(shape, "shape")) if site.flow.rank == 1 else _via_flat(shape),
        site.flow.reshaped(shape, ""),
    )


def _via_flat(shape: tuple[int, ...]) -> Call:
    return Call(
        "nn.Sequential", (("", Call("nn.Flatten")), ("", call("nn.Unflatten", Lit(1, "dim"), Lit(shape, "shape"))))
    )


def _permute(site: Site) -> Emitted:
    rank = site.flow.rank
    order = site.integers("order", rank, minimum=0)
    if sorted(order) != list(range(rank)):
        site.fail(wrong("order", order, f"an order of the dimensions 0 to {rank - 1} (the batch is not counted)"))
    shape = tuple(site.flow.shape[i] for i in order)
    return Emitted(call("Permute", *(Lit(i + 1, "dim") for i in order)), site.flow.reshaped(shape, ""))


def _to_sequence(site: Site) -> Emitted:
    flow = site.flow
    if flow.rank == 1 or flow.channels_last:
        site.fail("needs channels first (C, L), (C, H, W) or (C, D, H, W)")
    shape = (flow.size // flow.channels, flow.channels)
    return Emitted(Call("ToSequence"), flow.reshaped(shape, "channels last"))


def _to_channels(site: Site) -> Emitted:
    site.need_sequence()
    length, channels = site.flow.shape
    extent = (length,) if site.term.arg("extent") is None else site.row("extent")
    if math.prod(extent) != length:
        site.fail(wrong("extent", extent, f"of {length} positions in all"))
    return Emitted(call("ToChannels", Lit(extent, "extent")), site.flow.reshaped((channels, *extent), "channels first"))


def _patch_embedding(site: Site) -> Emitted:
    dims = site.dims()
    site.need_channels_first(dims)
    patch = site.integers("patch", dims)
    window = Window(kernel=patch, stride=patch, dilation=(1,) * dims)
    conv = conv_layer(site, site.flow, site.integer("features"), window, padding="valid")
    shape = (conv.flow.size // conv.flow.channels, conv.flow.channels)
    return Emitted(sequence(conv.code, Call("ToSequence")), conv.flow.reshaped(shape, "channels last"))


def _upsample(site: Site) -> Emitted:
    dims = site.flow.rank - 1
    if not 1 <= dims <= 3:
        site.fail("needs channels first (C, L), (C, H, W) or (C, D, H, W)")
    site.need_channels_first(dims)
    mode = site.word("mode", ("nearest", "linear"), "nearest")
    scale = site.integer("scale", default=2)
    extent = tuple(e * scale for e in site.flow.spatial)
    options: dict[str, Value] = {"scale_factor": scale, "mode": mode}
    if mode == "linear":
        options |= {"mode": ("linear", "bilinear", "trilinear")[dims - 1], "align_corners": False}
    out = site.flow.reshaped((site.flow.channels, *extent), "channels first")
    site.tally.add(values=out.size)
    return Emitted(call("nn.Upsample", **options), out)


def _pixel_shuffle(site: Site) -> Emitted:
    site.need_channels_first(2)
    scale = site.integer("scale", default=2)
    channels, rest = divmod(site.flow.channels, scale * scale)
    if rest:
        site.fail(f"scale={scale} squared does not divide the {site.flow.channels} channels")
    shape = (channels, *(e * scale for e in site.flow.spatial))
    return Emitted(call("nn.PixelShuffle", Lit(scale, "upscale_factor")), site.flow.reshaped(shape, "channels first"))


def _take_channels(site: Site) -> Emitted:
    channels = site.integer("channels")
    if channels > site.flow.channels:
        site.fail(wrong("channels", channels, f"at most the input's {site.flow.channels}"))
    if channels == site.flow.channels:
        return Emitted(IDENTITY, site.flow)
    code = call("TakeChannels", Lit(channels, "channels"), dim=site.flow.channel_dim)
    return Emitted(code, site.flow.with_channels(channels))


def _normalize(site: Site) -> Emitted:
    site.need_float()
    mean, std = (_per_channel(site, name) for name in ("mean", "std"))
    if any(s <= 0 for s in std):
        site.fail(wrong("std", std, "> 0"))
    shape = [1] * site.flow.rank
    shape[site.flow.channel_dim - 1] = -1
    site.tally.add(values=site.flow.size, buffers=2 * site.flow.channels)
    mean_code, std_code = Lit(mean, "mean"), Lit(std, "std")
    return Emitted(call("Normalize", mean_code, std_code, Lit(tuple(shape), "shape")), site.flow)


def _decode_boxes(site: Site) -> Emitted:
    site.need_float()
    strides = site.row("strides")
    extents = tuple(zip(site.row("heights"), site.row("widths"), strict=True))
    if site.flow.rank != 2 or site.flow.shape[0] != sum(map(math.prod, extents)) or site.flow.shape[1] < 5:
        site.fail(f"needs a row of 4 distances and at least one class for each point of the maps {extents}")
    if len(extents) != len(strides):
        site.fail(wrong("strides", strides, f"one for each of the {len(extents)} maps"))
    side, log_odds = site.number("side", 0.01, 100.0, 2.0), site.number("log_odds", -20.0, 20.0, 0.0)
    site.tally.add(values=site.flow.size, buffers=3 * site.flow.shape[0])
    args = Lit(extents, "extents"), Lit(strides, "strides"), Lit(side, "side"), Lit(log_odds, "log_odds")
    return Emitted(call("DecodeBoxes", *args), site.flow)


def _per_channel(site: Site, name: str) -> tuple[float, ...]:
    value = site.term.arg(name)
    parts = value if isinstance(value, tuple) else (value,) * site.flow.channels
    numbers = tuple(float(v) for v in parts if isinstance(v, (int, float)) and math.isfinite(v))
    if len(numbers) != len(parts) or len(numbers) != site.flow.channels:
        site.fail(wrong(name, value, f"a finite number for each of the {site.flow.channels} channels"))
    return numbers


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {
    "flatten": _flatten,
    "reshape": _reshape,
    "permute": _permute,
    "to_sequence": _to_sequence,
    "to_channels": _to_channels,
    "patch_embedding": _patch_embedding,
    "upsample": _upsample,
    "pixel_shuffle": _pixel_shuffle,
    "take_channels": _take_channels,
    "normalize": _normalize,
    "decode_boxes": _decode_boxes,
}

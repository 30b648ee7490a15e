"""Which operations are one in several sizes, so that one run with masked weights stands for all of them.

The weights of a smaller convolution, linear layer or batch norm are those of the larger one with zeros around them: the
mixture of their sizes is the largest, its weights multiplied by how likely each number of them is there. Other
operations (norms over channels, groups, heads, classes of one's own) are one only where they are equal. Knows neither
weights nor choices.

References:
    Wan et al. (2020), FBNetV2, section 3.1 (channels by masks); Stamoulis et al. (2019), Single-Path NAS, section 3
    (kernels as parts of a larger one). Ours multiplies weights, not outputs, on both sides of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netwright.nn.code import Call, Code, Lit, Raw, flat
from netwright.nn.site import Flow

_SIZED = frozenset({"nn.Linear", "nn.BatchNorm1d", "nn.BatchNorm2d", "nn.BatchNorm3d", "SqueezeExcite"})
_CONVOLUTIONS = frozenset({"nn.Conv1d", "nn.Conv2d", "nn.Conv3d"})
_AROUND = frozenset({"nn.Sequential", "Residual", "Sum", "Mean", "Product", "OverPositions", "KeepPadding"})
_EACH_CHANNEL = frozenset(
    f"nn.{name}"
    for name in (
        *("ReLU", "ReLU6", "GELU", "SiLU", "Mish", "ELU", "SELU", "Hardswish", "Hardsigmoid", "LeakyReLU", "Sigmoid"),
        *("Tanh", "Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d"),
        *(f"{kind}Pool{dims}d" for kind in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax") for dims in (1, 2, 3)),
    )
) | {"DropPath", "ToSequence", "GlobalPool", "PaddedPool", "Zero"}
_POOLED = frozenset(f"nn.Adaptive{kind}Pool{dims}d" for kind in ("Avg", "Max") for dims in (1, 2, 3))
_HOLE = Raw("#")


@dataclass(frozen=True)
class Sized:
    """An operation without its elastic sizes.

    Args:
        kind: what is equal in all sizes, as text.
        code: the operation.
        sizes: the numbers that may differ.
    """

    kind: str
    code: Code
    sizes: tuple[int, ...]


def sized(code: Code, flow: Flow) -> Sized:
    """Take the elastic sizes out of an operation.

    Args:
        code: the operation.
        flow: what comes in; operations that look across channels are one only where it is equal.

    Example:
        >>> from netwright.nn.code import call
        >>> one, two = (call("nn.Linear", Lit(3), Lit(n)) for n in (4, 8))
        >>> sized(one, Flow((3,))).kind == sized(two, Flow((3,))).kind, sized(two, Flow((3,))).sizes
        (True, (3, 8))
    """
    sizes: list[int] = []
    plain = _normal(code)
    shape = _holes(plain, sizes)
    across = "" if _keeps_channels_apart(plain) else f"{flow}"
    return Sized(f"{flat(shape)} {across}", plain, tuple(sizes))


def largest_code(variants: Sequence[Sized]) -> Code:
    """The operation in the largest of all sizes; all are of one kind."""
    sizes = [max(numbers) for numbers in zip(*(v.sizes for v in variants), strict=True)]
    return _filled(variants[0].code, iter(sizes))


def _normal(code: Code) -> Code:
    """Convolutions with their padding written out, so that all kernels look alike."""
    if not isinstance(code, Call):
        return code
    if code.func in _CONVOLUTIONS:
        named = {name: arg for name, arg in code.args if name}
        if _is_centred(named):
            positional = tuple((name, arg) for name, arg in code.args if not name)
            padding = named.pop("padding", Lit(0, "padding"))
            kernel = named.pop("kernel_size")
            named = {"kernel_size": kernel, "padding": padding, **named}
            return replace(code, args=(*positional, *named.items()))
        return code
    return replace(code, args=tuple((name, _normal(arg)) for name, arg in code.args))


def _is_centred(named: dict[str, Code]) -> bool:
    """Whether an odd kernel is padded alike on both sides, so that a smaller one is its middle."""
    kernel, padding, dilation = (
        _number(named.get(n), d) for n, d in (("kernel_size", 0), ("padding", 0), ("dilation", 1))
    )
    return kernel % 2 == 1 and padding == dilation * (kernel - 1) // 2


def _number(code: Code | None, default: int) -> int:
    if code is None:
        return default
    return code.value if isinstance(code, Lit) and isinstance(code.value, int) else -1


def _elastic(call: Call) -> frozenset[int]:
    """Which arguments of a layer are elastic, by their place."""
    if call.func in _SIZED:
        return frozenset(i for i, (name, arg) in enumerate(call.args) if not name and isinstance(arg, Lit))
    if call.func not in _CONVOLUTIONS:
        return frozenset()
    named = {name: arg for name, arg in call.args if name}
    groups, channels = named.get("groups"), [arg for name, arg in call.args if not name]
    if groups is not None and any(_number(c, -1) != _number(groups, -1) for c in channels):
        return frozenset()
    names = {"", "groups"} | ({"kernel_size", "padding"} if _is_centred(named) else set())
    return frozenset(i for i, (name, _) in enumerate(call.args) if name in names)


def _holes(code: Code, sizes: list[int]) -> Code:
    if not isinstance(code, Call):
        return code
    elastic = _elastic(code)
    args: list[tuple[str, Code]] = []
    for index, (name, arg) in enumerate(code.args):
        if index in elastic and isinstance(arg, Lit) and isinstance(arg.value, int):
            sizes.append(arg.value)
            args.append((name, _HOLE))
        elif isinstance(arg, Call) and code.func in _AROUND:
            args.append((name, _holes(arg, sizes)))
        else:
            args.append((name, arg))
    return replace(code, args=tuple(args))


def _filled(code: Code, sizes: object) -> Code:
    if not isinstance(code, Call):
        return code
    elastic = _elastic(code)
    args: list[tuple[str, Code]] = []
    for index, (name, arg) in enumerate(code.args):
        if index in elastic and isinstance(arg, Lit) and isinstance(arg.value, int):
            args.append((name, Lit(next(sizes), arg.slot)))  # type: ignore[call-overload]
        elif isinstance(arg, Call) and code.func in _AROUND:
            args.append((name, _filled(arg, sizes)))
        else:
            args.append((name, arg))
    return replace(code, args=tuple(args))


def _keeps_channels_apart(code: Code) -> bool:
    """Whether channels that are not there, and so are zero, change nothing for those that are."""
    if not isinstance(code, Call):
        return True
    if code.func in _SIZED or code.func in _CONVOLUTIONS or code.func in _EACH_CHANNEL:
        return True
    if code.func not in _AROUND:
        return False
    parts = [arg for _, arg in code.args]
    before = [None, *parts]
    return all(
        _keeps_channels_apart(part) or (_is_flatten(part) and _is_pool(earlier))
        for part, earlier in zip(parts, before, strict=False)
    )


def _is_flatten(code: Code) -> bool:
    return isinstance(code, Call) and code.func == "nn.Flatten"


def _is_pool(code: Code | None) -> bool:
    return isinstance(code, Call) and code.func in _POOLED

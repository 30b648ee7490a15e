"""Writes a network without choices as a Python module that needs torch alone.

The text is all there is: `build` runs it, people read and keep it. It is made from decided values only; whatever a
person gave passes through ``repr``. Knows what each operation is written as from `emitters`, and nothing of training.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from netwright.errors import BuildError, wrong
from netwright.nn.code import IDENTITY, WIDTH, Call, Code, Composite, Raw, render, walk
from netwright.nn.emitters import emit
from netwright.nn.helpers import HELPERS
from netwright.nn.hoist import Definition, hoist, named_apart
from netwright.nn.site import Emitted, Flow, Tally
from netwright.space.terms import CellTerm, OpTerm, Term

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST_COUNTED = 16_384
"""Operations whose size is remembered."""

_DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64")


@dataclass(frozen=True)
class OwnCode:
    """Source of classes of one's own, to stand in a module by itself.

    Args:
        imports: import lines, one statement each.
        definitions: text of everything the classes need, in an order that works, then the classes.
    """

    imports: tuple[str, ...] = ()
    definitions: str = ""


OwnCodeWriter = Callable[[tuple[type, ...]], OwnCode]


@dataclass(frozen=True)
class Written:
    """A network as source.

    Args:
        text: the module.
        output: what the network gives: shape without the batch, and dtype; its depth counts layers with weights.
        own_classes: classes of one's own that the text names, in the order of their use.
        size: what was counted on the way.
        places: class and place of each layer with weights, in the order in which the modules are made; none where
            operations do not know their sites.
        constants: data for the buffers of the network, by the end of their names.
    """

    text: str
    output: Flow
    own_classes: tuple[type, ...]
    size: Tally
    places: tuple[tuple[str, str], ...] = ()
    constants: Mapping[str, NDArray[Any]] = field(default_factory=lambda: MappingProxyType({}))


def source(
    term: Term,
    *,
    input_shape: tuple[int, ...],
    input_dtype: str = "float32",
    class_name: str = "Network",
    own_code: OwnCodeWriter | None = None,
) -> str:
    """Write a network as Python source.

    Args:
        term: the network without choices.
        input_shape: shape of one example without the batch: (C, H, W), (C, L), (L, D), (D,) or tokens (L,).
        input_dtype: dtype of the input as torch names it; ``int64`` for tokens.
        class_name: name of the network's class.
        own_code: writes classes of one's own into the module; without it they are imported from where they are.

    Returns:
        Text of a module with the classes used, the network's class, and ``build() -> nn.Module``.

    Raises:
        BuildError: the network cannot be: names the operation, its path and the shapes.

    Example:
        >>> from netwright.space import OpTerm
        >>> text = source(OpTerm("linear", (("features", 10),)), input_shape=(64,))
        >>> [line.strip() for line in text.splitlines() if "Linear" in line]
        ['self.linear = nn.Linear(64, 10)']
    """
    return write(
        term, input_shape=input_shape, input_dtype=input_dtype, class_name=class_name, own_code=own_code or import_own
    ).text


def write(
    term: Term,
    *,
    input_shape: tuple[int, ...],
    input_dtype: str = "float32",
    class_name: str = "Network",
    own_code: OwnCodeWriter,
    is_read: bool = True,
) -> Written:
    """Write a network as `source` does, and say what it gives and which classes of one's own it uses.

    Args:
        term: as of `source`.
        input_shape: as of `source`.
        input_dtype: as of `source`.
        class_name: as of `source`.
        own_code: writes classes of one's own into the module.
        is_read: whether what repeats is written once, for people; without, the same network is written sooner.

    Raises:
        BuildError: the network cannot be, or a name means two things in it.
    """
    flow = _input_flow(input_shape, input_dtype)
    size = Tally()
    parts, out = _parts(term, flow, size)
    own = _own_classes([code for _, code in parts])
    if not _IDENTIFIER.fullmatch(class_name) or class_name in HELPERS or class_name in {c.__name__ for c in own}:
        raise BuildError(wrong("class_name", class_name, "an identifier that no class in the network has"))
    taken = frozenset({class_name, "build", "nn", "torch", "F", *HELPERS, *(c.__name__ for c in own)})
    codes, definitions = (hoist if is_read else named_apart)([code for _, code in parts], taken)
    named = [(name, code) for (name, _), code in zip(parts, codes, strict=True)]
    network = _class_text(_network(class_name, named), ())
    blocks = [*(_definition_text(d) for d in definitions), network, _build_text(class_name)]
    pasted = own_code(own)
    blocks = [*([pasted.definitions.strip("\n")] if pasted.definitions else []), *blocks]
    helpers = _helpers_used(definitions, codes)
    clash = sorted({c.__name__ for c in own} & set(helpers))
    for name in clash:
        raise BuildError(f"class {name} of your own has the name of a part of generated source; rename it")
    body = "\n\n\n".join([*(HELPERS[name] for name in helpers), *blocks])
    header = _header(flow, out, body, pasted.imports)
    places = _places([code for _, code in parts])
    return Written(f"{header}\n\n\n{body}\n", out, own, size, places, _constants(term))


def measure(term: Term, *, input_shape: tuple[int, ...], input_dtype: str = "float32") -> tuple[Tally, Flow]:
    """Count the size of a network and find what it gives, without writing text.

    Operations that were counted before, in another network, are not counted again.

    Raises:
        BuildError: the network cannot be.
    """
    flow = _input_flow(input_shape, input_dtype)
    size = Tally()
    try:
        return size, _count(term, (flow,), "", tally=size).flow
    except (BuildError, TypeError):  # to say where it stands; an argument of a class of one's own may have no hash
        size = Tally()
        return size, _parts(term, flow, size)[1]


def _count(
    term: Term, flows: tuple[Flow, ...], path: str, *, tally: Tally, width: int | None = None, copy: str = ""
) -> Emitted:
    """As `emit`, from memory where the operation was written before; the places in its code are those of then."""
    if isinstance(term, OpTerm) and term.kind == "seq":  # a longer piece is rarely the same again
        return emit(term, flows, path, tally=tally, width=width, copy=copy, inside=_count)
    depth = min(flow.depth for flow in flows)
    size, emitted = _counted(term, tuple(_deeper(flow, -depth) for flow in flows), width)
    tally.add(
        params=size.params,
        macs=size.macs,
        values=size.activation_values,
        buffers=size.buffer_values,
        frozen=size.frozen_params,
        eval_only=size.eval_only,
    )
    return Emitted(emitted.code, _deeper(emitted.flow, depth))


def _deeper(flow: Flow, by: int) -> Flow:
    return replace(flow, depth=flow.depth + by) if by else flow


@lru_cache(maxsize=MOST_COUNTED)
def _counted(term: Term, flows: tuple[Flow, ...], width: int | None) -> tuple[Tally, Emitted]:
    size = Tally()
    return size, emit(term, flows, "", tally=size, width=width, inside=_count)


def import_own(classes: tuple[type, ...]) -> OwnCode:
    """Import classes of one's own from their modules.

    Raises:
        BuildError: a class stands inside another or a function.
    """
    for own in classes:
        if own.__qualname__ != own.__name__:
            raise BuildError(
                f"class {own.__qualname__} cannot be imported by name; move it to the top level of its module"
            )
    return OwnCode(imports=tuple(sorted({f"from {own.__module__} import {own.__name__}" for own in classes})))


def _input_flow(shape: tuple[int, ...], dtype: str) -> Flow:
    valid = isinstance(shape, (tuple, list)) and len(shape) > 0
    if not valid or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in shape):
        raise BuildError(wrong("input_shape", shape, "a tuple of whole numbers >= 1, without the batch"))
    if dtype not in _DTYPES:
        raise BuildError(wrong("input_dtype", dtype, f"one of {', '.join(_DTYPES)}"))
    return Flow(tuple(shape), dtype)


# --- the parts of a network --------------------------------------------------------------------------------------


def _parts(term: Term, flow: Flow, size: Tally) -> tuple[list[tuple[str, Code]], Flow]:
    """Names and expressions of the network's parts, and what it gives."""
    whole = isinstance(term, OpTerm) and term.kind == "seq"
    pieces = term.children if isinstance(term, OpTerm) and whole else (term,)
    codes: list[tuple[str, Code]] = []
    for index, piece in enumerate(pieces):
        emitted = emit(piece, (flow,), f"seq[{index}]" if whole else "", tally=size)
        flow = emitted.flow
        if emitted.code != IDENTITY:
            codes.append((_part_name(piece), emitted.code))
    wishes = [name for name, _ in codes]
    counts = dict.fromkeys(wishes, 0)
    named: list[tuple[str, Code]] = []
    for name, code in codes:
        counts[name] += 1
        named.append((name if wishes.count(name) == 1 else f"{name}{counts[name]}", code))
    return named, flow


def _part_name(term: Term) -> str:
    if isinstance(term, CellTerm):
        return "cell"
    if term.kind == "seq":
        nested = any(isinstance(c, CellTerm) or c.children for c in term.children)
        return "stage" if nested else "block"
    if term.kind == "class" and term.target is not None:
        name = term.target.__name__.lower()
        return f"{name}_" if hasattr(term.target, name) else name
    return {"activation": "act", "batch_norm": "norm"}.get(term.kind, term.kind)


def _network(class_name: str, parts: list[tuple[str, Code]]) -> Composite:
    body = tuple(("x", Call(f"self.{name}", (("", Raw("x")),))) for name, _ in parts)
    doc = "The network."
    if not body:
        return Composite(class_name, doc, ("x",), (), (), Raw("x"))
    return Composite(class_name, doc, ("x",), tuple(parts), body[:-1], body[-1][1])


def _own_classes(codes: list[Code]) -> tuple[type, ...]:
    found: dict[str, type] = {}
    for code in codes:
        for inner in walk(code):
            if isinstance(inner, Call) and inner.target is not None:
                other = found.setdefault(inner.func, inner.target)
                if other is not inner.target:
                    raise BuildError(f"two classes of your own have the name {inner.func}; rename one")
    return tuple(found.values())


def _places(codes: list[Code]) -> tuple[tuple[str, str], ...]:
    calls = (inner for code in codes for inner in walk(code) if isinstance(inner, Call) and inner.place)
    return tuple((layer.func.rpartition(".")[2], layer.place) for layer in calls)


def _constants(term: Term) -> Mapping[str, NDArray[Any]]:
    """Data that operations bring, the outermost first."""
    found: dict[str, NDArray[Any]] = {}
    if isinstance(term, OpTerm):
        for child in term.children:
            found |= _constants(child)
        found |= term.constants or {}
    return found


def _helpers_used(definitions: list[Definition], codes: list[Code]) -> list[str]:
    everything = [*codes, *(d.code for d in definitions)]
    names = {c.func for code in everything for c in walk(code) if isinstance(c, Call)}
    return [name for name in HELPERS if name in names]


# --- text --------------------------------------------------------------------------------------------------------


def _header(flow: Flow, out: Flow, body: str, own_imports: tuple[str, ...]) -> str:
    lines = [
        '"""A network found by netwright; needs torch alone.',
        "",
        f"Input: (batch, {_plain(flow.shape)}) {flow.dtype}. Output: (batch, {_plain(out.shape)}) {out.dtype}.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
    ]
    torch_used = re.search(r"\btorch\.", body) is not None
    imports = ["import torch"] * torch_used + ["from torch import nn"]
    if re.search(r"\bF\.", body):
        imports.append("from torch.nn import functional as F")
    known = set(imports)
    extra = [line for line in own_imports if line not in known and not line.startswith("from __future__")]
    return "\n".join([*lines, *imports, *extra])


def _plain(shape: tuple[int, ...]) -> str:
    return ", ".join(str(s) for s in shape)


def _definition_text(definition: Definition) -> str:
    if isinstance(definition.code, Composite):
        parameters = tuple(f"{p.name}: {p.type_name}" for p in definition.parameters)
        return _class_text(definition.code, parameters, definition.name)
    parameters = tuple(f"{p.name}: {p.type_name}" for p in definition.parameters)
    head = _signature(f"def {definition.name}(", parameters, ") -> nn.Module:", 0)
    return f"{head}\n    return {render(definition.code, 4, len('return '))}"


def _signature(start: str, parameters: tuple[str, ...], end: str, indent: int) -> str:
    line = f"{start}{', '.join(parameters)}{end}"
    if indent + len(line) <= WIDTH or not parameters:
        return line
    inner = "".join(f"{' ' * (indent + 4)}{p},\n" for p in parameters)
    return f"{start}\n{inner}{' ' * indent}{end}"


def _class_text(code: Composite, parameters: tuple[str, ...], name: str = "") -> str:
    lines = [f"class {name or code.name}(nn.Module):", f'    """{code.doc}"""', ""]
    if code.parts:
        lines.append("    " + _signature("def __init__(", ("self", *parameters), ") -> None:", 4))
        lines.append("        super().__init__()")
        for part, expression in code.parts:
            lines.append(f"        self.{part} = {render(expression, 8, len(f'self.{part} = '))}")
        lines.append("")
    inputs = ", ".join(f"{i}: torch.Tensor" for i in code.inputs)
    lines.append(f"    def forward(self, {inputs}) -> torch.Tensor:")
    for target, expression in code.body:
        lines.append(f"        {target} = {render(expression, 8, len(f'{target} = '))}")
    lines.append(f"        return {render(code.result, 8, len('return '))}")
    return "\n".join(lines)


def _build_text(class_name: str) -> str:
    return f'def build() -> nn.Module:\n    """Make the network with fresh weights."""\n    return {class_name}()'


def own_namespace(classes: tuple[type, ...]) -> Mapping[str, object]:
    """Names under which generated source finds classes of one's own."""
    return {own.__name__: own for own in classes}

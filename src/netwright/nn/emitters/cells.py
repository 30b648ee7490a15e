"""Cells, as modules with a straight-line forward, and DARTS' chain of cells that each see the two before.

An edge that gives zeros is left out of a sum; identity edges need no module; nodes that nothing reaches, or whose value
reaches no output, are left out with their edges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netwright.errors import wrong
from netwright.nn.code import IDENTITY, Call, Code, Composite, Items, Raw, call, sequence
from netwright.nn.emitters.basics import norm_layer
from netwright.nn.emitters.blocks import COMBINE, factorized_reduce_layer, join
from netwright.nn.emitters.convolutions import conv_layer, point
from netwright.nn.site import Emitted, Flow, Site
from netwright.space.terms import CellTerm, NodeTerm

_ZERO = Call("Zero")


class _CellWriter:
    """Collects the parts and the lines of one cell."""

    def __init__(self, site: Site, term: CellTerm) -> None:
        self.site = site
        self.path = site.path
        self.emit = site.emit_term
        flows = site.flows
        given = list(flows) if len(flows) == term.num_inputs else [flows[0]] * term.num_inputs
        if len(flows) not in (1, term.num_inputs):
            site.fail(f"takes {term.num_inputs} inputs, gets {len(flows)}")
        self.inputs = tuple(f"x{i}" for i in range(len(flows))) if len(flows) > 1 else ("x",)
        self.names = [self.inputs[i] if len(flows) > 1 else "x" for i in range(term.num_inputs)]
        self.flows: list[Flow] = given
        self.live = _live(term)
        self.parts: list[tuple[str, Code]] = []
        self.body: list[tuple[str, Code]] = []

    def part(self, name: str, code: Code) -> str:
        self.parts.append((name, code))
        return f"self.{name}"

    def node(self, number: int, node: NodeTerm) -> None:
        """Write the lines of one inner node."""
        name = f"h{number}"
        values: list[Code] = []
        flows: list[Flow] = []
        zeros = 0
        for index, (source, op) in enumerate(node.edges):
            if not self.live[source]:
                continue
            where = f"{self.path}.{source}->{number}"
            emitted = self.emit(op, (self.flows[source],), where)
            flows.append(emitted.flow)
            if emitted.code == _ZERO and node.combine == "sum":
                zeros += 1
                continue
            twin = f"_{index}" if any(s == source for s, _ in node.edges[:index]) else ""
            values.append(self._applied(f"edge_{source}_{number}{twin}", emitted.code, self.names[source]))
        flow = join(self.site, flows, node.combine)
        if not values:
            values = [Call("torch.zeros_like", (("", Raw(self.names[node.edges[0][0]])),))]
        self.combine(name, values, node.combine, flow)
        if node.op is not None:
            emitted = self.emit(node.op, (flow,), f"{self.path}.node{number}")
            if emitted.code != IDENTITY:
                self.body.append((name, self._applied(f"node_{number}", emitted.code, name)))
            flow = emitted.flow
        self.names.append(name)
        self.flows.append(flow)

    def skip(self) -> None:
        """Pass over a node that is left out; nothing reads it."""
        self.names.append("")
        self.flows.append(self.flows[0])

    def _applied(self, part: str, code: Code, value: str) -> Code:
        return Raw(value) if code == IDENTITY else Call(self.part(part, code), (("", Raw(value)),))

    def combine(self, name: str, values: list[Code], combine: str, flow: Flow) -> None:
        """Assign the combined values to ``name``, one line a value where each is an operation."""
        if combine == "concat" and len(values) > 1:
            self.body.append((name, concat(values, flow)))
            return
        operator = " * " if combine == "multiply" else " + "
        self.body.append((name, values[0]))
        for value in values[1:]:
            self.body.append((name, Raw(f"{name}{operator}{_text(value)}")))
        if combine == "mean" and len(values) > 1:
            self.body.append((name, Raw(f"{name} / {len(values)}")))


def _live(term: CellTerm) -> list[bool]:
    """Which nodes stand on a path from an input to an output; the others are left out."""
    count = term.num_inputs + len(term.nodes)
    reached = [True] * term.num_inputs
    for node in term.nodes:
        reached.append(any(reached[source] for source, _ in node.edges))
    needed = [number in term.outputs for number in range(count)]
    for number in reversed(range(term.num_inputs, count)):
        for source, _ in term.nodes[number - term.num_inputs].edges if needed[number] else ():
            needed[source] = True
    return [number < term.num_inputs or (reached[number] and needed[number]) for number in range(count)]


def _text(code: Code) -> str:
    if isinstance(code, Raw):
        return code.text
    assert isinstance(code, Call)
    return f"{code.func}({', '.join(_text(arg) for _, arg in code.args)})"


def concat(values: list[Code], flow: Flow) -> Code:
    """``torch.cat`` of the values over the channels."""
    return Call("torch.cat", (("", Items(tuple(values))), ("dim", Raw(str(flow.channel_dim)))))


def emit_cell(site: Site, term: CellTerm) -> Emitted:
    """Write a decided cell as a module of its own.

    Args:
        site: where it stands; one flow for each input comes in, or one for all.
        term: the cell.

    Raises:
        BuildError: a node has no input, or shapes that do not fit together meet in one.
    """
    writer = _CellWriter(site, term)
    for number, node in enumerate(term.nodes, start=term.num_inputs):
        if node.combine not in COMBINE:
            site.fail(f"node {number} combines by {node.combine!r}; known: {', '.join(COMBINE)}")
        if writer.live[number]:
            writer.node(number, node)
        else:
            writer.skip()
    outputs = [i for i in term.outputs if writer.live[i]]
    if not outputs:
        site.fail("no path leads from its input to its output; keep edges that make one")
    names = [writer.names[i] for i in outputs]
    out = [writer.flows[i] for i in outputs]
    if len(names) == 1:
        flow, result = out[0], Raw(names[0])
    else:
        combine = term.combine if term.combine in COMBINE else "concat"
        flow = join(writer.site, out, combine)
        result = _result(names, combine, flow, writer)
    if not writer.parts and result == Raw("x"):
        return Emitted(IDENTITY, flow)
    doc = f"A cell of {len(term.nodes)} nodes."
    return Emitted(Composite("Cell", doc, writer.inputs, tuple(writer.parts), tuple(_tidy(writer.body)), result), flow)


def _result(names: list[str], combine: str, flow: Flow, writer: _CellWriter) -> Raw:
    values: list[Code] = [Raw(name) for name in names]
    writer.combine("out", values, combine, flow)
    return Raw("out")


def _tidy(body: list[tuple[str, Code]]) -> list[tuple[str, Code]]:
    """Write ``h = a`` followed by ``h = h + b`` as ``h = a + b`` where it fits on a line."""
    tidy: list[tuple[str, Code]] = []
    for name, code in body:
        if tidy and tidy[-1][0] == name and isinstance(code, Raw) and code.text.startswith(f"{name} + "):
            joined = f"{_text(tidy[-1][1])}{code.text.removeprefix(name)}" if _simple(tidy[-1][1]) else ""
            if joined and len(joined) < 72:
                tidy[-1] = (name, Raw(joined))
                continue
        tidy.append((name, code))
    return tidy


def _simple(code: Code) -> bool:
    return isinstance(code, Raw) or (isinstance(code, Call) and code.func.startswith("self."))


def _cell_chain(site: Site) -> Emitted:
    """Run cells of two inputs, each on what the two before it gave (the network's input stands for what is missing)."""
    flows = (site.flow, site.flow)
    cells: list[tuple[str, Code]] = []
    which = site.row("which", minimum=0)
    widths = site.integers("widths", len(which))
    if max(which) >= len(site.term.children):
        site.fail(wrong("which", which, f"numbers of its {len(site.term.children)} cells, from 0"))
    for index, (child, width) in enumerate(zip(which, widths, strict=True)):
        copy = f"{site.copy}[{index}]"
        emitted = site.emit_term(site.term.children[child], flows, f"{site.path}[{index}]", width=width, copy=copy)
        cells.append(("", emitted.code))
        flows = (flows[1], emitted.flow)
    return Emitted(Call("CellChain", tuple(cells)), flows[1])


def _joint(site: Site) -> Emitted:
    """A cell of two inputs behind DARTS' preprocessing, which gives both inputs one shape."""
    if len(site.flows) != 2:
        site.fail("stands only in a cell_chain")
    channels = site.integer("channels", default=site.width)
    target = site.flows[1].spatial
    before = [_preprocess(site, flow, channels, target, f"before {i}") for i, flow in enumerate(site.flows)]
    cell = site.emit_term(site.term.children[0], (before[0].flow, before[1].flow), site.path)
    return Emitted(call("Joint", before[0].code, before[1].code, cell.code), cell.flow)


def _preprocess(site: Site, flow: Flow, channels: int, extent: tuple[int, ...], role: str) -> Emitted:
    if flow.spatial != extent:
        reduced = factorized_reduce_layer(site, flow, channels, role=f"{role} reduce")
        if reduced.flow.spatial != extent:
            site.fail(f"cannot bring {flow.shape} to extent {extent}")
        return reduced
    conv = conv_layer(site, flow, channels, point(2), bias=False, role=f"{role} conv")
    norm = norm_layer(site, conv.flow, "batch", role=f"{role} norm")
    site.tally.add(values=flow.size)
    return Emitted(sequence(Call("nn.ReLU"), conv.code, norm), conv.flow)


EMITTERS: Mapping[str, Callable[[Site], Emitted]] = {"cell_chain": _cell_chain, "joint": _joint}

"""Chains of cells of two inputs in a relaxed network (DARTS).

Knows what brings the inputs of a cell to one shape from the emitter that writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from netwright.errors import SpaceError
from netwright.nn.code import Call, Raw
from netwright.nn.emitters import EMITTERS
from netwright.nn.site import Emitted, Flow, Site, Tally
from netwright.space.nodes import Cell, Op
from netwright.space.terms import OpTerm, Term
from netwright.supernet.differentiable.cells import RelaxedCell, relaxed_cell
from netwright.supernet.differentiable.mixing import Mixing
from netwright.supernet.differentiable.soft import ExtentError, Flows, Soft, total

if TYPE_CHECKING:
    from netwright.supernet.differentiable.compiling import Compiler, Part, Where


class CellsInChain(Soft):
    """Cells, each run on what the two before it gave, behind what brings both to one shape.

    Args:
        cells: for each: what is before its first and its second input, and the cell.
    """

    def __init__(self, cells: Sequence[tuple[Soft, Soft, RelaxedCell]]) -> None:
        super().__init__()
        self.before0 = nn.ModuleList(first for first, _, _ in cells)
        self.before1 = nn.ModuleList(second for _, second, _ in cells)
        self.cells = nn.ModuleList(cell for _, _, cell in cells)

    def forward(self, x: Tensor, mix: Mixing, scale: Tensor | None = None) -> Tensor:
        before, last = x, x
        for first, second, cell in zip(self.before0, self.before1, self.cells, strict=True):
            assert isinstance(cell, RelaxedCell)
            before, last = last, cell.run([first(before, mix), second(last, mix)], mix)
        return last if scale is None else last * scale

    def expected(self, mix: Mixing) -> Tensor:
        parts = (*self.before0, *self.before1, *self.cells)
        return total((part.expected(mix) for part in parts if isinstance(part, Soft)), mix)


def cell_chain(compiler: Compiler, node: Op, flows: Flows, where: Where) -> Part:
    """Make a chain of cells.

    Raises:
        SpaceError: what flows into it depends on a choice, or its cells are not made by `nn.joint`.
    """
    if flows.names:
        told = f"the shape of what a cell_chain gets depends on {', '.join(flows.names)}"
        raise ExtentError(f"{told}; fix it before, or name it in apart={flows.names}", flows.names)
    args = dict(node.args)
    flow = flows.largest
    pair = (flow, flow)
    cells: list[tuple[Soft, Soft, RelaxedCell]] = []
    plan = zip(cast("tuple[int, ...]", args["which"]), cast("tuple[int, ...]", args["widths"]), strict=True)
    for index, (which, width) in enumerate(plan):
        child = node.children[which]
        if not isinstance(child, Op) or child.kind != "joint":
            raise SpaceError(f"cells of the chain at {where.path} must be made by nn.joint(cell)")
        copy = f"{where.copy}[{index}]"
        place = replace(
            where, site=f"{where.site}.{which}", path=f"{where.path}.chain[{index}]", width=width, copy=copy
        )
        before = _before(compiler, pair, place)
        inside = replace(place, site=f"{place.site}.0")
        cell, out = relaxed_cell(compiler, cast("Cell", child.children[0]), (before[0][1], before[1][1]), inside)
        cells.append((before[0][0], before[1][0], cast("RelaxedCell", cell)))
        pair = (pair[1], out.largest)
    return CellsInChain(cells), Flows.fixed(pair[1])


def _before(compiler: Compiler, pair: tuple[Flow, Flow], where: Where) -> list[Part]:
    """What brings two inputs to one shape, as the emitter of ``joint`` writes it."""
    seen: list[Flow] = []

    def cell(term: Term, flows: tuple[Flow, ...], path: str, *, width: int | None = None, copy: str = "") -> Emitted:
        del term, path, width, copy
        seen.extend(flows)
        return Emitted(Raw("x"), flows[0])

    tally = Tally()
    term = OpTerm("joint", children=(OpTerm("identity"),), site=where.site)
    code = EMITTERS["joint"](Site(term, pair, where.path, cell, tally, where.width, where.copy)).code
    assert isinstance(code, Call)
    parts = []
    for number, share in enumerate((tally, Tally())):  # both are always there, so the costs may stand at one
        parts.append(compiler.code(Emitted(code.args[number][1], seen[number]), pair[number], share, where))
    return parts

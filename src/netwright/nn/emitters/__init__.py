"""How each kind of operation is written as torch source: one plain table from kind to emitter.

An emitter takes a `Site` and returns the expression that makes the module, and what flows out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from netwright.errors import BuildError, unknown
from netwright.nn.emitters import (
    basics,
    blocks,
    cells,
    columns,
    convolutions,
    graphs,
    own,
    padding,
    pooling,
    sequences,
    shapes,
    translation,
)
from netwright.nn.site import Emitted, Flow, Site, Tally
from netwright.space.terms import CellTerm, OpTerm, Term

Emitter = Callable[[Site], Emitted]

EMITTERS: Mapping[str, Emitter] = MappingProxyType(
    {
        **basics.EMITTERS,
        **blocks.EMITTERS,
        **cells.EMITTERS,
        **columns.EMITTERS,
        **convolutions.EMITTERS,
        **graphs.EMITTERS,
        **own.EMITTERS,
        **pooling.EMITTERS,
        **sequences.EMITTERS,
        **shapes.EMITTERS,
        **translation.EMITTERS,
    }
)


def emit(
    term: Term,
    flows: tuple[Flow, ...],
    path: str,
    *,
    tally: Tally,
    width: int | None = None,
    copy: str = "",
    inside: Callable[..., Emitted] | None = None,
) -> Emitted:
    """Write an operation and all inside it.

    Args:
        term: the operation.
        flows: what comes in.
        path: where it stands.
        tally: counts the layers written.
        width: channels of the stage around it, if there is one.
        copy: of the operation, where it is written more often than it is declared.
        inside: writes what is inside it; by default this function.

    Raises:
        BuildError: the operation is not known, or cannot work on what comes in; names it, its path and the shapes.
    """
    emit_inside = partial(inside or emit, tally=tally, width=width, copy=copy)
    if isinstance(term, CellTerm):
        return cells.emit_cell(Site(OpTerm("cell"), flows, _join(path, "cell"), emit_inside, tally, width, copy), term)
    if not isinstance(term, OpTerm):
        raise BuildError(f"{path or 'root'}: not an operation without choices: {type(term).__name__}")
    if term.kind not in EMITTERS:
        raise BuildError(f"{path or 'root'}: {unknown('operation', term.kind, EMITTERS)}")
    emitted = EMITTERS[term.kind](Site(term, flows, _join(path, term.kind), emit_inside, tally, width, copy))
    return padding.kept(term.kind, flows[0], emitted, tally)


def _join(path: str, kind: str) -> str:
    return f"{path}.{kind}" if path else kind

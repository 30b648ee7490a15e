"""From the declaration of a space to a relaxed network: what is decided in an architecture is mixed here.

Structures are taken apart where that keeps the number of forms small: sequences, stages, residual blocks, chains of
cells, choices among operations, repetition. Anything else is a leaf, resolved in all its forms and written by the same
emitters as a plain network. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from netwright.errors import BuildError, SpaceError
from netwright.nn.code import IDENTITY, Call, Code, Raw
from netwright.nn.emitters import EMITTERS, emit
from netwright.nn.site import Emitted, Flow, Site, Tally
from netwright.space.expressions import Choice, Expr
from netwright.space.nodes import Cell, Node, OneOf, Op, Repeat, child_nodes
from netwright.space.program import checked_depth, evaluate_argument, reads
from netwright.space.relaxed import Case, Event, Universe, names_in
from netwright.space.resolve import resolve
from netwright.space.terms import OpTerm, Term
from netwright.space.values import typed
from netwright.supernet.differentiable.elastic import sized
from netwright.supernet.differentiable.operation import Form, Operation, Run, Store
from netwright.supernet.differentiable.soft import (
    Added,
    Chain,
    Depths,
    Flows,
    Mixture,
    Nothing,
    Soft,
    Zeros,
    changing_extent,
    require_alike,
)

if TYPE_CHECKING:
    from netwright.types import Value

_ZERO = Call("Zero")
_INSIDE = Raw("x")


@dataclass(frozen=True)
class Where:
    """A place in the declaration and the network.

    Args:
        site: in the declaration, as `resolve` counts.
        path: in the network, for messages.
        width: channels of the stage around it.
        copy: of a part that is declared once.
        mixed: whether it stands in a branch of a mixture of operations.
    """

    site: str
    path: str = ""
    width: int | None = None
    copy: str = ""
    mixed: bool = False

    def inside(self, site: object, path: str = "") -> Where:
        """A part of it."""
        return replace(self, site=f"{self.site}.{site}", path=f"{self.path}{path}")


Part = tuple[Soft, Flows]
Written = tuple[Emitted, Tally]


class Compiler:
    """Makes the parts of one relaxed network.

    Args:
        universe: the choices and their values.
        store: of the weights; None for parts without layers, which know their costs only.
        partial: in mixtures on the edges of cells, one channel in so many is mixed (PC-DARTS); 1 for all.
        affine: whether batch norms in mixtures of operations have a gain and a shift that are trained.

    Attributes:
        free: of choices among operations of which some have weights: the values whose operation has none.
    """

    def __init__(self, universe: Universe, store: Store | None, partial: int = 1, *, affine: bool = True) -> None:
        self.universe, self.store, self.partial, self.affine = universe, store, partial, affine
        self.free: dict[str, tuple[Value, ...]] = {}

    def counting(self) -> Compiler:
        """One of the same choices, whose parts have no layers and know their costs only."""
        return Compiler(self.universe, None)

    def node(self, node: Node, flows: Flows, where: Where) -> Part:
        """Make a part of what is declared.

        Raises:
            SpaceError: it cannot be mixed; says what, and what to do.
        """
        from netwright.supernet.differentiable.cells import relaxed_cell

        if isinstance(node, Cell):
            return relaxed_cell(self, node, (flows,), where)
        if isinstance(node, OneOf):
            return self._one_of(node, flows, where)
        if isinstance(node, Repeat):
            return self._repeat(node, flows, where)
        taken_apart = self._structures().get(node.kind)
        if taken_apart is not None:
            return taken_apart(node, flows, where)
        return self._leaf(node, flows, where)

    def _structures(self) -> Mapping[str, Callable[[Op, Flows, Where], Part]]:
        return {
            "seq": self._seq,
            "stages": self._stages,
            "residual": self._residual,
            "conv_norm_act": self._conv_norm_act,
            "cell_chain": self._cell_chain,
        }

    def _seq(self, node: Op, flows: Flows, where: Where) -> Part:
        if not (names_in(node) or flows.names or _holds_cell(node)):
            return self._leaf(node, flows, where)
        parts = []
        for number, child in enumerate(node.children):
            part, flows = self.node(child, flows, where.inside(number, f".seq[{number}]"))
            parts.append(part)
        return (parts[0] if len(parts) == 1 else Chain(parts)), flows

    def _stages(self, node: Op, flows: Flows, where: Where) -> Part:
        """The body again and again at growing widths, as the emitter of stages writes it."""
        args = dict(node.args)
        if not isinstance(args["repeats"], int):
            return self._leaf(node, flows, where)
        parts = []
        for stage, width in enumerate(cast("tuple[int, ...]", args["widths"])):
            between = node.children[1:] if stage else ()
            for number, child in enumerate((*between, *node.children[:1] * args["repeats"])):
                place = where.inside(0 if child is node.children[0] else 1, f".stages[{stage}]")
                copy = f"{where.copy}[{stage}.{number - len(between)}]"
                part, flows = self.node(child, flows, replace(place, width=width, copy=copy))
                parts.append(part)
        return Chain(parts), flows

    def _residual(self, node: Op, flows: Flows, where: Where) -> Part:
        args = dict(node.args)
        if not names_in(node) or isinstance(args.get("shortcut"), Expr):
            return self._leaf(node, flows, where)
        body, out = self.node(node.children[0], flows, where.inside(0, ".residual"))
        if len(node.children) > 1:
            shortcut, short = self.node(node.children[1], flows, where.inside(1, ".shortcut"))
        else:
            term = OpTerm("residual", (("shortcut", args["shortcut"]),), (OpTerm("identity"),), site=where.site)  # type: ignore[arg-type]
            shortcut, short = self._beside(term, flows, out, where)
        both = (short.largest, out.largest)
        require_alike(both, f"the residual block at {where.path or where.site}")
        names = self.universe.closure((*short.names, *out.names))
        largest = Flows(names, {tuple(c.values()): _wider(short.at(c), out.at(c)) for c in self.universe.cases(names)})
        act = Op("activation", (("name", args.get("activation", "identity")),))
        after, done = self._leaf(act, largest.needed(), where)
        return Added(shortcut, body, after, both), done

    def _beside(self, term: OpTerm, flows: Flows, out: Flows, where: Where) -> Part:
        """The shortcut of a residual block: what the emitter writes beside a body that gives ``out``."""

        def shortcut(case: Case) -> Written:
            given = out.at(case)
            tally = Tally()
            site = Site(
                term,
                (flows.at(case),),
                where.path,
                lambda *_, **__: Emitted(_INSIDE, given),
                tally,
                where.width,
                where.copy,
            )
            code = EMITTERS["residual"](site).code
            assert isinstance(code, Call)
            block = next(c for c in (code, *(a for _, a in code.args)) if isinstance(c, Call) and c.func == "Residual")
            return Emitted(dict(block.args).get("shortcut", IDENTITY), given), tally

        return self._forms((*flows.names, *out.names), flows, shortcut, where)

    def _conv_norm_act(self, node: Op, flows: Flows, where: Where) -> Part:
        """The activation by itself where it is a choice, so that the convolution is run once for all of them."""
        args = dict(node.args)
        activation = args.get("activation", "relu")
        if not isinstance(activation, Expr):
            return self._leaf(node, flows, where)
        plain = replace(node, args=tuple({**args, "activation": "identity"}.items()))
        conv, flows = self._leaf(plain, flows, where)
        act, flows = self._leaf(Op("activation", (("name", activation),)), flows, where)
        return Chain([conv, act]), flows

    def _cell_chain(self, node: Op, flows: Flows, where: Where) -> Part:
        from netwright.supernet.differentiable.chains import cell_chain

        return cell_chain(self, node, flows, where)

    # --- choices ---

    def _one_of(self, node: OneOf, flows: Flows, where: Where) -> Part:
        names = [choice.name for choice in reads(node.selector)]
        branches: list[tuple[Event, Soft]] = []
        outs: list[Flows] = []
        free: list[Value] = []

        def taken(key: Value) -> Event:
            return self.universe.event(names, lambda case: typed(node.selector.evaluate(case)) == typed(key))

        possible = [(key, branch, event) for key, branch in node.branches if not (event := taken(key)).impossible]
        for key, branch, event in possible:
            place = replace(where.inside(repr(key), f".{key}"), mixed=where.mixed or len(possible) > 1)
            soft, out = self.node(branch, flows, place)
            branches.append((event, soft))
            outs.append(out)
            if next(soft.parameters(), None) is None:
                free.append(key)
        if isinstance(node.selector, Choice) and 0 < len(free) < len(branches) and not isinstance(free[0], bool):
            self.free[node.selector.name] = tuple(free)
        largest = [out.largest for out in outs]
        require_alike(largest, f"{node.selector!r} at {where.path or where.site}", self.universe.closure(names))
        if any(flow.channels != largest[0].channels for flow in largest) and not any(out.names for out in outs):
            shapes = " or ".join(str(flow.shape) for flow in dict.fromkeys(largest))
            raise SpaceError(
                f"{node.selector!r} at {where.path or where.site} is among operations of different output "
                f"shapes, {shapes}; give them the same channels, make the channels a choice, or name it in apart=(...)"
            )
        if len(branches) == 1:
            return branches[0][1], outs[0]
        keyed = {id(event): out for (event, _), out in zip(branches, outs, strict=True)}
        chosen = self._chosen(node, names, branches, keyed)
        return Mixture(branches, largest, chosen.largest), chosen

    def _chosen(
        self, node: OneOf, names: list[str], branches: list[tuple[Event, Soft]], outs: Mapping[int, Flows]
    ) -> Flows:
        """What flows out for each value of the selector and of what the branches' flows depend on."""
        everything = self.universe.closure((*names, *(n for out in outs.values() for n in out.names)))
        table = {}
        for case in self.universe.cases(everything):
            numbers = {name: self.universe.number(name, case[name]) for name in everything}
            for event, _ in branches:
                if event.certain or tuple(numbers[name] for name in event.names) in event.cases:
                    table[tuple(case.values())] = outs[id(event)].at(case)
        return Flows(everything, table).needed()

    def _repeat(self, node: Repeat, flows: Flows, where: Where) -> Part:
        names = [choice.name for choice in reads(node.depth)] if isinstance(node.depth, Expr) else []
        depths: dict[tuple[object, ...], int] = {}
        for case in self.universe.cases(names):
            depths[tuple(case.values())] = checked_depth(
                node, evaluate_argument(node.depth, {**self.universe.fixed, **case})
            )
        most = max(depths.values())
        parts: list[Soft] = []
        after = [flows]
        for number in range(most):
            part, out = self.node(node.items[number], after[-1], where.inside(number, f"[{number}]"))
            parts.append(part)
            after.append(out)
        if len(set(depths.values())) == 1:
            return Chain(parts), after[-1]

        def depth_of(case: Case) -> int:
            return checked_depth(node, evaluate_argument(node.depth, case))

        ends = [self.universe.event(names, lambda case, d=d: depth_of(case) == d) for d in range(most + 1)]  # type: ignore[misc]
        reached = [self.universe.event(names, lambda case, d=d: depth_of(case) > d) for d in range(most)]  # type: ignore[misc]
        possible = [flow.largest for flow, end in zip(after, ends, strict=True) if not end.impossible]
        deciding = self.universe.closure(names)
        require_alike(possible, f"the repetition at {where.path or where.site}, by its depth,", deciding)
        everything = self.universe.closure((*names, *(n for flow in after for n in flow.names)))
        table = {}
        for case in self.universe.cases(everything):
            depth = depth_of({**self.universe.fixed, **case})
            table[tuple(case.values())] = after[depth].at(case)
        done = Flows(everything, table).needed()
        return Depths(parts, ends, reached, [flow.largest for flow in after], done.largest), done

    # --- leaves ---

    def _leaf(self, node: Op, flows: Flows, where: Where) -> Part:
        def emitted(case: Case) -> Written:
            term = resolve(node, case, sited=True, site=where.site)
            tally = Tally()
            made = emit(term, (flows.at(case),), where.path, tally=tally, width=where.width, copy=where.copy)
            return made, tally

        return self._forms((*names_in(node), *flows.names), flows, emitted, where)

    def term(self, term: Term, flow: Flow, where: Where) -> Part:
        """A part without choices."""
        tally = Tally()
        emitted = emit(term, (flow,), where.path, tally=tally, width=where.width, copy=where.copy)
        return self.code(emitted, flow, tally, where)

    def code(self, emitted: Emitted, flow: Flow, tally: Tally, where: Where) -> Part:
        """A part without choices that is written already."""
        return self._forms((), Flows.fixed(flow), lambda _: (emitted, tally), where)

    def _forms(self, names: tuple[str, ...], flows: Flows, emitted: Callable[[Case], Written], where: Where) -> Part:
        """All forms of an operation, those that are one in several sizes together."""
        ordered = self.universe.closure(names)
        cases = self.universe.cases(ordered)
        known: dict[tuple[Code, Flow], list[Case]] = {}
        tallies: dict[tuple[Code, Flow], Tally] = {}
        outs: dict[tuple[Value, ...], Flow] = {}
        refused: list[str] = []
        for case in cases:
            try:
                made, tally = emitted({**self.universe.fixed, **case})
            except BuildError as error:
                refused.append(str(error))
                continue
            key = (made.code, flows.at(case))
            known.setdefault(key, []).append(case)
            tallies.setdefault(key, tally)
            outs[tuple(case.values())] = made.flow
        if not known:
            raise SpaceError(refused[0])
        different = list(dict.fromkeys(outs.values()))
        require_alike(different, f"the operation at {where.path or where.site}", changing_extent(ordered, outs))
        for case in cases:  # a form that cannot be is mixed as nothing, in the shape of the others
            outs.setdefault(tuple(case.values()), next(iter(outs.values())))
        done = Flows(ordered, outs).needed()
        if {code for code, _ in known} == {IDENTITY} and not refused:
            return Nothing(), done
        affine = self.affine or not where.mixed
        return self._operation(ordered, known, tallies, outs, len(cases), affine=affine) or Zeros(done.largest), done

    def _operation(
        self,
        ordered: tuple[str, ...],
        known: Mapping[tuple[Code, Flow], list[Case]],
        tallies: Mapping[tuple[Code, Flow], Tally],
        outs: Mapping[tuple[Value, ...], Flow],
        count: int,
        *,
        affine: bool,
    ) -> Operation | None:
        """The forms that do not give zeros, those of one kind run as one; None where there is none."""
        forms: dict[str, list[Form]] = {}
        members: dict[str, list[Case]] = {}
        for (code, flow), mine in known.items():
            if code == _ZERO:
                continue
            tally, out = tallies[code, flow], outs[tuple(mine[0].values())]
            event = self.universe.event_of(ordered, mine, certain=len(mine) == count)
            form = Form(event, sized(code, flow), flow, out, tally.params, tally.macs, tally.activation_values)
            forms.setdefault(form.code.kind, []).append(form)
            members.setdefault(form.code.kind, []).extend(mine)
        if not forms:
            return None
        runs = []
        for kind, alike in forms.items():
            event = self.universe.event_of(ordered, members[kind], certain=len(members[kind]) == count)
            if self.store is not None:
                runs.append((event, Run(alike, self.store, affine=affine)))
        largest = max(outs.values(), key=lambda flow: flow.channels)
        return Operation(runs, [form for alike in forms.values() for form in alike], largest)


def _holds_cell(node: Node) -> bool:
    """Whether a cell stands anywhere in a declaration."""
    return isinstance(node, Cell) or any(_holds_cell(child) for child in child_nodes(node))


def _wider(one: Flow, other: Flow) -> Flow:
    return one if one.channels >= other.channels else other

"""What is left of a constraint once some of its choices are decided: small, and equal where it means the same.

Conditions are brought into negation normal form, so that a comparison that reads an inactive choice is simply true
(see `constraints`). Comparisons of whole numbers become ``sum of coefficient * term <= bound``, with decided terms
moved into the bound; where bounds make the outcome certain it takes their place. ``total(flags) <= 9`` of 21
flags thus has at most 10 forms after each flag, not two to the power of the flags decided.

Forms are interned: equal forms are the same object. Knows nothing of the order of decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Union, cast

from netwright.space.constraints import INACTIVE, SKIPPING, Inactive, Maybe, combine
from netwright.space.expressions import Apply, Choice, Expr, Operand
from netwright.space.program import Program
from netwright.space.values import Continuous, Listed, Stepped, Subsets, Values, each, is_static, typed, values_of

Interval = Union[tuple[int, int], None]
Terms = dict["Form", int]


class Form:
    """An interned term or condition. Equal forms of one `Forms` are the same object.

    Args:
        tag: ``const``, ``var``, an operator, ``opt`` (0 where inactive); of conditions ``linear`` (a sum compared with
            a bound), ``literal`` (a term read as a condition), ``never`` (false unless a part becomes inactive),
            ``all``, ``any``.
        data: the value, name, coefficients and bound, or polarity.
        parts: operands.
        mask: bits of the choices read.
        number: in order of creation.
    """

    __slots__ = ("data", "mask", "number", "parts", "tag")

    def __init__(self, tag: str, data: object, parts: tuple[Form, ...], mask: int, number: int) -> None:
        self.tag = tag
        self.data = data
        self.parts = parts
        self.mask = mask
        self.number = number


class Forms:
    """Makes, interns and reduces forms for one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._interned: dict[object, Form] = {}
        self._reduced: dict[object, Form] = {}
        self._intervals: dict[Form, Interval] = {}
        self._ints: dict[Form, bool] = {}
        self.true = self._const(True)
        self.false = self._const(False)

    def constraint(self, expression: Expr) -> tuple[Form, ...]:
        """The conditions that together are a constraint; none where it always holds."""
        form = self._condition(expression, positive=True)
        return form.parts if form.tag == "all" else (form,)

    def decide(self, form: Form, bit: int, value: Maybe) -> Form:
        """Put a decided value, or INACTIVE, in place of a choice."""
        if not form.mask & bit:
            return form
        key = (form, bit, typed(value) if value.__class__ is tuple else (value.__class__, value))
        if key not in self._reduced:
            self._reduced[key] = self._reduce(form, bit, value)
        return self._reduced[key]

    def deactivate(self, form: Form, mask: int) -> Form:
        """Put INACTIVE in place of all choices whose bits are in ``mask``."""
        left = form.mask & mask
        while left:
            form = self.decide(form, left & -left, INACTIVE)
            left = form.mask & mask
        return form

    def _reduce(self, form: Form, bit: int, value: Maybe) -> Form:
        if form.tag == "var":
            return self._const(value)
        parts = [self.decide(part, bit, value) for part in form.parts]
        if form.tag in ("all", "any"):
            return self._junction(form.tag, parts)
        if form.tag == "literal":
            return self._literal(parts[0], positive=bool(form.data))
        if form.tag == "never":
            return self._never(parts)
        if form.tag == "linear":
            relation, bound, coefficients = cast(tuple[str, int, tuple[int, ...]], form.data)
            return self._linear(relation, zip(parts, coefficients, strict=True), bound)
        return self._term(form.tag, parts)

    # --- interning ---

    def _intern(self, tag: str, data: object, parts: Iterable[Form] = (), mask: int = 0) -> Form:
        parts = tuple(parts)
        key = (tag, typed(data), parts)
        form = self._interned.get(key)
        if form is None:
            for part in parts:
                mask |= part.mask
            form = self._interned[key] = Form(tag, data, parts, mask, len(self._interned))
        return form

    def _const(self, value: Maybe) -> Form:
        return self._intern("const", value)

    # --- terms ---

    def _build(self, operand: Operand) -> Form:
        if isinstance(operand, Choice):
            return self._intern("var", operand.name, mask=self._program.bits[operand.name])
        if isinstance(operand, Apply):
            return self._term(operand.operator, [self._build(part) for part in operand.operands])
        return self._const(cast(Maybe, operand))

    def _term(self, operator: str, parts: list[Form]) -> Form:
        """An operator on terms, worked out as far as they are decided."""
        if operator == "opt":
            if parts[0].tag != "const":
                return self._intern("opt", None, parts)
            return self._const(0) if parts[0].data is INACTIVE else parts[0]
        if operator in ("and", "or"):
            return self._connective(operator, parts)
        if operator == "if" and parts[0].tag == "const":
            condition = parts[0].data
            return parts[0] if condition is INACTIVE else parts[1] if condition else parts[2]
        if operator in SKIPPING:
            parts = [p for p in parts if p.data is not INACTIVE or p.tag != "const"] or [self._const(INACTIVE)]
        elif operator != "if" and any(p.tag == "const" and p.data is INACTIVE for p in parts):
            return self._const(INACTIVE)
        if all(p.tag == "const" for p in parts):
            return self._const(combine(operator, [cast(Maybe, p.data) for p in parts]))
        return self._intern(operator, None, self._gather(operator, parts))

    def _gather(self, operator: str, parts: list[Form]) -> list[Form]:
        """Put the decided numbers of a sum, a minimum or a maximum into one."""
        if operator not in ("+", *SKIPPING) or not all(self._is_int(p) for p in parts):
            return parts
        known = [cast(Maybe, p.data) for p in parts if p.tag == "const"]
        if len(known) < 2 and (not known or parts[0].tag == "const"):
            return parts
        return [self._const(combine(operator, known)), *(p for p in parts if p.tag != "const")]

    def _connective(self, operator: str, parts: list[Form]) -> Form:
        deciding = operator == "or"
        left = [p for p in parts if p.tag != "const"]
        known = {p.data if isinstance(p.data, Inactive) else bool(p.data) for p in parts if p.tag == "const"}
        if deciding in known or not left:
            return self._const(deciding if deciding in known else INACTIVE if INACTIVE in known else not deciding)
        return self._intern(operator, None, [*left, *([self._const(INACTIVE)] if INACTIVE in known else [])])

    def _is_int(self, form: Form) -> bool:
        """Whether a term is a whole number (or a flag, or inactive) whatever is decided."""
        if form not in self._ints:
            self._ints[form] = self._work_out_is_int(form)
        return self._ints[form]

    def _work_out_is_int(self, form: Form) -> bool:
        if form.tag == "const":
            return isinstance(form.data, (int, Inactive))
        if form.tag == "var":
            return _only_ints(self._program.choices[cast(str, form.data)])
        if form.tag in ("<", "<=", ">", ">=", "==", "and", "or", "not", "in", "len"):
            return True
        parts = form.parts[1:] if form.tag == "if" else form.parts
        whole = form.tag in ("+", "-", "*", "//", "%", "sum", "min", "max", "if", "opt")
        return whole and all(self._is_int(p) for p in parts)

    def _interval(self, form: Form) -> Interval:
        """Bounds of a whole-numbered term where it is not inactive; None where they are not known."""
        if form not in self._intervals:
            self._intervals[form] = self._work_out_interval(form)
        return self._intervals[form]

    def _work_out_interval(self, form: Form) -> Interval:
        if form.tag == "const":
            return (int(form.data), int(form.data)) if isinstance(form.data, int) else None
        if form.tag == "var":
            return int_bounds(self._program.choices[cast(str, form.data)])
        if form.tag in ("<", "<=", ">", ">=", "==", "and", "or", "not", "in"):
            return (0, 1)
        inner = [self._interval(p) for p in form.parts]
        known = [i for i in inner if i is not None]
        if len(known) < len(inner) or not self._is_int(form):
            return None
        return _combined(form.tag, known)

    # --- conditions ---

    def _condition(self, operand: Operand, *, positive: bool) -> Form:
        if not isinstance(operand, Apply):
            return self._literal(self._build(operand), positive=positive)
        operator, operands = operand.operator, operand.operands
        if operator == "not":
            return self._condition(operands[0], positive=not positive)
        if operator in ("and", "or"):
            parts = [self._condition(part, positive=positive) for part in operands]
            return self._junction("all" if (operator == "and") is positive else "any", parts)
        if operator == "if":
            then = [self._condition(operands[0], positive=False), self._condition(operands[1], positive=positive)]
            other = [self._condition(operands[0], positive=True), self._condition(operands[2], positive=positive)]
            return self._junction("all", [self._junction("any", then), self._junction("any", other)])
        if operator in _AS_LINEAR:
            linear = self._comparison(operator, operands, positive=positive)
            if linear is not None:
                return linear
        return self._literal(self._build(operand), positive=positive)

    def _junction(self, tag: str, parts: Iterable[Form]) -> Form:
        neutral, deciding = (self.true, self.false) if tag == "all" else (self.false, self.true)
        flat: dict[Form, None] = {}
        for part in parts:
            if part is deciding:
                return deciding
            flat.update(dict.fromkeys(part.parts if part.tag == tag else (part,)))
        flat.pop(neutral, None)
        if len(flat) < 2:
            return next(iter(flat), neutral)
        return self._intern(tag, None, sorted(flat, key=lambda form: form.number))

    def _literal(self, term: Form, *, positive: bool) -> Form:
        if term.tag != "const":
            return self._intern("literal", positive, [term])
        return self.true if term.data is INACTIVE or bool(term.data) is positive else self.false

    def _never(self, parts: Iterable[Form]) -> Form:
        left = [p for p in parts if p.tag != "const" or p.data is INACTIVE]
        if any(p.tag == "const" for p in left):
            return self.true
        return self._intern("never", None, sorted(set(left), key=lambda form: form.number)) if left else self.false

    def _comparison(self, operator: str, operands: tuple[Operand, ...], *, positive: bool) -> Form | None:
        left, right = (self._build(part) for part in operands)
        if not (self._is_int(left) and self._is_int(right)):
            return None
        relation, sign, shift = _AS_LINEAR[operator] if positive else _AS_LINEAR[_NEGATED[operator]]
        return self._linear(relation, [(left, sign), (right, -sign)], shift)

    def _linear(self, relation: str, terms: Iterable[tuple[Form, int]], bound: int) -> Form:
        """``sum of coefficient * term`` in ``relation`` to ``bound``."""
        collected: Terms = {}
        constant = 0
        pending = list(terms)
        while pending:
            term, factor = pending.pop()
            if term.tag == "const":
                if term.data is INACTIVE:
                    return self.true
                constant += factor * int(cast(int, term.data))
            elif (inner := self._opened(term)) is not None:
                pending.extend((part, factor * inside) for part, inside in inner)
            else:
                collected[term] = collected.get(term, 0) + factor
        ordered = sorted(((t, c) for t, c in collected.items()), key=lambda pair: pair[0].number)
        return self._clamped(relation, ordered, bound - constant)

    def _opened(self, term: Form) -> list[tuple[Form, int]] | None:
        """A term as a sum of others, if it is one."""
        parts = term.parts
        if term.tag == "+":
            return [(p, 1) for p in parts]
        if term.tag == "-":
            return [(parts[0], 1), (parts[1], -1)]
        if term.tag == "*" and any(p.tag == "const" for p in parts):
            first, second = parts if parts[0].tag == "const" else (parts[1], parts[0])
            return [(second, int(cast(int, first.data)))]
        if term.tag == "sum" and any(p.tag == "const" for p in parts):  # it has a value, whatever else is inactive
            return [(p if p.tag == "const" else self._term("opt", [p]), 1) for p in parts]
        return None

    def _clamped(self, relation: str, terms: list[tuple[Form, int]], bound: int) -> Form:
        low: int | None = 0
        high: int | None = 0
        for term, factor in terms:
            interval = self._interval(term)
            if interval is None:
                low = high = None
                break
            ends = sorted((interval[0] * factor, interval[1] * factor))
            low, high = cast(int, low) + ends[0], cast(int, high) + ends[1]
        if low is not None and high is not None:
            outcome = _certain(relation, low, high, bound)
            if outcome is not None:
                strict = [t for t, _ in terms if t.tag != "opt"]
                return self.true if outcome else self._never(strict)
        return self._intern("linear", (relation, bound, tuple(c for _, c in terms)), [t for t, _ in terms])


_AS_LINEAR: Mapping[str, tuple[str, int, int]] = {  # relation, sign of left - right, bound
    "<=": ("<=", 1, 0),
    "<": ("<=", 1, -1),
    ">=": ("<=", -1, 0),
    ">": ("<=", -1, -1),
    "==": ("==", 1, 0),
    "!=": ("!=", 1, 0),
}
_NEGATED: Mapping[str, str] = {"<=": ">", "<": ">=", ">=": "<", ">": "<=", "==": "!="}


def _certain(relation: str, low: int, high: int, bound: int) -> bool | None:
    """Outcome of a comparison of something in [low, high], if it is certain."""
    if relation == "<=":
        return True if high <= bound else False if low > bound else None
    outside, only = not low <= bound <= high, low == high == bound
    if relation == "==":
        return True if only else False if outside else None
    return True if outside else False if only else None


def _combined(tag: str, parts: list[tuple[int, int]]) -> Interval:
    if tag == "opt":
        return min(0, parts[0][0]), max(0, parts[0][1])
    if tag == "+":
        return sum(low for low, _ in parts), sum(high for _, high in parts)
    if tag == "sum":
        return sum(min(0, low) for low, _ in parts), sum(max(0, high) for _, high in parts)
    if tag in ("min", "max"):
        return min(low for low, _ in parts), max(high for _, high in parts)
    if tag == "-":
        return parts[0][0] - parts[1][1], parts[0][1] - parts[1][0]
    if tag == "*":
        ends = [a * b for a in parts[0] for b in parts[1]]
        return min(ends), max(ends)
    return None


def _static_values(choice: Choice) -> list[Values] | None:
    """Sets that together hold all values a choice can ever have; None where they are not known beforehand."""
    domain = choice.domain
    if is_static(domain):
        return [values_of(choice, {})]
    table = getattr(domain, "table", None)
    return [Listed(row) for _, row in table] if table is not None else None


def _only_ints(choice: Choice) -> bool:
    values = _static_values(choice)
    if values is None:
        return True  # a range whose bounds are expressions
    return all(isinstance(v, Stepped) or (isinstance(v, Listed) and _all_int(v)) for v in values)


def _all_int(values: Listed) -> bool:
    return all(isinstance(v, int) for v in values.values)


def int_bounds(choice: Choice) -> Interval:
    """Smallest and largest value of a choice of whole numbers; None where it has others or they are not known."""
    sets = _static_values(choice)
    if sets is None or not _only_ints(choice):
        return None
    ends: list[int] = []
    for values in sets:
        assert not isinstance(values, (Subsets, Continuous))
        pair = each(values) if isinstance(values, Listed) else (values.at(0), values.at(values.size - 1))
        ends.extend(int(cast(int, v)) for v in pair)
    return min(ends), max(ends)

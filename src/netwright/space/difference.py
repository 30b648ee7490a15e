"""What two architectures differ in, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netwright.types import Json, Value, canonical_json, to_json_value


@dataclass(frozen=True)
class Difference:
    """The decisions in which two architectures differ.

    Args:
        changed: name, value in the first, value in the second.
        only_first: name and value of decisions that only the first has.
        only_second: the same of the second.
    """

    changed: tuple[tuple[str, Value, Value], ...] = ()
    only_first: tuple[tuple[str, Value], ...] = ()
    only_second: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        lines = [f"~ {name}: {_text(a)} -> {_text(b)}" for name, a, b in self.changed]
        lines += [f"- {name}: {_text(value)}" for name, value in self.only_first]
        lines += [f"+ {name}: {_text(value)}" for name, value in self.only_second]
        return "\n".join(lines) or "no difference"

    def __len__(self) -> int:
        return len(self.changed) + len(self.only_first) + len(self.only_second)

    def to_dict(self) -> dict[str, Json]:
        """JSON object with ``changed`` (name to a list of both values), ``only_first`` and ``only_second``."""
        return {
            "changed": {name: [to_json_value(a), to_json_value(b)] for name, a, b in self.changed},
            "only_first": {name: to_json_value(value) for name, value in self.only_first},
            "only_second": {name: to_json_value(value) for name, value in self.only_second},
        }


def difference(a: Mapping[str, Value], b: Mapping[str, Value]) -> Difference:
    """Compare two architectures decision by decision.

    Example:
        >>> print(difference({"width": 16, "op": "skip"}, {"width": 32, "kernel": 3}))
        ~ width: 16 -> 32
        - op: "skip"
        + kernel: 3
    """
    return Difference(
        tuple((n, a[n], b[n]) for n in sorted({*a} & {*b}) if _text(a[n]) != _text(b[n])),
        tuple((n, a[n]) for n in sorted({*a} - {*b})),
        tuple((n, b[n]) for n in sorted({*b} - {*a})),
    )


def _text(value: Value) -> str:
    return canonical_json(to_json_value(value))

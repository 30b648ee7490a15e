"""Operations as the tests of spaces declare them, without torch."""

from __future__ import annotations

from netwright.space import Node, Op


def op(kind: str, **args: object) -> Op:
    return Op(kind, tuple(args.items()))  # type: ignore[arg-type]


def seq(*children: Node) -> Op:
    return Op("seq", (), children)

"""Declarations: mistakes are told where they are made, by the name of the argument."""

from __future__ import annotations

from inspect import isfunction

import pytest

import netwright.nn as nn_module
from netwright import nn
from netwright.errors import SpaceError
from netwright.space import SearchSpace
from netwright.space.declarations import choice, integer
from netwright.space.nodes import Node, Op, Repeat


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: nn.conv(0), "channels must be a whole number >= 1.*got 0"),
        (lambda: nn.conv(8, kernel=(3, 0)), r"kernel must be .*got \(3, 0\)"),
        (lambda: nn.conv(8, padding="full"), "padding must be one of same, valid, got 'full'"),
        (lambda: nn.conv(8, dims=4), "must be one of 1, 2, 3"),
        (lambda: nn.conv(8, bias="yes"), "bias must be True, False or a flag, got 'yes'"),
        (lambda: nn.conv(True), "channels must be"),
        (lambda: nn.conv(choice("c", [8, -8])), r"channels \(values of choice 'c'\) must be .*got -8"),
        (lambda: nn.conv(integer("c", 0, 4)), "channels .*got 0"),
        (lambda: nn.activation("reluu"), "name must be one of .*relu"),
        (lambda: nn.activation(choice("a", ["relu", "swish"])), "got 'swish'"),
        (lambda: nn.dropout(1.5), r"p must be a number in \[0, 1\]"),
        (lambda: nn.normalize(0.0, 0.0), "std must be > 0"),
        (lambda: nn.seq(nn.conv(8), nn.relu), r"parts\[1\] must be an operation.*call it"),
        (lambda: nn.seq(nn.conv(8), "relu"), r"parts\[1\] must be an operation.*make one with netwright.nn"),
        (lambda: nn.residual(None), "body must be an operation"),
        (lambda: nn.residual(nn.relu(), "maybe"), "shortcut must be one of"),
        (lambda: nn.parallel(combine="sum"), "branches must be at least 1"),
        (lambda: nn.one_of("op", {"a": 3}), r"branches\['a'\] must be an operation"),
        (lambda: nn.one_of("op", {}), "branches must be a table"),
        (lambda: nn.repeat("d", lambda i: nn.relu()), r"low, high must be .*give both"),
        (lambda: nn.repeat(integer("a", 1, 2) + 1, lambda i: nn.relu()), "give high= for an expression"),
        (lambda: nn.recursive("r", lambda recurse, path: nn.relu(), nn.relu(), 0), "max_depth must be"),
        (lambda: nn.cell(nn.relu()), r"cell_nodes\[0\] must be a node, made by nn.cell_node"),
        (lambda: nn.cell_node(nn.relu()), r"edges\[0\] must be an edge"),
        (lambda: nn.cell_node(combine="max"), "combine must be one of"),
        (lambda: nn.cell(output="first"), "output must be"),
        (lambda: nn.cell(nn.cell_node(nn.edge(1))), "source of an edge into node 1 must be 0 to 0, got 1"),
        (lambda: nn.joint(nn.dense_cell(3, lambda i, j: nn.relu())), "body must be a cell of two inputs"),
        (lambda: nn.op(nn.conv(8)), "cls must be a class.*pass the class itself"),
        (lambda: nn.op(dict, x={}), "argument must be a plain value"),
    ],
)
def test_mistake_is_named(declare: object, message: str) -> None:
    """The message names the argument, what it got and what is allowed."""
    with pytest.raises(SpaceError, match=message):
        declare()  # type: ignore[operator]


def test_arguments_keep_their_expressions() -> None:
    """Choices and arithmetic on them stand in the declaration as they are written."""
    width = choice("width", [8, 16])
    made = nn.conv(width * 2, kernel=3)
    assert isinstance(made, Op)
    assert {name: value for name, value in made.args if name in ("kernel", "stride")} == {"kernel": 3, "stride": 1}
    assert SearchSpace(made).count() == 2


def test_repeat_takes_its_bound_from_a_choice() -> None:
    """Depth may be a name, a choice, or a number."""

    def make(i: int) -> Node:
        return nn.conv(choice(f"w{i}", [8, 16]))

    made = [nn.repeat("d", make, 1, 3), nn.repeat(integer("d", 1, 3), make), nn.repeat(choice("d", [1, 2, 3]), make)]
    assert [SearchSpace(node).count() for node in made] == [2 + 4 + 8] * 3
    assert [len(node.items) for node in made if isinstance(node, Repeat)] == [3, 3, 3]
    assert SearchSpace(nn.repeat(2, make)).count() == 4


def test_grammar_counts_its_trees() -> None:
    """A rule that is a leaf or two of itself: t(d) = 1 + t(d - 1)**2, and one at the bottom."""
    rule = nn.recursive("t", _leaf_or_two, nn.relu(), 3)
    assert SearchSpace(rule).count() == 1 + (1 + (1 + 1) ** 2) ** 2


def _leaf_or_two(recurse: object, path: str) -> Node:
    return nn.one_of(path, {"leaf": nn.relu(), "two": nn.add(recurse(), recurse())})  # type: ignore[operator]


def test_public_names_exist_and_are_documented() -> None:
    """Everything in ``netwright.nn`` that is listed is there and says what it is."""
    assert sorted(nn_module.__all__) == nn_module.__all__
    undocumented = [n for n in nn_module.__all__ if isfunction(getattr(nn, n)) and not getattr(nn, n).__doc__]
    assert undocumented == []

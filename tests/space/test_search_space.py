"""What a search space answers, case by case."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from declared import op, seq

from netwright.errors import SpaceError
from netwright.space import (
    Cell,
    CellNode,
    CellTerm,
    Edge,
    Node,
    NodeTerm,
    OneOf,
    Op,
    OpTerm,
    Repeat,
    SearchSpace,
    choice,
    equal,
    flag,
    integer,
    real,
    subset,
    total,
)
from netwright.types import Architecture


def test_dependent_choice_is_counted_by_rows(space: SearchSpace) -> None:
    """Kernels depend on the width (2 + 1 + 1 ways), neither exists for the skip; four epochs."""
    assert space.count() == (4 + 1) * 4


def test_shared_choice_of_inactive_branches_is_no_decision(space: SearchSpace) -> None:
    """The width is read by the convolution only, so that a skip has none."""
    assert set(space.architecture({"op": "skip", "epochs": 1})) == {"op", "epochs"}


def test_resolve_works_expressions_out(space: SearchSpace) -> None:
    """The term has values where the declaration has expressions."""
    arch = space.architecture({"op": "conv", "width": 16, "kernel": 5, "epochs": 2})
    conv = OpTerm("conv", (("width", 32), ("kernel", 5)))
    assert space.resolve(arch) == OpTerm("seq", (), (conv, OpTerm("linear", (("width", 10),))))
    assert space.training_values(arch) == {"epochs": 2, "decay": 0.5}


def test_resolve_renumbers_what_is_present_in_a_cell() -> None:
    """Nodes and edges that are not there leave no gaps; an edge from an absent node is absent."""
    nodes = (
        CellNode((Edge(0, Op("a")),), present=flag("first")),
        CellNode((Edge(0, Op("b")), Edge(1, Op("c")))),
        CellNode((Edge(1, Op("d")), Edge(2, Op("e"), flag("edge"))), "concat", Op("f")),
    )
    space = SearchSpace(Cell(1, nodes, "loose"))
    assert space.count() == 4
    term = space.resolve(space.architecture({"first": False, "edge": True}))
    inner = (NodeTerm(((0, OpTerm("b")),)), NodeTerm(((1, OpTerm("e")),), "concat", OpTerm("f")))
    assert term == CellTerm(1, inner, (2,))
    term = space.resolve(space.architecture({"first": True, "edge": False}))
    assert isinstance(term, CellTerm)
    assert term.outputs == (2, 3)
    assert term.nodes[1].edges == ((0, OpTerm("b")), (1, OpTerm("c")))


def test_repeat_is_a_sequence_of_the_first_items() -> None:
    """Depth 2 of 3 gives two items, and the third has no decisions."""
    items = tuple(op("conv", width=choice(f"w{i}", [1, 2])) for i in range(3))
    space = SearchSpace(Repeat(integer("depth", 0, 3), items))
    assert space.count() == 1 + 2 + 4 + 8
    arch = space.architecture({"depth": 2, "w0": 1, "w1": 2})
    assert space.resolve(arch) == OpTerm("seq", (), (OpTerm("conv", (("width", 1),)), OpTerm("conv", (("width", 2),))))


def test_values_are_written_as_the_space_writes_them() -> None:
    """16.0 becomes 16, a list a tuple, a subset takes the order of its declaration, a whole real a float."""
    a, b, c = choice("a", [16, 32]), subset("b", ["x", "y", "z"]), real("c", 0.0, 2.0)
    space = SearchSpace(op("o", a=a, b=b, c=c))
    arch = space.architecture({"a": 16.0, "b": ["z", "x"], "c": 1})
    assert arch == Architecture({"a": 16, "b": ["x", "z"], "c": 1.0})
    loose = Architecture({"a": 16.0, "b": ["x", "z"], "c": 1.0})
    assert not space.contains(loose)
    assert space.explain(loose) == "decision 'a' must be written 16, got 16.0; use space.architecture(...)"


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        (
            {"op": "conv", "widthh": 16},
            r"unknown decision 'widthh'; did you mean 'width'\? known: epochs, kernel, op, width",
        ),
        ({"op": "conv", "width": 17}, r"decision 'width' must be one of \[16, 24, 32\] \(nearest: 16\), got 17"),
        ({"op": "con"}, r"decision 'op' must be one of \['conv', 'skip'\] \(nearest: 'conv'\), got 'con'"),
        ({"op": "conv", "width": 32, "kernel": 5}, r"decision 'kernel' must be one of \[7\] \(nearest: 7\), got 5"),
        ({"op": "conv", "width": True}, r"decision 'width' must be one of .*, got True"),
        ({"op": "skip"}, r"decision 'epochs' is missing; give a whole number from 1 to 4"),
        ({"op": "skip", "epochs": 9}, r"decision 'epochs' must be a whole number from 1 to 4 \(nearest: 4\), got 9"),
        ({"op": "skip", "epochs": 2.5}, r"decision 'epochs' must be a whole number from 1 to 4 .*, got 2.5"),
        ({"op": "skip", "epochs": 1, "width": 16}, r"decision 'width' = 16 is not active: .*drop_inactive=True"),
        ({"op": ["conv"], "epochs": 1}, r"decision 'op' must be one of .*, got \['conv'\]"),
    ],
)
def test_wrong_decisions_are_named(space: SearchSpace, decisions: dict[str, object], message: str) -> None:
    """Misspelt, outside, missing and inactive decisions are answered with what is allowed and nearest."""
    with pytest.raises(SpaceError, match=message):
        space.architecture(decisions)  # type: ignore[arg-type]
    assert not space.contains(Architecture(decisions))


def test_inactive_decisions_can_be_dropped(space: SearchSpace) -> None:
    """With drop_inactive they are left out, misspelt ones are refused still."""
    arch = space.architecture({"op": "skip", "epochs": 1, "width": 16, "kernel": 99}, drop_inactive=True)
    assert arch == Architecture({"op": "skip", "epochs": 1})
    with pytest.raises(SpaceError, match="unknown decision 'x'"):
        space.architecture({"op": "skip", "epochs": 1, "x": 1}, drop_inactive=True)


def test_broken_constraint_is_printed() -> None:
    """The message has the constraint and the values that break it."""
    a, b = integer("a", 1, 4), integer("b", 1, 4)
    space = SearchSpace(op("o", a=a, b=b), constraints=[a + b <= 5])
    with pytest.raises(SpaceError, match=r"the constraint \(\(a \+ b\) <= 5\) is broken by \{'a': 3, 'b': 3\}; change"):
        space.architecture({"a": 3, "b": 3})
    assert space.count() == 4 + 3 + 2 + 1


def test_constraint_on_inactive_choices() -> None:
    """A comparison with an inactive choice does not apply; a total leaves inactive choices out."""
    a, b = integer("a", 0, 3), integer("b", 0, 3)
    body = seq(op("x", a=a), OneOf(flag("more"), ((False, Op("identity")), (True, op("y", b=b)))))
    assert SearchSpace(body, constraints=[a + b <= 1]).count() == 4 + 3
    assert SearchSpace(body, constraints=[total([a, b]) <= 1]).count() == 2 + 3
    assert SearchSpace(body, constraints=[~(a + b <= 1)]).count() == 4 + 13
    assert SearchSpace(body, constraints=[equal(b, 2)]).count() == 4 + 4


X = choice("x", [1, 2])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SearchSpace(None), "a space needs a network, or training arguments"),
        (lambda: SearchSpace("conv"), "node must be an operation, one_of, repeat or cell, got 'conv'"),  # type: ignore[arg-type]
        (
            lambda: SearchSpace(seq(op("a", x=choice("w", [1])), op("b", x=choice("w", [2])))),
            r"two choices are named 'w' and differ: Categorical\(values=\(1,\)\) and Categorical\(values=\(2,\)\)",
        ),
        (
            lambda: SearchSpace(OneOf(X, ((1, Op("a")),))),
            r"choice 'x' can be 2, which no branch covers; branches: \[1\]; add one for 2",
        ),
        (
            lambda: SearchSpace(OneOf(X, ((1, Op("a")), (2, Op("a")), (1, Op("b"))))),
            r"branches must be all for different values, got \[1, 2, 1\]",
        ),
        (
            lambda: SearchSpace(Repeat(integer("d", 1, 4), (Op("a"),) * 3)),
            r"depth \(choice 'd'\) must be a whole number from 0 to 3, the number of items, got 4; give more items",
        ),
        (lambda: SearchSpace(Repeat(X / 2, (Op("a"),) * 3)), r"depth \(\(x / 2\)\) must be a whole number .*, got 0.5"),
        (lambda: SearchSpace(Repeat(2, (Op("a"),))), r"depth \(2\) must be a whole number from 0 to 1"),
        (
            lambda: SearchSpace(op("a", x=X), constraints=[choice("y", [1]) <= 2]),
            r"the constraint \(y <= 2\) reads an unknown choice 'y'.* known: x",
        ),
        (
            lambda: SearchSpace(op("a", x=X), constraints=[choice("x", [1, 3]) <= 2]),
            "reads a choice 'x' whose values differ from those in the network",
        ),
        (lambda: SearchSpace(op("a", x=X), constraints=[True]), "constraint must be a condition of choices, got True"),  # type: ignore[list-item]
        (
            lambda: SearchSpace(OneOf(real("r", 0, 1) <= 0.5, ((True, Op("a")), (False, Op("b"))))),
            r"the real choice 'r' decides what exists .*; use integer\(\) or choice\(\) there",
        ),
        (
            lambda: SearchSpace(op("a", x=choice("k", {1: [3]}, on=X))),
            r"choice 'k' has no values for choice 'x' = 2; it has rows for \[1\]; add a row",
        ),
        (lambda: SearchSpace(op("a", x=integer("i", 1, X / 2))), "high of choice 'i' must be a whole number, got 0.5"),
        (
            lambda: SearchSpace(op("a", x=X), constraints=[X > 2]).count(),
            r"the space has no architecture; its constraints exclude all: \(x > 2\); relax one",
        ),
    ],
)
def test_wrong_declarations_are_named(make: object, message: str) -> None:
    """What contradicts itself is found when the space is constructed, an empty space at first use."""
    with pytest.raises(SpaceError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: choice("a", []), r"choices must be at least one value, got \(\)"),
        (lambda: choice("a", [1, 1.0]), "choices must be all different"),
        (lambda: choice("a", [{}]), "choice must be a number, string, flag, None or a tuple of them"),  # type: ignore[list-item]
        (lambda: choice("a", "abc"), "values must be a list of values, got 'abc'"),
        (lambda: choice("", [1]), "name must be a string of 1 to 200 printable characters"),
        (lambda: integer("a", 3, 2), r"low must be <= high \(2\), got 3; swap the bounds"),
        (lambda: integer("a", 1.5, 2), "low must be a whole number, got 1.5"),
        (lambda: integer("a", 1, 2, 0), "step must be a whole number >= 1, got 0"),
        (lambda: real("a", 2.0, 1.0), "low must be <= high"),
        (lambda: real("a", 0.0, 1.0, log=True), "low must be > 0 where log=True, got 0.0"),
        (lambda: real("a", 0.0, math.inf), "high must be a finite number, got inf"),
        (lambda: subset("a", [1, 2], 2, 1), "subset size must be 0 <= min <= max <= 2"),
        (lambda: bool(X <= 1), r"the truth of \(x <= 1\) is not known before it is decided"),
        (lambda: total([1, 2]), "values must be at least one expression"),
    ],
)
def test_wrong_choices_are_named(make: object, message: str) -> None:
    """A choice that cannot be is refused where it is made."""
    with pytest.raises(SpaceError, match=message):
        make()  # type: ignore[operator]


# --- reals ---


def test_real_choices_are_measured_not_counted() -> None:
    """The count is infinite, the discrete part is drawn evenly, reals evenly in their range or its logarithm."""
    rate, share = real("rate", 1e-4, 1.0, log=True), real("share", -1.0, 3.0)
    body = OneOf(choice("op", ["a", "b", "c"]), (("a", op("a", r=rate)), ("b", op("b", s=share)), ("c", Op("c"))))
    space = SearchSpace(body)
    assert space.count() == math.inf
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(3_000)]
    assert all(space.contains(a) for a in drawn)
    assert abs(sum(a["op"] == "c" for a in drawn) / 3_000 - 1 / 3) < 0.05
    logs = np.log10([float(a["rate"]) for a in drawn if "rate" in a])  # type: ignore[arg-type]
    plain = [float(a["share"]) for a in drawn if "share" in a]  # type: ignore[arg-type]
    assert abs(np.mean(logs) + 2) < 0.2
    assert abs(np.mean(plain) - 1) < 0.2
    with pytest.raises(
        SpaceError, match=r"real choices \(rate, share\) cannot be enumerated; use choice\(\) or integer"
    ):
        space.enumerate()
    with pytest.raises(SpaceError, match="index must be a whole number from 0 to below the count"):
        space.unrank(0)


def test_constraints_on_reals_hold_by_rejection() -> None:
    """A constraint that reads a real is fulfilled by every architecture that is drawn, moved or mixed."""
    r, c = real("r", 0.0, 1.0), integer("c", 0, 3)
    space = SearchSpace(op("a", r=r, c=c), constraints=[r * 3 >= c])
    rng = np.random.default_rng(0)
    arch = space.sample(rng)
    for _ in range(50):
        other = space.sample(rng)
        for found in (other, space.mutate(arch, rng), space.crossover(arch, other, rng), *space.neighbours(other)):
            assert space.contains(found)


def test_a_real_that_no_architecture_has_does_not_count() -> None:
    """A constraint leaves the branch out, and the space is finite."""
    op_ = choice("op", ["a", "b"])
    body = OneOf(op_, (("a", op("a", r=real("r", 0.0, 1.0))), ("b", Op("b"))))
    assert SearchSpace(body, constraints=[equal(op_, "b")]).count() == 1


# --- size ---


def test_huge_domains_are_never_listed() -> None:
    """A range of 10^30, a subset of 80 and a range that a sum bounds are counted and sampled."""
    a, b = integer("a", 1, 10**30), subset("b", list(range(80)))
    space = SearchSpace(op("o", a=a, b=b))
    assert space.count() == 10**30 * 2**80
    rng = np.random.default_rng(0)
    arch = space.sample(rng)
    assert space.unrank(space.rank(arch)) == arch
    child = space.mutate(arch, rng, 2)
    assert child["a"] != arch["a"]
    assert child["b"] != arch["b"]
    assert next(space.neighbours(arch)) != arch


def test_twenty_one_flags_under_a_total_need_few_states() -> None:
    """At most ten states a level, not two to the power of 21."""
    flags = [flag(f"f{i}") for i in range(21)]
    space = SearchSpace(op("o", f=tuple(flags)), constraints=[total(flags) <= 9])
    assert space.count() == sum(math.comb(21, k) for k in range(10))
    assert space.num_states <= 21 * 10 + 1


def test_entangled_constraint_is_sampled_and_not_counted() -> None:
    """Beyond the state limit a constraint holds by rejection, evenly, and counting is refused with the cure."""
    ints = [integer(f"i{k}", 0, 3) for k in range(3)]
    product = ints[0] * ints[1] * ints[2]
    space = SearchSpace(op("o", i=tuple(ints)), constraints=[equal(product, 6)], state_limit=8)
    with pytest.raises(SpaceError, match="entangles too many choices; sampling works; raise state_limit"):
        space.count()
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(600)]
    counts = {arch: drawn.count(arch) for arch in drawn}
    assert len(counts) == 6
    assert max(counts.values()) < 160
    assert set(space.enumerate()) == set(counts)


def test_entangled_structure_is_refused() -> None:
    """What is not a constraint cannot be left out: the error says so."""
    flags = [flag(f"f{i}") for i in range(8)]
    body = seq(op("o", f=tuple(flags)), Repeat(total(flags), tuple(op("p", f=f) for f in flags)))
    with pytest.raises(SpaceError, match="too entangled to be counted: more than 20 states"):
        SearchSpace(body, state_limit=20).count()


def test_long_and_deep_spaces_do_not_meet_the_recursion_limit() -> None:
    """Over a thousand choices one after the other, inside each other, and depending on each other."""
    flat = SearchSpace(seq(*(op("conv", w=choice(f"c{i}", [1, 2])) for i in range(1_500))))
    deep: Node = Op("end")
    for i in range(1_500):
        deep = OneOf(flag(f"f{i}"), ((False, Op("identity")), (True, Op("block", (), (deep,)))))
    chain = [integer("d0", 0, 1)]
    for i in range(1, 400):
        chain.append(integer(f"d{i}", chain[-1], 1))
    limited = SearchSpace(
        op("o", f=tuple(flags := [flag(f"g{i}") for i in range(300)])), constraints=[sum(flags, 0) <= 2]
    )
    rng = np.random.default_rng(0)
    for space, count in (
        (flat, 2**1_500),
        (SearchSpace(deep), 1_501),
        (SearchSpace(op("o", d=tuple(chain))), 401),
        (limited, 1 + 300 + 300 * 299 // 2),
    ):
        assert space.count() == count
        arch = space.sample(rng)
        assert space.contains(arch)
        assert space.contains(space.mutate(arch, rng))
        assert len(space.canonical_id(arch)) == 16
        assert len(space.fingerprint()) == 16


def test_recursive_grammar_of_plain_functions() -> None:
    """A function that calls itself writes binary trees; their number is that of the recurrence."""

    def tree(name: str, depth: int) -> Node:
        if depth == 0:
            return Op("leaf")
        pair = Op("add", (), (tree(name + "l", depth - 1), tree(name + "r", depth - 1)))
        return OneOf(choice(name, ["leaf", "pair"]), (("leaf", Op("leaf")), ("pair", pair)))

    expected = 1
    for _ in range(5):
        expected = 1 + expected**2
    space = SearchSpace(tree("t", 5))
    assert space.count() == expected
    assert space.contains(space.sample(np.random.default_rng(0)))


# --- networks ---


class Recorder:
    """A backend that tells what it was asked."""

    def build(self, term: object, *, input_shape: tuple[int, ...], seed: int, input_dtype: str) -> object:
        return ("model", term, input_shape, seed, input_dtype)

    def source(self, term: object, *, input_shape: tuple[int, ...], input_dtype: str) -> str:
        return f"{input_shape} {input_dtype}"

    def supernet(self, space: SearchSpace, *, input_shape: tuple[int, ...], seed: int, input_dtype: str) -> object:
        return ("supernet", space, input_shape, seed, input_dtype)


def test_networks_are_built_by_the_backend() -> None:
    """The backend of the first operation that has one gets the resolved term."""
    space = SearchSpace(seq(Op("plain"), Op("conv", (("w", X),), backend=Recorder())))
    arch = space.architecture({"x": 2})
    built = space.build(arch, input_shape=(3, 8, 8), seed=7)
    assert built == ("model", space.resolve(arch), (3, 8, 8), 7, "float32")
    assert space.source(arch, input_shape=(3,), input_dtype="int64") == "(3,) int64"
    assert space.supernet(input_shape=(3,), seed=2) == ("supernet", space, (3,), 2, "float32")
    bare = SearchSpace(op("conv", w=X))
    with pytest.raises(
        SpaceError, match=r"no operation of the space says what it computes; declare it with netwright\.nn"
    ):
        bare.build(arch, input_shape=(3,))
    with pytest.raises(SpaceError, match="the space has no network, only training choices"):
        SearchSpace(None, training={"x": X}).resolve(arch)


def test_import_is_light() -> None:
    """Spaces need no torch."""
    code = "import sys, netwright.space; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

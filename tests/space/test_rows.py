"""A space of listed architectures never leaves its rows, and neighbours are near each other, both ways."""

from __future__ import annotations

import numpy as np
import pytest
from declared import op, seq
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import SpaceError
from netwright.space import Op, Repeat, SearchSpace, choice, difference_of_spaces, integer, subset
from netwright.space.coded_rows import CodedRows
from netwright.space.near_rows import NEAREST, SCALE, WHOLE, NearRows
from netwright.space.rows import RowsSpace, first_outside
from netwright.types import Architecture


def chain() -> SearchSpace:
    """A depth, with a kernel and a width for each layer there is."""
    layers = tuple(
        op("conv", kernel=choice(f"kernel{i}", [3, 5, 7]), norm=choice(f"kind{i}", ["a", "b", "c"])) for i in range(4)
    )
    return SearchSpace(seq(Repeat(integer("depth", 1, 4), layers), op("head", bias=choice("bias", [False, True]))))


def some(space: SearchSpace, number: int, seed: int = 0) -> RowsSpace:
    """Random rows of a space."""
    rng = np.random.default_rng(seed)
    return RowsSpace(space, CodedRows.of([space.sample(rng) for _ in range(number)], list(space.choices)))


def distance(a: Architecture, b: Architecture, space: SearchSpace) -> float:
    """The distance as it is defined, decision by decision."""
    total = 0.0
    for name in {*a, *b}:
        if name not in a or name not in b:
            total += 1
        elif name.startswith("kernel"):
            total += abs([3, 5, 7].index(a[name]) - [3, 5, 7].index(b[name])) / 2  # type: ignore[arg-type]
        elif name == "depth":
            total += abs(a[name] - b[name]) / 3  # type: ignore[operator]
        else:
            total += a[name] != b[name]
    return total


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), number=st.integers(1, 40))
def test_everything_stays_on_the_rows(seed: int, number: int) -> None:
    """What is sampled, listed, mutated, crossed or near is a row; ranks are places in the list."""
    space = some(chain(), number, seed)
    rng = np.random.default_rng(seed)
    listed = list(space.enumerate())
    assert space.count() == len(listed) == len(set(listed))
    assert listed == [space.unrank(i) for i in range(len(listed))]
    assert list(range(len(listed))) == [space.rank(arch) for arch in listed]
    a, b = space.sample(rng), space.sample(rng)
    found = [a, b, space.crossover(a, b, rng), *space.neighbours(a)]
    if len(listed) > 1:
        found += [space.mutate(a, rng, k) for k in (1, 2, 3)]
        assert a not in found[3:]
    if len(listed) > len({a, b}):
        assert found[2] not in (a, b)
    assert all(space.contains(arch) for arch in found)
    assert {*found} <= {*listed}


def test_neighbours_are_the_nearest_either_way() -> None:
    """A small table is compared row with row: the relation is that of the distances, and symmetric."""
    space = some(chain(), 120)
    listed = list(space.enumerate())
    apart = np.array([[distance(a, b, space) if a != b else np.inf for b in listed] for a in listed])
    reach = np.sort(apart, axis=1)[:, NEAREST - 1]
    near = np.zeros(apart.shape, dtype=bool)
    for i, arch in enumerate(listed):
        near[i, [space.rank(other) for other in space.neighbours(arch)]] = True
    bound = np.maximum(reach[:, None], reach[None, :])
    assert (near == near.T).all()
    assert (near.sum(axis=1) >= NEAREST).all()
    assert near[apart < bound - 1e-2].all()
    assert not near[apart > bound + 1e-2].any()


def test_neighbours_of_a_large_table_are_near_and_symmetric() -> None:
    """A large table is not compared row with row; what is found is far nearer than random rows, and symmetric."""
    space = some(chain(), 3 * WHOLE)
    assert space.count() > WHOLE
    rng = np.random.default_rng(1)
    found, random = [], []
    for _ in range(30):
        arch = space.sample(rng)
        near = list(space.neighbours(arch))
        assert len(near) >= NEAREST
        assert all(arch in list(space.neighbours(other)) for other in near[:3])
        found += [distance(arch, other, space) for other in near]
        random += [distance(arch, space.sample(rng), space) for _ in range(20)]
    assert np.mean(found) < 0.4 * np.mean(random)


def test_distances() -> None:
    """Numbers count by how far apart their places are, all else 0 or 1."""
    space = SearchSpace(
        op("x", width=choice("width", [8, 16, 64]), norm=choice("kind", ["a", "b"]), rate=integer("rate", 0, 10))
    )
    rows = [
        {"width": 8, "kind": "a", "rate": 0},
        {"width": 16, "kind": "b", "rate": 5},
        {"width": 64, "kind": "a", "rate": 10},
    ]
    coded = CodedRows.of([Architecture(row) for row in rows], ["width", "kind", "rate"])
    near = NearRows(coded, space.choices)
    assert [0, 2 * SCALE, 2 * SCALE] == near.distances(coded.codes[0]).tolist()
    assert [2 * SCALE, 0, 2 * SCALE] == near.distances(coded.codes[1]).tolist()


def test_crossover_is_between_the_parents() -> None:
    """Where a mix of the parents is a row, children are such rows."""
    space = SearchSpace(seq(*(op("x", value=choice(f"c{i}", ["a", "b", "c", "d"])) for i in range(3))))
    whole = RowsSpace(space, CodedRows.of(space.enumerate(), list(space.choices)))
    a, b = (Architecture(dict.fromkeys(("c0", "c1", "c2"), value)) for value in "ad")
    rng = np.random.default_rng(0)
    children = {whole.crossover(a, b, rng) for _ in range(200)}
    mixes = {c for c in children if set(c.values()) <= {"a", "d"}}
    assert 6 == len(mixes)
    assert all(1 <= sum(v in "ad" for v in c.values()) for c in children)  # type: ignore[operator]


def test_one_row() -> None:
    """It has no neighbour and no mutation, and is its own child."""
    space = some(chain(), 1)
    (arch,) = space.enumerate()
    rng = np.random.default_rng(0)
    assert [] == list(space.neighbours(arch))
    assert arch == space.crossover(arch, arch, rng)
    with pytest.raises(SpaceError, match="there is one row only, so it has no mutation"):
        space.mutate(arch, rng)


def test_two_rows() -> None:
    """They are each other's neighbour, mutation and child."""
    full = chain()
    space = some(full, 2)
    a, b = space.enumerate()
    rng = np.random.default_rng(0)
    assert [b] == list(space.neighbours(a))
    assert b == space.mutate(a, rng) == space.mutate(a, rng, 5) == space.crossover(a, a, rng)
    assert space.crossover(a, b, rng) in (a, b)


def test_what_is_not_a_row() -> None:
    """It is said whether the space would allow it, and which row is nearest."""
    full = chain()
    space = some(full, 20)
    outside = next(arch for arch in full.enumerate() if space.rows.find(arch) is None)
    assert not space.contains(outside)
    with pytest.raises(SpaceError, match=r"is not among the \d+ listed architectures; the nearest is Architecture"):
        space.architecture(outside)
    for move in (space.neighbours, space.rank, space.encode, space.graph, space.canonical_id):
        with pytest.raises(SpaceError, match="listed architectures"):
            move(outside)
    with pytest.raises(SpaceError, match="unknown decision 'x'"):
        space.rank(Architecture({"x": 1}))
    with pytest.raises(SpaceError, match="index must be a whole number from 0 to below"):
        space.unrank(20)


def test_rows_outside_the_space() -> None:
    """No row, a row that the space does not have, and rows that are not in order are refused."""
    full = chain()
    row = {"depth": 1, "kernel0": 4, "kind0": "a", "bias": True}
    coded = CodedRows.of([Architecture(row)], list(full.choices))
    assert (
        0,
        "decision 'kernel0' must be one of [3, 5, 7] (nearest: 3), got 4; take an allowed value",
    ) == first_outside(full, coded)
    with pytest.raises(SpaceError, match="row 0 is not in the space: decision 'kernel0'"):
        RowsSpace(full, coded)
    with pytest.raises(SpaceError, match="needs at least one row"):
        RowsSpace(full, CodedRows.of([], list(full.choices)))
    with pytest.raises(SpaceError, match="must be different and in order"):
        CodedRows({"a": (1, 2)}, np.array([[2], [1]]))
    with pytest.raises(SpaceError, match="a row has a decision 'other'"):
        CodedRows.of([Architecture({"other": 1})], ["depth"])


def test_first_outside_of_independent_choices() -> None:
    """Where every combination is allowed, each value is looked at once."""
    space = SearchSpace(op("x", width=choice("width", [8, 16]), norm=choice("kind", ["a", "b"])))
    rows = CodedRows.of(
        [Architecture({"width": w, "kind": k}) for w, k in ((8, "a"), (8, "b"), (16, "a"), (32, "a"))],
        ["width", "kind"],
    )
    assert "got 32" in (first_outside(space, rows) or (0, ""))[1]


def test_fingerprint_says_which_rows() -> None:
    """Two tables of one declaration are two spaces."""
    full = chain()
    a, b, again = some(full, 20, 0), some(full, 20, 1), some(full, 20, 0)
    assert a.fingerprint() == again.fingerprint()
    assert 3 == len({full.fingerprint(), a.fingerprint(), b.fingerprint()})
    assert "constraints changed" in (difference_of_spaces(full.describe(), a.describe()) or "")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from([1, 1.0, True, "1", (1, 2), (1.0, 2)])),
        max_size=30,
    )
)
def test_coded_rows_are_the_architectures(rows: list[dict[str, object]]) -> None:
    """Every architecture is found where it is, values that Python holds equal are apart, and others are not found."""
    archs = {Architecture(row) for row in rows}
    coded = CodedRows.of(archs, ["a", "b", "c"])
    assert archs == {coded.architecture(row) for row in range(len(coded))}
    assert all(coded.architecture(coded.find(arch) or 0) == arch for arch in archs)
    assert coded.find(Architecture({"d": 1})) is None
    assert coded.find(Architecture({"a": 7})) is None


def test_rows_of_many_decisions_are_found_by_hashes() -> None:
    """Where combinations are more than 2**64, keys are hashes, and still every row is found and no other."""
    space = SearchSpace(seq(*(op("x", value=choice(f"c{i}", list(range(5)))) for i in range(40))))
    listed = some(space, 300)
    rng = np.random.default_rng(9)
    assert list(range(300)) == [listed.rank(arch) for arch in listed.enumerate()]
    assert all(listed.rows.find(space.sample(rng)) is None for _ in range(100))


def test_subsets_are_values() -> None:
    """A decision may be a tuple."""
    space = SearchSpace(op("x", inputs=subset("inputs", [0, 1, 2], 1)))
    listed = some(space, 200)
    assert all(listed.contains(arch) for arch in space.enumerate())


@pytest.mark.slow
def test_twenty_thousand_rows_take_milliseconds() -> None:
    """Opening, moving and finding among 20,000 rows of 40 decisions."""
    import time

    rng = np.random.default_rng(0)
    values = {f"c{i}": tuple(range(4)) for i in range(40)}
    space = SearchSpace(Op("seq", (), tuple(op("x", value=choice(name, list(v))) for name, v in values.items())))
    codes = np.unique(rng.integers(1, 5, size=(20_000, 40), dtype=np.uint8), axis=0)
    listed = RowsSpace(space, CodedRows(values, codes))
    archs = [listed.sample(rng) for _ in range(100)]
    next(listed.neighbours(archs[0]))
    begin = time.process_time()
    for arch in archs:
        listed.mutate(listed.crossover(arch, listed.mutate(arch, rng), rng), rng)
    assert (time.process_time() - begin) / 100 < 0.2

"""Spaces of the literature are written in a few lines and counted right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from published import count_101, darts_cell, everything, mobile, nasbench101, nasbench201

from netwright.space import Op, SearchSpace
from netwright.types import Architecture


def test_nasbench201_has_15625_cells() -> None:
    """Five operations on six edges."""
    assert nasbench201().count() == 15_625


def test_darts_has_180_times_7_to_the_8_cells() -> None:
    """Two of j inputs for each of four nodes (180 ways), seven operations on each edge; two cells square it."""
    assert SearchSpace(darts_cell("normal")).count() == 180 * 7**8
    both = Op("seq", (), (darts_cell("normal"), darts_cell("reduction")))
    assert SearchSpace(both).count() == (180 * 7**8) ** 2


def test_mobile_count_is_the_product_of_its_stages() -> None:
    """2 widths, and 2 to 4 blocks of 3 kernels, 2 expansions and a flag, in each of 5 stages."""
    assert mobile().count() == (2 * sum(12**depth for depth in (2, 3, 4))) ** 5


def test_everything_count_is_a_sum_over_depths() -> None:
    """A node has 2 convolutions or 4 recurrent layers, and a flag for each value that it may skip to."""
    expected = 2 * sum(6**depth * 2 ** sum(range(depth)) for depth in (1, 2, 3, 4))
    assert everything().count() == expected


def test_nasbench101_small_is_brute_force_and_isomorphism() -> None:
    """Up to 5 vertices: the count is that of all matrices, the canonical ids are the classes under isomorphism."""
    space = nasbench101(5)
    written, classes = count_101(5)
    assert space.count() == written
    assert len({space.canonical_id(arch) for arch in space.enumerate()}) == classes


def test_nasbench101_count() -> None:
    """The cells of up to 7 vertices as written are counted without listing them."""
    assert nasbench101(6).count() == count_101(6)[0]


@pytest.mark.slow
def test_nasbench101_is_as_published() -> None:
    """Up to 7 vertices there are 423,624 cells up to isomorphism, as Ying et al. 2019 publish."""
    written, classes = count_101(7)
    assert classes == 423_624
    assert nasbench101(7).count() == written


def unique_string(arch: Architecture, *, zero: bool) -> str:
    """The rule by which NAS-Bench-201 counts: a sum is the sorted text of its terms, unfolded; # stands for zero."""
    texts = ["0"]
    for target in range(1, 4):
        terms = []
        for source in range(target):
            operation = arch[f"{source}-{target}"]
            if zero and (operation == "none" or texts[source] == "#"):
                terms.append("#")
            else:
                terms.append(texts[source] if operation == "skip" else f"({texts[source]})@{operation}")
        texts.append("+".join(sorted(terms)))
    return texts[-1]


def test_nasbench201_by_the_rule_of_the_paper() -> None:
    """6,466 cells by the rule that lets zeros pass operations, 12,751 by the one that does not, as published."""
    archs = list(nasbench201().enumerate())
    assert len({unique_string(arch, zero=True) for arch in archs}) == 6_466
    assert len({unique_string(arch, zero=False) for arch in archs}) == 12_751


@pytest.mark.slow
def test_nasbench201_has_6595_canonical_ids() -> None:
    """The published rule merges cells of different function and keeps some of the same apart; ours gives 6,595.

    It lets a zero pass through a convolution with batch norm, which has a bias, and takes one vertex read twice for two
    with weights of their own (both merge too much); and it keeps x + 0 and (x + y) + z apart from x and x + y + z.
    """
    space = nasbench201()
    assert len({space.canonical_id(arch) for arch in space.enumerate()}) == 6_595


@pytest.mark.parametrize(
    "space", [mobile(), everything(), SearchSpace(darts_cell("x"))], ids=["mobile", "all", "darts"]
)
def test_large_spaces_keep_the_laws(space: SearchSpace) -> None:
    """Ranks, moves and encodings hold where nothing can be enumerated."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        a, b = space.sample(rng), space.sample(rng)
        assert space.contains(a)
        assert space.unrank(space.rank(a)) == a
        child = space.mutate(a, rng, 3)
        assert sum(child[name] != a[name] for name in a if name in child) == 3
        assert space.contains(space.crossover(a, b, rng))
        for near in itertools.islice(space.neighbours(a), 4):
            assert any(back == a for back in space.neighbours(near))
        for kind in ("one-hot", "adjacency", "path"):
            assert space.encode(a, kind).shape == space.encode(b, kind).shape

"""The shipped spaces: counted right, and every architecture builds, trains, or is rejected with its reason."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from checks import check_network, draw

from netwright import nn
from netwright.errors import BuildError, SpaceError
from netwright.nn.spaces import SPACES, darts, free_form, mobile_macro, nas_bench_101, nas_bench_201, resnet_macro
from netwright.space import SearchSpace

SHAPE = (3, 8, 8)


def _small() -> dict[str, SearchSpace]:
    return {
        "darts": darts(SHAPE, 4, channels=4, num_cells=3),
        "free_form": free_form(SHAPE, 4, max_depth=4),
        "mobile_macro": mobile_macro(SHAPE, 4, widths=(8, 16), max_depth=2),
        "nas_bench_101": nas_bench_101(SHAPE, 4, channels=8, num_stacks=2, num_modules=1),
        "nas_bench_201": nas_bench_201(SHAPE, 4, channels=4, num_cells=1),
        "resnet_macro": resnet_macro(SHAPE, 4, widths=(8, 16), max_depth=2),
    }


def _check(space: SearchSpace, seed: int) -> str:
    """Why the architecture is rejected; empty if it is not."""
    term = draw(space, seed)
    try:
        nn.source(term, input_shape=SHAPE)
    except BuildError as error:
        return str(error).split(": ", 1)[1].split(";")[0]
    model = check_network(term, SHAPE)
    assert nn.profile(term, input_shape=SHAPE).output_shape == (4,)
    assert model.training
    return ""


def test_spaces_are_counted_right() -> None:
    """The number of architectures of each space."""
    counts = {name: make((3, 32, 32), 10).count() for name, make in SPACES.items()}
    mobile = math.prod(n * 2 * sum(12**d for d in range(1, 5)) for n in (3, 3, 3, 3)) * 3
    assert counts == {
        "darts": (1 * 3 * 6 * 10 * 7**8) ** 2,
        "free_form": math.inf,
        "mobile_macro": mobile,
        "nas_bench_101": sum(math.comb(21, k) for k in range(10)) * 3**5,
        "nas_bench_201": 5**6,
        "resnet_macro": 4 * (6 * sum(3**d for d in range(1, 6))) ** 3,
    }


@pytest.mark.parametrize("name", sorted(SPACES))
def test_random_architectures_build_and_train(name: str) -> None:
    """Twenty-five of each space build, run forward and backward; only graphs without a path are rejected."""
    space = _small()[name]
    reasons = Counter(_check(space, seed) for seed in range(25))
    assert set(reasons) <= {"", "no path leads from its input to its output"}
    assert reasons[""] >= 15
    assert name == "nas_bench_101" or reasons[""] == 25


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_architectures_build_and_train() -> None:
    """The same for 10,000 architectures in all."""
    for name, space in _small().items():
        reasons = Counter(_check(space, seed) for seed in range(100, 1770))
        assert name == "nas_bench_101" or reasons[""] == 1670, reasons
        assert set(reasons) <= {"", "no path leads from its input to its output"}


def test_nas_bench_101_pools_isomorphic_modules() -> None:
    """Modules that differ in the order of summed vertices have one canonical id (a concat keeps its order)."""
    space = nas_bench_101(num_vertices=5, channels=8, num_stacks=1, num_modules=1)
    off = {f"edge{i}-{j}": False for j in range(1, 5) for i in range(j)}
    on = dict.fromkeys(("edge0-1", "edge0-2", "edge1-3", "edge2-3", "edge3-4"), True)
    conv, pool = "conv3x3-bn-relu", "maxpool3x3"
    a, b = ({**off, **on, "op1": x, "op2": y, "op3": conv} for x, y in ((conv, pool), (pool, conv)))
    first, second = space.architecture(a), space.architecture(b)
    sizes = {nn.profile(space.resolve(arch), input_shape=(3, 8, 8)).macs for arch in (first, second)}
    assert len(sizes) == 1
    assert space.canonical_id(first) == space.canonical_id(second)


def test_nas_bench_101_counts_like_the_paper_for_one_inner_vertex() -> None:
    """With three vertices: conv1x1, conv3x3, pool with and without the shortcut, and the shortcut alone."""
    space = nas_bench_101(num_vertices=3, channels=8, num_stacks=1, num_modules=1)
    built: set[str] = set()
    for arch in space.enumerate():
        try:
            built.add(nn.source(space.resolve(arch), input_shape=(3, 8, 8)))
        except BuildError:
            continue
    assert len(built) == 2 * 3 + 1


def test_darts_keeps_cells_shared() -> None:
    """All normal cells of a network are of one form, and there are as many cells as asked for."""
    space = darts(channels=4, num_cells=6)
    text = nn.source(space.resolve(space.sample(np.random.default_rng(0))), input_shape=(3, 16, 16))
    assert [name in text for name in ("class Cell(", "class Cell2(", "class Cell3(")] == [True, True, False]
    assert text.count("Joint(") - text.count("class Joint(") == 6


@pytest.mark.parametrize("name", sorted(SPACES))
@pytest.mark.parametrize(("shape", "outputs"), [((3, 32), 10), ((3, 32, 32), 0)])
def test_wrong_shapes_are_refused(name: str, shape: tuple[int, ...], outputs: int) -> None:
    """Every space says what it takes."""
    with pytest.raises(SpaceError, match=r"input_shape must be|num_outputs must be"):
        SPACES[name](shape, outputs)

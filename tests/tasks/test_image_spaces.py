"""The default space of images and the hand-made networks in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netwright.errors import SpecError
from netwright.nn.building import build
from netwright.nn.profiling import profile
from netwright.tasks.image_spaces import BLOCKS, image_portfolio, image_references, image_space, narrowed
from netwright.types import Architecture

SHAPES = [(1, 4, 4), (1, 8, 8), (1, 12, 9), (1, 28, 28), (3, 32, 32), (3, 64, 48)]


def edges(shape: tuple[int, int, int]) -> list[Architecture]:
    """The references with each block in every stage, the largest kernel, and each way to decide the stem."""
    space = image_space(shape, 5)
    base = {**image_references(space)[2].architecture}
    found = []
    for block in BLOCKS:
        for last in (False, True):
            decisions: dict[str, object] = {**base, "head.widen": last, "head.pool": "max" if last else "avg"}
            for name, choice in space.choices.items():
                if name.endswith(".block"):
                    decisions[name] = block
                elif name.endswith((".kernel", ".expand", ".stride", ".depth")):
                    domain = choice.domain
                    values = getattr(domain, "values", None) or (domain.low, domain.high)  # type: ignore[union-attr]
                    decisions[name] = values[-1 if last else 0]
                elif name.endswith(".squeeze_excite"):
                    decisions[name] = last
            found.append(space.architecture(decisions, drop_inactive=True))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 12, 9), (3, 64, 48)])
def test_extreme_networks_build_and_train(shape: tuple[int, int, int]) -> None:
    """Each kind of block, at its smallest and largest, runs forward and backward on two images of every size."""
    space = image_space(shape, 5)
    for arch in edges(shape):
        model = build(space.resolve(arch), input_shape=shape, seed=0)
        out = model(torch.zeros(2, *shape))
        out.sum().backward()
        assert out.shape == (2, 5)
        assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("shape", SHAPES)
def test_random_networks_have_a_size(shape: tuple[int, int, int]) -> None:
    """Whatever is chosen is a network with the right output, and not smaller than 1 x 1 on the way."""
    space = image_space(shape, 7)
    rng = np.random.default_rng(0)
    for _ in range(25):
        found = profile(space.resolve(space.sample(rng)), input_shape=shape)
        assert found.output_shape == (7,)
        assert found.params > 0


@pytest.mark.slow
def test_ten_thousand_random_networks_have_a_size() -> None:
    """All of a large sample are networks."""
    rng = np.random.default_rng(0)
    spaces = [(shape, image_space(shape, 10)) for shape in SHAPES]
    for number in range(10_000):
        shape, space = spaces[number % len(spaces)]
        assert profile(space.resolve(space.sample(rng)), input_shape=shape).output_shape == (10,)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_references_are_points_of_the_space(shape: tuple[int, int, int]) -> None:
    """Three different hand-made networks, named, in the space, of the families they are named after."""
    space = image_space(shape, 10)
    references = image_references(space)
    assert [r.name for r in references] == ["resnet", "mobilenet", "cnn"]
    assert [space.explain(r.architecture) for r in references] == [None, None, None]
    assert [r.architecture["stage0.block"] for r in references] == ["residual", "mbconv", "plain"]
    assert len({space.canonical_id(r.architecture) for r in references}) == 3


@pytest.mark.parametrize("shape", SHAPES)
def test_the_portfolio_holds_other_networks_of_several_sizes(shape: tuple[int, int, int]) -> None:
    """Its networks are points of the space, none is a reference or given twice, and one is small."""
    space = image_space(shape, 10)
    portfolio = image_portfolio(space)
    assert [space.explain(architecture) for architecture in portfolio] == [None] * len(portfolio)
    references = {space.canonical_id(r.architecture) for r in image_references(space)}
    ids = {space.canonical_id(architecture) for architecture in portfolio}
    assert len(ids | references) == len(portfolio) + len(references)
    sizes = [profile(space.resolve(architecture), input_shape=shape).params for architecture in portfolio]
    assert max(sizes) > 5 * min(sizes)


def test_the_small_resnet_is_the_known_one() -> None:
    """On 28 x 28 grey images the ResNet has the parameters and multiply-accumulates that a count by hand gives."""
    space = image_space((1, 28, 28), 10)
    resnet = image_references(space)[0]
    found = profile(space.resolve(resnet.architecture), input_shape=(1, 28, 28))
    convolutions = 9 * (16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64) + 16 * 32 + 32 * 64
    norms = 2 * (3 * 16 + 3 * 32 + 3 * 64)
    assert found.params == convolutions + norms + 650


def test_the_space_is_rich_and_every_decision_counts() -> None:
    """More than 10^8 architectures; of two that differ in one active decision, the networks differ."""
    space = image_space((1, 28, 28), 10)
    assert space.count() > 10**8
    rng = np.random.default_rng(1)
    same = 0
    for _ in range(40):
        arch = space.sample(rng)
        other = space.mutate(arch, rng)
        same += space.resolve(arch) == space.resolve(other)
    assert same == 0


def test_tiny_images_are_not_halved_away() -> None:
    """On 8 x 8 images no stem halves the image, so that the last stage still sees 2 x 2."""
    assert image_space((1, 8, 8), 10).choices["stem.stride"].domain.values == (1,)  # type: ignore[union-attr]
    assert image_space((1, 28, 28), 10).choices["stem.stride"].domain.values == (1, 2)  # type: ignore[union-attr]


@pytest.mark.parametrize("shape", [(28, 28), (1, 3, 28), (1, 28, 28, 1)])
def test_shapes_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    """The message says what a shape is, and what it got."""
    with pytest.raises(SpecError, match=r"input_shape must be \(channels, height, width\) with sides >= 4, got \("):
        image_space(shape, 10)


def test_one_class_is_refused() -> None:
    """There is nothing to classify."""
    with pytest.raises(SpecError, match="num_classes must be >= 2, got 1"):
        image_space((1, 28, 28), 1)


def test_references_over_a_limit_are_made_narrower() -> None:
    """Each that is not admitted is replaced by its widest admitted version, once; the others are left as they are."""
    space = image_space((1, 28, 28), 10)

    def widest(architecture: Architecture) -> int:
        return max(int(value) for name, value in architecture.items() if name.endswith(".width"))

    found = narrowed(space, lambda architecture: widest(architecture) <= 96)
    assert [reference.name for reference in found] == ["cnn-x0.8", "early-cnn-x0.7", "early-resnet-x0.7"]
    assert all(widest(reference.architecture) == 96 for reference in found)
    assert all(space.contains(reference.architecture) for reference in found)
    assert narrowed(space, lambda architecture: True) == narrowed(space, lambda architecture: False) == ()


def test_a_reference_that_no_width_makes_small_enough_becomes_shallow() -> None:
    space = image_space((1, 28, 28), 10)
    found = narrowed(space, lambda architecture: all(architecture[f"stage{i}.depth"] == 1 for i in range(3)))
    assert "mobilenet-x0.9" in [reference.name for reference in found]
    assert "resnet-x0.9" not in [reference.name for reference in found]

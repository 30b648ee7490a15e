"""Hand-made networks that are too large are made smaller, by one factor, and by their depth last."""

from __future__ import annotations

from netwright import nn
from netwright.tasks.narrowing import narrowed
from netwright.tasks.tabular.spaces import DEPTHS, SIZES, tabular_references, tabular_space
from netwright.types import Architecture


def test_the_widest_admitted_one_of_each_is_taken() -> None:
    """Within the limit, with its factor; depth is kept where width alone is enough; what is admitted is left alone."""
    space = tabular_space(5, (), 2, classes=True)
    references = tabular_references(space)

    def params(architecture: Architecture) -> int:
        return nn.profile(space.resolve(architecture), input_shape=(5,)).params

    for limit in (5_000, 50_000):
        found = narrowed(space, references, lambda arch, most=limit: params(arch) <= most, SIZES, DEPTHS)
        assert [r.name.partition("-x")[0] for r in found] == [
            r.name for r in references if params(r.architecture) > limit
        ]
        assert all(params(r.architecture) <= limit for r in found)
        assert [r.architecture["mlp.depth"] for r in found if r.name.startswith("mlp")] == [3]
    assert narrowed(space, references, lambda arch: False, SIZES, DEPTHS) == ()

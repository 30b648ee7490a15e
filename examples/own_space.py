"""A search space of one's own on real images: a residual network whose depth, widths and operations are choices."""

import tempfile
from pathlib import Path

import netwright as nw
from netwright import nn
from netwright.space import Node

width = nw.choice("width", [8, 16, 24])


def block(i: int) -> Node:
    """One of three operations, with choices of its own."""
    return nn.one_of(
        f"block{i}",
        {
            "conv": nn.conv_norm_act(width, kernel=nw.choice(f"kernel{i}", [3, 5])),
            "residual": nn.residual(nn.conv_norm_act(width, kernel=3)),
            "skip": nn.identity(),
        },
    )


space = nw.SearchSpace(
    nn.seq(
        nn.conv_norm_act(width, kernel=3),
        nn.repeat("depth", block, 1, 4),
        nn.global_pool(),
        nn.linear(10),
    ),
    training={"learning_rate": nw.choice("learning_rate", [0.01, 0.03])},
)

if __name__ == "__main__":
    print(f"{space.count()} architectures")
    with tempfile.TemporaryDirectory() as folder:
        result = nw.search(
            task="image-classification",
            data="digits",
            space=space,
            budget="6 trials",
            min_epochs=1,
            max_epochs=3,
            workers=2,
            out=Path(folder) / "run",
        )
        print(result.summary())
        print(space.source(result.best.architecture, input_shape=(1, 8, 8)))

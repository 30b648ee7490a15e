"""Which weights have a row for each token or class, by networks of any kind."""

from __future__ import annotations

import pytest
from torch import nn

from netwright.tasks import load_task
from netwright.tasks.numbering import numbered_weights, numbering_of


def test_tables_and_the_last_layer_are_numbered() -> None:
    """By their sizes; tables of a name of their own are of the role of that name."""
    network = nn.ModuleDict({"any": nn.Embedding(3, 4), "source": nn.Embedding(5, 4), "head": nn.Linear(4, 2)})
    numbering = {"inputs": "abc", "source": "abcde", "outputs": ("no", "yes")}
    expected = {"any.weight": "inputs", "source.weight": "source", "head.weight": "outputs", "head.bias": "outputs"}
    assert numbered_weights(network, numbering) == expected


@pytest.mark.parametrize(
    "network",
    [
        nn.Linear(4, 3),
        nn.Sequential(nn.Linear(4, 2), nn.LayerNorm(2)),
        nn.Sequential(nn.Embedding(9, 2), nn.ReLU()),
        nn.ReLU(),
    ],
)
def test_other_layers_are_not(network: nn.Module) -> None:
    """Positions, layers of another size, and linear layers before another one that learns have no rows of classes."""
    assert numbered_weights(network, {"inputs": "abc", "outputs": ("no", "yes")}) == {}


def test_classes_are_the_numbering_of_a_task_that_says_nothing_else() -> None:
    """As of images; numbers alone are the same classes only among as many."""
    names = tuple(f"{number} of 10" for number in range(10))
    assert numbering_of(load_task("image-classification", "digits")) == {"outputs": names}

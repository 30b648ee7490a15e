"""What rows of a network's weights stand for where each data set numbers it by itself: tokens, units, classes.

The same number is another token in other data, however equal the shapes are. A task says by `numbering` what its
numbers stand for; here is found which weights have a row for each of them. Knows no files of weights, and no training.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from netwright.tasks.base import Task

Numbering = Mapping[str, Sequence[Hashable]]
"""By role what each number stands for: ``inputs`` of tables of vectors, ``outputs`` of the last layer; any other role
is the name of the tables that it is of, such as ``source``."""

INPUTS, OUTPUTS = "inputs", "outputs"


def numbering_of(task: Task) -> Numbering:
    """What a task's numbers stand for: what it says by ``numbering``, else its classes.

    Args:
        task: of any kind.
    """
    own: Numbering | None = getattr(task, "numbering", None)
    if own is not None:
        return own
    return {OUTPUTS: classes(task.class_names)} if task.class_names else {}


def classes(names: Sequence[str]) -> tuple[str, ...]:
    """What classes stand for: their names; mere numbers tell which is which only among as many others.

    Example:
        >>> classes(("no", "yes")), classes(("0", "1"))
        (('no', 'yes'), ('0 of 2', '1 of 2'))
    """
    if all(name.isdecimal() for name in names):
        return tuple(f"{name} of {len(names)}" for name in names)
    return tuple(names)


def numbered_weights(network: nn.Module, numbering: Numbering) -> dict[str, str]:
    """Names of the weights that have a row for each number, with their role.

    Args:
        network: of the data that is numbered so.
        numbering: what its numbers stand for.

    Example:
        >>> from torch import nn
        >>> network = nn.Sequential(nn.Embedding(3, 4), nn.Linear(4, 4), nn.Linear(4, 2))
        >>> numbered_weights(network, {"inputs": "abc", "outputs": ("no", "yes")})
        {'0.weight': 'inputs', '2.weight': 'outputs', '2.bias': 'outputs'}
    """
    found = dict(_tables(network, numbering))
    if OUTPUTS in numbering:
        found |= dict.fromkeys(_last_layer(network, len(numbering[OUTPUTS])), OUTPUTS)
    return found


def _tables(network: nn.Module, numbering: Numbering) -> Iterator[tuple[str, str]]:
    """The tables of vectors, each with its role."""
    from torch import nn

    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding):
            last = name.rpartition(".")[2]
            role = last if last in numbering else INPUTS
            if role in numbering and module.num_embeddings == len(numbering[role]):
                yield f"{name}.weight".removeprefix("."), role


def _last_layer(network: nn.Module, size: int) -> list[str]:
    """Weight and bias of the last layer that learns, where it is a linear one with so many outputs."""
    from torch import nn

    learning = [(name, module) for name, module in network.named_modules() if [*module.parameters(recurse=False)]]
    name, last = learning[-1] if learning else ("", network)
    if not isinstance(last, nn.Linear) or last.out_features != size:
        return []
    return [f"{name}.{part}".removeprefix(".") for part, _ in last.named_parameters(recurse=False)]

"""What is done with the best network of a search before it is written: its task's last fit, and a rival's score.

A temperature is fitted on the validation part, and metrics on validation are then those with it; what they were
before is kept beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.tasks.finishing import Calibrating, Rivalled

if TYPE_CHECKING:
    import torch
    from torch import nn

    from netwright.tasks.base import Examples, Task

Weights = Mapping[str, "torch.Tensor"]
MARGIN = 1.0
"""A rival is asked where so many times what it should take is left."""


def read(weights: Path | Weights) -> dict[str, torch.Tensor]:
    """Tensors of a file, or as they are given."""
    from safetensors.torch import load_file

    return load_file(weights) if isinstance(weights, Path) else dict(weights)


def finish(
    weights: Path, task: Task, made: Callable[[Weights], nn.Module], metrics: dict[str, float], test: Examples | None
) -> Path | Weights:
    """Let a task fit what its networks hold besides trained weights.

    Args:
        weights: of the trained network.
        task: of the search.
        made: makes the network with some weights.
        metrics: of the card; those on validation are replaced.
        test: the test part, if it is read; None if not.

    Returns:
        The weights that are to be exported; the same file where the task fits nothing.
    """
    if not isinstance(task, Calibrating):
        return weights
    import torch

    model = made(read(weights)).eval()
    answers = list(_answers(model, task, task.validation()))
    outputs, targets = (torch.cat(list(parts)) for parts in zip(*answers, strict=True))
    found = task.calibrated(read(weights), outputs, targets)
    after = made(found).eval()
    for split, examples in (("validation", task.validation()), ("test", test)):
        if examples is None:
            continue
        before = task.scores(answers if split == "validation" else _answers(model, task, examples))
        now = task.scores(_answers(after, task, examples))
        changed = {n: v for n, v in before.items() if n != "loss" and abs(v - now[n]) > 1e-12}
        metrics |= {f"{split}_{name}_uncalibrated": value for name, value in changed.items()}
        metrics |= {f"{split}_{name}": value for name, value in now.items() if name != "loss"}
    return found


def rival_scores(task: Task, test: Examples, left_s: float | None, metrics: dict[str, float]) -> tuple[str, ...]:
    """Score a task's rival on the same parts; returns what is said of it.

    Args:
        task: of the search.
        test: the test part.
        left_s: wall seconds that are left; None for as many as it takes.
        metrics: of the card, to which the rival's are added.
    """
    if not isinstance(task, Rivalled):
        return ()
    if left_s is not None and left_s < MARGIN * task.rival_seconds():
        return (f"time was short for a rival that is no network ({task.rival_seconds():.0f} s)",)
    rival = task.rival(test)
    metrics |= {f"{rival.name}_{name}": value for name, value in rival.metrics.items()}
    name = f"test_{task.objective.metric}"
    beside = f"{name} {rival.metrics[name]:.4f}, the network's {metrics[name]:.4f}"
    return (f"for comparison, no network: {rival.what}: {beside}",)


def _answers(model: nn.Module, task: Task, examples: Examples) -> list[tuple[torch.Tensor, torch.Tensor]]:
    import torch

    from netwright.evaluation.batches import Data, in_order
    from netwright.evaluation.trainer import scored_at_once

    with torch.inference_mode():
        return [(model(x), y) for x, y in in_order(Data(*examples, task.to_input), scored_at_once(task), "cpu")]

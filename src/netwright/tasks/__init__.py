"""Tasks by name: what is learned from which data, and how it is scored.

A string names a task in a specification or on a command line; everywhere else a task object is given. Importing this
package imports no data library and no torch: each task's module is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from netwright.errors import SpecError, unknown

if TYPE_CHECKING:
    from netwright.tasks.base import Task

TASKS: Mapping[str, str] = MappingProxyType(
    {"image-classification": "netwright.tasks.image_classification:ImageClassification"}
)
"""Name of a task to ``module:class``; the class has ``load(data, *, seed, **options)``."""


def task_class(name: str) -> Any:
    """Import the class of a task.

    Args:
        name: a key of `TASKS`.

    Raises:
        SpecError: no task has this name; the known ones and the nearest are listed.
    """
    if name not in TASKS:
        raise SpecError(unknown("task", name, TASKS))
    module, _, attribute = TASKS[name].partition(":")
    return getattr(import_module(module), attribute)


def load_task(name: str, data: str | Path, *, seed: int = 0, **options: object) -> Task:
    """Load a task and its data.

    Args:
        name: a key of `TASKS`.
        data: what the task's ``load`` takes: a file, a folder, or the name of embedded data.
        seed: of the splits.
        options: further keyword arguments of the task's ``load``.

    Returns:
        The task, its data checked.

    Raises:
        SpecError: unknown task.
        DataError: data that cannot be used.

    Example:
        >>> load_task("image-classification", "digits").input_shape
        (1, 8, 8)
    """
    return cast("Task", task_class(name).load(data, seed=seed, **options))

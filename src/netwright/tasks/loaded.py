"""What a task of ours was read with, for whoever reads it again: a resume, or the check of an export. Knows no task."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

Options = Mapping[str, str | int | float | bool]
_P = ParamSpec("_P")
_T = TypeVar("_T")
_ATTRIBUTE = "loaded_with"
_NO_OPTIONS = ("data", "seed")


def remembered(load: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a task know the options that its ``load`` was called with.

    Args:
        load: of a task's class, before it is made a class method.

    Example:
        >>> class Empty:
        ...     @classmethod
        ...     @remembered
        ...     def load(cls, data, *, seed=0, depth=1): return cls()
        >>> dict(read_with(Empty.load("x", seed=1, depth=2)))
        {'depth': 2}
    """

    @wraps(load)
    def loading(*args: _P.args, **options: _P.kwargs) -> _T:
        task = load(*args, **options)
        vars(task)[_ATTRIBUTE] = dict(options)  # a plain one goes into another process
        return task

    return loading


def read_with(task: object) -> Options:
    """The options a task was loaded with, as a specification writes them: names in a list between commas.

    Args:
        task: of ours; of what was made without ``load`` nothing is known.

    Returns:
        Those that are printable texts, paths, numbers, true or false; what is None is as if it were not given.
    """
    found: dict[str, str | int | float | bool] = {}
    for name, given in vars(task).get(_ATTRIBUTE, {}).items():
        value = _plain(given)
        if name not in _NO_OPTIONS and isinstance(value, (str, int, float)) and str(value).isprintable():
            found[name] = value
    return found


def _plain(given: object) -> object:
    """What a person writes for a value: of names, paths and numpy's numbers.

    Example:
        >>> _plain(["age", "pay"]), _plain(np.float64(0.5)), _plain(np.int64(3))
        ('age,pay', 0.5, 3)
    """
    if isinstance(given, (list, tuple)) and all(isinstance(item, str) for item in given):
        return ",".join(given)
    if isinstance(given, os.PathLike):
        return os.fspath(given)
    return given.item() if isinstance(given, np.generic) else given

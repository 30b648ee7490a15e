"""What an exported ``model.py`` can read and print, by name. Each is a file whose parts below a mark are copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Runtime:
    """What ``python model.py`` does.

    Args:
        file: in `netwright.export`, whose last part is copied.
        usage: one sentence of the docstring of ``model.py``.
        packages: that it may import besides the standard library, torch and numpy; each where it is needed only.
        also: files of other packages, from `netwright` on, whose last parts are copied before it.
        compacts: it has a function ``compact(outputs, targets)``, which makes of outputs too large to be kept what the
            scores of the task are made of.
    """

    file: str
    usage: str
    packages: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    compacts: bool = False


RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        "image": Runtime(
            "runtime.py",
            "``python model.py IMAGE`` prints the most probable classes of an image file.",
            ("PIL",),
        ),
        "array": Runtime(
            "runtimes/array.py",
            "``python model.py FILE.npy`` prints what it says of each input in a numpy array.",
        ),
        "translation": Runtime(
            "runtimes/translation.py",
            "``python model.py FILE.txt`` prints a translation of each line of a file, or of its standard input.",
            also=("tasks/subwords.py", "tasks/tokens.py"),
            compacts=True,
        ),
    }
)
"""Name to what it is; a task names one in its `netwright.tasks.base.ExportInfo`."""

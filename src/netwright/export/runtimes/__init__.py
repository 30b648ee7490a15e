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
    """

    file: str
    usage: str
    packages: tuple[str, ...] = ()


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
        "table": Runtime(
            "runtimes/table.py",
            "``python model.py FILE.csv`` prints what it says of each row of a table.",
        ),
        "series": Runtime(
            "runtimes/series.py",
            "``python model.py FILE.npy`` (or FILE.csv) prints the classes of series, or a forecast.",
        ),
        "nodes": Runtime(
            "runtimes/nodes.py",
            "``python model.py NODES.csv`` (or NODES.npy) prints the class of each node that is named by its number.",
        ),
    }
)
"""Name to what it is; a task names one in its `netwright.tasks.base.ExportInfo`."""

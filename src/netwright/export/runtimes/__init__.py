"""What an exported ``model.py`` can read and print, by name. Each is a file whose parts below a mark are copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Runtime:
    """What ``python model.py`` does.

    A runtime that defines ``finish_onnx(path)`` changes model.onnx after it is written and before it is checked; its
    first output must stay that of the network.

    Args:
        file: in `netwright.export`, whose last part is copied.
        usage: one sentence of the docstring of ``model.py``.
        packages: that it may import besides the standard library, torch and numpy; each where it is needed only.
        also: files of other packages, from `netwright` on, whose last parts are copied before it.
        compacts: it has a function ``compact(outputs, targets)``, which makes of outputs too large to be kept what the
            scores of the task are made of.
        reads_images: whether it needs the part of ``runtime.py`` that reads images.
    """

    file: str
    usage: str
    packages: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    compacts: bool = False
    reads_images: bool = False


_CELLS = (
    "cells.py",
    "tasks/tabular/missing.py",
    "tasks/tabular/amounts.py",
    "export/runtimes/delimited.py",
)
"""What reads tables of cells."""

RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        "image": Runtime(
            "runtime.py",
            "``python model.py IMAGE`` prints the most probable classes of an image file.",
            ("PIL",),
            reads_images=True,
        ),
        "image-labels": Runtime(
            "runtimes/image_labels.py",
            "``python model.py IMAGE`` prints the labels of an image file, those with a probability above .5.",
            ("PIL",),
            reads_images=True,
        ),
        "detection": Runtime(
            "runtimes/detection.py",
            "``python model.py IMAGE`` prints the boxes found in an image file: class, score, corners in pixels.",
            ("PIL", "onnx"),
            compacts=True,
            reads_images=True,
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
        "language": Runtime(
            "runtimes/language.py",
            "``python model.py FILE.txt`` prints the bits a character of a text; ``--continue TEXT`` writes on.",
            also=("tasks/subwords.py", "tasks/tokens.py"),
            compacts=True,
        ),
        "text": Runtime(
            "runtimes/text.py",
            "``python model.py FILE.txt`` prints the class of each line of a file, or of its standard input.",
            also=("tasks/subwords.py",),
        ),
        "table": Runtime(
            "runtimes/table.py",
            "``python model.py FILE.csv`` prints what it says of each row of a table.",
            also=(*_CELLS, "tasks/tabular/days.py", "tasks/tabular/categories.py"),
        ),
        "series": Runtime(
            "runtimes/series.py",
            "``python model.py FILE.npy`` (or FILE.csv) prints the classes of series, or a forecast.",
            also=_CELLS,
        ),
        "nodes": Runtime(
            "runtimes/nodes.py",
            "``python model.py NODES.csv`` (or NODES.npy) prints the class of each node that is named by its number.",
        ),
        "speech": Runtime(
            "runtimes/speech.py",
            "``python model.py FILE.wav`` prints what is said in a recording.",
            ("soundfile",),
        ),
    }
)
"""Name to what it is; a task names one in its `netwright.tasks.base.ExportInfo`."""

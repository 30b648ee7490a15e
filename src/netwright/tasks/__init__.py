"""Tasks by name: what is learned from which data, and how it is scored.

A string names a task in a specification or on a command line; everywhere else a task object is given. Importing this
package imports no data library and no torch: each task's module is imported when it is asked for. A task of a person's
own is FILE.py:NAME, the name of a class with ``load(data, *, seed, **options)``, or of a function like that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast

from netwright.errors import CapabilityError, NetwrightError, SpecError, one_line, unknown, wrong
from netwright.python_files import import_file
from netwright.tasks.options import require_options

if TYPE_CHECKING:
    from netwright.tasks.base import Task

Directions = Mapping[str, Literal["max", "min"]]
GIVEN = "given:"
"""Before the name of a task that was given as an object: it cannot be made again from its name."""

_FILE = re.compile(r"(?P<file>.+\.py):(?P<name>[^:]*)", re.DOTALL)


@dataclass(frozen=True)
class TaskEntry:
    """What is known of a task before its module is imported.

    Args:
        where: ``module:class``; the class has ``load(data, *, seed, **options)``.
        directions: its metrics, the main one first, and in which direction each is better.
        data: what it learns from, for people.
    """

    where: str
    directions: Directions
    data: str


TASKS: Mapping[str, TaskEntry] = MappingProxyType(
    {
        "image-classification": TaskEntry(
            "netwright.tasks.image_classification:ImageClassification",
            MappingProxyType({"accuracy": "max", "balanced_accuracy": "max"}),
            "digits, a .npz file, a folder of images, or MNIST's idx files",
        ),
        "image-multilabel": TaskEntry(
            "netwright.tasks.image_multilabel:ImageMultilabel",
            MappingProxyType({"mean_average_precision": "max", "micro_f1": "max"}),
            "a CSV file of images and their labels, or a .npz file with labels (N, C) of 0 and 1",
        ),
        "translation": TaskEntry(
            "netwright.tasks.translation:Translation",
            MappingProxyType({"perplexity": "min", "token_accuracy": "max"}),
            "a folder with train.en and train.de, a .tsv file, or two line-aligned files SOURCE,TARGET",
        ),
        "language-model": TaskEntry(
            "netwright.tasks.language_model:LanguageModelling",
            MappingProxyType({"bits_per_character": "min", "perplexity": "min", "token_accuracy": "max"}),
            "a text file (.txt, .gz), or a folder with train.txt, validation.txt and test.txt",
        ),
        "text-classification": TaskEntry(
            "netwright.tasks.text_classification:TextClassification",
            MappingProxyType({"accuracy": "max"}),
            "a .csv, .tsv or .jsonl file with a text and a label in each line, or a folder with train.csv and test.csv",
        ),
        "object-detection": TaskEntry(
            "netwright.tasks.detection.task:ObjectDetection",
            MappingProxyType({"map": "max", "map50": "max"}),
            "boxes in a .csv, COCO's .json or Pascal VOC's .xml files, and their images",
        ),
        "tabular-classification": TaskEntry(
            "netwright.tasks.tabular:TabularClassification",
            MappingProxyType(
                {"accuracy": "max", "balanced_accuracy": "max", "auc": "max", "log_loss": "min", "ece": "min"}
            ),
            "a table: .csv, .csv.gz, .parquet, or a folder with train, validation and test files",
        ),
        "tabular-regression": TaskEntry(
            "netwright.tasks.tabular:TabularRegression",
            MappingProxyType({"rmse": "min", "mae": "min", "r2": "max"}),
            "a table whose target is a number, in the same forms",
        ),
        "series-classification": TaskEntry(
            "netwright.tasks.series:SeriesClassification",
            MappingProxyType({"accuracy": "max"}),
            "time series with classes: a .npz file, or lines of a class and its values (.csv, .tsv)",
        ),
        "series-forecasting": TaskEntry(
            "netwright.tasks.series:SeriesForecasting",
            MappingProxyType({"mase": "min", "mae": "min", "rmse": "min"}),
            "a table in the order of time: .csv, .csv.gz, .parquet",
        ),
        "node-classification": TaskEntry(
            "netwright.tasks.graphs:NodeClassification",
            MappingProxyType({"accuracy": "max", "macro_f1": "max"}),
            "a graph: a .npz file, or a folder with features, edges, labels and split",
        ),
        "speech-recognition": TaskEntry(
            "netwright.tasks.speech_recognition:SpeechRecognition",
            MappingProxyType({"wer": "min", "cer": "min"}),
            "a .csv, .tsv or .jsonl manifest of audio files and texts, a .npz file of sound or frames, or a folder",
        ),
    }
)
"""What can be searched for by name."""


def task_file(text: str) -> tuple[Path, str] | None:
    """File and name of a task of one's own; None for one by name.

    Raises:
        SpecError: what stands behind the colon is no name.

    Example:
        >>> task_file("tones.py:Tones")[1], task_file("image-classification")
        ('Tones', None)
    """
    match = _FILE.fullmatch(text)
    if match is None:
        return None
    if not match["name"].isidentifier():
        raise SpecError(wrong("task", text, "FILE.py:NAME with the name of a class or function"))
    return Path(match["file"]), match["name"]


def directions_of(text: str) -> Directions | None:
    """Metrics of a task by name, the main one first; None for a task of one's own, which is asked once it is made.

    Args:
        text: a key of `TASKS`, FILE.py:NAME, or the name of a task that was given as an object behind `GIVEN`.

    Raises:
        SpecError: no task has this name.
    """
    if text.removeprefix(GIVEN) in TASKS:
        return TASKS[text.removeprefix(GIVEN)].directions
    if text.startswith(GIVEN) or task_file(text) is not None:
        return None
    raise SpecError(unknown("task", text, TASKS))


def task_class(name: str) -> Any:
    """Import the class of a task.

    Args:
        name: a key of `TASKS`, or FILE.py:NAME.

    Raises:
        SpecError: no task has this name; the known ones and the nearest are listed.
        CapabilityError: the file of one's own has none.
    """
    own = task_file(name)
    if own is not None:
        return _own_class(*own)
    if name.startswith(GIVEN):
        what = name.removeprefix(GIVEN)
        raise SpecError(f"the task {what!r} was given as an object from Python; give it again (task=...)")
    if name not in TASKS:
        raise SpecError(unknown("task", name, TASKS))
    module, _, attribute = TASKS[name].where.partition(":")
    return getattr(import_module(module), attribute)


def _own_class(file: Path, name: str) -> Any:
    if not file.is_file():
        raise SpecError(wrong("task", str(file), "FILE.py:NAME with a file that exists"))
    module = import_file(file, "task")
    found = getattr(module, name, None)
    if found is None:
        raise SpecError(f"task: {file}: " + unknown("name", name, [n for n in vars(module) if not n.startswith("_")]))
    if not callable(getattr(found, "load", found)):
        raise CapabilityError(
            wrong(f"task: {file}: {name}", type(found).__name__, "a class with load(), or a function")
        )
    return found


def load_task(name: str, data: str | Path, *, seed: int = 0, **options: object) -> Task:
    """Load a task and its data.

    Args:
        name: a key of `TASKS`, or FILE.py:NAME.
        data: what the task's ``load`` takes: a file, a folder, or the name of embedded data.
        seed: of the splits.
        options: further keyword arguments of the task's ``load``.

    Returns:
        The task, its data checked.

    Raises:
        SpecError: unknown task, an option that it does not have, or a value of another type than the option's.
        DataError: data that cannot be used.
        CapabilityError: a task of one's own raised something else, or is none.

    Example:
        >>> load_task("image-classification", "digits").input_shape
        (1, 8, 8)
    """
    found = task_class(name)
    load = getattr(found, "load", found)
    options = require_options(name, load, options)
    if task_file(name) is None:
        return cast("Task", load(data, seed=seed, **options))
    try:
        task = load(data, seed=seed, **options)
    except NetwrightError:
        raise
    except (Exception, SystemExit) as error:
        raise CapabilityError(
            f"task {one_line(name)}: load({one_line(str(data))!r}) raised {type(error).__name__}: {one_line(error)}; "
            "mend it"
        ) from error
    return require_task(task, name)


def require_task(task: Any, name: str) -> Task:
    """Check that an object can be searched on, and what comes of it exported.

    Raises:
        CapabilityError: names what it lacks.
    """
    from netwright.tasks.base import Task as Protocol
    from netwright.tasks.learning import LearningTask

    wanted = [n for n in vars(Protocol) if not n.startswith("_")]
    missing = [n for n in wanted if not hasattr(type(task), n) and not hasattr(task, n)]
    missing += [n for n in ("loss", "scores") if getattr(type(task), n, None) is getattr(LearningTask, n)]
    where = f"task {one_line(name)}: {type(task).__name__}"
    if missing:
        raise CapabilityError(
            f"{where} has no {', '.join(missing[:5])}; derive from netwright.tasks.learning.LearningTask"
        )
    own = [n for n in ("to_input", "export_info") if getattr(type(task), n, None) is not getattr(LearningTask, n)]
    if own == ["to_input"]:
        cure = "give front(), or examples as networks take them, or an export_info() whose runtime does the same"
        raise CapabilityError(f"{where} has a to_input() of its own, which an exported model.py does not know; {cure}")
    if not task.input_shape:
        raise CapabilityError(f"{where}: inputs are numbers (N,), networks take arrays; give them as (N, 1)")
    if not task.output_shape and not task.class_names:
        cure = "give values as (N, 1), or derive from ClassifyingTask where they are classes"
        raise CapabilityError(f"{where}: targets are numbers (N,), so that networks would have no outputs; {cure}")
    return cast("Task", task)


def is_own(task: Task) -> bool:
    """Whether a task is a person's own, and none of netwright's."""
    return not type(task).__module__.startswith("netwright.")

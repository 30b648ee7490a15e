"""Options of tasks: what a value of each type becomes, and what is refused, for every task and for one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from netwright.errors import CapabilityError, SpecError
from netwright.tasks import TASKS, load_task, task_class
from netwright.tasks.options import require_options


def load(
    data: str,
    *,
    seed: int = 0,
    flag: bool = False,
    count: int = 1,
    share: float | None = None,
    column: str = "",
    place: str | int = "",
    size: int | str | tuple[int, int] | None = None,
    file: str | Path = "",
    mode: Literal["auto", "yes", "no"] = "auto",
    anything: Any = None,
    untold=None,  # type: ignore[no-untyped-def]
) -> None:
    """Stands for a task's."""


@pytest.mark.parametrize(
    ("option", "given", "becomes"),
    [
        ("flag", True, True),
        ("flag", "no", False),
        ("flag", "Off", False),
        ("flag", "YES", True),
        ("flag", "true", True),
        ("count", 3, 3),
        ("count", np.int64(3), 3),
        ("share", 1, 1),
        ("share", 0.5, 0.5),
        ("share", None, None),
        ("column", 3, "3"),
        ("column", 1.5, "1.5"),
        ("column", "no", "no"),
        ("place", 3, 3),
        ("place", 1.5, "1.5"),
        ("size", (3, 4), (3, 4)),
        ("size", 12.5, "12.5"),
        ("file", Path("a"), Path("a")),
        ("mode", "no", "no"),
        ("anything", ["no"], ["no"]),
        ("untold", "no", "no"),
    ],
)
def test_a_value_becomes_what_the_annotation_says(option: str, given: object, becomes: object) -> None:
    """Words for true and false, and numbers where a text is wanted; all else stays what it is."""
    found = require_options("mine", load, {option: given})
    assert found == {option: becomes}
    assert type(found[option]) in (type(becomes), type(given))


@pytest.mark.parametrize(
    ("option", "given", "says"),
    [
        ("flag", "perhaps", "task option flag must be true or false, got 'perhaps'"),
        ("flag", 1, "task option flag must be true or false, got 1"),
        ("count", "20s", "task option count must be a whole number, got '20s'"),
        ("count", 12.5, "task option count must be a whole number, got 12.5"),
        ("count", True, "task option count must be a whole number, got True"),
        ("share", "20s", "task option share must be a number, got '20s'"),
        ("column", True, "task option column must be a text, got True; in a YAML file, write it in quotes"),
        ("column", ["a"], r"task option column must be a text, got \['a'\]"),
        ("size", True, "task option size must be a whole number or a text, got True"),
        ("mode", True, "task option mode must be 'auto', 'yes' or 'no', got True; in a YAML file"),
        ("cuont", 1, "unknown option of the task mine 'cuont'; did you mean 'count'"),
        ("seed", 1, "unknown option of the task mine 'seed'"),
    ],
)
def test_a_value_of_another_type_is_refused(option: str, given: object, says: str) -> None:
    """The option is named, and what is allowed."""
    with pytest.raises(SpecError, match=says):
        require_options("mine", load, {option: given})


@pytest.mark.parametrize(
    ("task", "option", "given"),
    [
        ("tabular-classification", "balanced", "perhaps"),
        ("tabular-classification", "ignored", True),
        ("series-forecasting", "horizon", 1.5),
        ("node-classification", "directed", 3),
        ("speech-recognition", "augment", "loud"),
        ("speech-recognition", "longest_s", "20s"),
        ("translation", "lowercase", "perhaps"),
        ("image-classification", "validation_share", "half"),
    ],
)
def test_options_are_checked_before_data_is_read(task: str, option: str, given: object) -> None:
    """None of the values reaches the task."""
    with pytest.raises(SpecError, match=f"task option {option} must be"):
        load_task(task, "absent", **{option: given})


def test_numbers_name_columns() -> None:
    """What a command line takes for a number is a text where the task wants one."""
    wanted = {"tabular-classification": "categorical", "series-forecasting": "targets", "text-classification": "label"}
    for task, option in wanted.items():
        assert require_options(task, task_class(task).load, {option: 1}) == {option: "1"}
    with pytest.raises(SpecError, match=r"image_size must be a number of pixels.*got '12\.5'"):
        load_task("image-classification", "digits", image_size=12.5)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_defaults_of_every_task_are_of_their_types(task: str) -> None:
    """So its annotations can be read, and say what is right."""
    from inspect import signature

    found = task_class(task).load
    defaults = {n: p.default for n, p in signature(found).parameters.items() if p.kind is p.KEYWORD_ONLY}
    del defaults["seed"]
    assert require_options(task, found, defaults) == defaults
    assert all(not isinstance(p.annotation, str) for p in signature(found, eval_str=True).parameters.values())


def test_annotations_that_name_what_is_not_there_allow_anything(tmp_path: Path) -> None:
    """A task of one's own may import for its annotations only; one that takes any option gets it as it is."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from __future__ import annotations\n\n"
        "def odd(data, *, seed=0, flag: Absent = None):\n    raise ValueError(flag)\n"
    )
    with pytest.raises(CapabilityError, match="raised ValueError: perhaps"):
        load_task(f"{path}:odd", "x", flag="perhaps")
    assert require_options("wide", lambda data, **more: None, {"other": "no"}) == {"other": "no"}

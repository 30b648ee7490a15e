"""The specification of a search: one frozen value, the same from a YAML file, the command line and Python.

It checks everything that can be checked without reading data, building a network or importing torch, and names file,
key, value, what was expected and a cure. It does not know how a search runs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from netwright.errors import SpecError, one_line, unknown, wrong
from netwright.goals import INT8_GOAL, TRAINED, parse_constraint, parse_objectives, require
from netwright.gradient_methods import DIFFERENTIABLE
from netwright.runtimes import INT8_RUNTIMES, PRECISIONS, RUNTIMES
from netwright.spec_words import EXPECTED, Expected
from netwright.tasks import TASKS, directions_of
from netwright.trial_limits import parse_trial_memory, parse_trial_time
from netwright.types import Budget, Constraint, Objective
from netwright.yaml_files import read_mapping

TRAINING, SUPERNET = "training", "supernet"
EVALUATORS = (TRAINING, SUPERNET)
"""How networks are compared in the search."""

WITH_PARENTS = ("auto", "evolution", "local", "nsga2", "nsga3")
"""Of our strategies, those whose proposals have parents to inherit from; auto is evolution then."""

AUTO, LEARNS_EARLIER = "auto", "transfer"
"""The strategy that is chosen for a person, and what it is where earlier studies are given."""

MAX_LINES = 10
MOST_OPTION = 4096
_TRAINED = {*TRAINED, *(metric for entry in TASKS.values() for metric in entry.directions)}

_SPACE_FILE = re.compile(r"(?P<file>.+\.py):(?P<name>[^:]*)", re.DOTALL)


def _as_path_text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


T = TypeVar("T")

PathText = Annotated[str, BeforeValidator(_as_path_text), Field(min_length=1, max_length=4096)]
Short = Annotated[str, Field(min_length=1, max_length=100)]
Shorts = Annotated[tuple[Short, ...], BeforeValidator(_as_tuple), Field(max_length=32)]


def _default_out() -> str:
    return f"runs/{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}"


class SearchSpec(BaseModel):
    """Everything that decides a search. Frozen; equal after a round trip through YAML.

    Example:
        >>> spec = SearchSpec.from_options(task="image-classification", data="digits", constraints=["params<=200k"])
        >>> spec.limits
        (Constraint(metric='params', relation='<=', bound=200000.0),)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    task: PathText = Field(description="What is learned: the name of a task, or FILE.py:NAME of your own.")
    data: PathText = Field(description="Name of a built-in data set (digits), or the path of a file or folder.")
    budget: Short = Field("10m", description="What the search may spend: 90s, 10m, 2h, '24 trials', '300 epochs'.")
    constraints: Shorts = Field((), description="Limits on the network, such as params<=200k or latency_ms<=2.")
    task_options: Annotated[dict[Short, str | int | float | bool], Field(max_length=64)] = Field(
        default_factory=dict, description="Options of the task's data, such as target: income."
    )
    objectives: Shorts = Field(
        (), validate_default=True, description="What to improve, the task's metric if not given; several give a front."
    )
    workers: int = Field(1, ge=1, le=1024, description="Trials at once, each in a process with one thread.")
    seed: int = Field(0, ge=0, lt=2**32, description="Of everything random.")
    out: PathText = Field(default_factory=_default_out, description="Folder of the run; new or empty.")
    space: PathText = Field("default", description="Name of a shipped search space, or FILE.py:NAME of your own.")
    strategy: Short = Field("auto", description="Search strategy: auto, bayesian, evolution, ...; README lists all.")
    warm_start: Annotated[tuple[PathText, ...], BeforeValidator(_as_tuple), Field(max_length=32)] = Field(
        (), description="Folders of earlier runs, whose findings the search begins with."
    )
    ladder: Short = Field(
        "default",
        description="Rungs that networks pass: default, none, or of proxies, predictor, supernet, short, long, full.",
    )
    evaluator: Short = Field(
        TRAINING, description="training: each network for itself; supernet: on weights that all networks share."
    )
    supernet: PathText | None = Field(
        None,
        validate_default=True,
        description="With the evaluator supernet: folder of one that was trained (netwright supernet train).",
    )
    teacher: bool = Field(
        False, description="With the evaluator supernet: finalists learn from the largest network's answers, too."
    )
    inherit: bool = Field(
        False, description="Networks begin with the weights of those they were made from; finalists from nothing."
    )
    halving: bool = Field(True, description="Stop hopeless trials early by successive halving.")
    min_epochs: float | None = Field(
        None, gt=0, le=1e6, description="Epochs of the shortest training; from the budget when absent."
    )
    max_epochs: float | None = Field(
        None, gt=0, le=1e6, description="Epochs of the longest training; from the budget when absent."
    )
    eta: int = Field(3, ge=2, le=100, description="Of each eta trials of a rung, one goes on to the next.")
    device: Short = Field("cpu", description="cpu, cuda, cuda:0 or mps.")
    unordered: bool = Field(False, description="Take results as they come: faster with workers, not reproducible.")
    trial_time_limit: Short | None = Field(None, description="Wall time after which a trial is ended, such as 5m.")
    trial_memory_limit: Short | None = Field(None, description="Memory a trial may use, such as 2Gi.")
    latency_runtime: Short = Field("torch", description=f"What latency is measured in: {', '.join(RUNTIMES)}.")
    latency_batch: int = Field(1, ge=1, le=65536, description="Examples a batch when latency is measured.")
    latency_threads: int = Field(1, ge=1, le=1024, description="Threads when latency is measured.")
    latency_device_command: PathText | None = Field(
        None,
        validate_default=True,
        description="With the runtime device: what measures {onnx} elsewhere and prints milliseconds.",
    )
    latency_precision: Short = Field(
        "float32",
        validate_default=True,
        description=f"Of the network that is measured: {', '.join(PRECISIONS)}; int8 in an ONNX runtime.",
    )

    @field_validator("data", "out", "space", "supernet")
    @classmethod
    def _check_text(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return _checked(value, lambda text: require("\0" not in text, wrong("path", text, "text without NUL")))

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, value: str) -> str:
        return _checked(value, Budget.parse)

    @field_validator("constraints")
    @classmethod
    def _check_constraints(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(value, lambda texts: [parse_constraint(text, _TRAINED) for text in texts])

    @field_validator("task")
    @classmethod
    def _check_task(cls, value: str) -> str:
        try:
            directions_of(value)
        except SpecError as error:
            known = f"{', '.join(TASKS)}, or FILE.py:NAME"
            message = str(error) if ".py:" in value else wrong("task", value, known, _nearest(value, TASKS))
            raise _error(message) from error
        return value

    @field_validator("task_options")
    @classmethod
    def _check_options(cls, value: dict[str, str | int | float | bool]) -> dict[str, str | int | float | bool]:
        for name, option in value.items():
            if not name.isidentifier() or not (str(option).isprintable() and len(str(option)) <= MOST_OPTION):
                allowed = f"names with printable values of at most {MOST_OPTION} characters"
                raise _error(wrong("task_options", {name: option}, allowed, "write target: income"))
        return value

    @field_validator("objectives", mode="before")
    @classmethod
    def _require_some(cls, value: object, info: ValidationInfo) -> object:
        """A list that is there names something; only what is left out stands for the task's own metric."""
        if value == [] and "task" in info.data:
            return _checked(value, lambda _: parse_objectives((), directions_of(info.data["task"])))
        return value

    @field_validator("objectives")
    @classmethod
    def _check_objectives(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """The task's main metric stands for none; a task of one's own is asked for it when it is loaded."""
        if "task" not in info.data:  # it was refused
            return value
        directions = directions_of(info.data["task"])
        if not value:
            return () if directions is None else (next(iter(directions)),)
        return _checked(value, lambda texts: parse_objectives(texts, directions))

    @field_validator("strategy")
    @classmethod
    def _check_strategy(cls, value: str) -> str:
        from netwright.strategies import strategy_names

        names = sorted({*strategy_names(), *DIFFERENTIABLE})
        return _checked(value, lambda name: require(name in names, unknown("strategy", name, names)))

    @field_validator("warm_start")
    @classmethod
    def _check_warm_start(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        strategy = info.data.get("strategy", AUTO)
        if value and strategy not in (AUTO, LEARNS_EARLIER):
            allowed = f"absent with the strategy {strategy}"
            raise _error(wrong("warm_start", list(value), allowed, f"use {AUTO} or {LEARNS_EARLIER}"))
        return value

    @field_validator("ladder")
    @classmethod
    def _check_ladder(cls, value: str) -> str:
        from netwright.evaluation.ladder import parse_ladder

        return _checked(value, parse_ladder)

    @field_validator("evaluator")
    @classmethod
    def _check_evaluator(cls, value: str, info: ValidationInfo) -> str:
        strategy = info.data.get("strategy", "auto")
        if value == SUPERNET and strategy in DIFFERENTIABLE:
            raise _error(wrong("evaluator", value, f"{TRAINING} with strategy {strategy}", "take another strategy"))
        return _checked(value, lambda name: require(name in EVALUATORS, unknown("evaluator", name, EVALUATORS)))

    @field_validator("supernet")
    @classmethod
    def _check_supernet(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("evaluator", SUPERNET) != SUPERNET:
            cure = f"set evaluator to {SUPERNET}"
            raise _error(wrong("supernet", value, f"absent with evaluator {info.data['evaluator']}", cure))
        return value

    @field_validator("teacher")
    @classmethod
    def _check_teacher(cls, value: bool, info: ValidationInfo) -> bool:
        evaluator = info.data.get("evaluator", SUPERNET)
        if value and evaluator != SUPERNET:
            cure = "it is the largest network of a supernet; set evaluator to supernet, or leave teacher out"
            raise _error(wrong("teacher", value, f"false with evaluator {evaluator}", cure))
        return value

    @field_validator("inherit")
    @classmethod
    def _check_inherit(cls, value: bool, info: ValidationInfo) -> bool:
        evaluator = info.data.get("evaluator", TRAINING)
        if value and info.data.get("warm_start"):
            cure = "leave one of both out: earlier studies teach a strategy whose networks have no parents"
            raise _error(wrong("inherit", value, "false with warm_start", cure))
        if value and evaluator != TRAINING:
            cure = "shared weights are trained already; leave inherit out"
            raise _error(wrong("inherit", value, f"false with evaluator {evaluator}", cure))
        from netwright.strategies import STRATEGIES

        strategy = info.data.get("strategy", "auto")
        if value and strategy in (*STRATEGIES, *DIFFERENTIABLE) and strategy not in WITH_PARENTS:
            cure = f"its networks have no parents; take one of {', '.join(WITH_PARENTS)}"
            raise _error(wrong("inherit", value, f"false with strategy {strategy}", cure))
        return value

    @field_validator("latency_runtime")
    @classmethod
    def _check_runtime(cls, value: str) -> str:
        return _checked(value, lambda name: require(name in RUNTIMES, unknown("latency_runtime", name, RUNTIMES)))

    @field_validator("latency_device_command")
    @classmethod
    def _check_device_command(cls, value: str | None, info: ValidationInfo) -> str | None:
        runtime = info.data.get("latency_runtime")  # absent where it was refused
        if runtime == "device":
            from netwright.evaluation.latency.spec import split_command

            return _checked(value, lambda command: split_command(command or "", "latency_device_command"))
        if value is not None and runtime is not None:
            allowed = f"absent with latency_runtime {runtime}"
            raise _error(wrong("latency_device_command", value, allowed, "set latency_runtime to device"))
        return value

    @field_validator("latency_precision")
    @classmethod
    def _check_precision(cls, value: str, info: ValidationInfo) -> str:
        _checked(value, lambda name: require(name in PRECISIONS, unknown("latency_precision", name, PRECISIONS)))
        runtime = info.data.get("latency_runtime", "device")
        if value == "int8" and runtime not in INT8_RUNTIMES:
            cure = f"set latency_runtime to one of {', '.join(INT8_RUNTIMES)}"
            raise _error(wrong("latency_precision", value, f"float32 with latency_runtime {runtime}", cure))
        if value != "int8" and any(text.partition(":")[0] == INT8_GOAL for text in info.data.get("objectives", ())):
            cure = f"set latency_precision to int8, and latency_runtime to one of {', '.join(INT8_RUNTIMES)}"
            raise _error(wrong("latency_precision", value, f"int8 with the objective {INT8_GOAL}", cure))
        return value

    @field_validator("device")
    @classmethod
    def _check_device(cls, value: str) -> str:
        known = re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", value)
        return _checked(value, lambda text: require(bool(known), wrong("device", text, EXPECTED["device"].allowed)))

    @field_validator("space")
    @classmethod
    def _check_space(cls, value: str) -> str:
        return _checked(value, _parse_space)

    @field_validator("trial_time_limit")
    @classmethod
    def _check_time_limit(cls, value: str | None) -> str | None:
        return value if value is None else _checked(value, parse_trial_time)

    @field_validator("trial_memory_limit")
    @classmethod
    def _check_memory_limit(cls, value: str | None) -> str | None:
        return value if value is None else _checked(value, parse_trial_memory)

    @field_validator("max_epochs")
    @classmethod
    def _check_max_epochs(cls, value: float | None, info: ValidationInfo) -> float | None:
        low = info.data.get("min_epochs")
        if value is not None and low is not None and value < low:
            raise _error(wrong("max_epochs", value, f">= min_epochs ({low:g})", "raise max_epochs or lower min_epochs"))
        return value

    @property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints, parsed."""
        return tuple(parse_constraint(text, _TRAINED) for text in self.constraints)

    @property
    def goals(self) -> tuple[Objective, ...]:
        """The objectives, parsed; the first is the main one."""
        return parse_objectives(self.objectives, directions_of(self.task))

    @property
    def spending(self) -> Budget:
        """The budget, parsed."""
        return Budget.parse(self.budget)

    @property
    def rungs(self) -> tuple[str, ...]:
        """Rungs of the ladder, the cheapest first; empty without one."""
        from netwright.evaluation.ladder import parse_ladder

        return parse_ladder(self.ladder)

    @property
    def halves(self) -> bool:
        """Whether there are shorter trainings than the longest."""
        return self.halving and (not self.rungs or "short" in self.rungs or "long" in self.rungs)

    @property
    def space_file(self) -> tuple[Path, str] | None:
        """File and name of a search space of one's own; None for a shipped one."""
        return _parse_space(self.space)

    @property
    def trial_time_s(self) -> float | None:
        """Wall seconds after which a trial is ended."""
        return None if self.trial_time_limit is None else parse_trial_time(self.trial_time_limit)

    @property
    def trial_memory_bytes(self) -> int | None:
        """Bytes a trial may use."""
        return None if self.trial_memory_limit is None else parse_trial_memory(self.trial_memory_limit)

    @classmethod
    def from_options(cls, **options: object) -> SearchSpec:
        """Make a specification from keyword arguments.

        Args:
            options: keys of the specification. A single text is taken for a list of one; None leaves the default.

        Raises:
            SpecError: a key is unknown or missing, or a value is wrong.
        """
        return _validated({key: value for key, value in options.items() if value is not None}, lambda key: key)

    def to_yaml(self) -> str:
        """Write the specification as it was resolved, all keys included."""
        values = self.model_dump(mode="json")
        readable = all(c.isprintable() for c in self.model_dump_json())  # PyYAML loses line ends it writes unescaped
        text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=readable, width=1 << 20)
        return text

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """JSON schema (draft 2020-12) of a specification file."""
        schema = SearchSpec.model_json_schema(mode="validation")
        schema["description"] = "The specification of a search with netwright: `netwright search spec.yaml`."
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def load_spec(path: str | os.PathLike[str], **options: object) -> SearchSpec:
    """Read a specification from a YAML file.

    Args:
        path: the file; see `netwright.yaml_files.read_mapping` for what it may hold.
        options: keys that replace those of the file; None leaves the file's.

    Raises:
        SpecError: the file cannot be read, a key is unknown or missing, or a value is wrong. At most 10 lines.

    Example:
        >>> load_spec("no-such-folder/spec.yaml")
        Traceback (most recent call last):
        ...
        netwright.errors.SpecError: no-such-folder/spec.yaml: cannot be read: No such file or directory; ...
    """
    given = {key: value for key, value in options.items() if value is not None}
    values = {**read_mapping(Path(path)), **given}
    return _validated(values, lambda key: key if key in given else f"{one_line(os.fspath(path))}: {key}")


def _validated(values: Mapping[str, object], place: Callable[[str], str]) -> SearchSpec:
    try:
        return SearchSpec.model_validate(values)
    except ValidationError as error:
        lines = list(dict.fromkeys(_line(detail, place) for detail in error.errors(include_url=False)))
    if len(lines) >= MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"and {len(lines) - MAX_LINES + 1} more"]
    raise SpecError("\n".join(lines))


def _line(detail: ErrorDetails, place: Callable[[str], str]) -> str:
    key = str(detail["loc"][0]) if detail["loc"] else "the specification"
    if detail["type"] == "missing":
        return f"{place(key)} is missing: it must be {EXPECTED[key].allowed}; {_give(key)}"
    if detail["type"] == "extra_forbidden":
        where = place(key)[: -len(key)] if place(key).endswith(key) else ""
        return where + unknown("key", key, SearchSpec.model_fields)
    if detail["type"] == "netwright":
        return place(key)[: -len(key)] + _about(key, detail["msg"])
    expected = EXPECTED.get(key, Expected(detail["msg"]))
    return wrong(place(key), detail["input"], expected.allowed, expected.cure)


def _nearest(got: object, known: Iterable[str]) -> str:
    """The known name as a cure, where what was given is like it."""
    near = get_close_matches(str(got).lower().replace("_", "-"), list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _give(key: str) -> str:
    return f"give --{key}, or the key {key} in a file"


def _about(key: str, message: str) -> str:
    return message if key.removesuffix("s") in message else f"{key}: {message}"


def _error(message: str) -> PydanticCustomError:
    return PydanticCustomError("netwright", "{message}", {"message": message})


def _checked(value: T, parse: Callable[[T], object]) -> T:
    """Return the value if it parses, and hand the message to pydantic, which collects them, if not."""
    try:
        parse(value)
    except SpecError as error:
        raise _error(str(error)) from error
    return value


def _parse_space(text: str) -> tuple[Path, str] | None:
    match = _SPACE_FILE.fullmatch(text)
    if match:
        require(match["name"].isidentifier(), wrong("space", text, "FILE.py:NAME with the name of a variable"))
        return Path(match["file"]), match["name"]
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", text):
        allowed = "the name of a shipped space (netwright spaces lists them) or FILE.py:NAME"
        raise SpecError(wrong("space", text, allowed, "use default"))
    return None


def schema_text() -> str:
    """Text of the published schema, ``docs/spec.schema.json``."""
    return json.dumps(SearchSpec.json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

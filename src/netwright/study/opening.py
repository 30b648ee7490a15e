"""How a search begins: from what a person gave to settings, parts and a folder. Nothing is trained here."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from netwright.errors import SpecError, StoreError, UsageError, wrong
from netwright.evaluation.ladder import NONE, SHARED
from netwright.gradient_methods import DIFFERENTIABLE
from netwright.run_folders import require_free
from netwright.spec import SUPERNET, SearchSpec, load_spec
from netwright.storage import Store, StudyRecord
from netwright.study.clock import Clock
from netwright.study.recorded import Recorded, own_values, require_same_specification
from netwright.study.settings import Settings
from netwright.study.setup import Parts, own_parts, task_parts
from netwright.tasks import GIVEN, is_own, load_task, require_task
from netwright.tasks.loaded import read_with
from netwright.temporary import temporary_folder

OBJECTS = ("space", "strategy", "task")
"""Options that may be objects in place of names."""

AUTO, BREEDER = "auto", "evolution"
"""What a search that inherits takes for ``auto``: one whose proposals have parents."""

OURS = (
    "study.db",
    "study.db-*",
    "study.db.lock",
    ".study.db.new*",
    "spec.yaml",
    ".spec.yaml.new",
    "log.txt",
    "logs",
    "work",
    "supernet",
    "differentiable.json",
    "earlier",
)
"""What a search writes into its folder before it has a result."""


def prepare(
    spec: SearchSpec | str | Path | None, options: Mapping[str, Any], clock: Clock, budget: str | None = None
) -> tuple[Settings, Parts]:
    """Settings and parts of a search; everything that can be wrong is found here."""
    if spec is None and not isinstance(options.get("evaluator", ""), str):
        rest = {name: value for name, value in options.items() if name not in ("space", "evaluator")}
        settings = Settings.own(rest, budget)
        return settings, own_parts(options)
    objects, named = _objects_and_names(options)
    if isinstance(spec, SearchSpec):
        resolved = SearchSpec.from_options(**{**spec.model_dump(), **named}) if named else spec
    else:
        resolved = load_spec(spec, **named) if spec is not None else SearchSpec.from_options(**named)
    return _prepare_task(resolved, objects, clock, budget)


def _objects_and_names(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options that are objects, and keys of a specification."""
    objects = {n: v for n, v in options.items() if n in OBJECTS and v is not None and not isinstance(v, (str, Path))}
    named = {name: value for name, value in options.items() if name not in objects}
    if "task" in objects:
        task = require_task(objects["task"], "task")
        if named.get("task_options"):
            allowed = "left out where the task is an object"
            raise SpecError(wrong("task_options", named["task_options"], allowed, "give them to its load()"))
        known = {} if is_own(task) else read_with(task)
        named |= {"task": f"{GIVEN}{task.name}", "data": task.data_name, "task_options": known}
    return objects, named


def _prepare_task(
    spec: SearchSpec, objects: Mapping[str, Any], clock: Clock, budget: str | None
) -> tuple[Settings, Parts]:
    if not spec.objectives:  # a task of one's own says what it is measured by
        if "task" not in objects:
            objects = {**objects, "task": load_task(spec.task, spec.data, seed=spec.seed, **spec.task_options)}
        goal = objects["task"].objective
        spec = spec.model_copy(update={"objectives": (f"{goal.metric}:{goal.direction}",)})
    settings = Settings.of(spec, budget)
    clock.limit_s = settings.budget.time_s
    if spec.inherit and spec.strategy == AUTO:
        spec = spec.model_copy(update={"strategy": BREEDER})
    if spec.strategy in DIFFERENTIABLE and "strategy" not in objects:
        from netwright.study.differentiable import by_gradients

        plain = spec.model_copy(update={"strategy": "random", "ladder": NONE})
        return settings, by_gradients(task_parts(plain, settings, objects), spec, settings)
    parts = task_parts(spec, settings, objects)
    if spec.evaluator == SUPERNET:
        from netwright.study.supernet_parts import with_supernet

        parts = with_supernet(parts, spec, settings, objects)
    elif SHARED in spec.rungs:
        from netwright.study.shared_rung import with_shared_rung

        parts = with_shared_rung(parts, spec, settings)
    if spec.inherit:
        from netwright.study.inheriting import with_inheritance

        parts = with_inheritance(parts, settings.budget)
    return settings, parts


def prepare_again(
    run: Path, recorded: Recorded, budget: str | None, objects: Mapping[str, Any], clock: Clock
) -> tuple[Settings, Parts]:
    """Settings and parts of a run, from what it was started with.

    Args:
        run: its folder.
        recorded: what it was started with.
        budget: replaces the budget.
        objects: as of `netwright.search.resume`.
        clock: gets the budget's limit.

    Raises:
        UsageError: what is needed is missing or wrong.
        StudyMismatchError: the specification differs from that of the start.
    """
    if recorded.own:
        return _prepare_own_again(run, recorded, budget, objects, clock)
    things, named = _objects_and_names({**objects, "out": str(run)})
    if named.get("task") == f"{GIVEN}{recorded.stored.get('task')}":  # it began by name
        named["task"] = recorded.stored["task"]
    if "ladder" not in recorded.stored:  # it began before there was one
        named |= {"ladder": NONE}
    if recorded.warning:
        given = SearchSpec.from_options(**{**recorded.given, **named})
    else:
        given = load_spec(run / "spec.yaml", **named)
    stored = SearchSpec.from_options(**{"ladder": NONE, **recorded.stored})
    require_same_specification(stored.model_dump(), given.model_dump(), run)
    first = given.model_copy(update={"budget": stored.budget})  # which decided the rungs
    return _prepare_task(first, things, clock, budget or given.budget)


def _prepare_own_again(
    run: Path, recorded: Recorded, budget: str | None, objects: Mapping[str, Any], clock: Clock
) -> tuple[Settings, Parts]:
    missing = [name for name in ("space", "evaluator") if name not in objects]
    if missing:
        raise SpecError(
            f"this search was started from Python with an evaluator of its own; give {' and '.join(missing)} "
            "to netwright.resume(run, space=..., evaluator=...)"
        )
    settings, parts = prepare(None, {**recorded.given, **objects, "out": run}, clock, budget)
    require_same_specification(recorded.stored, own_values(settings.text), run)
    return settings, parts


def record_of(settings: Settings, parts: Parts) -> StudyRecord:
    """What the store keeps of a search, and a resume compares."""
    return StudyRecord(
        name=settings.out.name if settings.out else "search",
        seed=settings.seed,
        space_description=json.dumps(parts.space.describe()),
        space_fingerprint=parts.space.fingerprint(),
        data_fingerprint="" if parts.task is None else parts.task.fingerprint(),
        code_fingerprint=parts.code,
        objectives=parts.objectives,
        constraints=parts.constraints,
        spec=json.dumps(settings.text),
        version=version("netwright"),
    )


@contextmanager
def run_folder(out: Path | None) -> Iterator[Path]:
    """The run's folder; temporary where nothing is kept.

    If something given turns out to be wrong before a trial has ended, what was made here is taken away again. From the
    first ended trial on it stays, since it can be resumed; and what is not ours always stays.
    """
    if out is None:
        with temporary_folder() as temporary:
            yield temporary
        return
    require_free(out)
    existed = out.exists()
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield out
    except UsageError:
        if not _holds_trials(out / "study.db"):
            _take_away(out, itself=not existed)
        raise


def _holds_trials(path: Path) -> bool:
    """Whether a store holds an ended trial, or may hold one: what cannot be read is not removed."""
    if not path.exists():
        return False
    try:
        with Store.open(path, read_only=True) as store:
            return next(store.commits(), None) is not None
    except StoreError:
        return True


def _take_away(out: Path, *, itself: bool) -> None:
    """Remove what a search writes into its folder, and the folder if it was made for it and is empty then."""
    for name in OURS:
        for path in out.glob(name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if itself and not any(out.iterdir()):
        out.rmdir()


def write_specification(run: Path, text: str) -> None:
    """Write ``spec.yaml``, so that there is always the old file or the new one whole."""
    temporary = run / ".spec.yaml.new"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(run / "spec.yaml")


class _LogFile(logging.FileHandler):
    """A log that stays short where the disk is full, and does not print tracebacks over it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """Leave it out."""

    def close(self) -> None:
        """Close it, whatever of it could not be written."""
        with suppress(OSError):
            super().close()


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write what the library logs into a file, too, for the time of the block: from INFO on, whatever others get."""
    handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("netwright")
    before = logger.level, logger.propagate
    others = _Others(logger.getEffectiveLevel())
    logger.addHandler(handler)
    logger.addHandler(others)
    logger.setLevel(min(logging.INFO, others.level))
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        logger.removeHandler(others)
        logger.removeHandler(handler)
        handler.close()


class _Others(logging.Handler):
    """Passes on what a program's own handlers would have got, had no file wanted more."""

    def emit(self, record: logging.LogRecord) -> None:
        root = logging.getLogger()
        if root.handlers:
            root.callHandlers(record)

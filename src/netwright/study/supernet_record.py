"""What the folder of a supernet says of it: what it was trained for, how, and what came of it (``supernet.json``).

A record is data that anybody may have written: nothing of it is run, and its paths are those that a person gave to the
training. Knows no tensors.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal, cast

from netwright.errors import SpecError, StudyMismatchError, one_line, shorten, wrong
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.supernet_files import WEIGHTS
from netwright.evaluation.supernet_settings import SupernetSettings
from netwright.types import Architecture, Json

RECORD = "supernet.json"
FORMAT: Literal["netwright-supernet-1"] = "netwright-supernet-1"
MAX_BYTES = 1 << 20

COMPARED = (
    "task",
    "seed",  # before the data: another one splits it in another way, so that they differ, too
    "data_fingerprint",
    "space_fingerprint",
    "code",
    "device",
    "budget",
    "within",
    "settings",
)
"""What a training has to have in common with itself when it goes on, in the order in which it is looked at."""


@dataclass(frozen=True)
class SupernetRecord:
    """One training of a supernet.

    Args:
        task: name of the task.
        data: as it was given.
        space: name of a shipped search space, or FILE.py:NAME.
        seed: of data, weights and samples.
        settings: how it is trained.
        space_fingerprint: of the space.
        data_fingerprint: of the data.
        code: digest of the files that the space and the task come from.
        device: that it is trained on.
        budget: time that the training may take, as it was given; empty for as long as it takes.
        versions: of netwright, torch and python.
        spent_s: wall seconds of all sittings.
        finished: whether ``supernet.safetensors`` is the end of it.
        trained: epochs, steps, digest of the weights and the comparison of outputs, once it is finished.
        task_options: with which the data was read.
        within: JSON of the architecture that all of its networks lie within; empty where it holds the whole space.
    """

    task: str
    data: str
    space: str
    seed: int
    settings: SupernetSettings
    space_fingerprint: str
    data_fingerprint: str
    code: str = ""
    device: str = "cpu"
    budget: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    spent_s: float = 0.0
    finished: bool = False
    trained: Mapping[str, Json] = field(default_factory=dict)
    task_options: Mapping[str, str | float | bool] = field(default_factory=dict)
    within: str = ""

    def with_versions(self) -> SupernetRecord:
        """The record with the versions of what is installed."""
        found = {"netwright": version("netwright"), "torch": version("torch"), "python": platform.python_version()}
        return replace(self, versions=found)

    @property
    def largest(self) -> Architecture | None:
        """The network that all others lie within; None where it holds the whole space.

        Raises:
            SpecError: the text is no architecture.
        """
        return Architecture.from_json(self.within) if self.within else None

    @property
    def digest(self) -> str:
        """Of the weights; empty before they are trained."""
        return str(self.trained.get("digest", ""))

    @property
    def origin(self) -> str:
        """Where weights come from, in a few words for a card."""
        epochs = self.trained.get("epochs")
        length = f", {epochs:.3g} epochs" if isinstance(epochs, (int, float)) else ""
        networks = "the networks within one" if self.within else "all networks"
        return f"the weights that {networks} of the space share ({self.settings}{length}; digest {self.digest[:12]})"

    def write(self, folder: Path) -> None:
        """Write the record, so that there is always the old one or the new one whole."""
        from netwright.evaluation.checkpoints import write_atomically

        values = {"format": FORMAT, **asdict(self)}
        write_atomically(folder / RECORD, (json.dumps(values, indent=2) + "\n").encode())

    def require_same(self, other: SupernetRecord, folder: Path) -> None:
        """Check that a training goes on as it began.

        Args:
            other: what is asked for now.
            folder: of the training, for the message.

        Raises:
            StudyMismatchError: names what differs.
        """
        for name in COMPARED:
            before, now = getattr(self, name), getattr(other, name)
            if before == now:
                continue
            what = name.replace("_fingerprint", "")
            if name == "settings":
                what, before, now = _first_difference(before, now)
            raise StudyMismatchError(
                f"{what} was {shorten(before)} when the training in {one_line(folder)} "
                f"began, and is {shorten(now)} now; give what it began with, or name another folder (--out)"
            )


def _first_difference(before: SupernetSettings, now: SupernetSettings) -> tuple[str, object, object]:
    rows = ((f.name, getattr(before, f.name), getattr(now, f.name)) for f in fields(SupernetSettings))
    return next(row for row in rows if row[1] != row[2])


def is_supernet(folder: Path) -> bool:
    """Whether a folder holds the record of a supernet."""
    try:
        return (folder / RECORD).is_file()
    except (OSError, ValueError):
        return False


def read_record(folder: Path) -> SupernetRecord:
    """Read the record of a folder.

    Raises:
        SpecError: there is none, or none that can be read.
    """
    path = folder / RECORD
    cure = "give the folder that netwright supernet train wrote (--out)"
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"RUN: {one_line(folder)} holds no supernet: {reason}; {cure}") from error
    try:
        if len(raw) > MAX_BYTES:
            raise ValueError("it is larger than a record")
        return _parse(json.loads(raw))
    except (ValueError, TypeError, KeyError, RecursionError, SpecError) as error:
        raise SpecError(
            f"{one_line(path)}: is no record of a supernet ({one_line(shorten(str(error)))}); {cure}"
        ) from error


def read_finished(folder: Path) -> SupernetRecord:
    """The record of a supernet whose training has ended.

    Raises:
        SpecError: there is none, or it is not finished.
    """
    found = read_record(folder)
    if not found.finished:
        raise SpecError(
            f"RUN: the training of the supernet in {one_line(folder)} is not finished; "
            "start it again with the same command (netwright supernet train), and it goes on"
        )
    if not (folder / WEIGHTS).is_file():
        raise SpecError(f"RUN: {one_line(folder / WEIGHTS)} is missing; train the supernet again in another folder")
    return found


def _parse(values: object) -> SupernetRecord:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise SpecError(wrong("format", values.get("format") if isinstance(values, dict) else values, FORMAT))
    known = {f.name for f in fields(SupernetRecord)}
    given = {name: value for name, value in values.items() if name != "format"}
    given.setdefault("task_options", {})  # it began before there were any
    given.setdefault("within", "")
    if set(given) != known:
        raise SpecError(wrong("keys", sorted(set(given) ^ known), f"those of the format {FORMAT}"))
    kinds: dict[str, type | tuple[type, ...]] = {
        "seed": int,
        "spent_s": (int, float),
        "finished": bool,
        "trained": dict,
        "versions": dict,
        "settings": dict,
        "task_options": dict,
    }
    for name, value in given.items():
        if not isinstance(value, kinds.get(name, str)):
            raise SpecError(wrong(name, value, "of another type"))
    settings = dict(given["settings"])
    settings["recipe"] = Recipe(**settings["recipe"])
    return SupernetRecord(**{**given, "settings": SupernetSettings(**cast("dict[str, object]", settings))})  # type: ignore[arg-type]

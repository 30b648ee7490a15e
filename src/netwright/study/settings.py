"""What decides how a search is run, whatever it searches: from a `SearchSpec`, or from the options of Python."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, cast

from netwright.errors import SpecError, unknown, wrong
from netwright.execution import Limits
from netwright.types import Budget

if TYPE_CHECKING:
    from netwright.spec import SearchSpec

OWN_MARK = "# a search with an evaluator of its own, started from Python\n"
"""First line of the specification of such a search; JSON follows."""

DEFAULTS: Mapping[str, object] = {
    "budget": "10m",
    "workers": 1,
    "seed": 0,
    "out": None,
    "unordered": False,
    "isolated": True,
    "trial_time_limit": None,
    "trial_memory_limit": None,
    "strategy": "auto",
    "objectives": ("accuracy",),
    "constraints": (),
}
"""Options of a search with an evaluator of one's own, besides ``space`` and ``evaluator``."""


@dataclass(frozen=True)
class Settings:
    """How a search is run.

    Args:
        budget: what it may spend.
        workers: trials at once.
        seed: of everything random.
        out: folder of the run; None keeps nothing.
        ordered: tell results in the order of asking.
        isolated: each trial in a process of its own.
        limits: of a trial.
        text: the specification as it was resolved, YAML or JSON.
    """

    budget: Budget
    workers: int
    seed: int
    out: Path | None
    ordered: bool
    isolated: bool
    limits: Limits
    text: str

    @property
    def lag(self) -> int:
        """Most trials asked and not told: enough that a short trial does not wait for a long one before it."""
        return 1 if self.workers == 1 else 2 * self.workers

    @classmethod
    def of(cls, spec: SearchSpec, budget: str | None = None) -> Settings:
        """Settings of a specification; ``budget`` replaces its own."""
        return cls(
            budget=spec.spending if budget is None else Budget.parse(budget),
            workers=spec.workers,
            seed=spec.seed,
            out=Path(spec.out),
            ordered=not spec.unordered,
            isolated=True,
            limits=Limits(time_s=spec.trial_time_s, memory_bytes=spec.trial_memory_bytes),
            text=(spec if budget is None else spec.model_copy(update={"budget": budget})).to_yaml(),
        )

    @classmethod
    def own(cls, options: Mapping[str, object], budget: str | None = None) -> Settings:
        """Settings of a search with an evaluator of one's own.

        Raises:
            SpecError: an option is unknown or wrong.
        """
        given = {**DEFAULTS, **options, **({} if budget is None else {"budget": budget})}
        _require_plain(given)
        plain = {k: v for k, v in given.items() if isinstance(v, (str, int, bool, list, tuple)) and k != "out"}
        return cls(
            budget=Budget.parse(cast(str, given["budget"])),
            workers=cast(int, given["workers"]),
            seed=cast(int, given["seed"]),
            out=None if given["out"] is None else Path(cast(str, given["out"])),
            ordered=not given["unordered"],
            isolated=cast(bool, given["isolated"]),
            limits=_limits(given),
            text=OWN_MARK + json.dumps(plain, indent=2) + "\n",
        )


def _require_plain(options: Mapping[str, object]) -> None:
    for name in options:
        if name not in DEFAULTS:
            raise SpecError(unknown("option", name, [*DEFAULTS, "space", "evaluator"]))
    for name, least in (("workers", 1), ("seed", 0)):
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SpecError(wrong(name, value, f"a whole number >= {least}"))
    for name in ("isolated", "unordered"):
        if not isinstance(options[name], bool):
            raise SpecError(wrong(name, options[name], "True or False"))
    if not isinstance(options["out"], (str, os.PathLike, NoneType)):
        raise SpecError(wrong("out", options["out"], "the path of a folder, or None to keep nothing"))


def _limits(options: Mapping[str, object]) -> Limits:
    """Limits of a trial.

    Raises:
        SpecError: one is wrong, or trials are not isolated, so that nothing could hold them to it.
    """
    from netwright.trial_limits import parse_trial_memory, parse_trial_time

    time, memory = options["trial_time_limit"], options["trial_memory_limit"]
    for name, limit in (("trial_time_limit", time), ("trial_memory_limit", memory)):
        if limit is not None and not options["isolated"]:
            raise SpecError(wrong(name, limit, "left out with isolated=False", "let trials be isolated"))
    return Limits(
        time_s=None if time is None else parse_trial_time(cast(str, time)),
        memory_bytes=None if memory is None else parse_trial_memory(cast(str, memory)),
    )

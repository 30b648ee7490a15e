"""A stand-in for the search, and what tests of the command line make and look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netwright.progress import Status
from netwright.study.result import Result
from netwright.types import Architecture, Fidelity, Objective, Proposal, Trial, TrialState

ACCURACY = Objective("accuracy", "max")


@dataclass
class Answer:
    """What the command line did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def make_trial(
    number: int,
    decisions: dict[str, object] | None = None,
    state: TrialState = TrialState.FINISHED,
    error: str = "",
    origin: str = "mutation",
    **metrics: float,
) -> Trial:
    proposal = Proposal(Architecture(decisions or {"width": 16 + number}), Fidelity(3.0), (), origin)
    return Trial(number, proposal, 7, state, metrics, error, 1.5)


@dataclass
class FakeSearch:
    """Remembers what it was asked, tells the listener of two trials, and returns or raises what it is told to."""

    run: Path
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    error: BaseException | None = None
    begins: Path | None = None
    """Folder in which a study is begun, if any."""
    says: str = ""
    """What a person's own code prints while it is imported."""

    def search(self, spec: Any, *, listener: Callable[[Status], None]) -> Result:
        self.calls.append(("search", (spec,), {}))
        return self._work(listener)

    def resume(self, run: Path, *, budget: str | None, listener: Callable[[Status], None]) -> Result:
        self.calls.append(("resume", (run,), {"budget": budget}))
        return self._work(listener)

    def export(self, run: Path, trial: int, out: Path) -> None:
        self.calls.append(("export", (run, trial, out), {}))
        if self.error is not None:
            raise self.error

    def _work(self, listener: Callable[[Status], None]) -> Result:
        if self.begins is not None:
            self.begins.mkdir()
            (self.begins / "study.db").touch()
        if self.says:
            print(self.says)
        good = make_trial(0, accuracy=0.9, params=78123.0, origin="reference:resnet")
        bad = make_trial(1, state=TrialState.FAILED, error="ValueError: \x1b[31mbad\x1b[0m\ndetails")
        listener(Status("references", 0, 1, 0, 0, None, (), 0.0, 60.0))
        listener(Status("references", 1, 0, 0, 0, good, (good,), 1.0, 59.0, good))
        listener(Status("search", 1, 0, 1, 0, good, (good,), 2.0, 58.0, bad, "a \x1b]0;title\x07message"))
        if self.error is not None:
            raise self.error
        return Result(self.run, (ACCURACY,), good, num_trials=2, stopped="the budget was spent")

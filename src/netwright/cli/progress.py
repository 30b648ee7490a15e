"""How a running search is shown: live in a terminal, as plain lines, quietly, or as JSON lines.

A display is a `Listener`. It runs in the process of the search and starts no thread, since
trials are forked from there. It decides nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from netwright.cli.text import clean, clean_indented, duration, json_line, metrics_text, trial_object
from netwright.progress import Status
from netwright.types import Trial, TrialState

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from netwright.study.result import Result

REFRESH_S = 0.1
MAX_FRONT = 8


class Display(Protocol):
    """Shows how a search goes."""

    def __call__(self, status: Status) -> None: ...

    def finish(self, result: Result) -> None:
        """Show the result, once the search has ended."""


@contextmanager
def showing(*, quiet: bool, as_json: bool, out: TextIO | None = None) -> Iterator[Display]:
    """Choose a display and keep it up for the length of the block.

    Args:
        quiet: only the last line.
        as_json: one JSON object a line; wins over ``quiet``.
        out: where to; standard output when absent. Live only where it is a terminal.
    """
    stream = out or sys.stdout
    if as_json or quiet:
        yield JsonDisplay(stream) if as_json else QuietDisplay(stream)
    elif not stream.isatty():
        yield LineDisplay(stream)
    else:
        live = LiveDisplay(stream)
        try:
            yield live
        finally:
            live.stop()


class QuietDisplay:
    """Nothing but the final line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, status: Status) -> None:
        return None

    def finish(self, result: Result) -> None:
        """Print the best trial and where it lies."""
        where = f" in {clean(result.folder)}" if result.folder is not None else ""
        best = f"trial {result.best.id}: {metrics_text(result.best.metrics)}"
        print(best + where, file=self._out, flush=True)


class JsonDisplay:
    """One JSON object a line: ``phase``, ``trial``, ``message`` and, at the end, ``result``."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._phase = ""

    def __call__(self, status: Status) -> None:
        counts = {
            "phase": status.phase,
            "finished": status.finished,
            "running": status.running,
            "failed": status.failed,
            "infeasible": status.infeasible,
            "best": None if status.best is None else status.best.id,
            "front": [trial.id for trial in status.front],
            "elapsed_s": round(status.elapsed_s, 3),
            "remaining_s": None if status.remaining_s is None else round(status.remaining_s, 3),
        }
        if status.phase != self._phase:
            self._phase = status.phase
            self._write({"event": "phase", **counts})
        if status.trial is not None:
            self._write({"event": "trial", "trial": trial_object(status.trial), **counts})
        if status.message:
            self._write({"event": "message", "message": status.message, **counts})

    def finish(self, result: Result) -> None:
        """Print the result."""
        self._write({"event": "result", **result.to_dict()})

    def _write(self, event: dict[str, object]) -> None:
        print(json_line(event), file=self._out, flush=True)


class LineDisplay:
    """A plain line for every phase, ended trial and message."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._phase = ""

    def __call__(self, status: Status) -> None:
        if status.phase != self._phase:
            self._phase = status.phase
            self._write(status, f"phase: {clean(status.phase, 40)}")
        if status.trial is not None:
            best = f"best: trial {status.best.id}, {metrics_text(status.best.metrics)}" if status.best else "best: none"
            self._write(status, f"{trial_text(status.trial)}; {best}")
        if status.message:
            self._write(status, clean(status.message))

    def finish(self, result: Result) -> None:
        """Print the summary."""
        _print_summary(result, self._out)

    def _write(self, status: Status, text: str) -> None:
        left = "" if status.remaining_s is None else f", {duration(status.remaining_s)} left"
        print(f"[{duration(status.elapsed_s)}{left}] {text}", file=self._out, flush=True)


class LiveDisplay:
    """A panel in the terminal, drawn again when the search says something, at most ten times a second."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console

        self._out = out
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._drawn_s = 0.0
        self._last: Status | None = None

    def stop(self) -> None:
        """Draw the last state and leave it standing."""
        if self._live is not None and self._last is not None:
            self._live.update(panel(self._last), refresh=True)
            self._live.stop()
            self._live = None

    def __call__(self, status: Status) -> None:
        if status.message:
            self._console.print(clean(status.message))
        now_s = time.monotonic()
        if self._last is None or status.phase != self._last.phase or now_s - self._drawn_s >= REFRESH_S:
            self._drawn_s = now_s
            self._draw(status)
        self._last = status

    def _draw(self, status: Status) -> None:
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
            self._live.start()
        self._live.update(panel(status), refresh=True)

    def finish(self, result: Result) -> None:
        """Print the summary under the panel."""
        self.stop()
        _print_summary(result, self._out)


def trial_text(trial: Trial) -> str:
    """One line about an ended trial."""
    asked = None if trial.state is TrialState.INFEASIBLE else trial.fidelity.epochs  # refused before it was trained
    epochs = trial.metrics.get("epochs", asked)
    what = f"trial {trial.id} {trial.state}"
    if epochs is not None:
        what += f" after {epochs:.3g} epochs"
    if trial.state is TrialState.FINISHED:
        return f"{what}: {metrics_text(trial.metrics)}"
    reason = trial.error.strip().splitlines()
    return f"{what}: {clean(reason[0], 160) if reason else metrics_text(trial.metrics)}"


def panel(status: Status) -> RenderableType:
    """What the terminal shows of a status."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    counts = f"{status.finished} finished, {status.running} running, {status.failed} failed"
    rows = [
        ("phase", clean(status.phase, 40)),
        ("trials", f"{counts}, {status.infeasible} infeasible"),
        ("time", f"{duration(status.elapsed_s)} gone, {duration(status.remaining_s)} left"),
        ("best", "none yet" if status.best is None else f"trial {status.best.id}: {metrics_text(status.best.metrics)}"),
    ]
    if len(status.front) > 1:
        rows += [
            ("front" if i == 0 else "", f"trial {trial.id}: {metrics_text(trial.metrics)}")
            for i, trial in enumerate(status.front[:MAX_FRONT])
        ]
    if status.trial is not None:
        rows.append(("last", trial_text(status.trial)))
    for name, text in rows:
        grid.add_row(Text(name, style="bold"), Text(text))
    return Panel(grid, title="netwright", title_align="left", expand=False)


def _print_summary(result: Result, out: TextIO) -> None:
    for line in result.summary().splitlines():
        print(clean_indented(line), file=out)
    out.flush()

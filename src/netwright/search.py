"""Search: data and limits in, a better network out. The two functions everything starts with; read this file first.

A search has three parts that do not know each other: a *search space* says which architectures there are, a *strategy*
proposes some of them, an *evaluator* says how good one is. `netwright.study` puts them together:

* `study.setup` makes the parts from a specification and finds everything that can be wrong with it;
* `study.loop` asks the strategy, runs trials in processes of their own, stores how each ended, and tells the strategy;
* `study.sitting` leads the loop through its phases: search, full training of the finalists, export and check.

This module imports nothing heavy, so that ``import netwright`` is fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright.progress import Listener
    from netwright.spec import SearchSpec
    from netwright.study.result import Result


def search(
    spec: SearchSpec | str | Path | None = None, /, *, listener: Listener | None = None, **options: object
) -> Result:
    """Find a network that is better than the one you would have picked.

    Args:
        spec: a `SearchSpec`, or the path of a YAML file; absent when ``options`` say everything.
        listener: is told how the search stands (see `netwright.progress`).
        options: keys of `SearchSpec` (``task``, ``data``, ``budget``, ``constraints``, ``workers``, ``seed``, ``out``,
            ...). ``space``, ``strategy``, ``evaluator`` and ``task`` may be objects in place of names; with an
            ``evaluator`` neither task nor data is needed, and of the keys there are ``budget``, ``objectives``,
            ``constraints``, ``strategy``, ``workers``, ``seed``, ``out``, ``unordered``, ``trial_time_limit`` and
            ``trial_memory_limit``. ``isolated=False`` then runs the trials in this process, without limits.

    Returns:
        The best network found, how it compares with the hand-made references, and where its files lie.

    Raises:
        UsageError: something given is wrong; nothing was trained and no folder left.
        SearchError: no trial gave a usable network.
        Interrupted: a signal (Ctrl-C, SIGTERM, SIGHUP) asked to stop: the first one lets running trials end, the
            second stops at once. `resume` goes on. It is a `SystemExit`: a program that does not catch it ends with one
            line on standard error and the exit code 128 + the signal's number.

    Example:
        >>> import netwright as nw
        >>> space = nw.SearchSpace(training={"x": nw.integer("x", 0, 30), "y": nw.integer("y", 0, 30)})
        >>> def far(arch, *, fidelity, seed):
        ...     return {"distance": float((arch["x"] - 7) ** 2 + (arch["y"] - 9) ** 2)}
        >>> result = nw.search(
        ...     space=space, evaluator=far, objectives="distance:min", budget="400 trials", isolated=False
        ... )
        >>> result.best.metrics["distance"] < 10
        True
    """
    from netwright.study.driver import start

    return start(spec, options, listener)


def resume(
    run: str | Path, *, budget: str | None = None, listener: Listener | None = None, **objects: object
) -> Result:
    """Go on with an interrupted search, or with a finished one under a larger budget.

    Args:
        run: folder of the run.
        budget: replaces the budget, for example ``"20m"``; what was spent counts. Nothing else may change.
        listener: is told how the search stands.
        objects: ``space``, ``strategy``, ``evaluator``, ``task``, where the search was started with objects.

    Raises:
        StudyMismatchError: space, data, code or specification changed; the message says what.
        Interrupted: as of `search`.
    """
    from netwright.study.driver import restart

    return restart(Path(run), budget, listener, objects)


def export(run: str | Path, trial: int, out: str | Path, **objects: object) -> Path:
    """Write the network of any finished trial of a run as files, with the weights it had when it was measured.

    Args:
        run: folder of the run.
        trial: id of the trial.
        out: folder for the files: new, empty, or an earlier export.
        objects: as of `resume`.

    Returns:
        ``out``.

    Raises:
        SpecError: there is no such trial, or it did not finish.
        ExportError: its weights are gone, or it cannot be written.
        VerificationError: what would be written does not do what the network of the search did.
    """
    from netwright.study.driver import export_again

    return export_again(Path(run), trial, Path(out), objects)

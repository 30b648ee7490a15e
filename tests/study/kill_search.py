"""Kills a search again and again until it is done: `python kill_search.py FOLDER KILLS TRIALS WORKERS STRATEGY SEED`.

Everything is imported once; each sitting is a fork that runs `search` or `resume` and is killed with SIGKILL after a
random time. Prints one JSON object: what the witness saw, what the store holds, what was started. PLANT=lost makes the
store forget a commit now and then, which the checks must find.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import netwright as nw
from netwright.space import Op
from netwright.storage import Store
from netwright.strategies import RegularizedEvolution, SuccessiveHalving, make_strategy

ARGUMENTS = sys.argv[1:] if __name__ == "__main__" else ["unused", "0", "1", "1", "random", "0"]
FOLDER, (KILLS, TRIALS, WORKERS) = Path(ARGUMENTS[0]), map(int, ARGUMENTS[1:4])
STRATEGY, SEED = ARGUMENTS[4], int(ARGUMENTS[5])
RUN = FOLDER / "run"


def space() -> nw.SearchSpace:
    """A small conditional space without networks."""
    decisions = [("kind", nw.choice("kind", ["x", "y"])), *((n, nw.integer(n, 0, 9)) for n in "abc")]
    return nw.SearchSpace(Op("net", tuple(decisions)))


def strategy() -> object:
    """A fresh strategy: a resume replays the history into it."""
    if STRATEGY == "halving":
        return SuccessiveHalving(RegularizedEvolution(space(), seed=3), max_epochs=9, min_epochs=1, eta=3)
    return make_strategy(STRATEGY, space(), seed=3)


def evaluator(arch: nw.Architecture, *, fidelity: nw.Fidelity, seed: int) -> dict[str, float]:
    """A number that depends on architecture, fidelity and seed, after a while that depends on the seed."""
    time.sleep((seed % 5) / 1000)
    if seed % 17 == 0:
        raise ValueError("this seed fails")
    if seed % 19 == 0:
        raise nw.errors.ConstraintViolation("params", 2.0, 1.0)
    better = int(arch["a"]) * 3 + int(arch["b"]) + 2 * (arch["kind"] == "x") + (fidelity.epochs or 0) / 10
    return {"accuracy": better / 50 + (seed % 7) / 1000}


def note(name: str, line: object) -> None:
    """Append a line to a witness file; one write, so that a kill leaves no half line."""
    fd = os.open(FOLDER / name, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(fd, (json.dumps(line) + "\n").encode())
    os.close(fd)


def watch() -> None:
    """Have every acknowledged commit noted outside the store."""
    commit = Store.commit

    def noting(store: Store, trial: nw.Trial) -> None:
        if os.environ.get("PLANT") != "lost" or trial.id % 10 != 9:
            commit(store, trial)
        note("witness", [trial.id, trial.architecture.id, trial.seed, trial.state, dict(trial.metrics)])

    Store.commit = noting  # type: ignore[method-assign]


def sitting() -> None:
    """One sitting: begin or go on."""
    objects = {"space": space(), "evaluator": evaluator, "strategy": strategy()}
    if (RUN / "study.db").exists():
        nw.resume(RUN, **objects)
    else:
        nw.search(**objects, budget=f"{TRIALS} trials", workers=WORKERS, out=RUN, seed=3, isolated=WORKERS > 1)


def attempt(wait: Callable[[], None] | None) -> bool:
    """Fork a sitting and kill it after ``wait()``; whether it ended by itself."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            sitting()
            code = 0
        finally:
            os._exit(code)
    if wait is not None:
        wait()
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"a sitting failed with {os.WEXITSTATUS(status)}")
    return os.WIFEXITED(status)


def num_noted() -> int:
    """Trials the witness has seen."""
    return (FOLDER / "witness").read_text().count("\n") if (FOLDER / "witness").exists() else 0


def waiting(rng: random.Random) -> Callable[[], None]:
    """One time in five wait for start-up or recovery, else until some more trials are acknowledged."""

    def wait() -> None:
        if rng.random() < 0.2:
            time.sleep(rng.uniform(0, 0.2))
            return
        goal, end_s = min(TRIALS, num_noted() + rng.randint(1, 4)), time.monotonic() + 20
        while num_noted() < goal and time.monotonic() < end_s:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.01))

    return wait


def main() -> None:
    """Kill until the number is reached or the search is done, then let it end."""
    nw.search(space=space(), evaluator=evaluator, budget="6 trials", isolated=False)  # imports all there is
    watch()
    FOLDER.mkdir(exist_ok=True)
    rng = random.Random(SEED)
    kills = 0
    while kills < KILLS and not attempt(waiting(rng)):
        kills += 1
    attempt(None)
    with Store.open(RUN / "study.db", read_only=True) as store:
        starts = {s.trial_id: s.attempt for s in store.started()}
        report = {
            "kills": kills,
            "history": list(store.history()),
            "stored": [[t.id, t.architecture.id, t.seed, t.state, dict(t.metrics)] for t in store.trials()],
            "restarts": sum(starts.values()) - len(starts),
            "never_ended": sorted(starts.keys() - {t.id for t in store.trials()}),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()

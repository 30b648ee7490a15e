"""What a trial costs beside its evaluation: process, commit, opening, memory. Prints medians; run on an idle machine.

    python benchmarks/trial_overhead.py [--trials 10000]

Targets: isolated <= 20 ms with torch loaded in the warm parent, in process <= 1 ms, commit <= 1 ms, 10,000 finished
trials open in <= 1 s, the driver's memory flat over 10,000 trials.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from netwright.execution import Executor, InProcessExecutor, IsolatedExecutor, Job, Outcome
from netwright.execution.memory import resident_bytes
from netwright.storage import Started, Store, StudyRecord
from netwright.types import Architecture, Fidelity, Metrics, Proposal, Trial, TrialState


class Nothing:
    """An evaluator that does nothing, in a warm parent that has torch loaded."""

    def prepare(self) -> None:
        """Load torch."""
        import torch  # noqa: F401

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Return a number."""
        return {"accuracy": 0.5}


class OnlyCall:
    """The same without preparation."""

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Return a number."""
        return {"accuracy": 0.5}


def job(number: int) -> Job:
    """A job of fifteen decisions."""
    return Job(number, Architecture({f"choice{i}": number * i % 97 for i in range(15)}), Fidelity(), number)


def run(executor: Executor, number: int) -> Outcome:
    """Run one job to its end."""
    executor.submit(job(number))
    return executor.wait(None)[0]


def median_ms(work: Callable[[int], object], count: int) -> str:
    """Median and tenth percentile of the wall time of a call."""
    times = []
    for number in range(count):
        begin = time.perf_counter()
        work(number)
        times.append((time.perf_counter() - begin) * 1e3)
    return f"median {statistics.median(times):7.3f} ms   p10 {statistics.quantiles(times, n=10)[0]:7.3f} ms"


def bare_fork(number: int) -> None:
    """Fork this process, which has torch loaded, and reap the child."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def bare_forks(count: int) -> None:
    """Time bare forks of a process with torch loaded, in a process of their own."""
    pid = os.fork()
    if pid == 0:
        Nothing().prepare()
        print("bare fork with torch loaded       ", median_ms(bare_fork, count), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)


def store_figures(folder: Path, count: int) -> None:
    """Time starts, commits and the opening of a long study."""
    path = folder / "study.db"
    trials = [
        Trial(
            n, Proposal(job(n).architecture, Fidelity(3), (n - 1,)), n, TrialState.FINISHED, {"accuracy": 1 / (n + 1)}
        )
        for n in range(count)
    ]
    with Store.create(path, StudyRecord("bench", 0, "{}", "0")) as store:
        few = min(count, 1000)
        starts = median_ms(lambda n: store.record_started(Started(n, trials[n].proposal, n, n)), few)
        print("store: start of a trial           ", starts)
        print("store: commit of a trial          ", median_ms(lambda n: store.commit(trials[n]), count))
        for n in range(few, count):
            store.record_started(Started(n, trials[n].proposal, n, n))
    begin = time.perf_counter()
    with Store.open(path) as store:
        opened_s = time.perf_counter() - begin
        found = store.trials()
        loaded_s = time.perf_counter() - begin
        store.started()
        started_s = time.perf_counter() - begin
    assert found == trials
    print(
        f"store: {count} trials: checked and opened in {opened_s:.3f} s, with trials loaded {loaded_s:.3f} s, "
        f"with their starts {started_s:.3f} s"
    )


def memory_figures(count: int) -> None:
    """Print the driver's memory over many isolated trials."""
    with IsolatedExecutor(OnlyCall(), workers=2) as executor:
        steps = []
        for number in range(count):
            run(executor, number)
            if number % (count // 4) == count // 10:
                pids = (os.getpid(), executor.parent_pid)
                steps.append("/".join(f"{resident_bytes([pid]) / 2**20:.1f}" for pid in pids))
    print(f"memory of driver/warm parent over {count} isolated trials, MiB:", ", ".join(steps))


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000, help="length of the long study")
    count = parser.parse_args().trials
    print("machine:", os.cpu_count(), "cores, load", os.getloadavg()[0])
    bare_forks(200)
    with IsolatedExecutor(Nothing()) as executor:
        run(executor, 0)
        print("isolated no-op trial, torch loaded", median_ms(lambda n: run(executor, n + 1), 300))
    with IsolatedExecutor(OnlyCall()) as executor:
        run(executor, 0)
        print("isolated no-op trial, no torch    ", median_ms(lambda n: run(executor, n + 1), 300))
    bare_forks(200)
    with InProcessExecutor(OnlyCall()) as executor:
        print("in-process no-op trial            ", median_ms(lambda n: run(executor, n), 3000))
    with tempfile.TemporaryDirectory() as folder:
        store_figures(Path(folder), count)
    memory_figures(count)


if __name__ == "__main__":
    main()

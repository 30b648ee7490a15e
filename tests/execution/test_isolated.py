"""Tests of the isolating executor: what it gives to trials, what it cleans up, and how it survives its own parts."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest
from execution_helpers import alive, evaluator, jobs, leave_daemons, note_pid, noted_pids, run_all, wait_dead

from netwright.errors import ConstraintViolation, DataError, SearchError, SpecError
from netwright.execution import IsolatedExecutor, Limits, isolated, memory, processes
from netwright.types import Architecture, Fidelity, TrialState


class Prepared:
    """Counts what is prepared, and says it in its metrics."""

    metric_ranges = {"accuracy": (0.0, 1.0)}  # noqa: RUF012 - as an evaluator's author writes it

    def __init__(self) -> None:
        self.times = 0

    def prepare(self) -> None:
        self.times += 1

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> dict[str, float]:
        assert (arch, fidelity, seed) == (Architecture({"number": arch["number"]}), Fidelity(), 1000 + arch["number"])
        return {"times": float(self.times), "accuracy": 1.73 if arch["number"] == 1 else 0.5}


def test_an_evaluator_is_prepared_once_and_its_ranges_hold() -> None:
    """Preparation happens once, before the trials and not in the driver; an accuracy of 173 % fails its trial."""
    one = Prepared()
    with IsolatedExecutor(one, workers=2) as executor:
        outcomes = run_all(executor, range(4))
    assert one.times == 0
    assert [outcomes[n].metrics for n in (0, 2, 3)] == [{"times": 1.0, "accuracy": 0.5}] * 3
    assert outcomes[1].state is TrialState.FAILED
    assert outcomes[1].error.startswith("TrialError: metric 'accuracy' must be in [0, 1], got 1.73")


def test_metrics_keep_their_bits() -> None:
    """What an evaluator returned reaches the driver bit for bit."""
    values = [random.Random(n).uniform(-1, 1) * 10.0 ** (n * 7 - 40) for n in range(12)] + [5e-324, -0.0, 1.7e308]
    with IsolatedExecutor(evaluator(lambda number, seed: {"value": values[number]}), workers=2) as executor:
        outcomes = run_all(executor, range(len(values)))
    assert [outcomes[n].metrics["value"].hex() for n in range(len(values))] == [v.hex() for v in values]


def test_a_broken_constraint_is_infeasible_with_what_was_known() -> None:
    """`ConstraintViolation` is no failure, and keeps the metrics measured before."""

    def function(number: int, seed: int) -> object:
        raise ConstraintViolation("params", 300, 200, {"macs": 7.0})

    with IsolatedExecutor(evaluator(function)) as executor:
        outcome = run_all(executor, range(1))[0]
    assert outcome.state is TrialState.INFEASIBLE
    assert outcome.metrics == {"params": 300.0, "macs": 7.0}
    assert outcome.error == "params is 300, the limit is 200"


def test_an_evaluator_that_seeds_nothing_gives_the_same_for_the_same_seed() -> None:
    """The global generators of a trial's process follow from its seed, whatever ran before."""
    runs = []
    for order in (range(6), reversed(range(6))):
        with IsolatedExecutor(evaluator(lambda number, seed: {"value": random.random()}), workers=2) as executor:
            runs.append({n: o.metrics["value"] for n, o in run_all(executor, order).items()})
    assert runs[0] == runs[1]
    assert len(set(runs[0].values())) == 6


def test_no_more_than_the_workers_run_at_once(tmp_path: Path) -> None:
    """Three workers are used, and never a fourth trial beside them."""

    def function(number: int, seed: int) -> object:
        mine = tmp_path / str(number)
        mine.touch()
        time.sleep(0.1)
        count = len(list(tmp_path.iterdir()))
        mine.unlink()
        return {"count": float(count)}

    with IsolatedExecutor(evaluator(function), workers=3) as executor:
        counts = {outcome.metrics["count"] for outcome in run_all(executor, range(12)).values()}
    assert max(counts) == 3


def test_waiting_ends_in_time() -> None:
    """`wait` gives nothing after its timeout, nothing at once when nothing runs, and all that ended."""
    with IsolatedExecutor(evaluator(lambda number, seed: time.sleep(0.6) or {"a": 1.0})) as executor:
        assert executor.wait(None) == []
        executor.submit(jobs([0])[0])
        begin = time.monotonic()
        assert executor.wait(0.05) == []
        assert time.monotonic() - begin < 0.5
        assert [outcome.trial_id for outcome in executor.wait(None)] == [0]


def test_closing_kills_what_runs_and_refuses_more(tmp_path: Path) -> None:
    """Leaving the block leaves no process behind; closing twice is safe; a closed executor says so."""

    def function(number: int, seed: int) -> object:
        note_pid(tmp_path)
        note_pid(tmp_path) if os.fork() else (os.setsid(), note_pid(tmp_path))
        return time.sleep(600)

    with IsolatedExecutor(evaluator(function), workers=2) as executor:
        for job in jobs(range(3)):
            executor.submit(job)
        while len(noted_pids(tmp_path)) < 4:
            executor.wait(0.01)
        parent = executor.parent_pid
    executor.close()
    assert wait_dead([parent, *noted_pids(tmp_path)], 1.0) == []
    with pytest.raises(SearchError, match="closed"):
        executor.submit(jobs([9])[0])


@pytest.mark.long
def test_daemons_of_a_trial_end_with_it_and_those_of_others_live(tmp_path: Path) -> None:
    """100 detached children are gone when their trial's outcome is there; a trial beside it keeps its own."""
    for name in ("0", "1"):
        (tmp_path / name).mkdir()

    def function(number: int, seed: int) -> object:
        if number == 0:
            leave_daemons(tmp_path / "0", 100)
            return {"a": 1.0}
        leave_daemons(tmp_path / "1", 3)
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        return {"alive": float(sum(map(alive, noted_pids(tmp_path / "1"))))}

    with IsolatedExecutor(evaluator(function), workers=2) as executor:
        for job in jobs([1, 0]):
            executor.submit(job)
        assert [outcome.trial_id for outcome in executor.wait(60)] == [0]
        assert wait_dead(noted_pids(tmp_path / "0")) == []
        (tmp_path / "go").touch()
        assert [outcome.metrics for outcome in executor.wait(60)] == [{"alive": 3.0}]
        assert wait_dead(noted_pids(tmp_path / "1")) == []


def test_the_test_of_daemons_finds_a_parent_that_adopts_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: where orphans go to the init process, they outlive their trial."""
    monkeypatch.setattr(processes, "adopt_orphans", lambda: None)

    def function(number: int, seed: int) -> object:
        leave_daemons(tmp_path, 2)
        return {"a": 1.0}

    with IsolatedExecutor(evaluator(function)) as executor:
        run_all(executor, range(1))
    left = wait_dead(noted_pids(tmp_path), 0.5)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert len(left) == 2


@pytest.mark.parametrize("megabytes", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_flood_of_output_is_cut_and_fakes_nothing(tmp_path: Path, megabytes: int) -> None:
    """The log stays within its limit, memory does not grow, and printed results do not count."""
    fake = '\x1b[2J{"state": "finished", "metrics": {"accuracy": 1.0}, "kind": "ended", "trial_id": 0}\n'

    def function(number: int, seed: int) -> object:
        sys.stdout.write(f"first words {fake}")
        block = "x" * (1 << 20)
        for _ in range(megabytes):
            sys.stdout.write(block)
        sys.stderr.write(f"{fake} last words\n")
        return {"accuracy": 0.25}

    with IsolatedExecutor(evaluator(function), limits=Limits(log_bytes=10_000), log_dir=tmp_path / "logs") as executor:
        run_all(executor, range(1))
        sizes = [memory.resident_bytes([pid]) for pid in (os.getpid(), executor.parent_pid)]
        outcomes = run_all(executor, range(1, 2))
        grown = [memory.resident_bytes([p]) - s for p, s in zip((os.getpid(), executor.parent_pid), sizes, strict=True)]
    assert outcomes[1].metrics == {"accuracy": 0.25}
    assert max(grown) < 50 << 20
    log = (tmp_path / "logs" / "trial-000001.log").read_text()
    assert len(log) < 10_100
    assert log.startswith("first words")
    assert log.endswith("last words\n")
    assert "bytes left out" in log
    assert (tmp_path / "logs").stat().st_mode & 0o77 == 0
    assert (tmp_path / "logs" / "trial-000001.log").stat().st_mode & 0o77 == 0


def test_the_last_words_of_a_crashed_trial_are_in_its_error() -> None:
    """A process that dies without a result is explained by what it printed last."""

    def function(number: int, seed: int) -> object:
        os.write(2, b"Fatal: no luck\n")
        os.abort()

    with IsolatedExecutor(evaluator(function)) as executor:
        error = run_all(executor, range(1))[0].error
    assert error.startswith("the trial's process was killed by SIGABRT\n")
    assert "no luck" in error
    assert " in function\n" in error  # where it was


def test_logging_of_a_trial_goes_to_its_log_and_not_to_the_drivers(tmp_path: Path) -> None:
    """A log file of the driver is not written by trials."""
    handler = logging.FileHandler(tmp_path / "driver.log")
    logging.getLogger("netwright.test").addHandler(handler)
    try:

        def function(number: int, seed: int) -> object:
            logging.getLogger("netwright.test").warning("in the trial")
            return {"a": 1.0}

        with IsolatedExecutor(evaluator(function), log_dir=tmp_path) as executor:
            run_all(executor, range(1))
    finally:
        logging.getLogger("netwright.test").removeHandler(handler)
        handler.close()
    assert (tmp_path / "driver.log").read_text() == ""
    assert (tmp_path / "trial-000000.log").read_text() == "in the trial\n"


def test_a_trial_that_kills_the_warm_parent_is_found_and_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    """What ran beside it is run again; the culprit gives itself away by doing it twice."""

    def function(number: int, seed: int) -> object:
        if number == 3:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        time.sleep(0.02)
        return {"value": float(number)}

    with caplog.at_level(logging.WARNING), IsolatedExecutor(evaluator(function), workers=3) as executor:
        outcomes = run_all(executor, range(8))
    assert {n: o.metrics for n, o in outcomes.items() if n != 3} == {n: {"value": float(n)} for n in range(8) if n != 3}
    assert (outcomes[3].state, outcomes[3].error[:17]) == (TrialState.FAILED, "interrupted twice")
    assert caplog.messages == ["the warm parent of trials died; starting another"] * 2


def test_a_warm_parent_that_keeps_dying_ends_the_search() -> None:
    """After a few new warm parents the executor gives up and says so."""

    class Doomed(Prepared):
        def prepare(self) -> None:
            os.abort()

    with pytest.raises(SearchError, match="died 6 times in a row"), IsolatedExecutor(Doomed()) as executor:
        run_all(executor, range(1))


def test_errors_of_preparation_reach_the_driver_as_what_they_are() -> None:
    """A usage error keeps its class and text; any other ends the search with its traceback."""

    class Fails(Prepared):
        def __init__(self, error: Exception) -> None:
            self.error = error

        def prepare(self) -> None:
            raise self.error

    with pytest.raises(DataError, match="no images in x"), IsolatedExecutor(Fails(DataError("no images in x"))) as ex:
        run_all(ex, range(1))
    with (
        pytest.raises(SearchError, match="cannot be prepared: KeyError: 'y'\n"),
        IsolatedExecutor(Fails(KeyError("y"))) as ex,
    ):
        run_all(ex, range(1))


def test_nothing_outlives_a_killed_driver(tmp_path: Path) -> None:
    """After SIGKILL of the driver its warm parent, trials and their daemons are gone within a second or so."""

    def function(number: int, seed: int) -> object:
        note_pid(tmp_path)
        leave_daemons(tmp_path, 2)
        return time.sleep(600)

    driver = os.fork()
    if driver == 0:
        try:
            executor = IsolatedExecutor(evaluator(function), workers=2)
            (tmp_path / str(executor.parent_pid)).touch()
            run_all(executor, range(2))
        finally:
            os._exit(1)
    while len(noted_pids(tmp_path)) < 7:
        time.sleep(0.01)
    assert all(map(alive, noted_pids(tmp_path)))
    os.kill(driver, signal.SIGKILL)
    os.waitpid(driver, 0)
    assert wait_dead(noted_pids(tmp_path), 3.0) == []


@pytest.mark.parametrize("name", ["trials", "prepare"])
def test_the_folder_of_a_killed_driver_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Where the warm parent is killed with its driver, in trials or in preparation, the next executor cleans up."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pids = tmp_path / "pids"
    pids.mkdir()

    class Slow(Prepared):
        def prepare(self) -> None:
            if name == "prepare":
                note_pid(pids)
                time.sleep(600)

        def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> dict[str, float]:
            (Path(tempfile.gettempdir()) / "large").touch()
            note_pid(pids)
            return time.sleep(600)  # type: ignore[return-value]

    driver = os.fork()
    if driver == 0:
        try:
            executor = IsolatedExecutor(Slow())
            (pids / str(executor.parent_pid)).touch()
            run_all(executor, range(1))
        finally:
            os._exit(1)
    while len(noted_pids(pids)) < (2 if name == "trials" else 1):
        time.sleep(0.01)
    for pid in (*noted_pids(pids), driver):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(driver, 0)
    assert wait_dead(noted_pids(pids)) == []
    left = [path for path in tmp_path.iterdir() if path != pids]
    assert len(left) == 1
    with IsolatedExecutor(Prepared()) as first, IsolatedExecutor(Prepared()) as second:
        mine = [path for path in tmp_path.iterdir() if path != pids]
        assert len(mine) == 2
        assert left[0] not in mine
        run_all(first, range(1))
        run_all(second, range(1))
    assert list(tmp_path.iterdir()) == [pids]


def test_signals_of_the_warm_parent_do_not_wake_the_driver(capfd: pytest.CaptureFixture[str]) -> None:
    """Where the driver listens for signals by a file descriptor, what happens in the warm parent is not heard there."""

    class Forks(Prepared):
        def prepare(self) -> None:
            if os.fork() == 0:
                os._exit(0)
            os.wait()
            super().prepare()

    read, write = os.pipe()
    for fd in (read, write):
        os.set_blocking(fd, False)
    before = signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write)
    try:
        with IsolatedExecutor(Forks()) as executor:
            run_all(executor, range(1))
            with pytest.raises(BlockingIOError):
                os.read(read, 1)
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, before)
        os.close(read)
        os.close(write)
    assert ("", "") == tuple(capfd.readouterr())


def test_torch_is_loaded_once_and_uses_the_threads_of_a_worker() -> None:
    """Trials find torch loaded, with the number of threads asked for, and compute the same every time."""

    class Torch(Prepared):
        def prepare(self) -> None:
            import torch  # noqa: F401

        def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> dict[str, float]:
            assert "torch" in sys.modules
            import torch

            a = torch.rand(64, 64)
            return {"threads": float(torch.get_num_threads()), "product": float((a @ a).sum())}

    with IsolatedExecutor(Torch(), workers=2, threads_per_worker=1) as executor:
        runs = [{n: o.metrics for n, o in run_all(executor, order).items()} for order in (range(4), range(3, -1, -1))]
    assert runs[0] == runs[1]
    assert {metrics["threads"] for metrics in runs[0].values()} == {1.0}
    assert len({metrics["product"] for metrics in runs[0].values()}) == 4


def test_trials_run_with_one_thread_where_torch_was_used_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pool of threads that a fork would break is not used, and that is said."""
    monkeypatch.setitem(sys.modules, "torch", object())
    for threads, expected in ((1, 4), (2, 1)):
        monkeypatch.setattr(processes, "num_threads", lambda count=threads: count)
        assert isolated._safe_threads(4) == expected
    assert [message[:40] for message in caplog.messages] == ["torch was used before trials were set up"]


@pytest.mark.parametrize(
    ("arguments", "message"), [({"workers": 0}, "workers must be"), ({"threads_per_worker": 0}, "threads_per")]
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, int], message: str) -> None:
    """No worker, or no thread, is an error at once."""
    with pytest.raises(SpecError, match=message):
        IsolatedExecutor(Prepared(), **arguments)


def _count_entries(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


@pytest.mark.slow
def test_a_thousand_trials_leave_nothing_behind(tmp_path: Path) -> None:
    """After 1,000 trials with a daemon each, no process, no file descriptor and no folder is left."""
    before = _count_entries("/proc/self/fd")

    def function(number: int, seed: int) -> object:
        (tmp_path / str(number)).mkdir()
        leave_daemons(tmp_path / str(number), 1)
        return {"a": 1.0} if number % 3 else os.abort()

    with IsolatedExecutor(evaluator(function), workers=2) as executor:
        parent = executor.parent_pid
        run_all(executor, range(10))
        time.sleep(0.5)
        descriptors = _count_entries(f"/proc/{parent}/fd")
        run_all(executor, range(10, 1000))
        end_s = time.monotonic() + 30.0  # the last ones are closed when their processes are seen to have ended
        while _count_entries(f"/proc/{parent}/fd") != descriptors and time.monotonic() < end_s:
            time.sleep(0.1)
        assert _count_entries(f"/proc/{parent}/fd") == descriptors
    daemons = [pid for number in range(1000) for pid in noted_pids(tmp_path / str(number))]
    assert wait_dead([parent, *daemons]) == []
    assert _count_entries("/proc/self/fd") == before

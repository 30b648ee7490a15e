"""Tests of the store: what is written is there, and what cannot be is said."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from store_helpers import STUDY, exit_code, fill, in_child, make_trial

from netwright.errors import StoreError
from netwright.storage import Event, Started, Store
from netwright.types import Trial


def test_everything_written_is_read_back_equal(tmp_path: Path) -> None:
    """Study, trials, starts, events and history are the same after the store was closed and opened."""
    with Store.create(tmp_path / "a" / "study.db", STUDY) as store:
        trials = fill(store, range(9))
        again = make_trial(9)
        store.record_started(Started(9, again.proposal, again.seed, told=5))
        store.append_event("finalists", {"ids": [1, 2]})
        store.append_event("other", None)
        history = list(store.history())
    with Store.open(tmp_path / "a" / "study.db") as store:
        assert store.study == STUDY
        assert store.trials() == trials
        assert store.started()[-1] == Started(9, again.proposal, again.seed, told=5)
        assert [s.trial_id for s in store.started()] == list(range(10))
        assert store.events("finalists") == [Event("finalists", {"ids": [1, 2]})]
        assert [event.kind for event in store.events()] == ["finalists", "other"]
        assert list(store.history()) == history
        assert len(history) == 9


def test_an_interrupted_trial_is_linked_to_its_earlier_attempts(tmp_path: Path) -> None:
    """Starting again counts the attempt up, keeps what was told, and the ended trial says how many there were."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        trial = make_trial(0)
        store.record_started(Started(0, trial.proposal, trial.seed, told=0))
        again = store.record_again(store.started()[0])
        store.commit(again.end(trial.state, trial.metrics))
        assert store.started() == [again]
        assert (again.attempt, store.trials()[0].attempts, store.num_attempts()) == (2, 2, 2)


def test_trials_come_in_the_order_of_ids_and_commits_in_theirs(tmp_path: Path) -> None:
    """History and trials do not depend on which worker was first; the order of commits is kept beside them."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        for number in (2, 0, 1):
            store.commit(make_trial(number))
        assert [trial.id for trial in store.trials()] == [0, 1, 2]
        assert [trial.id for trial in store.commits()] == [2, 0, 1]


def test_an_id_is_committed_once(tmp_path: Path) -> None:
    """A second trial, or attempt, of the same number is refused and changes nothing; the store goes on."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        trials = fill(store, range(2))
        with pytest.raises(StoreError, match="already"):
            store.commit(replace(trials[1], duration_s=99.0))
        with pytest.raises(StoreError, match="already"):
            store.record_started(Started(1, trials[1].proposal, trials[1].seed))
        trials += fill(store, range(2, 4))
        assert store.trials() == trials


def test_an_error_text_no_database_takes_is_kept_readable(tmp_path: Path) -> None:
    """NUL and lone surrogates in an error are written as escapes."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        store.commit(replace(make_trial(3), error="a\0b\ud800"))
        assert store.trials()[0].error == "a\\0b\\ud800"


def test_a_read_only_store_reads_beside_the_driver_and_does_not_write(tmp_path: Path) -> None:
    """A reader sees each commit of the driver at once, and cannot write."""
    with Store.create(tmp_path / "study.db", STUDY) as store, Store.open(store.path, read_only=True) as reader:
        fill(store, range(3))
        assert len(reader.trials()) == 3
        with pytest.raises(StoreError, match="read-only"):
            reader.commit(make_trial(3))


def test_a_store_in_a_folder_nobody_may_write_can_be_read(tmp_path: Path) -> None:
    """A finished study on a read-only medium opens; tested on the mode chosen where the test runs as root."""
    from netwright.storage import dialect

    with Store.create(tmp_path / "study.db", STUDY) as store:
        fill(store, range(3))
    tmp_path.chmod(0o500)
    try:
        with Store.open(tmp_path / "study.db", read_only=True) as reader:
            assert len(reader.trials()) == 3
        writable = os.access(tmp_path, os.W_OK)
        assert dialect._read_only_mode(tmp_path / "study.db") == ("mode=ro" if writable else "mode=ro&immutable=1")
    finally:
        tmp_path.chmod(0o700)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """Folder 0700 and files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        with Store.create(tmp_path / "run" / "study.db", STUDY) as store:
            fill(store, range(1))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    finally:
        os.umask(before)
    names = ["study.db", "study.db-shm", "study.db-wal", "study.db.lock"]
    assert modes == dict.fromkeys(names, 0o600)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_second_driver_is_told_who_the_first_is(tmp_path: Path) -> None:
    """Opening or creating again, in this process or another, names the process that drives; closing gives it up."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        message = f"in use by process {os.getpid()} on "
        with pytest.raises(StoreError, match=message):
            Store.open(store.path)
        with pytest.raises(StoreError, match=message):
            Store.create(store.path, STUDY)
        assert exit_code(in_child(lambda: Store.open(store.path))) == 1
    Store.open(tmp_path / "study.db").close()


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A trial process that outlives its driver does not lock the study."""
    store = Store.create(tmp_path / "study.db", STUDY)
    pid = in_child(lambda: time.sleep(60))
    try:
        store.close()
        Store.open(tmp_path / "study.db").close()
    finally:
        os.kill(pid, 9)
        exit_code(pid)


def test_an_existing_study_is_not_overwritten(tmp_path: Path) -> None:
    """Creating where a study is says so and leaves it alone."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        trials = fill(store, range(2))
    with pytest.raises(StoreError, match="exists already; resume it"):
        Store.create(tmp_path / "study.db", STUDY)
    with Store.open(tmp_path / "study.db") as store:
        assert store.trials() == trials


def test_a_creation_that_was_killed_can_be_repeated(tmp_path: Path) -> None:
    """An empty file, as left by a death at the start, is no study when opened and no hindrance when created."""
    (tmp_path / "study.db").touch()
    with pytest.raises(StoreError, match="making was interrupted; start the search again"):
        Store.open(tmp_path / "study.db")
    with Store.create(tmp_path / "study.db", STUDY) as store:
        assert store.study == STUDY


def test_a_file_that_is_no_store_is_refused_and_untouched(tmp_path: Path) -> None:
    """Text, another program's database, a folder and nothing at all are named, with a cure."""
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_text("hello, this is no database at all\n" * 100)
    connection = sqlite3.connect(other)
    connection.execute("create table trials (a)")
    connection.commit()
    connection.close()
    before = text.read_bytes(), other.read_bytes()
    for path in (text, other):
        with pytest.raises(StoreError, match=f"{path}.*not a netwright study"):
            Store.open(path)
        with pytest.raises(StoreError, match=str(path)):
            Store.create(path, STUDY)
    for path in (tmp_path, tmp_path / "absent.db"):
        with pytest.raises(StoreError, match="there is no study at"):
            Store.open(path)
    assert (text.read_bytes(), other.read_bytes()) == before


def test_a_full_disk_pauses_the_study_and_loses_nothing(tmp_path: Path) -> None:
    """Where the file cannot grow a commit fails cleanly; once it can, the same commit works."""
    store = Store.create(tmp_path / "study.db", STUDY)

    def work() -> None:
        with Store.open(tmp_path / "study.db") as store:
            trials = fill(store, range(3))
            wal = store.path.with_name("study.db-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 100, resource.RLIM_INFINITY))
            for _ in range(3):
                with pytest.raises(StoreError, match="cannot be read or written"):
                    store.commit(make_trial(3))
            assert store.trials() == trials
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            trials += fill(store, range(3, 6))
            assert store.trials() == trials

    store.close()
    assert exit_code(in_child(work)) == 0


def test_a_reader_within_a_transaction_does_not_hold_the_driver_up(tmp_path: Path) -> None:
    """With a reader that keeps its snapshot, commits and checkpoints go on without waiting, and are all there."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        fill(store, range(1))
        reader = sqlite3.connect(store.path)
        reader.execute("begin")
        reader.execute("select count(*) from trials").fetchone()
        begin = time.perf_counter()
        trials = fill(store, range(1, 250))
        assert time.perf_counter() - begin < 15
        assert reader.execute("select count(*) from trials").fetchone() == (1,)
        reader.close()
        assert store.trials()[1:] == trials


def test_the_log_of_a_long_study_stays_small(tmp_path: Path) -> None:
    """The write-ahead log is emptied as the study goes on."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        largest = 0
        for number in range(450):
            store.commit(make_trial(number))
            largest = max(largest, store.path.with_name("study.db-wal").stat().st_size)
        assert largest < 8 << 20
        assert store.path.with_name("study.db-wal").stat().st_size < largest / 2


def _children(count: int, work: object) -> list[int]:
    return [in_child(work) for _ in range(count)]  # type: ignore[arg-type]


def test_of_32_processes_that_create_a_store_at_once_one_wins(tmp_path: Path) -> None:
    """One succeeds; each other gets a clean error that names the store."""

    def create() -> None:
        try:
            store = Store.create(tmp_path / "study.db", STUDY)
        except StoreError as error:
            os._exit(3 if "study.db" in str(error) else 4)
        fill(store, range(1))
        store.close()

    codes = [exit_code(pid) for pid in _children(32, create)]
    assert (codes.count(0), codes.count(3)) == (1, 31)
    with Store.open(tmp_path / "study.db") as store:
        assert store.trials() == [make_trial(0)]


def test_32_readers_open_and_read_while_one_driver_writes(tmp_path: Path) -> None:
    """Every reader sees whole prefixes that only grow, nobody dies, and nothing is lost."""

    def read() -> None:
        known: list[Trial] = []
        for _ in range(4):
            with Store.open(tmp_path / "study.db", read_only=True) as store:
                found = store.trials()
            assert found[: len(known)] == known
            known = found

    with Store.create(tmp_path / "study.db", STUDY) as store:
        pids = _children(32, read)
        trials = fill(store, range(100))
        assert [exit_code(pid) for pid in pids] == [0] * 32
        assert store.trials() == trials

"""Tests of the store under kills, torn tails and flipped bits. Each has a planted bug that it finds."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from store_helpers import STUDY, fill, make_trial, run_until_killed

from netwright.errors import StoreError
from netwright.storage import Store, schema
from netwright.types import Trial

LONG = [pytest.mark.slow, pytest.mark.timeout(3600)]


def _lost_by_kills(folder: Path, kills: int, commit: Callable[[Store, Trial], None]) -> list[int]:
    """Kill a driver again and again; ids that were acknowledged and then not there bit-equal, once, after the kill."""
    path, witness = folder / "study.db", folder / "witness"
    Store.create(path, STUDY).close()
    rng = np.random.default_rng(0)
    lost: set[int] = set()
    for number in range(kills):
        run_until_killed(path, witness, float(rng.uniform(0.0, 0.03)), commit, while_starting=number % 10 == 9)
        acknowledged = [int(line) for line in witness.read_text().splitlines()]
        with Store.open(path, read_only=True) as store:
            found = store.trials()
        assert [trial.id for trial in found] == list(range(len(found)))
        lost |= {n for n in acknowledged if n >= len(found) or found[n] != make_trial(n)}
    return sorted(lost)


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=LONG)])
def test_no_acknowledged_trial_is_lost_by_kills(tmp_path: Path, kills: int) -> None:
    """After SIGKILLs at random times every trial the witness heard of is there once and bit-equal."""
    assert _lost_by_kills(tmp_path, kills, Store.commit) == []


def test_the_test_of_kills_finds_a_store_that_acknowledges_too_early(tmp_path: Path) -> None:
    """Planted bug: commits kept back and written ten at a time are found missing."""
    waiting: list[Trial] = []

    def late(store: Store, trial: Trial) -> None:
        waiting.append(trial)
        if len(waiting) == 10:
            for one in waiting:
                store.commit(one)
            waiting.clear()

    assert _lost_by_kills(tmp_path, 10, late) != []


@pytest.fixture
def torn(tmp_path: Path) -> Iterator[tuple[Path, list[str], list[int]]]:
    """Copies of a store as a killed driver leaves it, its history, and the size of its log after each commit."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        wal = store.path.with_name("study.db-wal")
        sizes = [0]
        for number in range(12):
            fill(store, range(number, number + 1))
            sizes.append(wal.stat().st_size)
        (tmp_path / "left").mkdir()
        for path in (store.path, wal):
            shutil.copy(path, tmp_path / "left" / path.name)
        yield tmp_path / "left", list(store.history()), sizes


def _open_with_log(folder: Path, log: bytes) -> list[str]:
    """The history of a store with another write-ahead log."""
    run = folder.parent / "run"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    shutil.copy(folder / "study.db", run)
    (run / "study.db-wal").write_bytes(log)
    with Store.open(run / "study.db") as store:
        history = list(store.history())
        store.commit(make_trial(len(history)))  # the study goes on
        assert len(list(store.history())) == len(history) + 1
        return history


@pytest.mark.parametrize("stride", [1501, pytest.param(1, marks=LONG)])
@pytest.mark.parametrize("how", ["cut", "zero"])
def test_a_torn_tail_leaves_a_prefix(torn: tuple[Path, list[str], list[int]], stride: int, how: str) -> None:
    """A log cut or zeroed at any byte of its last three trials opens, and holds every trial before that byte."""
    folder, history, sizes = torn
    log = (folder / "study.db-wal").read_bytes()
    for offset in range(sizes[-4], len(log), stride):
        end = b"" if how == "cut" else bytes(len(log) - offset)
        found = _open_with_log(folder, log[:offset] + end)
        whole = sum(size <= offset for size in sizes) - 1
        assert history[: len(found)] == found
        assert len(found) >= whole


def test_a_write_that_was_cut_off_is_warned_of_once(
    torn: tuple[Path, list[str], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    """Opening after a death within a commit, or with a damaged log, logs one warning; a sound log none."""
    folder, _, _ = torn
    log = bytearray((folder / "study.db-wal").read_bytes())
    with caplog.at_level(logging.WARNING):
        _open_with_log(folder, bytes(log))
        assert caplog.messages == []
        page = int.from_bytes(log[8:12], "big")
        _open_with_log(folder, bytes(log[: -(page + 24)]))
    assert len(caplog.messages) == 1
    assert "was cut off" in caplog.messages[0]


def _flips(folder: Path, count: int, clean: type[Exception] = StoreError) -> list[int]:
    """Flip single bits of a closed store; bits after which it gave another history without an error."""
    with Store.create(folder / "study.db", STUDY) as store:
        fill(store, range(30))
        history = list(store.history())
    sound = (folder / "study.db").read_bytes()
    rng = np.random.default_rng(0)
    wrong, messages = [], set()
    for bit in rng.choice(len(sound) * 8, size=count, replace=False).tolist():
        broken = bytearray(sound)
        broken[bit // 8] ^= 1 << bit % 8
        (folder / "study.db").write_bytes(broken)
        for left in ("study.db-wal", "study.db-shm"):
            (folder / left).unlink(missing_ok=True)
        try:
            with Store.open(folder / "study.db") as store:
                if (list(store.history()), store.study) != (history, STUDY):
                    wrong.append(bit)
                store.started()
                store.events()
        except clean as error:
            messages.add(str(error))
    assert clean is Exception or all(str(folder / "study.db") in message for message in messages)
    return wrong


@pytest.mark.parametrize("count", [120, pytest.param(10_000, marks=LONG)])
def test_a_flipped_bit_is_detected_or_harmless(tmp_path: Path, count: int) -> None:
    """A single flipped bit anywhere in the file gives a clean error or the same study and history."""
    assert _flips(tmp_path, count) == []


def test_a_text_that_became_bytes_is_damage(tmp_path: Path) -> None:
    """A flipped bit in a row's header makes a blob of a text: a clean error, as for any other damage."""
    with Store.create(tmp_path / "study.db", STUDY) as store:
        fill(store, range(3))
    with sqlite3.connect(tmp_path / "study.db") as connection:
        connection.execute("UPDATE trials SET seed = CAST(seed AS BLOB) WHERE trial_id = 1")
    connection.close()
    with pytest.raises(StoreError, match=r"is damaged \(row 2 of trials does not match its checksum\)"):
        _read_all(tmp_path / "study.db")


def _read_all(file: Path) -> list[str]:
    with Store.open(file) as store:
        return list(store.history())


def test_the_test_of_flips_finds_rows_without_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: with a checksum that does not look at the row, flipped bits change the history unseen."""
    monkeypatch.setattr(schema, "checksum", lambda table, values: "0" * 32)
    assert _flips(tmp_path, 60, clean=Exception) != []

"""Readers that go away and disks that are full, in processes of their own: streams are the system's there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_helpers import Answer, make_trial

Cli = Callable[..., Answer]
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no disk that is always full")
TABLE = "w,acc\n1,0.5\n2,0.75\n"
BENCH = ("--strategy", "random", "--metric", "acc", "--queries", "2", "--seeds", "2", "--jobs", "1")


def run_in_shell(*words: object, reader: str = "", folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a pipe with a reader, and give its own exit code."""
    command = "set -o pipefail; " + " ".join([f"'{sys.executable}' -m netwright", *map(str, words), reader])
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=folder)


@pytest.mark.long
def test_a_reader_that_goes_away_is_no_error(make_run: Callable[..., Path], tmp_path: Path) -> None:
    """Neither while the output is written nor at its end."""
    run = make_run(*(make_trial(number, accuracy=0.5) for number in range(600)))
    done = run_in_shell("history", run, reader="| head -c 10", folder=tmp_path)
    assert (0, "", 10) == (done.returncode, done.stderr, len(done.stdout))
    (tmp_path / "t.csv").write_text(TABLE)
    done = run_in_shell("bench t.csv", *BENCH, reader="| sleep 0", folder=tmp_path)
    assert (0, "", "") == (done.returncode, done.stderr, done.stdout)


@needs_full
def test_a_full_disk_at_standard_output_is_told(tmp_path: Path) -> None:
    """What cannot be written, why, and what to do about it."""
    done = run_in_shell("schema", reader="> /dev/full", folder=tmp_path)
    expected = "error: standard output cannot be written: No space left on device; write to a disk that has room\n"
    assert (4, expected) == (done.returncode, done.stderr)


@needs_full
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_full_disk_under_a_file_is_told(cli: Cli, tmp_path: Path) -> None:
    """The file is named; the tables were printed all the same."""
    (tmp_path / "t.csv").write_text(TABLE)
    answer = cli("bench", tmp_path / "t.csv", *BENCH, "--json", FULL)
    expected = "error: /dev/full cannot be written: No space left on device; make room, or name a file elsewhere\n"
    assert (4, expected) == (answer.code, answer.err)
    assert "regret after" in answer.out

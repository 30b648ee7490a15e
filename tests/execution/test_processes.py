"""Tests of what the operating system is asked to do with processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from netwright.execution.processes import take_files


def in_child(work: Callable[[], object]) -> str:
    """What a forked process says of itself: ``work``'s answer, or its exception."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = str(work())
        except BaseException as error:  # noqa: BLE001 - told below
            said = repr(error)
        finally:
            # the pipe's number is among those taken: the answer goes through a file
            Path(tempfile.gettempdir(), f"said-{os.getpid()}").write_text(said)
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    os.close(read)
    file = Path(tempfile.gettempdir(), f"said-{pid}")
    said = file.read_text()
    file.unlink()
    return said


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_files_that_are_taken_are_neither_read_nor_written(tmp_path: Path) -> None:
    """A file and both ends of a pipe are of no use any more; what is kept works, and so do the three streams."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    pipe = os.pipe()

    def work() -> list[str]:
        with (tmp_path / "a").open("r+b", buffering=0) as taken, (tmp_path / "b").open("r+b", buffering=0) as kept:
            take_files(keep=[kept.fileno()])
            found = []
            for fd, act in (
                (taken.fileno(), lambda fd: os.read(fd, 1)),
                (taken.fileno(), lambda fd: os.write(fd, b"x")),
                (taken.fileno(), lambda fd: os.ftruncate(fd, 0)),
                (pipe[1], lambda fd: os.write(fd, b"x")),
                (kept.fileno(), lambda fd: os.read(fd, 1)),
                (2, lambda fd: os.fstat(fd) and b"there"),
            ):
                try:
                    found.append(act(fd).decode())
                except OSError as error:
                    found.append(type(error).__name__ + str(error.errno))
            return found

    said = in_child(work)
    os.close(pipe[1])
    assert "['OSError9', 'OSError9', 'OSError9', 'OSError9', 'b', 'there']" == said
    assert b"" == os.read(pipe[0], 1)
    os.close(pipe[0])
    assert "a" == (tmp_path / "a").read_text()


def test_the_number_of_a_file_that_is_taken_is_not_given_to_another(tmp_path: Path) -> None:
    """An object that closes the file it believes to have closes no other one."""

    def work() -> str:
        old = (tmp_path / "old").open("w")
        old.write("buffered")
        take_files(keep=())
        with (tmp_path / "new").open("w+") as new:
            assert new.fileno() != old.fileno()
            with contextlib.suppress(OSError):
                old.close()
            new.write("fine")
            new.seek(0)
            return new.read()

    assert "fine" == in_child(work)
    assert "" == (tmp_path / "old").read_text()

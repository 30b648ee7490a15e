"""Tests of temporary folders: gone after their block, and after a kill of their owner when the next one is made."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import time
from pathlib import Path
from types import ModuleType

import pytest

from netwright.temporary import PREFIX, keep_temporary, make_temporary, temporary_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_its_owners_alone_and_goes_with_its_block(place: Path) -> None:
    """Nobody else may look into it; afterwards neither folder nor open file is left."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    with temporary_folder() as folder:
        (folder / "file").touch()
        assert (place, 0o700) == (folder.parent, folder.stat().st_mode & 0o777)
    assert [] == list(place.iterdir())
    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_folders_in_use_stay_whoever_uses_them(place: Path) -> None:
    """Those of this process stay, and one whose maker has died as long as a process it forked has its lock."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        make_temporary()
        holder = os.fork()
        if holder == 0:
            time.sleep(600)
        os.write(write, f"{holder:20}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    holder = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    try:
        with temporary_folder() as one, temporary_folder() as other:
            assert 3 == len({one, other, *place.glob(f"{PREFIX}*")})
    finally:
        os.kill(holder, signal.SIGKILL)
    while any(place in path.resolve().parents for path in Path(f"/proc/{holder}/fd").glob("*")):
        time.sleep(0.01)
    with temporary_folder() as folder:
        assert [folder] == list(place.glob(f"{PREFIX}*"))


def test_the_folder_of_a_killed_process_goes_when_the_next_is_made(place: Path) -> None:
    """With everything in it, even what may not be read."""
    pid = os.fork()
    if pid == 0:
        with temporary_folder() as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / "large").write_bytes(bytes(1 << 20))
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert 1 == len(list(place.iterdir()))
    with temporary_folder() as folder:
        assert [folder] == list(place.iterdir())


def test_nothing_else_is_removed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Other names, files, and what a link of our name leads to are not ours to remove."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "file").touch()
    (place / "netwright-own").mkdir()
    (place / f"{PREFIX}file").touch()
    (place / f"{PREFIX}link").symlink_to(elsewhere)
    with temporary_folder():
        pass
    assert {"netwright-own", f"{PREFIX}file", f"{PREFIX}link"} == {path.name for path in place.iterdir()}
    assert (elsewhere / "file").exists()


@pytest.mark.parametrize(("module", "name"), [(os, "open"), (fcntl, "flock")])
def test_a_folder_that_was_taken_for_abandoned_is_made_again(
    place: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    """Between making and locking another process may remove it; then the next one is used."""
    act, removed = getattr(module, name), []

    def remove_first(*arguments: object) -> object:
        if not removed:
            (folder,) = place.iterdir()
            folder.rmdir()
            removed.append(folder)
        return act(*arguments)

    monkeypatch.setattr(module, name, remove_first)
    with temporary_folder() as folder:
        assert [folder] == list(place.iterdir())
    assert 1 == len(removed)
    assert folder not in removed


def test_a_folder_that_is_made_again_is_in_use_again(place: Path) -> None:
    """After somebody took it away another process that sweeps leaves the new one alone, under the same open file."""
    folder, lock = make_temporary()
    folder.rmdir()
    keep_temporary(folder, lock)
    assert os.path.samestat(folder.stat(), os.fstat(lock))
    (folder / "file").touch()
    keep_temporary(folder, lock)
    with temporary_folder():
        assert ["file"] == [path.name for path in folder.iterdir()]
    os.close(lock)
    with temporary_folder():
        assert not folder.exists()

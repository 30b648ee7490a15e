"""The folder of an exported network: written as a whole or not at all, and read as data from anybody.

Files have mode 0600, folders 0700. A folder that is not an export is never touched.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netwright.errors import ExportError, SpecError, wrong
from netwright.export.card import MAX_CARD_BYTES, Card, FileRecord

CARD = "card.json"
FILES = ("model.py", "weights.safetensors", "model.onnx")
MAX_FILE_BYTES = 16 << 30


@dataclass(frozen=True, slots=True)
class Bundle:
    """An exported network in memory: its card, and its files by name."""

    card: Card
    files: Mapping[str, bytes]


def record(content: bytes) -> FileRecord:
    """Digest and size of a file."""
    return FileRecord(hashlib.sha256(content).hexdigest(), len(content))


def check_out(out: Path) -> None:
    """Refuse to write over anything but an earlier export.

    Raises:
        ExportError: ``out`` is a file, or a folder with other content.
    """
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise ExportError(wrong("out", str(out), "a folder that does not exist", "name another one"))
    names = {entry.name for entry in out.iterdir()}
    foreign = sorted(names - {CARD, *FILES, "__pycache__"})
    if names and (foreign or CARD not in names):
        what = f"a folder that holds {foreign[0]!r}" if foreign else f"a folder without {CARD}"
        raise ExportError(wrong("out", f"{out}, {what}", "new, empty or an earlier export", "name another folder"))


def write_bundle(bundle: Bundle, out: Path) -> Path:
    """Write all files into a folder beside ``out``, then put it in its place.

    At any moment ``out`` is the earlier export, absent for the instant between two renames, or the new one.

    Raises:
        ExportError: it cannot be written; nothing is left behind.
    """
    check_out(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))  # mode 0700
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error}; name a folder you may write to") from error
    try:
        new = temporary / "new"
        new.mkdir(mode=0o700)
        for name, content in bundle.files.items():
            _write(new / name, content)
        _write(new / CARD, bundle.card.to_json().encode("utf-8"))
        if out.exists():
            out.rename(temporary / "old")
        new.rename(out)
    except OSError as error:
        if (temporary / "old").exists() and not out.exists():
            (temporary / "old").rename(out)
        raise ExportError(f"{out} cannot be written: {error}; make room, or name another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _sync(out.parent)
    return out


def read_bundle(folder: Path) -> Bundle:
    """Read an export; its files are not interpreted.

    Raises:
        SpecError: the folder is none, or has no card that is one of ours.
        ExportError: a file that the card lists is missing, or is no regular file.
    """
    if not folder.is_dir():
        raise SpecError(wrong("folder", str(folder), "the folder of an export", "see: netwright export --help"))
    if not (folder / CARD).is_file():
        raise SpecError(wrong("folder", str(folder), f"the folder of an export, which has a {CARD}"))
    card = Card.from_json(_read(folder / CARD, MAX_CARD_BYTES))
    if card.export is None:
        raise SpecError(f"{CARD}: export: it lists no files; give the folder that an export wrote, unchanged")
    present = [name for name in FILES if (folder / name).exists() or (folder / name).is_symlink()]
    return Bundle(card, {name: _read(folder / name, MAX_FILE_BYTES) for name in present})


def _read(path: Path, limit: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ExportError(f"{path} is no regular file; give the folder that an export wrote, unchanged")
            if status.st_size > limit:
                raise ExportError(f"{path} has {status.st_size} bytes, at most {limit} are read")
            return file.read()
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}; links are not followed") from error


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

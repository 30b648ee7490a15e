"""Files a command writes at its end: checked before the work begins, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from netwright.errors import SpecError, one_line


def require_writable(option: str, path: Path) -> None:
    """Check that a file can be written, and leave nothing behind.

    Args:
        option: name of the option, for the message.
        path: the file; it may exist.

    Raises:
        SpecError: its folder is missing or read-only, or it is a folder.
    """
    try:
        target = path.resolve()
        if target.is_dir():
            raise SpecError(f"{option}: {one_line(path)} is a folder; give the name of a file in it")
        if not target.parent.is_dir():
            raise SpecError(f"{option}: the folder {one_line(target.parent)} does not exist; make it first")
        if target.exists() and not os.access(target, os.W_OK):
            raise SpecError(f"{option}: {one_line(path)} may not be written; give another name")
        if not target.exists() or target.is_file():
            tempfile.TemporaryFile(dir=target.parent).close()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"{option}: {one_line(path)} cannot be written: {reason}; name a file elsewhere") from error


def require_no_input(option: str, path: Path, inputs: Mapping[str, Path]) -> None:
    """Check that a file that is to be written is none of those that are read, whatever links lead to it.

    Args:
        option: name of the option, for the message.
        path: the file; it may exist.
        inputs: files that are read, and folders whose files are, by what they are for the message.

    Raises:
        SpecError: it is one of them.
    """
    try:
        if not path.exists():
            return
        for what, read in inputs.items():
            if read.is_dir() and path.resolve().is_relative_to(read.resolve()):
                where = f"a file in {what} {one_line(read)}"
            elif read.exists() and path.samefile(read):
                where = what
            else:
                continue
            raise SpecError(f"{option}: {one_line(path)} is {where}, which would be overwritten; give another name")
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"{option}: {one_line(path)} cannot be written: {reason}; name a file elsewhere") from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all; what is no regular file (a pipe) is written to.

    Args:
        path: the file; what it held is gone.
        text: what it is to hold.

    Raises:
        OSError: it cannot be written; names the file.
    """
    try:
        _write_whole(path.resolve(), text)
    except OSError as error:
        reason = f"{one_line(path)} cannot be written: {error.strerror or error}"
        raise OSError(f"{reason}; make room, or name a file elsewhere") from error


def _write_whole(target: Path, text: str) -> None:
    if target.exists() and not target.is_file():
        target.write_text(text, encoding="utf-8")
        return
    temporary = target.with_name(f".{target.name[:100]}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)

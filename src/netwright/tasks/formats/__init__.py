"""Find out what a person's data is, and read it: one module a format.

| data                                    | module      |
|-----------------------------------------|-------------|
| ``digits``                              | digits      |
| ``FILE.npz``                            | npz         |
| folder of ``train-images-idx3-ubyte``.. | idx         |
| folder of class folders of images       | folder      |
| ``FILE.csv`` beside its images          | label_table |
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from netwright.errors import DataError, SpecError, one_line, shorten, wrong
from netwright.tasks.formats import digits, folder, idx, label_table, npz
from netwright.tasks.formats.parts import RawData, ReadOptions, file_error

EMBEDDED: Mapping[str, Callable[[], RawData]] = MappingProxyType({"digits": digits.read})
"""Sets that need no file, by name. A folder of the same name is given as ``./digits``."""

KINDS = (
    "the name of an embedded set (digits), a .npz file, a folder of class folders, a .csv file beside its images, or a "
    "folder of MNIST's idx files"
)


def read(data: str | Path, options: ReadOptions) -> RawData:
    """Read images of one class each from whatever ``data`` names.

    Args:
        data: a name in `EMBEDDED`, or the path of a file or folder; a `Path` is never a name.
        options: how to read what does not describe itself.

    Returns:
        The set. Test images, where the source has a test part, are not read yet.

    Raises:
        DataError: nothing is there (the nearest name is suggested), or it cannot be used.
        SpecError: a size of images is given for what holds no image files.
    """
    if isinstance(data, str) and data in EMBEDDED:
        _require_no_size(data, options)
        return EMBEDDED[data]()
    path = Path(data)
    try:
        mode = path.stat().st_mode if str(data) else None
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(_not_found(path)) from None
    except (OSError, ValueError) as error:
        raise file_error(path, error) from error
    if mode is None:
        raise DataError(f"data is empty; give {KINDS}")
    if stat.S_ISDIR(mode):
        if not idx.found(path):
            return folder.read(path, options.image_size, options.cache)
        _require_no_size(path, options)
        return idx.read(path)
    if not stat.S_ISREG(mode):
        raise DataError(f"data {shorten(str(path))} is neither a file nor a folder; give {KINDS}")
    if path.suffix.lower() == ".npz":
        _require_no_size(path, options)
        return npz.read(path, options.cache)
    if path.suffix.lower() == ".csv":
        return label_table.read({"": path}, options.image_size, options.cache, single=True)
    raise DataError(f"data {shorten(str(path))} is a file of no known kind; give {KINDS}")


def _require_no_size(data: str | Path, options: ReadOptions) -> None:
    if options.image_size is not None:
        cure = f"{one_line(data)} holds arrays; resize them before they are saved"
        allowed = "left out, except for a folder of image files or a .csv file beside them"
        raise SpecError(wrong("image_size", options.image_size, allowed, cure))


def _not_found(path: Path) -> str:
    """Say that a path does not exist, which part of it is wrong, and what is nearest to it."""
    parent = path.parent
    try:
        while not parent.is_dir():
            path, parent = parent, parent.parent
        siblings = {entry.name: str(parent / entry.name) for entry in parent.iterdir()}
    except OSError:
        siblings = {}
    if parent == Path() and len(path.parts) == 1:
        siblings.update({name: name for name in EMBEDDED})
    near = get_close_matches(path.name, siblings, n=1)
    hint = f"did you mean {siblings[near[0]]!r}?" if near else f"give {KINDS}"
    return f"data {shorten(str(path))} does not exist; {hint}"

"""A folder of images: ``train/CLASS/*.jpg`` with optional ``val/`` and ``test/``, or ``CLASS/*.jpg``.

Rules: hidden entries are ignored; so, with a note, are other files and folders inside class folders. A class folder
without images, and an image that cannot be decoded, are errors: what is silently left out changes what is learned.
Of images of 16 bits the upper 8 are kept; where these are nearly unused, the images are refused.
Class names are data; they never become paths. Images of test/ are not opened before they are asked for.

All images are brought to one size and one number of channels, read from the headers of the training and validation
files: grey where all are grey, else RGB; the common size where there is one, else the median height and width. Without
``image_size``, sizes that differ are scaled down so that the longer side is at most 64, a common size to at most 256.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

import numpy as np

from netwright.errors import DataError
from netwright.machine_memory import require_room
from netwright.tasks.formats.array_files import ArrayFiles, described, parts_of
from netwright.tasks.formats.image_files import (
    SUFFIXES,
    ImageForm,
    ImageHeader,
    decode_all,
    read_headers,
    require_depth,
)
from netwright.tasks.formats.parts import Array, Header, Indices, RawData, file_error, printable

_SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
_LONGEST_OF_MIXED = 64
_LONGEST_OF_EQUAL = 256


def read(folder: Path, image_size: tuple[int, int] | None = None, cache: ArrayFiles | None = None) -> RawData:
    """Read a set from a folder of images.

    Args:
        folder: of class folders, or of split folders of class folders.
        image_size: (height, width) all images are resized to; ``None``: see above.
        cache: where decoded images are kept instead of memory.

    Returns:
        The set.

    Raises:
        DataError: no class folders, an empty one, a misspelt split folder, damaged images.
        MissingDependencyError: Pillow is not installed.
    """
    splits = _split_folders(folder)
    listed = {split: _list_images(where, folder) for split, where in splits.items()}
    notes = _notes(list(listed.values()))
    seen = [listed[split] for split in ("train", "val") if split in listed]
    form, resized = common_form(list(chain.from_iterable(part.files for part in seen)), image_size, cache)
    parts = {
        split: FolderPart(part.where, part.files, np.array(part.classes, dtype=np.str_), form, cache)
        for split, part in listed.items()
    }
    notes += resized
    name, test = folder.resolve().name, parts.get("test")
    return RawData(name, parts["train"], parts.get("val"), test, tuple(notes), layout="CHW")


class Listing:
    """Images found below one folder of class folders.

    Args:
        where: how messages name it.
        files: of all classes, ordered by class and name.
        classes: name of each file's class.
        ignored: how many entries in class folders are no images.
    """

    def __init__(self, where: str, files: Sequence[Path], classes: Sequence[str], ignored: int) -> None:
        self.where, self.files, self.classes, self.ignored = where, tuple(files), tuple(classes), ignored


class FolderPart:
    """Image files with their labels, decoded when asked for.

    Args:
        where: how messages name it.
        files: N image files.
        y: (N, ...) labels.
        form: what each becomes.
        cache: where decoded images are kept instead of memory.
    """

    def __init__(
        self, where: str, files: Sequence[Path], y: Array, form: ImageForm, cache: ArrayFiles | None = None
    ) -> None:
        self.where, self.files, self.y, self.form, self.cache = where, tuple(files), y, form, cache

    def header(self) -> Header:
        shape = (len(self.files), self.form.channels, self.form.height, self.form.width)
        return Header(shape, np.dtype(np.uint8))

    def labels(self) -> Array:
        return self.y

    def images(self) -> Array:
        if self.cache is None:
            return decode_all(self.files, self.form)
        header = self.header()

        def fill(pixels: Array) -> None:
            for part in parts_of(pixels.shape, pixels.dtype):
                pixels[part] = decode_all(self.files[part], self.form)

        return self.cache.array(described(self.files, told=self.form), header.shape, header.dtype, fill)

    def take(self, rows: Indices) -> FolderPart:
        return FolderPart(self.where, [self.files[r] for r in rows], self.y[rows], self.form, self.cache)


def common_form(
    files: Sequence[Path], image_size: tuple[int, int] | None, cache: ArrayFiles | None
) -> tuple[ImageForm, list[str]]:
    """What all images of a set become, and the note of it where some are resized.

    Args:
        files: of the training and validation part; their headers are read.
        image_size: as of `read`.
        cache: as of `read`; without it the images must fit in memory.

    Raises:
        DataError: damaged images, or more than the memory holds.
    """
    headers = read_headers(files)
    form = _form(headers, image_size)
    require_depth([file for file, header in zip(files, headers, strict=True) if header.deep])
    if cache is None:
        _check_memory(len(headers), form)
    resized = any((header.height, header.width) != (form.height, form.width) for header in headers)
    return form, [f"images are resized to {form.height} x {form.width}"] if resized else []


def _split_folders(folder: Path) -> dict[str, Path]:
    """The folders of train, val and test; or the folder itself as train, when it holds classes.

    A folder ``train`` of images is a class of that name; a folder ``train`` of folders is the training part.
    """
    inside = {entry.name: entry for entry in _entries(folder) if entry.is_dir()}
    by_name = {name.lower(): entry for name, entry in inside.items()}
    found = {
        split: next((by_name[name] for name in names if name in by_name), None) for split, names in _SPLITS.items()
    }
    train = found["train"]
    if train is None or not any(entry.is_dir() for entry in _entries(train)):
        _require_classes(folder, list(inside))
        return {"train": folder}
    splits = {split: where for split, where in found.items() if where is not None}
    known = list(chain.from_iterable(_SPLITS.values()))
    for name in sorted(set(inside) - {where.name for where in splits.values()}):
        near = get_close_matches(name.lower(), known, n=1, cutoff=0.7)
        if near:
            raise DataError(
                f"{str(folder)!r} holds train/ and also {name!r}; did you mean {near[0]!r}? "
                f"known: {', '.join(known)}, one folder each"
            )
    return splits


def _require_classes(folder: Path, names: Sequence[str]) -> None:
    """Refuse folders each of which is named after another part, as train_images/ and test_images/ are: no classes.

    Several of one part may be classes, such as freight_train/ and steam_train/.
    """
    parts = [_part_of(name) for name in names]
    if names and None not in parts and len(set(parts)) == len(parts):
        raise DataError(
            f"{str(folder)!r} holds {', '.join(map(repr, names))}, which name parts of the data and no classes; "
            "arrange the images as train/CLASS/*.jpg, or give the .csv file that has their labels"
        )


def _part_of(name: str) -> str | None:
    """The part that a word in a folder's name says, if one does."""
    words = set(re.split("[^a-z]+", name.lower()))
    return next((part for part, known in _SPLITS.items() if words.intersection(known)), None)


def _list_images(folder: Path, top: Path) -> Listing:
    """Find the images of each class folder."""
    files: list[Path] = []
    classes: list[str] = []
    ignored = 0
    where = printable(top.name if folder == top else f"{folder.name}/ of {top.name}")
    for class_folder in (entry for entry in _entries(folder) if entry.is_dir()):
        inside = _entries(class_folder)
        images = [entry for entry in inside if entry.suffix.lower() in SUFFIXES and not entry.is_dir()]
        if not images:
            raise DataError(
                f"the class folder {str(class_folder)!r} holds no images ({', '.join(SUFFIXES)}); fill it or remove it"
            )
        files += images
        classes += [class_folder.name] * len(images)
        ignored += len(inside) - len(images)
    if not files:
        raise DataError(
            f"no images found: {str(folder)!r} has no class folders; arrange them as CLASS/*.jpg or train/CLASS/*.jpg"
        )
    return Listing(where, files, classes, ignored)


def _entries(folder: Path) -> list[Path]:
    """Entries that are not hidden, in an order that depends on their names only."""
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208 - names, not paths
    except OSError as error:
        raise file_error(folder, error) from error
    return [folder / name for name in sorted(names)]


def _notes(listed: Sequence[Listing]) -> list[str]:
    ignored = sum(part.ignored for part in listed)
    read = ", ".join(SUFFIXES)
    return [f"{ignored} entries in class folders are no images ({read}) and were ignored"] if ignored else []


def _form(headers: Sequence[ImageHeader], image_size: tuple[int, int] | None) -> ImageForm:
    """Size and channels that all images are brought to."""
    channels = 1 if all(header.grey for header in headers) else 3
    sizes = {(header.height, header.width) for header in headers}
    if image_size is not None:
        return ImageForm(channels, *image_size)
    height, width = (float(np.median(side)) for side in ([h.height for h in headers], [h.width for h in headers]))
    shrink = min(1.0, (_LONGEST_OF_EQUAL if len(sizes) == 1 else _LONGEST_OF_MIXED) / max(height, width))
    return ImageForm(channels, max(1, round(height * shrink)), max(1, round(width * shrink)))


def _check_memory(num_images: int, form: ImageForm) -> None:
    """Refuse what would fill the memory, before any of it is decoded."""
    needed = num_images * form.channels * form.height * form.width
    cure = "give a smaller image_size, or keep them in files (--task-option cache=FOLDER)"
    require_room(needed, f"{num_images} images of {form.height} x {form.width}", cure)
